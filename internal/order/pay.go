package order

import (
	"context"
	"errors"
	"fmt"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// PayRequest is a buyer's payment code for an order.
type PayRequest struct {
	AuthCode AuthCode
	Channel  string // "": the order's, else the engine's first
	// ConfirmRisk: the cashier has asked the buyer and goes on though a group does
	// not say whether it holds another payment of the key.
	ConfirmRisk bool
}

// Pay sends a payment code to the channel, once, and answers with the order as it
// then is: PAID, CLOSED, or PAYING while nobody knows; Run carries an open one on.
// A VOID number is answered by its twin, another attempt of the key that is paid or
// open by that one. The answer may be PAID with Recording set: the channel took the
// money and the order's group cannot be told yet.
//
// The move to PAYING is committed before the channel is called; on any other
// outcome the channel is not called (money rules, rule 1). An error is an *Error.
//
// Cost without trouble: one read, the guard (one read in each group, together),
// two transactions of six round trips, one call.
func (e *Engine) Pay(ctx context.Context, no pay.OrderNo, r PayRequest) (Order, error) {
	amount := pay.Fen(0) // of the order asked for; its twins must have the same
	for range maxTwins {
		o, err := e.readNow(ctx, no)
		if err != nil {
			return Order{}, err
		}
		if amount == 0 {
			amount = o.Amount
		}
		if o.Amount != amount {
			return Order{}, errAmount(o, amount)
		}
		switch o.State {
		case pay.Paid:
			return o, nil
		case pay.Paying:
			return e.look(ctx, o) // its code was sent; a code is sent once
		case pay.Revoking:
			return o, errOpen(o)
		case pay.Closed, pay.Revoked:
			return o, errEnded(o)
		case pay.Void:
			if o.TwinOf.IsZero() {
				return o, errEnded(o)
			}
			no = o.TwinOf
			continue
		case pay.Created, pay.None:
		}
		paid, instead, err := e.payCreated(ctx, o, r)
		switch {
		case isMoved(err):
			continue
		case err != nil:
			return paid, err
		case instead.IsZero():
			return paid, nil
		}
		no = instead
	}
	return Order{}, &Error{Code: CodeMoved, Outcome: NotCommitted, RetryAfter: time.Second,
		Message: fmt.Sprintf("order %s and its twins did not come to rest", no), Hint: "read it, then ask again"}
}

// payCreated takes a CREATED order through the guard to the channel. instead names
// the attempt to go on with in its place.
func (e *Engine) payCreated(ctx context.Context, o Order, r PayRequest) (paid Order, instead pay.OrderNo, err error) {
	ch, err := e.channelFor(o, r.Channel)
	if err != nil {
		return o, instead, err
	}
	if e.env.Now().Sub(o.Created) >= e.opts.Expiry {
		return e.expireNow(ctx, o)
	}
	verdict, err := e.guard(ctx, o, r.ConfirmRisk)
	switch {
	case err != nil:
		return o, instead, err
	case verdict.instead != nil:
		return o, verdict.instead.No, nil
	}
	o, err = e.startPaying(ctx, o.No, ch, verdict.risk)
	if err == nil && o.State != pay.Paying { // decided late, and others have gone on with it
		err = errMovedMeanwhile(o.No)
	}
	if err != nil {
		return o, instead, err
	}
	o, err = e.send(ctx, ch, o, r)
	return o, instead, err
}

func (e *Engine) expireNow(ctx context.Context, o Order) (Order, pay.OrderNo, error) {
	o, err := e.change(ctx, o.No, func(_ *change, o *Order) (why, error) {
		if o.State != pay.Created {
			return why{}, errMovedMeanwhile(o.No)
		}
		o.State, o.Due = pay.Closed, time.Time{}
		return why{pay.ByExpiry, "too old to be paid"}, nil
	})
	if err != nil {
		return o, pay.OrderNo{}, err
	}
	return o, pay.OrderNo{}, &Error{Code: CodeOrderExpired, Outcome: NotCommitted,
		Message: fmt.Sprintf("order %s was never sent and has expired", o.No), Hint: "create a new attempt (--new-attempt)"}
}

// startPaying commits that money may move from now on.
func (e *Engine) startPaying(ctx context.Context, no pay.OrderNo, ch Channel, risk bool) (Order, error) {
	return e.change(ctx, no, func(_ *change, o *Order) (why, error) {
		if o.State != pay.Created {
			return why{}, errMovedMeanwhile(o.No)
		}
		now := wall(e.env.Now())
		o.State, o.Channel, o.Account = pay.Paying, ch.Name(), ch.Account()
		o.SendBy, o.Due = now.Add(e.opts.Timetable.SendWithin), now.Add(e.opts.Timetable.Handover)
		o.RiskDouble = risk
		return why{pay.ByPay, fmt.Sprintf("%s account %s", o.Channel, o.Account)}, nil
	})
}

// wall is an instant without its monotonic reading: that one stands still while a
// machine is suspended, and a send deadline must not.
func wall(t time.Time) time.Time { return time.UnixMilli(t.UnixMilli()) }

// send calls the channel, and keeps its answer even if the caller has gone.
func (e *Engine) send(ctx context.Context, ch Channel, o Order, r PayRequest) (Order, error) {
	ctx = context.WithoutCancel(ctx)
	cctx, cancel := e.env.WithTimeout(ctx, e.opts.ChannelTimeout)
	e.trace(o.No, "pay_sent", o.Channel)
	answer := ch.Pay(cctx, PayCall{
		OrderNo: o.No, Account: o.Account, Amount: o.Amount, AuthCode: r.AuthCode,
		Subject: o.Subject, Terminal: o.TerminalID, SendBy: o.SendBy,
	})
	cancel()
	return e.conclude(ctx, o, answer)
}

// look asks the channel what became of an open payment and acts on the answer.
func (e *Engine) look(ctx context.Context, o Order) (Order, error) {
	answer, err := e.query(ctx, o)
	if err != nil {
		return o, err
	}
	return e.conclude(ctx, o, answer)
}

// query asks an order's channel what became of the payment.
func (e *Engine) query(ctx context.Context, o Order) (Answer, error) {
	ch, err := e.channelFor(o, "")
	if err != nil {
		return Answer{}, err
	}
	ctx, cancel := e.env.WithTimeout(ctx, e.opts.ChannelTimeout)
	defer cancel()
	return ch.Query(ctx, accountOf(o, ch), o.No), nil
}

// conclude carries out what an answer means for an order that was PAYING. Where the
// order's group cannot be told, the answer is journaled in another one.
func (e *Engine) conclude(ctx context.Context, o Order, a Answer) (Order, error) {
	e.count("answer_" + string(a.Verdict))
	e.trace(o.No, "answer", fmt.Sprintf("%s %s %s", a.Verdict, a.Code, a.TradeNo))
	moved := false
	after, err := e.change(ctx, o.No, func(c *change, o *Order) (why, error) {
		reason, err := c.answered(o, a)
		moved = err == nil
		return reason, err
	})
	switch {
	case isGroupDown(err):
		return e.keepAnswer(ctx, o, a, err)
	case err != nil:
		return after, err
	case moved && after.State == pay.Revoking:
		return e.revokeStep(ctx, after)
	case moved && after.State == pay.Paid && after.RiskDouble:
		return e.checkDouble(ctx, after)
	}
	return after, nil
}

// answered edits an order as a channel's answer about its payment demands, in
// whatever state the order is by now.
func (c *change) answered(o *Order, a Answer) (why, error) {
	now := c.e.env.Now()
	if o.State != pay.Paying {
		return c.answeredLate(o, a)
	}
	next := c.e.opts.Timetable.onAnswer(*o, a, now)
	if a.knowsNumber() && now.Before(o.SendBy) {
		o.SendBy = wall(now) // it has arrived; nothing leaves any more
	}
	if next.task != "" {
		if err := c.open(*o, next.task, next.detail, time.Time{}); err != nil {
			return why{}, err
		}
	}
	o.State = next.to
	switch next.to {
	case pay.None:
		o.State, o.Due = pay.Paying, now.Add(next.wait)
		o.Tries++
		return why{byLook, next.detail}, nil
	case pay.Paid:
		o.ChannelTradeNo, o.PaidAt, o.Due = a.TradeNo, a.At, time.Time{}
		if o.RiskDouble {
			o.Due = now.Add(c.e.opts.Timetable.Handover)
		}
	case pay.Revoking:
		return why{next.by, next.detail}, c.openRevoke(o, next.by)
	case pay.Revoked:
		o.Due = time.Time{}
		return why{next.by, next.detail}, c.recordRevoke(*o, pay.ByChannel, pay.MoneyUnknown, a.Code)
	default:
		o.Due = time.Time{}
	}
	return why{next.by, next.detail}, nil
}

// byLook is the mover of steps that change no state: a lease, a date, a task.
const byLook pay.Mover = "look"

// answeredLate is for an answer about an order that is not PAYING (any more). A
// success for an order that we ended changes no state: the money goes back (money
// rules, section 1, the last row).
func (c *change) answeredLate(o *Order, a Answer) (why, error) {
	switch {
	case a.Verdict == Success && o.State.Final():
		detail := fmt.Sprintf("the channel says success (%s) for an order that is %s", a.TradeNo, o.State)
		if err := c.openMoneyBack(*o, detail); err != nil {
			return why{}, err
		}
		if o.ChannelTradeNo == "" {
			o.ChannelTradeNo = a.TradeNo
		}
		return why{byLook, detail}, nil
	case o.State == pay.Paid && (a.Verdict == Failed || a.Verdict == ClosedByChannel || a.Verdict == RevokedByChannel),
		o.State == pay.Paid && a.Verdict == Success && a.TradeNo != o.ChannelTradeNo:
		detail := fmt.Sprintf("the order is paid (%s), and now the channel says %s (%s %s)", o.ChannelTradeNo, a.Verdict, a.Code, a.TradeNo)
		return why{byLook, detail}, c.open(*o, TaskContradiction, detail, time.Time{})
	}
	return why{}, errNothing
}

func isGroupDown(err error) bool {
	var refused *Error
	return errors.As(err, &refused) && (refused.Code == CodeGroupDown || refused.Code == CodeUnknownOutcome)
}

// channelFor is the channel of an order: the one it was sent to, once it was sent.
func (e *Engine) channelFor(o Order, asked string) (Channel, error) {
	name := o.Channel
	if o.State == pay.Created && asked != "" {
		name = asked
	}
	for _, ch := range e.opts.Channels {
		if name != "" && ch.Name() != name {
			continue
		}
		switch {
		case o.Shadow && !ch.Simulated():
			return nil, &Error{Code: CodeShadowChannel, Outcome: NotCommitted,
				Message: fmt.Sprintf("order %s is a shadow order; channel %s moves real money", o.No, ch.Name()), Hint: "shadow orders go to simulated channels only"}
		case e.opts.Selection == shard.Random && !ch.Simulated():
			return nil, &Error{Code: CodeRandomChoice, Outcome: NotCommitted,
				Message: "selection: random has no idempotency across groups and takes no real money", Hint: "set engine.selection to rendezvous"}
		}
		return ch, nil
	}
	return nil, &Error{Code: CodeChannelUnknown, Outcome: NotCommitted,
		Message: fmt.Sprintf("order %s: no channel %q is set up here", o.No, name), Hint: "see `paytool config show`"}
}

// accountOf is the account under which an order is known to its channel. One that
// was never sent has none yet.
func accountOf(o Order, ch Channel) string {
	if o.Account == "" {
		return ch.Account()
	}
	return o.Account
}

// readNow reads an order on its group's primary, for a decision. A group that gives no
// answer is asked once more, as in a change.
func (e *Engine) readNow(ctx context.Context, no pay.OrderNo) (o Order, err error) {
	for range 2 {
		if m, unknown := e.ownerOf(no); unknown == nil {
			if err := e.there(ctx, m, no); err != nil {
				return Order{}, err
			}
		}
		o, err = readAt(ctx, e, no, func(ctx context.Context, m *member) (Order, error) { return m.Read(ctx, no) })
		if causeOf(err) == "" || ctx.Err() != nil {
			return o, err
		}
	}
	return o, err
}

func errOpen(o Order) error {
	return &Error{Code: CodeOrderOpen, Outcome: NotCommitted, RetryAfter: time.Second,
		Message: fmt.Sprintf("order %s is %s", o.No, o.State), Hint: "wait until that has an end, then ask again"}
}

func errEnded(o Order) error {
	return &Error{Code: CodeOrderEnded, Outcome: NotCommitted,
		Message: fmt.Sprintf("order %s is %s", o.No, o.State), Hint: "create a new attempt (--new-attempt)"}
}
