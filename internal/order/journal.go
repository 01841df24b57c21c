package order

import (
	"context"
	"fmt"

	"paytool/internal/pay"
)

// stand is the group that keeps what cannot be written in an order's own: the first
// other one in the ranking of its key that takes writes.
func (e *Engine) stand(o Order) (*member, bool) {
	for _, g := range e.fleet.Topology().Rank(o.Key) {
		if _, down := e.fleet.Down(g); g == o.Group || down {
			continue
		}
		if m, ok := e.member(g); ok {
			return m, true
		}
	}
	return nil, false
}

// keepAnswer journals a definite answer about an order whose group cannot be told,
// and answers with the truth: a success is PAID, being recorded. Whether the
// journal takes it or not, the channel says the same again when it is asked.
func (e *Engine) keepAnswer(ctx context.Context, o Order, a Answer, cause error) (Order, error) {
	if !a.Definite() {
		return o, cause
	}
	err := error(errGroupDown(o.Group, o.No, cause))
	if holder, ok := e.stand(o); ok {
		kctx, cancel := e.env.WithTimeout(context.WithoutCancel(ctx), e.opts.CreateTimeout)
		err = holder.PutJournal(kctx, JournalEntry{OrderNo: o.No, Answer: &a, Created: e.env.Now()})
		cancel()
	}
	e.count("answers_journaled")
	if err != nil {
		e.log.Warn("answer not journaled; the channel is asked again", logOrder, o.No, logErr, err)
	}
	e.trace(o.No, "journaled", string(a.Verdict))
	if o.State != pay.Paying || (a.Verdict == Success && contradicts(o, a) != "") {
		return o, cause
	}
	return recorded(o, a), nil
}

// recorded is an order as it will be once its group knows the answer.
func recorded(o Order, a Answer) Order {
	switch a.Verdict {
	case Success:
		o.State, o.ChannelTradeNo, o.PaidAt = pay.Paid, a.TradeNo, a.At
	case Failed, ClosedByChannel:
		o.State = pay.Closed
	case RevokedByChannel:
		o.State = pay.Revoked
	default:
		return o
	}
	o.Recording = true
	return o
}

// applyJournal writes the answers that a group keeps for others that are back, by
// compare-and-set like any answer.
func (e *Engine) applyJournal(ctx context.Context, holder *member) error {
	entries, err := dueList(ctx, e, func(ctx context.Context) ([]JournalEntry, error) {
		return holder.Journal(ctx, pay.OrderNo{}, dueBatch)
	})
	for _, entry := range entries {
		m, err := e.ownerOf(entry.OrderNo)
		if err != nil || entry.Answer == nil {
			continue
		}
		if _, down := e.fleet.Down(m.ID()); down {
			continue
		}
		if err := e.applyEntry(ctx, holder, entry); err != nil {
			e.notYet("journaled answer not applied yet", err, logOrder, entry.OrderNo)
		}
	}
	return err
}

func (e *Engine) applyEntry(ctx context.Context, holder *member, entry JournalEntry) error {
	o, err := e.readNow(ctx, entry.OrderNo)
	if err != nil {
		return err
	}
	a := *entry.Answer
	if o.State != pay.Paying { // the order has moved on, and the answer may be old news
		if a, err = e.query(ctx, o); err != nil {
			return err
		}
		if !a.Definite() {
			return errMovedMeanwhile(o.No)
		}
	}
	after, err := e.conclude(ctx, o, a)
	switch {
	case err != nil:
		return err
	case after.Recording:
		return fmt.Errorf("group %d is out again", o.Group)
	}
	dctx, cancel := e.env.WithTimeout(ctx, e.opts.CreateTimeout)
	defer cancel()
	return holder.DropJournal(dctx, entry.OrderNo)
}

// journaled adds what other groups keep about an open order whose own group could
// not be told: the cashier who heard "paid" must not read "paying".
func (e *Engine) journaled(ctx context.Context, o Order) Order {
	if o.State != pay.Paying {
		return o
	}
	ctx, cancel := e.env.WithTimeout(ctx, e.opts.LookupTimeout)
	defer cancel()
	answers := make([]*Answer, len(e.members))
	e.env.Gather(ctx, len(e.members), func(ctx context.Context, i int) {
		m := e.members[i]
		if _, down := e.fleet.Down(m.ID()); down || m.ID() == o.Group {
			return
		}
		if entries, err := m.Journal(ctx, o.No, 1); err == nil && len(entries) > 0 {
			answers[i] = entries[0].Answer
		}
	})
	for _, a := range answers {
		if a != nil && contradicts(o, *a) == "" {
			return recorded(o, *a)
		}
	}
	return o
}
