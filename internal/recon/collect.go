package recon

import (
	"fmt"
	"math"

	"github.com/zeebo/xxh3"

	"paytool/internal/bill"
	"paytool/internal/entries"
	"paytool/internal/pay"
	"paytool/internal/recon/sift"
)

// maxFiles is how many files one side may have; the last number is that of carried
// rows.
const (
	maxFiles    = 255
	carriedFile = 255
)

// The parts of sift.Record.Meta: the file, and what decides whether an order is
// clean.
const (
	metaFile     uint32 = 0xff
	metaPay      uint32 = 1 << 8
	metaRevoke   uint32 = 1 << 9
	metaPossible uint32 = 1 << 10
	metaNone     uint32 = 1 << 11 // unexpected
	metaRevoked  uint32 = 1 << 12 // a payment that was revoked
	metaOdd      uint32 = 1 << 13 // the rows of its order are to be looked at whole
	metaRefundIn uint32 = 1 << 14 // fund flow: a refund, which may belong to a revoke without a number
)

// fingerprint is the key of an order and the identity of a row: 128 bits of the
// order number, mixed with the kind and the refund number.
func fingerprint(seed uint64, kind pay.EntryKind, order, refund []byte) (key, row uint64) {
	h := xxh3.Hash128Seed(order, seed)
	switch kind {
	case pay.EntryPay:
		return h.Hi, h.Lo
	case pay.EntryRevoke:
		return h.Hi, h.Lo + 1
	default:
		return h.Hi, xxh3.HashSeed(refund, h.Lo)
	}
}

func fingerprintText(seed uint64, r *Row) (key, row uint64) {
	return fingerprint(seed, r.Kind, []byte(orderOf(r)), []byte(r.RefundNo))
}

// orderOf is the number that groups rows: the order's, or the channel's where a bill
// lacks it.
func orderOf(r *Row) string {
	if r.OrderNo == "" {
		return r.ChannelTradeNo
	}
	return r.OrderNo
}

// metaOf is what the state of one of our rows means.
func metaOf(kind pay.EntryKind, state string) uint32 {
	var m uint32
	switch kind {
	case pay.EntryPay:
		m = metaPay
		if state == string(pay.Revoked) {
			m |= metaRevoked
		}
	case pay.EntryRevoke:
		m = metaRevoke
	case pay.EntryRefund:
	}
	switch expect(kind, state) {
	case possible:
		m |= metaPossible
	case unexpected:
		m |= metaNone
	case expected:
	}
	return m
}

// ours collects our entries.
type ours struct {
	opts   Options
	rows   *sift.Store
	keys   *sift.Store // of paid orders: the merchant's order
	report OurReport
	others int64 // rows of other channels
	paid   int64
}

func (o *ours) add(r *entries.Row) error {
	if len(r.Channel) > 0 && string(r.Channel) != o.opts.Channel {
		o.others++
		return nil
	}
	line, err := lineNumber(r.Line)
	if err != nil {
		return err
	}
	key, row := fingerprint(o.opts.Seed, r.Kind, r.OrderNo, r.RefundNo)
	if r.Kind == pay.EntryPay && r.State == string(pay.Paid) {
		o.paid++
		if len(r.MerchantOrderNo) > 0 {
			merchant := xxh3.HashSeed(r.MerchantID, o.opts.Seed)
			if err := o.keys.Add(sift.Record{Key: xxh3.HashSeed(r.MerchantOrderNo, merchant), Row: key}); err != nil {
				return err
			}
		}
	}
	return o.rows.Add(sift.Record{Key: key, Row: row, Fen: int64(r.Amount), Line: line, Meta: metaOf(r.Kind, r.State)})
}

func lineNumber(line int) (uint32, error) {
	if int64(line) > math.MaxUint32 {
		return 0, fmt.Errorf("line %d: a file of more than 2^32 lines; split it", line)
	}
	return uint32(line), nil //nolint:gosec // checked
}

// loose is a revoke whose row in the trade bill has no refund number: only the
// amount connects it with its movement.
type loose struct {
	net        pay.Fen
	file, line int
}

// trades collects the trade bill, for both flows.
type trades struct {
	opts  Options
	rows  *sift.Store
	moves *sift.Store // nil: no fund bill
	loose []loose
	net   pay.Fen // by cash effect, of the settled amounts
	fees  pay.Fen // charged: a payment's is above 0
	sum   pay.Fen // by cash effect
}

func (t *trades) add(file int, r *bill.Row) error {
	line, err := lineNumber(r.Line)
	if err != nil {
		return err
	}
	order := r.OrderNo
	if len(order) == 0 {
		order = r.ChannelTradeNo
	}
	key, row := fingerprint(t.opts.Seed, r.Kind, order, r.RefundNo)
	meta := uint32(file) //nolint:gosec // at most maxFiles
	switch r.Kind {
	case pay.EntryPay:
		meta |= metaPay
	case pay.EntryRevoke:
		meta |= metaRevoke
	case pay.EntryRefund:
	}
	if !feeRight(r) {
		meta |= metaOdd
	}
	t.sum += effect(r.Kind, r.Amount)
	if err := t.rows.Add(sift.Record{Key: key, Row: row, Fen: int64(r.Amount), Line: line, Meta: meta}); err != nil {
		return err
	}
	if t.moves == nil {
		return nil
	}
	return t.move(file, line, r)
}

// move adds what the fund bill should have for a row.
func (t *trades) move(file int, line uint32, r *bill.Row) error {
	t.net += effect(r.Kind, r.Settle)
	meta := uint32(file) //nolint:gosec // at most maxFiles
	net := netOf(t.opts.Channel, r.Kind, r.Settle, r.Fee)
	number := r.ChannelTradeNo
	if t.opts.Channel != bill.Alipay {
		t.fees += feeFen(r.Fee)
		if r.Kind != pay.EntryPay {
			number = r.ChannelRefundNo
		}
	}
	if noNumber(number) {
		t.loose = append(t.loose, loose{net: net, file: file, line: r.Line})
		return nil
	}
	key := xxh3.HashSeed(number, t.opts.Seed)
	if net != 0 {
		if err := t.moves.Add(sift.Record{Key: key, Fen: int64(net), Line: line, Meta: meta}); err != nil {
			return err
		}
	}
	if fee := feeFen(r.Fee); t.opts.Channel != bill.Alipay && r.Kind == pay.EntryPay && fee != 0 {
		return t.moves.Add(sift.Record{Key: key, Row: 1, Fen: -int64(fee), Line: line, Meta: meta})
	}
	return nil
}

func noNumber(number []byte) bool { return len(number) == 0 || string(number) == "0" }

// funds collects the fund bill.
type funds struct {
	opts   Options
	moves  *sift.Store
	other  pay.Fen
	others int64
	sum    pay.Fen
}

func (f *funds) add(file int, r *bill.Row) error {
	line, err := lineNumber(r.Line)
	if err != nil {
		return err
	}
	net := effect(r.Kind, r.Amount)
	f.sum += net
	kind := kindOfFund(f.opts.Channel, r)
	switch kind {
	case fundOther:
		f.others++
		f.other += net
		return nil
	case fundReturned, fundTrade, fundFee:
	}
	rec := sift.Record{Key: xxh3.HashSeed(fundNumber(r.ChannelTradeNo, r.ChannelRefundNo), f.opts.Seed), Fen: int64(net), Line: line, Meta: uint32(file)} //nolint:gosec // at most maxFiles
	switch kind {
	case fundFee:
		rec.Row = 1
	case fundReturned:
		rec.Meta |= metaOdd
	default:
	}
	if len(r.ChannelRefundNo) > 0 {
		rec.Meta |= metaRefundIn
	}
	return f.moves.Add(rec)
}

func fundNumber(trade, refund []byte) []byte {
	if len(refund) > 0 {
		return refund
	}
	return trade
}
