package order

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"paytool/internal/pay"
)

// Money goes back in three cases: a key was paid twice (the later payment goes), a
// success arrives for an order that we ended, and neither may be forgotten. The task
// is durable and lies with the order; whichever instance finds it due carries it on,
// under one fixed number, so that doing it twice does it once (money rules, rule 8).

// moneyBackNo is the number of the revoke or refund. A further one is only used when
// those before it have ended: closed by the channel for good, or done while a refund
// of the merchant's came to nothing beside them.
func moneyBackNo(no pay.OrderNo, ended int) string { return fmt.Sprintf("B%d-%s", ended+1, no) }

func isMoneyBack(number string, no pay.OrderNo) bool {
	return strings.HasPrefix(number, "B") && strings.HasSuffix(number, "-"+no.String())
}

// openMoneyBack opens the task; the order's group keeps it.
func (c *change) openMoneyBack(o Order, detail string) error {
	return c.open(o, TaskMoneyBack, detail, c.e.env.Now())
}

// later tells which of two paid orders of a key goes: the one whose success was
// later. Everybody who compares the two comes to the same answer.
func later(a, b Order) Order {
	if a.PaidAt.After(b.PaidAt) || (a.PaidAt.Equal(b.PaidAt) && a.No.Compare(b.No) > 0) {
		return a
	}
	return b
}

// paidTwice opens the money-back task of the later of two paid orders of a key.
func (e *Engine) paidTwice(ctx context.Context, a, b Order) error {
	goes, stays := later(a, b), a
	if goes.No == a.No {
		stays = b
	}
	_, err := e.change(ctx, goes.No, func(c *change, o *Order) (why, error) {
		if o.State != pay.Paid {
			return why{}, errNothing // it is on its way back already
		}
		detail := fmt.Sprintf("the key was paid twice, first as order %s", stays.No)
		if err := c.openMoneyBack(*o, detail); err != nil {
			return why{}, err
		}
		if len(c.opened) == 0 {
			return why{}, errNothing // it is on its way back already
		}
		return why{byLook, detail}, nil
	})
	return err
}

// checkDouble looks for another payment of the key after a payment that the guard
// could not clear, again and again until every group has answered and nothing is
// open any more.
func (e *Engine) checkDouble(ctx context.Context, o Order) (Order, error) {
	rows, silent := e.askFresh(ctx, o.Key)
	open := len(silent) > 0
	for _, other := range rows {
		switch {
		case other.No == o.No:
		case other.State == pay.Paid:
			if err := e.paidTwice(ctx, o, other); err != nil {
				open = true
				e.log.Warn("two payments of a key, not settled yet", logKey, o.Key, logOrder, o.No, "twin", other.No, logErr, err)
			}
		case other.State == pay.Paying || other.State == pay.Revoking:
			open = true
		}
	}
	after, err := e.change(ctx, o.No, func(_ *change, o *Order) (why, error) {
		if o.State != pay.Paid || o.Due.IsZero() {
			return why{}, errNothing
		}
		if open {
			o.Due = e.env.Now().Add(retryAfter(o.Tries))
			o.Tries++
			return why{byLook, fmt.Sprintf("not every group says whether the key was paid twice (silent: %v)", silent)}, nil
		}
		o.Due = time.Time{}
		return why{byLook, "the key was asked for in every group"}, nil
	})
	if isGroupDown(err) || isMoved(err) {
		return o, nil // the order is paid all the same; Due brings somebody back
	}
	return after, err
}

// moneyBackStep carries one task a step further.
func (e *Engine) moneyBackStep(ctx context.Context, t Task) error {
	o, err := e.leaseTask(ctx, t)
	if err != nil {
		return err
	}
	revokes, err := e.revokesOf(ctx, o.No)
	if err != nil {
		return err
	}
	refunds, err := e.refundsOf(ctx, o.No)
	if err != nil {
		return err
	}
	if o.State.Final() { // the success that opened the task may be old news
		switch a, err := e.query(ctx, o); {
		case err != nil:
			return err
		case a.Verdict == Success:
		case a.Definite():
			return e.finishTask(ctx, t, o, "the channel keeps nothing: "+string(a.Verdict))
		default:
			return nil // the task comes due again
		}
	}
	number := moneyBackNo(o.No, 0)
	revoke := slices.IndexFunc(revokes, func(r Revoke) bool { return r.No == number })
	switch left := o.Amount - o.Refunded; {
	case o.State == pay.Revoking: // whoever began it: a refund beside it would pay back twice
		return e.moneyBackRevoking(ctx, t, o)
	case revoke >= 0 && revokes[revoke].State == RevokeDone:
		return e.finishTask(ctx, t, o, "revoked, money "+string(revokes[revoke].Money))
	case left == 0:
		return e.finishTask(ctx, t, o, "refunded")
	case revoke < 0 && len(refunds) == 0:
		return e.moneyBackByRevoke(ctx, t, o)
	case revoke >= 0 && revokes[revoke].State == RevokeRequested:
		return e.moneyBackRevoking(ctx, t, o)
	default:
		return e.moneyBackByRefund(ctx, t, o, refunds)
	}
}

// moneyBackByRevoke opens the revoke record: with a paid order's move to REVOKING,
// without a move where the order has ended already.
func (e *Engine) moneyBackByRevoke(ctx context.Context, t Task, o Order) error {
	ch, err := e.channelFor(o, "")
	if err != nil {
		return err
	}
	if within := ch.Limits().RevokeWithin; within > 0 && e.env.Now().Sub(o.SendBy) > within {
		return e.moneyBackByRefund(ctx, t, o, nil)
	}
	o, err = e.change(ctx, o.No, func(c *change, o *Order) (why, error) {
		before := *o
		if before.State != pay.Paid && !before.State.Final() {
			return why{}, errNothing
		}
		if err := c.refuseRefunded(before); err != nil {
			return why{}, errMovedMeanwhile(o.No) // a refund was reserved meanwhile: the next step goes on by refund
		}
		err := c.openRevoke(o, pay.ByMoneyBack)
		if before.State.Final() {
			o.State, o.Due = before.State, before.Due
		}
		return why{pay.ByMoneyBack, "money back"}, err
	})
	if err != nil {
		return err
	}
	return e.moneyBackRevoking(ctx, t, o)
}

// moneyBackRevoking sends the revoke.
func (e *Engine) moneyBackRevoking(ctx context.Context, t Task, o Order) error {
	if !o.State.Final() {
		after, err := e.revokeStep(ctx, o)
		if err == nil && after.State == pay.Revoked {
			return e.finishTask(ctx, t, after, "revoked")
		}
		return err
	}
	ch, err := e.channelFor(o, "")
	if err != nil {
		return err
	}
	answer, err := e.callRevoke(ctx, ch, o)
	if err != nil || answer.Verdict == RevokeUnclear {
		return err // the task comes due again
	}
	after, err := e.change(ctx, o.No, func(c *change, o *Order) (why, error) {
		if answer.Verdict == RevokeTaken {
			return why{byLook, "money back: revoked"}, c.recordRevoke(*o, pay.ByMoneyBack, answer.Money, answer.Code)
		}
		_, err := c.refuseOpenRevokes(answer.Code, o.No)
		return why{byLook, "money back: too late to revoke"}, err
	})
	if err != nil || answer.Verdict != RevokeTaken {
		return err
	}
	return e.finishTask(ctx, t, after, "revoked, money "+string(answer.Money))
}

// refuseOpenRevokes notes that the channel has refused them for good, and says why
// the last of them was opened.
func (c *change) refuseOpenRevokes(code string, no pay.OrderNo) (by pay.Mover, err error) {
	revokes, err := c.LockRevokes(c.ctx, no)
	if err != nil {
		return "", err
	}
	for _, r := range revokes {
		if r.State != RevokeRequested {
			continue
		}
		by = r.By
		r.State, r.Detail, r.Updated = RevokeRefused, clip(code), c.e.env.Now()
		r.Version++
		if _, err := c.PutRevoke(c.ctx, r); err != nil {
			return "", err
		}
	}
	return by, nil
}

// moneyBackByRefund refunds what is left, under the fixed number.
func (e *Engine) moneyBackByRefund(ctx context.Context, t Task, o Order, refunds []Refund) error {
	left, ended := o.Amount, 0
	for _, r := range refunds {
		own := isMoneyBack(r.No, o.No)
		switch {
		case own && r.State.Ended():
			ended++
			if r.State == pay.RefundDone {
				left -= r.Amount
			}
		case own:
			return nil // under way; DueRefunds carries it on
		case r.State == pay.RefundFailed: // the merchant's, who may never try it again
			_, _, err := e.refund(ctx, o, RefundRequest{No: r.No, Amount: r.Amount}, true)
			return err
		case r.State != pay.RefundClosed:
			left -= r.Amount
		}
	}
	if left <= 0 {
		return nil // the merchant's own refunds give everything back
	}
	after, r, err := e.refund(ctx, o, RefundRequest{No: moneyBackNo(o.No, ended), Amount: left}, true)
	if err == nil && r.State == pay.RefundDone && after.Refunded == after.Amount {
		return e.finishTask(ctx, t, after, "refunded")
	}
	return err
}
