package generate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"paytool/internal/bill"
	"paytool/internal/pay"
)

const (
	wechatChannel = bill.WeChat
	// recentOrders may still be refunded or revoked: a bounded number, so that a
	// day of any size fits in memory.
	recentOrders = 512
	ctxEvery     = 4096
	// lastPlant is the second of the day after which nothing is planted: later rows
	// fall into the window of the day cut, where a difference is not one yet.
	lastPlant = 23 * 60 * 60
)

// channelWriter writes the bills of one channel.
type channelWriter interface {
	pay(o *order) error
	back(b back) error
	fundPay(o *order) error
	fundBack(b back) error
	fundReturned(b back) error
	close() error
}

// maker makes one day.
type maker struct {
	opts   Options
	rng    *rand.Rand
	salt   int64
	day    time.Time
	out    channelWriter
	fund   bool
	ours   *oursWriter // nil: not asked for
	recent []*order
	orders int64
	backs  int64
	plan   plan
	made   Made
}

// Day makes the files of a day. The writers are not closed.
func Day(ctx context.Context, opts Options, out Outputs) (Made, error) {
	opts = opts.withDefaults()
	day, err := opts.check()
	if err != nil {
		return Made{}, err
	}
	m := &maker{
		opts: opts, rng: rand.New(rand.NewPCG(opts.Seed, 0x62696c6c)),
		day: day, fund: out.Fund != nil, plan: newPlan(opts, out.Fund != nil),
	}
	m.salt = m.rng.Int64N(10_000_000_000)
	if out.Ours != nil {
		m.ours = newOurs(out.Ours, opts.Channel)
	}
	if m.out, err = newChannelWriter(m, out); err != nil {
		return Made{}, err
	}
	if err := m.run(ctx); err != nil {
		return Made{}, fmt.Errorf("generate a bill: %w", err)
	}
	m.made.Differences = len(m.plan.planted)
	if err := m.finish(out); err != nil {
		return Made{}, fmt.Errorf("generate a bill: %w", err)
	}
	return m.made, nil
}

func newChannelWriter(m *maker, out Outputs) (channelWriter, error) {
	if m.opts.Channel == bill.Alipay {
		return newAlipay(m, out)
	}
	return newWechat(m, out), nil
}

// run makes rows until the bill has as many as were asked for. Time moves with
// the rows, so that the day is as long as a day.
func (m *maker) run(ctx context.Context) error {
	for n := 0; m.made.Rows < int64(m.opts.Rows); n++ {
		if n%ctxEvery == 0 {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if m.opts.Progress != nil {
				m.opts.Progress(m.made.Rows)
			}
		}
		second := m.made.Rows * 86_400 / int64(m.opts.Rows)
		if err := m.step(m.day.Add(time.Duration(second)*time.Second), second); err != nil {
			return err
		}
	}
	for _, o := range m.recent {
		if err := m.settle(o); err != nil {
			return err
		}
	}
	return nil
}

// step makes one row, or the rows of a planted difference.
func (m *maker) step(t time.Time, second int64) error {
	if room := int64(m.opts.Rows) - m.made.Rows; second < lastPlant && m.plan.due(m.made.Rows) && room > 2 {
		return m.plant(t)
	}
	switch u := m.rng.Float64(); {
	case u < m.opts.Refunds:
		return m.refund(t)
	case u < m.opts.Refunds+m.opts.Revokes:
		if o := m.pick(func(o *order) bool { return o.refunded == 0 }); o != nil {
			return m.giveBack(m.take(o, pay.EntryRevoke, t))
		}
	}
	return m.sell(t)
}

func (m *maker) sell(t time.Time) error {
	o := m.nextOrder(t)
	if err := m.writePay(o); err != nil {
		return err
	}
	return m.remember(o)
}

func (m *maker) nextOrder(t time.Time) *order {
	m.orders++
	return m.newOrder(m.orders, t)
}

// refund refunds an order of today, or one in five of an earlier day: then the
// bill has the refund without the payment.
func (m *maker) refund(t time.Time) error {
	if m.rng.IntN(5) == 0 {
		m.orders++
		return m.giveBack(m.take(m.newOrder(m.orders, t.AddDate(0, 0, -1-m.rng.IntN(20))), pay.EntryRefund, t))
	}
	o := m.pick(func(o *order) bool {
		return !o.revoked && o.refunded < o.amount && (o.refunded == 0 || o.settle == o.amount)
	})
	if o == nil {
		return m.sell(t)
	}
	return m.giveBack(m.take(o, pay.EntryRefund, t))
}

// pick is one of the recent orders that fits, or nil after a few tries.
func (m *maker) pick(fits func(*order) bool) *order {
	for range 8 {
		if len(m.recent) == 0 {
			return nil
		}
		if o := m.recent[m.rng.IntN(len(m.recent))]; fits(o) {
			return o
		}
	}
	return nil
}

// remember keeps an order among the recent ones; the one that leaves goes into our
// books as it now is.
func (m *maker) remember(o *order) error {
	if len(m.recent) < recentOrders {
		m.recent = append(m.recent, o)
		return nil
	}
	i := m.rng.IntN(recentOrders)
	old := m.recent[i]
	m.recent[i] = o
	return m.settle(old)
}

// settle writes an order to our books. A revoked order is there in either of its
// forms: paid with a revoke beside it (giveBack wrote that), or revoked.
func (m *maker) settle(o *order) error {
	if m.ours == nil {
		return nil
	}
	return m.ours.pay(o)
}

// writePay writes a payment to the bill and the fund bill.
func (m *maker) writePay(o *order) error {
	m.made.Rows++
	m.made.Kinds.Pay++
	m.made.AmountFen.Pay += int64(o.amount)
	if err := m.out.pay(o); err != nil {
		return err
	}
	return m.out.fundPay(o)
}

// writeBack writes a refund or revoke to the bill and the fund bill.
func (m *maker) writeBack(b back) error {
	m.made.Rows++
	if b.kind == pay.EntryRevoke {
		m.made.Kinds.Revoke++
		m.made.AmountFen.Revoke += int64(b.amount)
	} else {
		m.made.Kinds.Refund++
		m.made.AmountFen.Refund += int64(b.amount)
	}
	if err := m.out.back(b); err != nil {
		return err
	}
	return m.out.fundBack(b)
}

// giveBack writes a refund or revoke everywhere, our books included.
func (m *maker) giveBack(b back) error {
	asState := b.kind == pay.EntryRevoke && m.rng.IntN(2) == 0 // drawn always: the bill is the same with and without ours
	if err := m.writeBack(b); err != nil || m.ours == nil {
		return err
	}
	if asState {
		b.ourState = pay.Revoked
		return nil
	}
	return m.ours.back(b)
}

func (m *maker) finish(out Outputs) error {
	if err := m.out.close(); err != nil {
		return err
	}
	if m.ours != nil {
		if err := m.ours.close(); err != nil {
			return err
		}
	}
	if out.Truth == nil {
		return nil
	}
	return m.plan.write(out.Truth, m.opts)
}
