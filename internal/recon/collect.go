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

// ours collects our entries.
type ours struct {
	opts   Options
	rates  *rateTable
	rows   *sift.Store
	keys   *sift.Store // of paid orders: the merchant's order
	report OurReport
	others int64 // rows of other channels
	// otherAccounts counts rows of other accounts, and unrated those of products
	// without a rate; product is the first of these.
	otherAccounts, unrated int64
	product                string
	paid                   int64
}

func (o *ours) add(r *entries.Row) error {
	if len(r.Channel) > 0 && string(r.Channel) != o.opts.OurChannel {
		o.others++
		return nil
	}
	if o.opts.OurAccount != "" && len(r.Account) > 0 && string(r.Account) != o.opts.OurAccount {
		o.otherAccounts++
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
	rate := o.rates.place(r.Product)
	if rate > 0 && int(rate) == len(o.rates.e5) {
		if o.unrated == 0 {
			o.product = string(r.Product)
		}
		o.unrated++
	}
	return o.rows.Add(sift.Record{Key: key, Row: withFen(row, int64(r.Amount)), Line: line, Meta: metaOf(r.Kind, r.State) | rate<<metaRates})
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
	opts    Options
	rates   *rateTable
	rows    *sift.Store
	moves   *sift.Store // nil: no fund bill
	loose   []loose
	net     pay.Fen // by cash effect, of the settled amounts
	charged pay.Fen // fees: a payment's is above 0
	sum     pay.Fen // by cash effect
	fees    feeSums
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
	own := t.fees.add(r)
	fits := t.rates.fitting(charge{kind: r.Kind, base: r.Settle, fee: r.Fee, signed: len(r.Rate) > 0}, own)
	if meta |= fits << metaRates; fits == 0 {
		meta |= metaOdd
	}
	t.sum += effect(r.Kind, r.Amount)
	if err := t.rows.Add(sift.Record{Key: key, Row: withFen(row, int64(r.Amount)), Fen: int64(r.Amount), Line: line, Meta: meta}); err != nil {
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
		t.charged += feeFen(r.Fee)
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
		if err := t.moves.Add(sift.Record{Key: key, Row: moveRow(key, false, int64(net)), Fen: int64(net), Line: line, Meta: meta}); err != nil {
			return err
		}
	}
	if fee := feeFen(r.Fee); t.opts.Channel != bill.Alipay && r.Kind == pay.EntryPay && fee != 0 {
		return t.moves.Add(sift.Record{Key: key, Row: moveRow(key, true, -int64(fee)), Fen: -int64(fee), Line: line, Meta: meta})
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
	key := xxh3.HashSeed(fundNumber(r.ChannelTradeNo, r.ChannelRefundNo), f.opts.Seed)
	rec := sift.Record{Key: key, Row: moveRow(key, kind == fundFee, int64(net)), Fen: int64(net), Line: line, Meta: uint32(file)} //nolint:gosec // at most maxFiles
	if kind == fundReturned {
		rec.Meta |= metaOdd
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
