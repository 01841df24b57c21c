package sim

import (
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// bookState is where a payment is at the channel.
type bookState string

const (
	bookSent    bookState = "sent" // it left, and has not arrived or never will
	bookPending bookState = "pending"
	bookPaid    bookState = "paid"
	bookFailed  bookState = "failed" // the buyer was not charged
	bookClosed  bookState = "closed" // timed out there
	bookRevoked bookState = "revoked"
)

// book is what the channel knows of one order number.
type book struct {
	account string
	amount  pay.Fen
	state   bookState
	arrived time.Duration
	paidAt  time.Duration
	wasPaid bool
	sent    bool // by us
	late    bool // the buyer took time
	// payError: while pending it says PAYERROR instead.
	payError bool
	// revocable: a revoke of the paid order is not refused.
	revocable bool
	refunds   []*bookRefund
}

type bookRefund struct {
	no     string
	amount pay.Fen
	state  pay.RefundState
	doneAt time.Duration // of one that is on its way
}

// kept is the money that the channel has taken and not given back.
func (b *book) kept() pay.Fen {
	if b.state != bookPaid {
		return 0
	}
	return b.amount - b.given(func(r *bookRefund) bool { return r.state == pay.RefundDone })
}

// standing refunds give money back or may do so.
func standing(r *bookRefund) bool { return r.state != pay.RefundClosed && r.state != pay.RefundFailed }

func (b *book) given(counts func(r *bookRefund) bool) (sum pay.Fen) {
	for _, r := range b.refunds {
		if counts(r) {
			sum += r.amount
		}
	}
	return sum
}

// pay is the arrival of a payment. What becomes of it is drawn: most are paid at
// once, some wait for the buyer, who pays, gives up, or is too slow.
func (c *channel) pay(call order.PayCall) order.Answer {
	b := c.books[call.OrderNo]
	if b.state != bookSent {
		return c.answerFor(b, call.OrderNo) // it was revoked before it arrived
	}
	b.arrived, b.state, b.revocable = c.clock.now, bookPending, c.chance.IntN(6) > 0
	switch n := c.chance.IntN(100); {
	case n < 55:
		c.take(b)
	case n < 63:
		b.state = bookFailed
	case n < 78:
		b.late = true
		c.later(b, func() { c.take(b) })
	case n < 82:
		c.later(b, func() { b.state = bookFailed })
	case n < 86:
		c.later(b, func() { b.state = bookClosed })
	case n < 90:
		c.later(b, func() { b.state = bookRevoked })
	case n < 93:
		b.payError = true
	case n < 96:
		b.payError = true
		c.later(b, func() { c.take(b) })
	default: // the buyer has gone
	}
	c.truth.note("channel: %s arrived, %s", call.OrderNo, b.state)
	if b.state == bookPending && c.chance.IntN(20) == 0 {
		return order.Answer{Verdict: order.NotFoundThere, Code: "ORDERNOTEXIST"}
	}
	return c.answerFor(b, call.OrderNo)
}

func (c *channel) take(b *book) { b.state, b.paidAt, b.wasPaid = bookPaid, c.clock.now, true }

// later lets something happen to a payment that is still pending by then.
func (c *channel) later(b *book, do func()) {
	c.clock.after(200*time.Millisecond+within(c.chance, longestBuyer), func() {
		if b.state == bookPending {
			do()
		}
	})
}

// answerFor says what the books say, or nothing.
func (c *channel) answerFor(b *book, no pay.OrderNo) order.Answer {
	if c.mumbles() {
		return order.Answer{Verdict: order.Unclear, Code: "SYSTEMERROR"}
	}
	a := order.Answer{Account: b.account, Code: string(b.state)}
	switch b.state {
	case bookPaid:
		a.Verdict, a.TradeNo, a.Amount, a.At = order.Success, "T"+no.String(), b.amount, start.Add(b.paidAt)
	case bookFailed:
		a.Verdict = order.Failed
	case bookClosed:
		a.Verdict = order.ClosedByChannel
	case bookRevoked:
		a.Verdict = order.RevokedByChannel
	case bookPending:
		a.Verdict = order.Pending
		if b.payError {
			a.Verdict = order.PayError
		}
	case bookSent:
		a = order.Answer{Verdict: order.NotFoundThere, Code: "ORDERNOTEXIST"}
	}
	return a
}

func (c *channel) query(account string, no pay.OrderNo) order.Answer {
	b := c.books[no]
	unseen := b == nil || b.account != account || (c.clock.now-b.arrived < 500*time.Millisecond && !c.calm && c.chance.IntN(8) == 0)
	if unseen {
		c.truth.saw("not_found_at_channel")
		return order.Answer{Verdict: order.NotFoundThere, Code: "ORDERNOTEXIST"}
	}
	return c.answerFor(b, no)
}

// revoke ends a payment and gives the money back if it was taken, unless it is too
// late or a refund stands against it.
func (c *channel) revoke(call order.RevokeCall) order.RevokeAnswer {
	if c.mumbles() {
		return order.RevokeAnswer{Verdict: order.RevokeUnclear, Money: pay.MoneyUnknown, Code: "SYSTEMERROR"}
	}
	b := c.books[call.OrderNo]
	if b == nil || b.account != call.Account {
		b = &book{account: call.Account, amount: call.Amount, state: bookSent}
		if !c.forgets {
			c.books[call.OrderNo] = b
		}
	}
	switch {
	case b.state == bookSent && c.forgets:
		c.truth.saw("revoked_unknown_number")
		return order.RevokeAnswer{Verdict: order.RevokeTaken, Money: pay.MoneyClosed, Code: "NO_ACTION"}
	case b.state == bookPaid && (b.given(standing) > 0 || !b.revocable || c.clock.now-b.paidAt > c.limits.RevokeWithin):
		return order.RevokeAnswer{Verdict: order.RevokeTooLate, Code: "TOO_LATE"}
	}
	b.state = bookRevoked
	c.truth.note("channel: %s is revoked, it was paid: %t", call.OrderNo, b.wasPaid)
	a := order.RevokeAnswer{Verdict: order.RevokeTaken, Money: pay.MoneyClosed, Code: "OK"}
	switch {
	case c.chance.IntN(3) == 0:
		a.Money = pay.MoneyUnknown
	case b.wasPaid:
		a.Money = pay.MoneyRefunded
	}
	return a
}

// refund takes a request for money, once for each number; a failed one may be sent
// again.
func (c *channel) refund(call order.RefundCall) order.RefundAnswer {
	b := c.books[call.OrderNo]
	r := b.refundOf(call.RefundNo)
	switch {
	case b.state != bookPaid && r == nil:
		return order.RefundAnswer{State: pay.RefundFailed, Code: "REVOKED"}
	case r == nil:
		r = &bookRefund{no: call.RefundNo, amount: call.Amount}
		b.refunds = append(b.refunds, r)
		c.decideRefund(r, false)
	case r.state.MustSend():
		c.decideRefund(r, true)
	}
	if sum := b.given(func(r *bookRefund) bool { return r.state != pay.RefundClosed }); sum > b.amount {
		c.truth.violated(refundBeyond, "refunds of %d fen of %s over %d fen", sum, call.OrderNo, b.amount)
	}
	return c.refundAnswer(r)
}

func (b *book) refundOf(number string) *bookRefund {
	for _, r := range b.refunds {
		if r.no == number {
			return r
		}
	}
	return nil
}

func (c *channel) decideRefund(r *bookRefund, again bool) {
	r.state, r.doneAt = pay.RefundDone, c.clock.now
	if c.calm || again {
		return
	}
	switch n := c.chance.IntN(100); {
	case n < 60:
	case n < 80:
		r.state, r.doneAt = pay.RefundProcessing, c.clock.now+within(c.chance, 3*time.Second)
	case n < 85:
		r.state, r.doneAt = pay.RefundAbnormal, c.clock.now+within(c.chance, 5*time.Second)
	case n < 90:
		r.state = pay.RefundWaitingFunds
	case n < 93:
		r.state = pay.RefundClosed
	default:
		r.state = pay.RefundFailed
	}
	if r.doneAt > c.clock.now {
		c.clock.after(r.doneAt-c.clock.now, func() { r.state = pay.RefundDone })
	}
}

func (c *channel) refundAnswer(r *bookRefund) order.RefundAnswer {
	if c.mumbles() {
		return order.RefundAnswer{State: pay.RefundUnknown, Code: "SYSTEMERROR"}
	}
	a := order.RefundAnswer{State: r.state, ChannelNo: "C" + r.no, Code: string(r.state)}
	if r.state == pay.RefundDone {
		a.Done = start.Add(r.doneAt)
	}
	return a
}

func (c *channel) queryRefund(call order.RefundCall) order.RefundAnswer {
	b := c.books[call.OrderNo]
	if r := b.refundOf(call.RefundNo); r != nil {
		return c.refundAnswer(r)
	}
	if c.mumbles() {
		return order.RefundAnswer{State: pay.RefundUnknown, Code: "SYSTEMERROR"}
	}
	return order.RefundAnswer{State: pay.RefundRequested, Code: "NOT_FOUND"}
}
