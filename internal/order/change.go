package order

import (
	"context"
	"errors"
	"fmt"
	"time"

	"paytool/internal/pay"
)

// Times of a change. A fence stands for a moment only: an update waits for it
// instead of being refused (hop design, rule 20), also where its maker died and an
// engine has to lift it, which takes two seconds and a half.
const (
	fencePause    = 20 * time.Millisecond
	fencePatience = 3 * time.Second
	// decideWithin bounds the question what became of an unknown move.
	decideWithin = 2 * time.Second
)

// errMoved means that somebody else moved the order at the same time.
var errMoved = errors.New("the order was moved by somebody else at the same time")

// write puts after over before inside a transaction, with a new operation id. It
// is the one place where orders move, and so where the table of moves is asked.
func (e *Engine) write(ctx context.Context, tx Tx, before, after Order, reason why) (bool, error) {
	if after.OpID == before.OpID {
		after.OpID = e.opID()
	}
	if before.State != after.State {
		if _, err := pay.CheckMove(before.State, after.State, reason.by); err != nil {
			e.count("moves_refused")
			return false, refuseInput(err)
		}
		after.Tries = 0
	}
	now := e.env.Now()
	after.Updated = now
	return tx.Move(ctx, before, after, Move{
		OrderNo: before.No, Version: before.Version + 1, From: before.State, To: after.State, By: reason.by,
		OpID: after.OpID, At: now, Detail: clip(reason.detail),
	})
}

const maxDetail = 200

// clip keeps a few words for people within their column.
func clip(s string) string {
	if r := []rune(s); len(r) > maxDetail {
		return string(r[:maxDetail-1]) + "…"
	}
	return s
}

// why is the reason of a move.
type why struct {
	by     pay.Mover
	detail string
}

// edit changes a copy of an order inside the transaction that holds its row. What
// belongs to the move (a refund, a task) it writes through the change. An *Error or
// a business error ends the transaction with nothing written, and so does
// errNothing, which is no failure.
type edit func(c *change, o *Order) (why, error)

// errNothing ends a change that turned out to have nothing to do.
var errNothing = errors.New("nothing to change")

// change is one transaction about one order.
type change struct {
	Tx
	ctx    context.Context // of the transaction
	e      *Engine
	opened []Task
}

// change moves an order by one transaction on its group's primary, and decides an
// unknown outcome by its operation id before it returns. An error with outcome
// Unknown remains only where the group did not answer for decideWithin.
func (e *Engine) change(ctx context.Context, no pay.OrderNo, f edit) (Order, error) {
	return e.changeAs(ctx, no, e.opID(), f)
}

// changeAs is change under an operation id of the caller's.
//
// A transaction of which it is known that the group did not commit it (it was slow for a
// moment, a connection broke) is tried again, twice at most: nothing was written, and the
// caller could only do the same. So an edit may run more than once.
func (e *Engine) changeAs(ctx context.Context, no pay.OrderNo, op string, f edit) (Order, error) {
	giveUp := e.env.Now().Add(fencePatience)
	for again := moreTries; ; {
		o, tried, err := e.changeOnce(ctx, no, op, f)
		switch {
		case errors.Is(err, ErrNotOwned):
			if !e.waitForOwner(ctx, giveUp) {
				return Order{}, errWaitedForOwner(ctx, o.Group, no, err)
			}
		case tried == cutShort && again > 0 && ctx.Err() == nil:
			again--
		default:
			return o, err
		}
	}
}

// moreTries are those after the first; each takes CreateTimeout at most.
const moreTries = 2

// tried is how far the transaction of a change came.
type tried int

const (
	ended    tried = iota // to its commit, to an answer, or to nobody knows where
	cutShort              // the group failed, and it is known that nothing was written
)

func (e *Engine) changeOnce(ctx context.Context, no pay.OrderNo, op string, f edit) (o Order, came tried, err error) {
	m, err := e.ownerOf(no)
	if err != nil {
		return Order{}, ended, errUnknownTag(no, err)
	}
	if err := e.there(ctx, m, no); err != nil {
		return Order{Group: m.ID()}, ended, err
	}
	after := Order{No: no}
	var tasks []Task
	err = e.onTag(ctx, m, no, pay.Key{}, func(ctx context.Context, tx Tx) error {
		before, err := tx.LockOrder(ctx, no)
		if err != nil {
			return err
		}
		after = before
		c := &change{Tx: tx, ctx: ctx, e: e}
		reason, err := f(c, &after)
		if err != nil {
			return err
		}
		tasks = c.opened
		after.OpID = op
		done, err := e.write(ctx, tx, before, after, reason)
		if err == nil && !done {
			err = errMoved
		}
		after.Version = before.Version + 1
		return err
	})
	after.Group = m.ID()
	if err != nil {
		after, err = e.changeFailed(ctx, m, after, op, err)
		var failed *Error
		if errors.As(err, &failed) && failed.Code == CodeGroupDown {
			came = cutShort
		}
	}
	if err == nil {
		e.alarm(tasks...)
	}
	return after, came, err
}

// hiccup is how long a group may have been out for an update to wait for it: it may be
// back before the caller could ask again. Once it has been out for longer updates are
// refused at once.
const hiccup = 500 * time.Millisecond

// there refuses what an order's group would have to answer while that is out.
func (e *Engine) there(ctx context.Context, m *member, no pay.OrderNo) error {
	for {
		cause, since, down := e.fleet.DownSince(m.ID())
		if !down {
			return nil
		}
		if e.env.Now().Sub(since) >= hiccup || e.env.Sleep(ctx, fencePause) != nil {
			return errGroupDown(m.ID(), no, fmt.Errorf("it is out (%s)", cause))
		}
	}
}

func (e *Engine) changeFailed(ctx context.Context, m *member, o Order, op string, err error) (Order, error) {
	refused := (*Error)(nil)
	switch {
	case errors.Is(err, errNothing):
		return o, nil
	case errors.As(err, &refused), errors.Is(err, ErrNotOwned):
		return o, err
	case errors.Is(err, errMoved):
		return o, errMovedMeanwhile(o.No)
	case errors.Is(err, ErrNotFound):
		return o, errNotFound(o.No, m.ID(), err)
	case outcomeOf(err) == Unknown:
		return e.decide(ctx, m, o, op, err)
	}
	return o, errGroupDown(m.ID(), o.No, err)
}

// decide finds out what became of a move whose commit got no answer, by its
// operation id, under the row's lock: once the lock is had, the transaction has
// ended one way or the other.
func (e *Engine) decide(ctx context.Context, m *member, after Order, op string, why error) (Order, error) {
	dctx, cancel := e.env.WithTimeout(context.WithoutCancel(ctx), decideWithin)
	defer cancel()
	for {
		row, err := e.readPrimary(dctx, after.No)
		switch {
		case err == nil && row.OpID == op:
			return row, nil
		case err == nil && row.Version < after.Version:
			return row, errGroupDown(m.ID(), after.No, why)
		case err == nil: // others moved it since; was ours among the moves before?
			moves, err := readAt(dctx, e, after.No, func(ctx context.Context, m *member) ([]Move, error) { return m.Moves(ctx, after.No) })
			for _, mv := range moves {
				if mv.OpID == op {
					return row, nil
				}
			}
			if err == nil {
				return row, errGroupDown(m.ID(), after.No, why)
			}
		}
		if e.env.Sleep(dctx, fencePause) != nil {
			e.count("moves_unknown")
			return after, &Error{Code: CodeUnknownOutcome, Outcome: Unknown, RetryAfter: time.Second, Err: why,
				Message: fmt.Sprintf("whether order %s was moved to %s is unknown: group %d does not answer: %v", after.No, after.State, m.ID(), why),
				Hint:    "it is looked at again when the group is back; read the order then"}
		}
	}
}
