package recon

import (
	"cmp"
	"slices"

	"paytool/internal/pay"
	"paytool/internal/recon/sift"
)

// place names a row of a file.
type place struct {
	file int
	line int
}

// sieve tells the clean groups from the odd ones, and counts the clean. One worker
// has it.
type sieve struct {
	suspects map[uint64]bool // orders that share a merchant's order
	oursOdd  []place
	trades   []place
	// Of clean groups:
	oursMatched, notExpected int64
	matched                  perKind // rows of the bill, and what ours make of them
	scratch                  []sift.Record
}

func placeOf(r sift.Record) place { return place{file: int(r.Meta & metaFile), line: int(r.Line)} }

// order is the visitor of the trade flow.
func (s *sieve) order(ours, trades []sift.Record) error {
	if s.clean(ours, trades) {
		return nil
	}
	for _, r := range ours {
		s.oursOdd = append(s.oursOdd, placeOf(r))
	}
	for _, r := range trades {
		s.trades = append(s.trades, placeOf(r))
	}
	return tooOdd(len(s.oursOdd) + len(s.trades))
}

// clean reports whether all rows of an order agree, and counts them.
func (s *sieve) clean(ours, trades []sift.Record) bool {
	var flags uint32
	for _, r := range ours {
		flags |= r.Meta
	}
	for _, r := range trades {
		flags |= r.Meta & metaOdd
	}
	if flags&metaOdd != 0 || len(s.suspects) > 0 && len(ours) > 0 && s.suspects[ours[0].Key] {
		return false
	}
	if len(trades) == 0 {
		return s.unbilled(ours)
	}
	if flags&(metaPossible|metaNone) != 0 {
		return false
	}
	want := ours
	if flags&metaRevoked != 0 && flags&metaRevoke == 0 {
		if len(ours) != 1 {
			return false
		}
		implied := ours[0]
		implied.Row++ // as fingerprint has it
		s.scratch = append(append(s.scratch[:0], ours[0]), implied)
		want = s.scratch
	}
	if !sameRows(want, trades) || !feesFit(want, trades) {
		return false
	}
	s.oursMatched += int64(len(ours))
	for _, r := range trades {
		s.matched.add(kindOf(r.Meta), pay.Fen(r.Fen))
	}
	return true
}

// unbilled: rows that the bill need not have. Those that were revoked are looked at
// whole, as they may wait for tomorrow's bill.
func (s *sieve) unbilled(ours []sift.Record) bool {
	for _, r := range ours {
		if r.Meta&(metaNone|metaPossible) == 0 {
			return false
		}
	}
	s.notExpected += int64(len(ours))
	return true
}

// sameRows compares two multisets by their identities, which have the amounts in
// them; it may sort them.
func sameRows(a, b []sift.Record) bool {
	if len(a) != len(b) {
		return false
	}
	if len(a) > 1 {
		slices.SortFunc(a, compareRecords)
		slices.SortFunc(b, compareRecords)
	}
	for i := range a {
		if a[i].Row != b[i].Row {
			return false
		}
	}
	return true
}

// feesFit: each fee follows from the rate of what our books say was sold.
func feesFit(ours, trades []sift.Record) bool {
	for i := range ours {
		if trades[i].Meta>>(metaRates+ours[i].Meta>>metaRates)&1 == 0 {
			return false
		}
	}
	return true
}

func compareRecords(a, b sift.Record) int {
	return cmp.Compare(a.Row, b.Row)
}

// fundSieve does the same for movements.
type fundSieve struct {
	trades, funds []place
	matched       int64
	// refunds are movements without a trade that may belong to a revoke without a
	// number.
	refunds []looseMove
}

type looseMove struct {
	net pay.Fen
	at  place
}

func (s *fundSieve) order(want, got []sift.Record) error {
	if len(want) == 0 && len(got) == 1 && got[0].Meta&(metaRefundIn|metaOdd) == metaRefundIn {
		s.refunds = append(s.refunds, looseMove{net: pay.Fen(got[0].Fen), at: placeOf(got[0])})
		return nil
	}
	odd := false
	for _, r := range want {
		odd = odd || r.Meta&metaOdd != 0
	}
	for _, r := range got {
		odd = odd || r.Meta&metaOdd != 0
	}
	if !odd && sameRows(want, got) {
		s.matched += int64(len(got))
		return nil
	}
	for _, r := range want {
		s.trades = append(s.trades, placeOf(r))
	}
	for _, r := range got {
		s.funds = append(s.funds, placeOf(r))
	}
	return tooOdd(len(s.trades) + len(s.funds))
}
