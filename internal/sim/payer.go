package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// payer is somebody at a till who wants an order paid. A client has two of them
// where two tills, or two programs of one merchant, work on one key.
type payer struct {
	*client
	no      pay.OrderNo
	confirm bool // the risk was asked for, and is taken
}

// pay pays what the client holds. Some clients have a second payer at the same
// time, with the same number or with what another create answers.
func (c *client) pay() {
	w := c.world
	first := &payer{client: c, no: c.order.No}
	if w.chance.IntN(5) > 0 {
		first.work()
		return
	}
	w.truth.saw("two_payers")
	second := &payer{client: c, no: c.order.No}
	w.env.Gather(w.ctx, 2, func(_ context.Context, i int) {
		if i == 0 {
			first.work()
			return
		}
		if w.chance.IntN(2) == 0 {
			w.sleep(within(w.chance, 800*time.Millisecond))
		}
		if w.chance.IntN(2) == 0 {
			second.createAgain()
		}
		second.work()
	})
}

// work goes on until the payment has an end, or the payer has enough.
func (p *payer) work() {
	w := p.world
	for range 1 + w.chance.IntN(7) {
		a := p.askPay()
		var refused *order.Error
		switch {
		case !a.arrived:
			p.createAgain()
		case errors.As(a.err, &refused):
			if p.heardNo(refused) {
				return
			}
		case a.err != nil:
			w.truth.violated(otherAnswer, "pay answered with an error of another type: %v", a.err)
		case a.order.State == pay.Paid:
			p.no = a.order.No
			p.afterwards()
			return
		case a.order.State.Final():
			return
		case w.chance.IntN(6) == 0:
			p.cancel()
		}
		w.sleep(100*time.Millisecond + within(w.chance, 1500*time.Millisecond))
	}
}

// heardNo acts on a refusal and reports whether the payer gives up.
func (p *payer) heardNo(refused *order.Error) (done bool) {
	w := p.world
	w.truth.note("payer of %s hears: %v", p.no, refused)
	w.truth.saw("pay_" + refused.Code)
	w.refused("pay", refused)
	switch refused.Code {
	case order.CodeRiskDouble:
		w.truth.saw("guard_silent")
		p.confirm = w.chance.IntN(4) > 0
	case order.CodeGroupDown, order.CodeUnknownOutcome:
		p.createAgain()
	case order.CodeNotFound, pay.CodeUnknownTag:
		w.truth.violated(ackedVanished, "pay %s: %v", p.no, refused)
		return true
	case order.CodeOrderEnded, order.CodeOrderExpired:
		if w.chance.IntN(3) > 0 {
			return true
		}
		if o, ok := p.askFurther(); ok {
			p.no = o.No
		}
	}
	return false
}

// createAgain asks for an order with the same key, as a till does that has heard
// nothing, and goes on with what it is given.
func (p *payer) createAgain() {
	if p.world.chance.IntN(3) == 0 {
		return
	}
	if o, ok := p.ask(p.req); ok {
		p.no = o.No
	}
}

// askPay asks an instance to pay, and judges a good answer.
func (p *payer) askPay() answer {
	w, in := p.world, p.pick()
	if in == nil {
		return answer{}
	}
	w.truth.note("payer asks %s to pay %s, risk taken: %t", in.links[0].who, p.no, p.confirm)
	asked, engine := p.no, in.engine
	request := order.PayRequest{AuthCode: "13", Channel: channelName, ConfirmRisk: p.confirm}
	a := &answer{}
	a.arrived = p.call(in, p.payPatience(), func(ctx context.Context) { a.order, a.err = engine.Pay(ctx, asked, request) })
	o := a.order
	if !a.arrived || a.err != nil {
		return *a
	}
	w.truth.note("payer of %s hears: %s, recording %t", asked, describe(o), o.Recording)
	if o.Key != p.req.Key || o.Amount != p.req.Amount {
		w.truth.violated(otherAnswer, "pay %s answered with %s", asked, describe(o))
	}
	w.truth.paidAnswer(o)
	if row := w.truth.row(asked); o.State == pay.Paid && o.No != asked && row != nil && row.State == pay.Created {
		w.truth.saw("guard_found_paid")
	}
	if o.Recording {
		w.truth.saw("recording")
	}
	return *a
}

// payPatience is mostly longer than a call of the channel.
func (p *payer) payPatience() time.Duration {
	if p.world.chance.IntN(5) == 0 {
		return 50*time.Millisecond + within(p.world.chance, 300*time.Millisecond)
	}
	return 500*time.Millisecond + within(p.world.chance, 4*time.Second)
}

// cancel asks for a revoke.
func (p *payer) cancel() {
	in := p.pick()
	if in == nil {
		return
	}
	engine, no := in.engine, p.no
	var o order.Order
	var err error
	ended := p.call(in, 2*time.Second, func(ctx context.Context) { o, err = engine.Revoke(ctx, no) })
	if ended {
		p.world.refused("revoke", err)
	}
	if ended && err == nil {
		p.world.truth.note("cancelled: %s", describe(o))
		p.world.truth.saw("cancelled")
		p.world.truth.paidAnswer(o)
	}
}

// afterwards is what some do with a paid order: refund a part of it, refund it
// twice, try to revoke it, or pay once more at a till that has not heard of it.
func (p *payer) afterwards() {
	w := p.world
	w.truth.saw("paid")
	switch w.chance.IntN(8) {
	case 0, 1:
		w.sleep(within(w.chance, 2*time.Second))
		p.refund("one", 1+pay.Fen(w.chance.Int64N(int64(p.req.Amount))))
	case 2:
		half := (p.req.Amount + 1) / 2
		w.env.Gather(w.ctx, 2, func(_ context.Context, i int) {
			p.refund([]string{"one", "two"}[i], half) // of an odd amount both are too much
		})
	case 3:
		p.cancel()
	case 4:
		p.payOnceMore()
	}
}

// payOnceMore waits for a moment in which the order's group cannot say that it is
// paid, if one comes soon.
func (p *payer) payOnceMore() {
	w := p.world
	holder := w.truth.holder(p.no)
	for by := w.clock.now + 3*time.Second; w.clock.now < by && holder.kind == faultNone; {
		w.sleep(100 * time.Millisecond)
	}
	p.confirm = true
	p.createAgain()
	p.work()
}

// refund asks for a refund until it is done, or the payer has enough.
func (p *payer) refund(name string, amount pay.Fen) {
	w := p.world
	request := order.RefundRequest{No: fmt.Sprintf("%s-%s", p.req.Key.MerchantOrderNo, name), Amount: amount}
	for range 1 + w.chance.IntN(5) {
		if in := p.pick(); in != nil {
			engine, no := in.engine, p.no
			var r order.Refund
			var err error
			if p.call(in, p.payPatience(), func(ctx context.Context) { _, r, err = engine.Refund(ctx, no, request) }) {
				w.truth.note("refund %s of %s: %s, %v", request.No, no, r.State, err)
				w.refused("refund", err)
				if err == nil && r.State == pay.RefundDone {
					w.truth.saw("refunded")
					return
				}
			}
		}
		w.sleep(within(w.chance, 2*time.Second))
	}
}
