package generate

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"paytool/internal/bill"
	"paytool/internal/pay"
)

// Trade is a row that a bill is to have.
type Trade struct {
	Kind               pay.EntryKind
	OrderNo, TradeNo   string // the merchant's and the channel's
	RefundNo, RefundID string // of a refund: the merchant's number and the channel's
	Amount             pay.Fen
	Time               time.Time
}

// Trades writes WeChat's bill of type ALL, and its fund bill, of trades that are handed
// in, in their order: the bill of a simulated channel. Of the options Date, Merchant
// and RateE5 count. An error of a trade ends it and is returned.
func Trades(opts Options, trades iter.Seq2[Trade, error], out Outputs) (Made, error) {
	opts = opts.withDefaults()
	day, err := opts.check()
	if err != nil {
		return Made{}, err
	}
	if opts.Channel != bill.WeChat || opts.Old || out.Ours != nil || out.Truth != nil {
		return Made{}, fmt.Errorf("write a bill of trades: WeChat's of 27 columns and its fund bill alone can be written")
	}
	m := &maker{opts: opts, rng: rand.New(rand.NewPCG(opts.Seed, 0x74726164)), day: day}
	m.out = newWechat(m, out)
	for t, err := range trades {
		if err == nil {
			err = m.trade(t)
		}
		if err != nil {
			return Made{}, fmt.Errorf("write a bill of trades: %w", err)
		}
	}
	if err := m.out.close(); err != nil {
		return Made{}, fmt.Errorf("write a bill of trades: %w", err)
	}
	return m.made, nil
}

func (m *maker) trade(t Trade) error {
	o := &order{no: t.OrderNo, tradeNo: t.TradeNo, terminal: "1", subject: "-", amount: t.Amount, settle: t.Amount, fee: m.fee(t.Amount), time: t.Time.In(pay.Beijing)}
	if t.Kind == pay.EntryPay {
		return m.writePay(o)
	}
	return m.writeBack(back{order: o, kind: t.Kind, no: t.RefundNo, id: t.RefundID, amount: t.Amount, settle: t.Amount, fee: o.fee, time: o.time})
}
