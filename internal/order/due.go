package order

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"paytool/internal/pay"
)

// Paces of the due loop.
const (
	dueEvery    = 250 * time.Millisecond
	dueBatch    = 100 // of one group and one pass
	dueAtOnce   = 8   // calls of a channel at a time, in one group
	expireBatch = 200
	dueTimeout  = time.Second // of one list, or one transaction
)

// dueLoop carries on what has come due in one group: open payments and revokes,
// refunds, tasks, unsent orders that are too old, answers that wait for their group.
// Whichever instance comes first does it (see turn); the others lose the
// compare-and-set. Each group has a loop of its own, so that one that hangs holds up
// nobody.
func (e *Engine) dueLoop(ctx context.Context, m *member) {
	for ctx.Err() == nil {
		_ = e.env.Sleep(ctx, dueEvery) // the loop looks at the context itself
		if ctx.Err() == nil {
			e.dueIn(ctx, m)
		}
	}
}

// dueIn makes one pass over a group. It ends with the first list that is not
// answered: the others would only wait as long.
func (e *Engine) dueIn(ctx context.Context, m *member) {
	if _, down := e.fleet.Down(m.ID()); down {
		e.dueWhileDown(ctx, m)
		return
	}
	for _, step := range []func(context.Context, *member) error{e.dueOrders, e.dueRefunds, e.dueTasks, e.expire, e.applyJournal} {
		if _, down := e.fleet.Down(m.ID()); down || ctx.Err() != nil {
			return
		}
		if err := step(ctx, m); err != nil {
			e.log.Debug("what is due was not read", logGroup, m.ID(), logErr, err)
			return
		}
	}
}

// dueStates are those in which an order waits for somebody. A PAID one does where
// it has to be checked for a second payment of its key.
var dueStates = []pay.State{pay.Paying, pay.Revoking, pay.Paid}

// channelNames are the channels whose orders this engine carries on.
func (e *Engine) channelNames() []string {
	names := make([]string, len(e.opts.Channels))
	for i, ch := range e.opts.Channels {
		names[i] = ch.Name()
	}
	return names
}

func (e *Engine) dueOrders(ctx context.Context, m *member) error {
	if len(e.opts.Channels) == 0 {
		return nil
	}
	due, err := dueList(ctx, e, func(ctx context.Context) ([]Order, error) {
		return m.DueOrders(ctx, DueQuery{Now: e.dueSince(m), States: dueStates, Channels: e.channelNames(), Limit: dueBatch})
	})
	e.each(ctx, len(due), func(ctx context.Context, i int) {
		if err := e.orderDue(ctx, due[i]); err != nil && !isMoved(err) {
			e.notYet("open order not carried on", err, logOrder, due[i].No, "state", due[i].State)
		}
	})
	return err
}

// orderDue takes the order for itself by moving its due time, then does what its
// state asks for.
func (e *Engine) orderDue(ctx context.Context, listed Order) error {
	o, err := e.change(ctx, listed.No, func(_ *change, o *Order) (why, error) {
		if o.Version != listed.Version {
			return why{}, errMovedMeanwhile(o.No)
		}
		o.Due = e.env.Now().Add(e.opts.Timetable.Handover)
		return why{byLook, "taken by " + e.opts.Name}, nil
	})
	if err != nil {
		return err
	}
	switch o.State {
	case pay.Paying:
		_, err = e.look(ctx, o)
	case pay.Revoking:
		_, err = e.revokeStep(ctx, o)
	case pay.Paid:
		_, err = e.checkDouble(ctx, o)
	default:
	}
	return err
}

func (e *Engine) dueRefunds(ctx context.Context, m *member) error {
	due, err := dueList(ctx, e, func(ctx context.Context) ([]Refund, error) {
		return m.DueRefunds(ctx, e.dueSince(m), dueBatch)
	})
	e.each(ctx, len(due), func(ctx context.Context, i int) {
		if err := e.refundDue(ctx, due[i]); err != nil && !isMoved(err) {
			e.notYet("refund not carried on", err, logOrder, due[i].OrderNo, "refund_no", due[i].No)
		}
	})
	return err
}

func (e *Engine) refundDue(ctx context.Context, listed Refund) error {
	ch, ok, err := e.ownChannel(ctx, listed.OrderNo)
	if err != nil || !ok {
		return err
	}
	var r Refund
	o, err := e.change(ctx, listed.OrderNo, func(c *change, o *Order) (why, error) {
		all, err := c.LockRefunds(c.ctx, o.No)
		if err != nil {
			return why{}, err
		}
		i := slices.IndexFunc(all, func(have Refund) bool { return have.No == listed.No && have.Version == listed.Version })
		if i < 0 {
			return why{}, errMovedMeanwhile(o.No)
		}
		r = all[i]
		r.Due = e.env.Now().Add(e.opts.Timetable.Handover)
		r.Tries = max(r.Tries, 1) // it may have been sent: ask first
		r.Version++
		_, err = c.PutRefund(c.ctx, r)
		return why{byLook, "refund " + r.No + " taken by " + e.opts.Name}, err
	})
	if err != nil {
		return err
	}
	_, _, err = e.refundStep(ctx, ch, o, r)
	return err
}

// ownChannel is the channel of an order, and whether this engine has it: what
// belongs to another engine's channels must not be taken away from that.
func (e *Engine) ownChannel(ctx context.Context, no pay.OrderNo) (Channel, bool, error) {
	o, err := e.readNow(ctx, no)
	if err != nil {
		return nil, false, err
	}
	ch, err := e.channelFor(o, "")
	return ch, err == nil, nil
}

func (e *Engine) dueTasks(ctx context.Context, m *member) error {
	due, err := dueList(ctx, e, func(ctx context.Context) ([]Task, error) {
		return m.DueTasks(ctx, e.dueSince(m), dueBatch)
	})
	e.each(ctx, len(due), func(ctx context.Context, i int) {
		if due[i].Kind != TaskMoneyBack {
			return
		}
		_, ok, err := e.ownChannel(ctx, due[i].OrderNo)
		if err == nil && ok {
			err = e.moneyBackStep(ctx, due[i])
		}
		if err != nil && !isMoved(err) {
			e.notYet("task not carried on", err, "task", due[i].ID)
		}
	})
	return err
}

// expire closes orders that were never sent and are too old, many in one
// transaction.
func (e *Engine) expire(ctx context.Context, m *member) error {
	due, err := dueList(ctx, e, func(ctx context.Context) ([]Order, error) {
		return m.DueOrders(ctx, DueQuery{Now: e.dueSince(m), States: []pay.State{pay.Created}, Limit: expireBatch})
	})
	byTag := map[pay.Tag][]pay.OrderNo{}
	for _, o := range due {
		byTag[o.No.Tag()] = append(byTag[o.No.Tag()], o.No)
	}
	for tag, orders := range byTag {
		ectx, cancel := e.env.WithTimeout(ctx, dueTimeout)
		_, err := m.Expire(ectx, tag, orders, e.env.Now(), e.opID())
		cancel()
		if err != nil && !errors.Is(err, ErrNotOwned) { // behind a fence they wait for the next pass
			return err
		}
	}
	return err
}

// notYet logs work that is tried again later. That a tag is being moved is nobody's
// fault.
func (e *Engine) notYet(what string, err error, about ...any) {
	level := slog.LevelWarn
	if errors.Is(err, ErrNotOwned) {
		level = slog.LevelDebug
	}
	e.log.Log(context.Background(), level, what, append(about, logErr, err)...)
}

// dueList reads one list, within its time.
func dueList[T any](ctx context.Context, e *Engine, list func(ctx context.Context) ([]T, error)) ([]T, error) {
	ctx, cancel := e.env.WithTimeout(ctx, dueTimeout)
	defer cancel()
	return list(ctx)
}

// each runs f for 0 to n-1, a bounded number at a time.
func (e *Engine) each(ctx context.Context, n int, f func(ctx context.Context, i int)) {
	if n == 0 {
		return
	}
	workers := min(n, dueAtOnce)
	e.env.Gather(ctx, workers, func(ctx context.Context, worker int) {
		for i := worker; i < n && ctx.Err() == nil; i += workers {
			f(ctx, i)
		}
	})
}

// Unfinished counts what is under way: open payments and revokes, refunds without an
// end that the engine carries on, money that is to go back, journaled answers. Each
// list is cut at a thousand. A group that does not answer is an error.
func (e *Engine) Unfinished(ctx context.Context) (n int, err error) {
	const most = 1000
	never := time.UnixMilli(1 << 52)
	for _, m := range e.members {
		orders, err := m.DueOrders(ctx, DueQuery{Now: never, States: dueStates, Limit: most})
		if err != nil {
			return n, err
		}
		refunds, err := m.DueRefunds(ctx, never, most)
		if err != nil {
			return n, err
		}
		tasks, err := m.DueTasks(ctx, never, most)
		if err != nil {
			return n, err
		}
		kept, err := m.Journal(ctx, pay.OrderNo{}, most)
		if err != nil {
			return n, err
		}
		n += len(orders) + len(refunds) + len(tasks) + len(kept)
	}
	return n, nil
}

// dueWhileDown asks the channel about open payments of a group that is out, so that
// the cashier hears the truth; the answers wait in another group's journal.
func (e *Engine) dueWhileDown(ctx context.Context, m *member) {
	if len(e.opts.Channels) == 0 {
		return
	}
	due, err := dueList(ctx, e, func(ctx context.Context) ([]Order, error) {
		return m.DueOrders(ctx, DueQuery{Now: e.env.Now(), States: []pay.State{pay.Paying}, Channels: e.channelNames(), Limit: dueBatch, Down: true})
	})
	if err != nil {
		e.log.Debug("open payments of a group that is out were not read", logGroup, m.ID(), logErr, err)
	}
	e.each(ctx, len(due), func(ctx context.Context, i int) { e.lookWhileDown(ctx, due[i]) })
}

func (e *Engine) lookWhileDown(ctx context.Context, o Order) {
	holder, ok := e.stand(o)
	if !ok {
		return
	}
	now := e.env.Now()
	lctx, lcancel := e.env.WithTimeout(ctx, e.opts.CreateTimeout)
	leased, err := holder.LeaseJournal(lctx, JournalEntry{OrderNo: o.No, Holder: e.opts.Holder, Until: now.Add(e.opts.Timetable.Handover), Created: now}, now)
	lcancel()
	if err != nil || !leased {
		return
	}
	a, err := e.query(ctx, o)
	if err == nil && a.Definite() {
		_, err := e.keepAnswer(ctx, o, a, errors.New("its group is out"))
		e.log.Debug("answer kept for a group that is out", logOrder, o.No, "verdict", a.Verdict, logErr, err)
	}
}
