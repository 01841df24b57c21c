package order

import (
	"context"
	"fmt"
	"time"

	"paytool/internal/pay"
)

// Revoke ends an order for the cashier: an unsent one is cancelled, an open one is
// revoked at its channel, a paid one only where RevokePaid allows it. The answer is
// the order as it then is; REVOKING means that Run goes on with it. Asked again it
// does no harm. An error is an *Error.
func (e *Engine) Revoke(ctx context.Context, no pay.OrderNo) (Order, error) {
	for range maxTwins {
		o, err := e.readNow(ctx, no)
		if err != nil {
			return o, err
		}
		if o.State == pay.Void && !o.TwinOf.IsZero() {
			no = o.TwinOf
			continue
		}
		if o.State.Final() {
			return o, nil
		}
		if o.State != pay.Revoking {
			o, err = e.change(ctx, no, func(c *change, o *Order) (why, error) { return c.cancelled(o) })
			if isMoved(err) {
				continue
			}
			if err != nil || o.State != pay.Revoking {
				return o, err
			}
		}
		return e.revokeStep(context.WithoutCancel(ctx), o)
	}
	return Order{}, errMovedMeanwhile(no)
}

// cancelled edits an order as a cashier's cancel demands.
func (c *change) cancelled(o *Order) (why, error) {
	switch o.State {
	case pay.Created:
		o.State, o.Due = pay.Closed, time.Time{}
		return why{pay.ByCancel, "cancelled before it was sent"}, nil
	case pay.Paid:
		if !c.e.opts.RevokePaid {
			return why{}, &Error{Code: CodeRevokeRefused, Outcome: NotCommitted,
				Message: fmt.Sprintf("order %s is paid", o.No), Hint: "refund it (order refund); a paid order is revoked only where engine.revoke_paid is set"}
		}
		if err := c.refuseRefunded(*o); err != nil {
			return why{}, err
		}
	case pay.Paying:
	default:
		return why{}, errMovedMeanwhile(o.No)
	}
	return why{pay.ByCashier, "cancelled by the cashier"}, c.openRevoke(o, pay.ByCashier)
}

// refuseRefunded: refund and revoke exclude each other.
func (c *change) refuseRefunded(o Order) error {
	refunds, err := c.LockRefunds(c.ctx, o.No)
	if err != nil {
		return err
	}
	for _, r := range refunds {
		if r.State != pay.RefundClosed {
			return &Error{Code: CodeRevokeRefused, Outcome: NotCommitted,
				Message: fmt.Sprintf("order %s has refund %s, which is %s", o.No, r.No, r.State), Hint: "refund the rest instead"}
		}
	}
	return nil
}

// openRevoke moves the order to REVOKING and opens the record, before the channel
// is called. The caller has checked that no refund stands against it.
func (c *change) openRevoke(o *Order, by pay.Mover) error {
	revokes, err := c.LockRevokes(c.ctx, o.No)
	if err != nil {
		return err
	}
	now := c.e.env.Now()
	number := nextRevokeNo(revokes, o.No)
	if by == pay.ByMoneyBack {
		number = moneyBackNo(o.No, 0)
	}
	o.State, o.Due = pay.Revoking, now.Add(c.e.opts.Timetable.Handover)
	_, err = c.PutRevoke(c.ctx, Revoke{OrderNo: o.No, No: number, Amount: o.Amount, State: RevokeRequested, By: by,
		Created: now, Updated: now, Shadow: o.Shadow, Version: 1, OpID: c.e.opID()})
	return err
}

// recordRevoke writes the end of the open revoke, or a record of one that the
// channel made by itself.
func (c *change) recordRevoke(o Order, by pay.Mover, money pay.Money, code string) error {
	revokes, err := c.LockRevokes(c.ctx, o.No)
	if err != nil {
		return err
	}
	now := c.e.env.Now()
	r, open := openRevoke(revokes)
	if !open {
		r = Revoke{OrderNo: o.No, No: nextRevokeNo(revokes, o.No), Amount: o.Amount, By: by, Created: now, Shadow: o.Shadow}
	}
	r.State, r.Money, r.Detail = RevokeDone, money, clip(code)
	r.Done, r.Updated, r.OpID = now, now, c.e.opID()
	r.Version++
	_, err = c.PutRevoke(c.ctx, r)
	return err
}

func nextRevokeNo(revokes []Revoke, no pay.OrderNo) string {
	return fmt.Sprintf("R%d-%s", len(revokes)+1, no)
}

// openRevoke is the revoke that waits for its answer: the last one, if any.
func openRevoke(revokes []Revoke) (Revoke, bool) {
	if last := len(revokes) - 1; last >= 0 && revokes[last].State == RevokeRequested {
		return revokes[last], true
	}
	return Revoke{}, false
}

// revokeStep sends a revoke whose record is committed, if its time has come, and
// acts on the answer. Another try follows until the channel says something
// definite; after MaxRevokes of them a person is told.
func (e *Engine) revokeStep(ctx context.Context, o Order) (Order, error) {
	ch, err := e.channelFor(o, "")
	if err != nil {
		return o, err
	}
	if earliest := e.opts.Timetable.revokeFrom(o, ch.Limits()); e.env.Now().Before(earliest) {
		return e.change(ctx, o.No, func(_ *change, o *Order) (why, error) {
			if o.State != pay.Revoking {
				return why{}, errNothing
			}
			o.Due = earliest
			return why{byLook, "the channel takes revokes later"}, nil
		})
	}
	answer, err := e.callRevoke(ctx, ch, o)
	switch {
	case err != nil:
		return o, err
	case answer.Verdict == RevokeTooLate:
		return e.revokeTooLate(ctx, o, answer)
	}
	return e.change(ctx, o.No, func(c *change, o *Order) (why, error) {
		switch {
		case o.State != pay.Revoking:
			return why{}, errNothing
		case answer.Verdict == RevokeTaken:
			o.State, o.Due = pay.Revoked, time.Time{}
			return why{pay.ByRevokeAnswer, "money " + string(answer.Money)}, c.recordRevoke(*o, pay.ByRevokeAnswer, answer.Money, answer.Code)
		}
		return c.revokeLater(o, answer)
	})
}

// callRevoke sends the open revoke under the number of its record, so that the
// channel takes a second try for what it is.
func (e *Engine) callRevoke(ctx context.Context, ch Channel, o Order) (RevokeAnswer, error) {
	number, err := e.revokeNo(ctx, o.No)
	if err != nil {
		return RevokeAnswer{}, err
	}
	cctx, cancel := e.env.WithTimeout(ctx, e.opts.ChannelTimeout)
	defer cancel()
	e.trace(o.No, "revoke_sent", o.Channel)
	answer := ch.Revoke(cctx, RevokeCall{OrderNo: o.No, Account: accountOf(o, ch), Amount: o.Amount, RevokeNo: number})
	e.count("revoke_" + string(answer.Verdict))
	e.trace(o.No, "revoke_answer", fmt.Sprintf("%s %s %s", answer.Verdict, answer.Code, answer.Money))
	return answer, nil
}

// revokeNo is the number of an order's open revoke.
func (e *Engine) revokeNo(ctx context.Context, no pay.OrderNo) (string, error) {
	revokes, err := e.revokesOf(ctx, no)
	if err != nil {
		return "", err
	}
	if r, open := openRevoke(revokes); open {
		return r.No, nil
	}
	return nextRevokeNo(revokes, no), nil // as the record of the answer will have it
}

func (c *change) revokeLater(o *Order, answer RevokeAnswer) (why, error) {
	o.Tries++
	o.Due = c.e.env.Now().Add(retryAfter(o.Tries))
	if o.Tries == c.e.opts.Timetable.MaxRevokes {
		detail := fmt.Sprintf("%d revokes brought no definite answer, the last one %s; look at the channel's own pages", o.Tries, answer.Code)
		if err := c.open(*o, TaskRevoke, detail, time.Time{}); err != nil {
			return why{}, err
		}
	}
	return why{byLook, fmt.Sprintf("revoke %s (%s)", answer.Verdict, answer.Code)}, nil
}

// revokeTooLate: the channel refuses for good. Only a query that says SUCCESS makes
// the order PAID again; anything else is asked again.
func (e *Engine) revokeTooLate(ctx context.Context, o Order, refused RevokeAnswer) (Order, error) {
	a, err := e.query(ctx, o)
	if err != nil {
		return o, err
	}
	e.trace(o.No, "answer", fmt.Sprintf("%s %s %s", a.Verdict, a.Code, a.TradeNo))
	return e.change(ctx, o.No, func(c *change, o *Order) (why, error) {
		switch {
		case o.State != pay.Revoking:
			return why{}, errNothing
		case a.Verdict == RevokedByChannel:
			o.State, o.Due = pay.Revoked, time.Time{}
			return why{pay.ByRevokeAnswer, "the channel has revoked it"}, c.recordRevoke(*o, pay.ByRevokeAnswer, pay.MoneyUnknown, a.Code)
		case a.Verdict != Success || contradicts(*o, a) != "":
			return c.revokeLater(o, refused)
		}
		return c.paidAfterAll(o, a, refused)
	})
}

func (c *change) paidAfterAll(o *Order, a Answer, refused RevokeAnswer) (why, error) {
	by, err := c.refuseOpenRevokes(refused.Code, o.No)
	if err != nil {
		return why{}, err
	}
	detail := fmt.Sprintf("the revoke was refused (%s) and the channel says success (%s)", refused.Code, a.TradeNo)
	if by != pay.ByMoneyBack { // that one goes on with a refund by itself
		if err := c.open(*o, TaskRevokeRefused, detail+"; tell the buyer, or refund", time.Time{}); err != nil {
			return why{}, err
		}
	}
	o.State, o.ChannelTradeNo, o.PaidAt, o.Due = pay.Paid, a.TradeNo, a.At, time.Time{}
	if o.RiskDouble {
		o.Due = c.e.env.Now()
	}
	return why{pay.ByRevokeRefused, detail}, nil
}
