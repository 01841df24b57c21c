package order

import (
	"context"
	"errors"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// Paces of settling.
const (
	settleEvery = time.Second
	settleBatch = 200
	// settleTimeout bounds the work on one batch.
	settleTimeout = 5 * time.Second
)

// settleLoop settles what is due, every second, whichever instance left it.
func (e *Engine) settleLoop(ctx context.Context) {
	for ctx.Err() == nil {
		_ = e.env.Sleep(ctx, settleEvery) // the loop looks at the context itself
		if ctx.Err() == nil {
			e.settle(ctx, e.env.Now(), true)
		}
	}
}

// Open is what a pass of settling left open.
type Open struct {
	// Waiting are doubts, hops and whole groups that cannot be looked at because a
	// group is out.
	Waiting int
	// Failed are those that could have been settled and were not: a group did not
	// answer, or an order moved at that moment. The next pass tries again.
	Failed int
}

// None reports whether everything is settled.
func (o Open) None() bool { return o == Open{} }

func (o *Open) add(other Open) {
	o.Waiting += other.Waiting
	o.Failed += other.Failed
}

// Settle makes one pass over every open doubt and every open hop, due or not, and
// returns what is left. A caller that wants all of them settled calls again.
func (e *Engine) Settle(ctx context.Context) Open {
	const always = 1 << 62 / int64(time.Millisecond)
	return e.settle(ctx, time.UnixMilli(always), false)
}

// settle works on what is due, or in turn, on what those ahead have left of it.
func (e *Engine) settle(ctx context.Context, due time.Time, inTurn bool) (open Open) {
	for _, holder := range e.members {
		if e.out(holder) {
			open.Waiting++ // what it holds cannot be read
			continue
		}
		backlog, err := e.backlog(ctx, holder, due)
		if err != nil {
			e.log.Warn("backlog not read", logGroup, holder.ID(), logErr, err)
			open.Failed++
			continue
		}
		before := due
		if inTurn {
			before = e.dueSince(holder)
		}
		// About the holder too: with a tag that moved here there may have come what is
		// about this very group.
		for _, other := range e.everyGroup() {
			if ctx.Err() != nil {
				open.Failed++
				return open
			}
			if since, waits := backlog.Doubts[other]; waits && !since.After(before) {
				open.add(e.resolveDoubts(ctx, holder, other, before))
			}
			if since, waits := backlog.Hops[other]; waits && !since.After(before) {
				open.add(e.sweepHops(ctx, holder, other, before))
			}
		}
	}
	return open
}

// out reports whether a group cannot be asked. One that only creates fail in can: with
// no create to try it again it would stay ejected, and its doubts open, for ever.
func (e *Engine) out(m *member) bool {
	_, down := e.fleet.Down(m.ID())
	return down
}

// livingTwin follows twin_of from an order to the one that is not VOID, reading
// primaries: a replica may be behind a void.
func (e *Engine) livingTwin(ctx context.Context, no pay.OrderNo) (Order, error) {
	for range maxTwins {
		o, err := e.readPrimary(ctx, no)
		if err != nil || o.State != pay.Void || o.TwinOf.IsZero() {
			return o, err
		}
		no = o.TwinOf
	}
	return Order{}, errTooManyTwins
}

var errTooManyTwins = errors.New("too many twins in a row")

// readPrimary reads an order under a lock on its group's primary, so that a row
// whose commit is still waiting for a replica is waited for, not overlooked.
func (e *Engine) readPrimary(ctx context.Context, no pay.OrderNo) (o Order, err error) {
	err = e.atOwner(ctx, no, func(ctx context.Context, m *member) error {
		return e.onTag(ctx, m, no, pay.Key{}, func(ctx context.Context, tx Tx) (err error) {
			o, err = tx.LockOrder(ctx, no)
			return err
		})
	})
	return o, err
}

func (e *Engine) ownerOf(no pay.OrderNo) (*member, error) {
	g, err := e.fleet.Topology().Locate(no)
	if err != nil {
		return nil, err
	}
	m, ok := e.member(g)
	if !ok {
		return nil, shard.ErrUnknownTag
	}
	return m, nil
}

// onTag runs a transaction on an order that exists or might, in the group that
// owns its tag. f gets the context that bounds the whole of it.
func (e *Engine) onTag(ctx context.Context, m *member, no pay.OrderNo, key pay.Key, f func(ctx context.Context, tx Tx) error) error {
	ctx, cancel := e.env.WithTimeout(ctx, e.opts.CreateTimeout)
	defer cancel()
	return transact(ctx, m, func(tx Tx) error {
		claim, _, err := tx.LockTag(ctx, no.Tag(), key)
		if err != nil {
			return err
		}
		if claim.State != shard.TagOwned {
			return &Fault{Outcome: NotCommitted, Err: ErrNotOwned}
		}
		return f(ctx, tx)
	})
}

// voidTwin moves a CREATED order to VOID in favour of its twin, by compare-and-set
// on state and version. It reports false when the order has moved on.
func (e *Engine) voidTwin(ctx context.Context, loser, winner pay.OrderNo, by pay.Mover) (done bool, err error) {
	err = e.atOwner(ctx, loser, func(ctx context.Context, m *member) error {
		done, err = e.voidTwinIn(ctx, m, loser, winner, by)
		return err
	})
	return done && err == nil, err
}

func (e *Engine) voidTwinIn(ctx context.Context, m *member, loser, winner pay.OrderNo, by pay.Mover) (done bool, err error) {
	err = e.onTag(ctx, m, loser, pay.Key{}, func(ctx context.Context, tx Tx) error {
		row, err := tx.LockOrder(ctx, loser)
		if err != nil {
			return err
		}
		if row.State != pay.Created {
			done = row.State == pay.Void
			return nil
		}
		after := row
		after.State, after.TwinOf, after.Due = pay.Void, winner, time.Time{}
		done, err = e.write(ctx, tx, row, after, why{by, "twin of " + winner.String()})
		return err
	})
	return done && err == nil, err
}
