package order

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"paytool/internal/pay"
)

// RefundRequest asks for money back, all of an order's or a part.
type RefundRequest struct {
	No     string // the merchant's number for the refund
	Amount pay.Fen
}

// maxRefundNo is the width of a refund's number in the groups and at the channels.
const maxRefundNo = 64

// Refund gives money of a paid order back. Number and amount are reserved before
// the channel is called; the sum of all refunds never exceeds the order. Asked
// again with the same number and amount it answers with the refund as it is, and
// tries a failed one again. An error is an *Error.
func (e *Engine) Refund(ctx context.Context, no pay.OrderNo, r RefundRequest) (Order, Refund, error) {
	if err := pay.CheckField("refund_no", r.No, 1, maxRefundNo); err != nil {
		return Order{}, Refund{}, refuseInput(err)
	}
	if err := pay.CheckAmount(r.Amount, e.opts.MaxAmount); err != nil {
		return Order{}, Refund{}, refuseInput(err)
	}
	for range maxTwins {
		o, err := e.readNow(ctx, no)
		if err != nil {
			return o, Refund{}, err
		}
		if o.State == pay.Void && !o.TwinOf.IsZero() {
			no = o.TwinOf
			continue
		}
		return e.refund(ctx, o, r, false)
	}
	return Order{}, Refund{}, errMovedMeanwhile(no)
}

// refund reserves and sends. moneyBack: the engine gives back what it must not
// keep, whatever state the order is in and however soon after another refund.
func (e *Engine) refund(ctx context.Context, o Order, r RefundRequest, moneyBack bool) (Order, Refund, error) {
	ch, err := e.channelFor(o, "")
	if err != nil {
		return o, Refund{}, err
	}
	var reserved Refund
	send := false
	o, err = e.change(ctx, o.No, func(c *change, o *Order) (why, error) {
		all, err := c.LockRefunds(c.ctx, o.No)
		if err != nil {
			return why{}, err
		}
		if i := slices.IndexFunc(all, func(have Refund) bool { return have.No == r.No }); i >= 0 {
			reserved, send, err = c.refundAgain(all[i], r)
			return why{byRefund, "refund " + r.No + " again"}, err
		}
		limits := ch.Limits()
		if moneyBack {
			limits.RefundGap = 0
		}
		if err := refuseRefund(*o, all, r, limits, e.env.Now(), moneyBack); err != nil {
			return why{}, err
		}
		now := e.env.Now()
		reserved, send = Refund{OrderNo: o.No, No: r.No, Amount: r.Amount, State: pay.RefundRequested, Created: now, Updated: now,
			Due: now.Add(e.opts.Timetable.Handover), Shadow: o.Shadow, Version: 1, OpID: c.e.opID()}, true
		_, err = c.PutRefund(c.ctx, reserved)
		return why{byRefund, fmt.Sprintf("refund %s of %d fen", r.No, r.Amount)}, err
	})
	if err != nil || !send {
		return o, reserved, err
	}
	return e.refundStep(context.WithoutCancel(ctx), ch, o, reserved)
}

// byRefund is the mover of what happens to an order's refunds.
const byRefund pay.Mover = "refund"

// refundAgain answers a request for a number that exists. A refund that failed is
// sent once more, with the same number and amount.
func (c *change) refundAgain(have Refund, r RefundRequest) (Refund, bool, error) {
	switch {
	case have.Amount != r.Amount:
		return have, false, &Error{Code: CodeAmountMismatch, Outcome: NotCommitted,
			Message: fmt.Sprintf("refund %s is over %d fen, not %d fen", r.No, have.Amount, r.Amount), Hint: "use the first amount, or a new number"}
	case have.State == pay.RefundClosed:
		return have, false, &Error{Code: CodeRefundRefused, Outcome: NotCommitted,
			Message: fmt.Sprintf("refund %s was closed by the channel", r.No), Hint: "use a new number"}
	case have.State != pay.RefundFailed:
		return have, false, errNothing
	}
	have.Due = c.e.env.Now().Add(c.e.opts.Timetable.Handover)
	have.Version++
	done, err := c.PutRefund(c.ctx, have)
	if err == nil && !done {
		err = errMovedMeanwhile(have.OrderNo)
	}
	return have, true, err
}

// refuseRefund checks a new refund against the order, its other refunds and the
// channel's limits.
func refuseRefund(o Order, all []Refund, r RefundRequest, limits ChannelLimits, now time.Time, moneyBack bool) error {
	refuse := func(code, hint, format string, args ...any) error {
		return &Error{Code: code, Outcome: NotCommitted, Message: fmt.Sprintf(format, args...), Hint: hint}
	}
	sum, count, last := reserved(all)
	switch {
	case moneyBack && o.State != pay.Paid && !o.State.Final():
		return errMovedMeanwhile(o.No)
	case o.State != pay.Paid && !moneyBack:
		return refuse(CodeNotPaid, "only a paid order is refunded", "order %s is %s", o.No, o.State)
	case r.Amount > o.Amount-sum:
		return refuse(CodeRefundRefused, "refund no more than that", "%d of %d fen of order %s are left to refund, not %d", o.Amount-sum, o.Amount, o.No, r.Amount)
	case limits.MaxRefunds > 0 && count >= limits.MaxRefunds:
		return refuse(CodeRefundRefused, "the channel takes no more", "order %s has %d refunds", o.No, count)
	case limits.RefundWithin > 0 && !o.PaidAt.IsZero() && now.Sub(o.PaidAt) > limits.RefundWithin:
		return refuse(CodeRefundRefused, "pay the buyer back in another way", "order %s was paid at %s, too long ago for the channel", o.No, o.PaidAt.In(pay.Beijing).Format(time.RFC3339))
	case limits.RefundGap > 0 && now.Sub(last) < limits.RefundGap:
		err := refuse(CodeRefundRefused, "wait until then", "the last refund of order %s is less than %s ago", o.No, limits.RefundGap)
		err.(*Error).RetryAfter = limits.RefundGap - now.Sub(last) //nolint:errorlint,forcetypeassert // made two lines above
		return err
	}
	return nil
}

// reserved is what refunds take of their order: all of them but those that the
// channel closed.
func reserved(all []Refund) (sum pay.Fen, count int, last time.Time) {
	for _, r := range all {
		if r.State == pay.RefundClosed {
			continue
		}
		count++
		sum += r.Amount
		if r.Created.After(last) {
			last = r.Created
		}
	}
	return sum, count, last
}

// refundStep sends a reserved refund, or asks for one that was sent, and writes what
// the channel says.
func (e *Engine) refundStep(ctx context.Context, ch Channel, o Order, r Refund) (Order, Refund, error) {
	call := RefundCall{OrderNo: o.No, Account: accountOf(o, ch), RefundNo: r.No, Amount: r.Amount, Total: o.Amount}
	cctx, cancel := e.env.WithTimeout(ctx, e.opts.ChannelTimeout)
	defer cancel()
	e.trace(o.No, "refund_sent", r.No)
	answer := RefundAnswer{State: pay.RefundRequested}
	if !r.State.MustSend() || r.Tries > 0 { // ask before sending again
		answer = ch.QueryRefund(cctx, call)
	}
	if answer.State.MustSend() {
		answer = ch.Refund(cctx, call)
	}
	e.count("refund_" + string(answer.State))
	e.trace(o.No, "refund_answer", fmt.Sprintf("%s %s %s", r.No, answer.State, answer.Code))
	after := r
	o, err := e.change(ctx, o.No, func(c *change, o *Order) (why, error) {
		all, err := c.LockRefunds(c.ctx, o.No)
		if err != nil {
			return why{}, err
		}
		i := slices.IndexFunc(all, func(have Refund) bool { return have.No == r.No })
		if i < 0 {
			return why{}, fmt.Errorf("refund %s of order %s: %w", r.No, o.No, ErrNotFound)
		}
		after = all[i]
		return c.refunded(o, &after, answer)
	})
	if errors.Is(err, errNothing) {
		err = nil
	}
	return o, after, err
}

// refunded edits a refund, and the order's sum, as the channel's answer demands.
func (c *change) refunded(o *Order, r *Refund, a RefundAnswer) (why, error) {
	if r.State.Ended() {
		return why{}, errNothing
	}
	now := c.e.env.Now()
	r.Tries++
	r.Due, r.Updated, r.Detail = now.Add(retryAfter(r.Tries)), now, clip(a.Code)
	if a.State == pay.RefundUnknown && !r.State.MustSend() { // the answer does not say: what is known stays
		a.State = r.State
	}
	if a.State != r.State && !pay.CanMoveRefund(r.State, a.State) {
		detail := fmt.Sprintf("refund %s is %s, and now the channel says %s", r.No, r.State, a.State)
		if err := c.open(*o, TaskContradiction, detail, time.Time{}); err != nil {
			return why{}, err
		}
		a.State = r.State
	}
	r.State = a.State
	if a.ChannelNo != "" {
		r.ChannelNo = a.ChannelNo
	}
	if r.Accepted.IsZero() {
		r.Accepted = a.Accepted
	}
	switch r.State {
	case pay.RefundDone:
		r.Done, r.Due = orDefault(a.Done, now), time.Time{}
		r.Accepted = orDefault(r.Accepted, r.Done)
		o.Refunded += r.Amount
	case pay.RefundClosed:
		r.Due = time.Time{}
	case pay.RefundAbnormal:
		detail := fmt.Sprintf("the channel wants a person to deal with refund %s (%s)", r.No, a.Code)
		if err := c.open(*o, TaskRefund, detail, time.Time{}); err != nil {
			return why{}, err
		}
	case pay.RefundFailed:
		r.Due = time.Time{} // the merchant tries again, with the same number
		if isMoneyBack(r.No, o.No) {
			r.Due = now.Add(retryAfter(r.Tries))
		}
	default:
	}
	r.Version++
	done, err := c.PutRefund(c.ctx, *r)
	if err == nil && !done {
		err = errMovedMeanwhile(o.No)
	}
	return why{byRefund, fmt.Sprintf("refund %s %s", r.No, r.State)}, err
}
