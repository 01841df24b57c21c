package recon

import (
	"fmt"

	"paytool/internal/bill"
	"paytool/internal/pay"
)

// kinds are the lines of the matrix, in its order.
var kinds = [...]pay.EntryKind{pay.EntryPay, pay.EntryRefund, pay.EntryRevoke}

func kindIndex(k pay.EntryKind) int {
	switch k {
	case pay.EntryPay:
		return 0
	case pay.EntryRevoke:
		return 2
	default:
		return 1
	}
}

// perKind counts rows and positive amounts by kind.
type perKind [len(kinds)]Total

func (p *perKind) add(k pay.EntryKind, amount pay.Fen) {
	t := &p[kindIndex(k)]
	t.Rows++
	t.Amount += amount
}

// plus adds the rows of another count.
func (p *perKind) plus(other perKind) {
	for i, t := range other {
		p[i].Rows += t.Rows
		p[i].Amount += t.Amount
	}
}

// net is the sum of all rows by cash effect.
func (p *perKind) net() (sum Total) {
	for i, t := range p {
		sum.Rows += t.Rows
		sum.Amount += effect(kinds[i], t.Amount)
	}
	return sum
}

// theirs is what the trade bills say of themselves, by kind.
func (r *run) theirs() (p perKind) {
	for _, report := range r.reports[:len(r.books.Trade)] {
		for i, kind := range kinds {
			p[i].Rows += *perKindOf(&report.Kinds, kind)
			p[i].Amount += pay.Fen(*perKindOf(&report.AmountFen, kind))
		}
	}
	return p
}

func perKindOf(p *bill.PerKind, k pay.EntryKind) *int64 {
	switch k {
	case pay.EntryPay:
		return &p.Pay
	case pay.EntryRevoke:
		return &p.Revoke
	default:
		return &p.Refund
	}
}

// matrix is kind x (ours, channel, matched, carried, difference).
func (r *run) matrix() []KindTotals {
	theirs := r.theirs()
	lines := make([]KindTotals, len(kinds))
	for i, kind := range kinds {
		lines[i] = KindTotals{Kind: kind, Ours: r.expected[i], Theirs: theirs[i], Matched: r.matched[i], Carried: r.waiting[i]}
	}
	for _, d := range r.differences {
		if d.Class.flow() == TradeFlow {
			line := &lines[kindIndex(d.Kind)]
			line.Difference.Rows++
			line.Difference.Amount += d.DifferenceFen
		}
	}
	return lines
}

// proveKinds asserts that the lines of the matrix add up to what stands elsewhere.
func (r *run) proveKinds(res *Result) error {
	var ours, theirs, agreed, waiting perKind
	var differing pay.Fen
	for i, k := range res.Kinds {
		ours[i], theirs[i], agreed[i], waiting[i] = k.Ours, k.Theirs, k.Matched, k.Carried
		differing += k.Difference.Amount
	}
	trade, b := res.Rows[Trade], res.Bridge
	explained := b.MissingInChannel + b.MissingInOurs + b.Amount + b.State + b.Duplicate
	if ours.net().Amount != b.Ours || theirs.net() != (Total{trade.Read - trade.Rejected, b.Theirs}) || differing != explained ||
		agreed.net().Rows != trade.Matched || waiting.net().Rows != trade.Carried {
		return fmt.Errorf("reconcile: the kinds do not add up to the totals: %+v; this is a bug of paytool, keep the files", res.Kinds)
	}
	return nil
}
