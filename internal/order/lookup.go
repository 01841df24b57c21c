package order

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// lookUp asks the groups in which an earlier attempt of the key may lie, and
// reports the last attempt that it found. Groups that do not answer in time are
// skipped: creating an order waits for nobody.
func (c *creation) lookUp(ctx context.Context) (Order, bool) {
	if len(c.plan.Lookup) == 0 {
		return Order{}, false
	}
	found, _ := c.e.askGroups(ctx, c.Key, c.e.withHeirs(c.plan.Lookup))
	last, ok := lastAttempt(found)
	return last, ok && last.Attempt >= c.attempt
}

// askGroups reads the live rows of a key in the groups, concurrently, and names
// those that did not answer within LookupTimeout.
func (e *Engine) askGroups(ctx context.Context, key pay.Key, groups []shard.GroupID) (found []Order, silent []shard.GroupID) {
	ctx, cancel := e.env.WithTimeout(ctx, e.opts.LookupTimeout)
	defer cancel()
	var mu sync.Mutex
	e.env.Gather(ctx, len(groups), func(ctx context.Context, i int) {
		rows, err := e.askGroup(ctx, key, groups[i])
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			silent = append(silent, groups[i])
			return
		}
		found = append(found, rows...)
	})
	found, unread := e.owned(ctx, found)
	return found, append(silent, unread...)
}

var errNotAsked = errors.New("not asked: look-ups in this group get no answer")

func (e *Engine) askGroup(ctx context.Context, key pay.Key, g shard.GroupID) ([]Order, error) {
	m, ok := e.member(g)
	if !ok {
		return nil, errNotAsked
	}
	leave, ok := e.fleet.EnterLookup(g, e.env.Now())
	if !ok {
		return nil, errNotAsked
	}
	rows, err := m.FindKey(ctx, key)
	leave(e.env.Now(), err == nil)
	return rows, err
}

// lastAttempt is the row that a known key is answered with: the highest attempt,
// and of twins the one that stays.
func lastAttempt(rows []Order) (Order, bool) {
	if len(rows) == 0 {
		return Order{}, false
	}
	return slices.MaxFunc(rows, func(a, b Order) int {
		if c := cmp.Compare(a.Attempt, b.Attempt); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(standing(a.State), standing(b.State)), b.No.Compare(a.No))
	}), true
}

// standing orders the states by how much an order counts as the answer to its key:
// what was paid or may be, then what can be, then what has ended.
func standing(s pay.State) int {
	switch s {
	case pay.Paid:
		return 5
	case pay.Paying, pay.Revoking:
		return 4
	case pay.Created:
		return 3
	case pay.Revoked:
		return 2
	case pay.Closed:
		return 1
	case pay.Void, pay.None:
	}
	return 0
}

// answer is what a known key is answered with, after a last check: an attempt
// that has ended may have been followed by another one in another group.
func (c *creation) answer(ctx context.Context, found Order) (Order, error) {
	if found.State.Final() {
		rows, _ := c.e.askGroups(ctx, c.Key, c.e.groupIDs())
		if last, ok := lastAttempt(append(rows, found)); ok {
			found = last
		}
	}
	if found.Amount != c.Amount {
		return Order{}, errAmount(found, c.Amount)
	}
	return found, nil
}

// adopt answers with the order that the group already has for the key. Tries of
// this request that are in doubt are recorded beside it first, in a transaction
// that sees the order live; without that record they would have no owner.
func (c *creation) adopt(ctx context.Context, m *member) (Order, error) {
	tctx, cancel := c.e.env.WithTimeout(ctx, c.e.opts.CreateTimeout)
	defer cancel()
	rows, err := m.FindKey(tctx, c.Key)
	if err != nil {
		return Order{}, c.adoptFailed(ctx, m, err)
	}
	rows, _ = c.e.owned(tctx, rows) // what the group has may have been left behind by a tag that moved
	found, ok := lastAttempt(rows)
	if !ok { // it was voided between the two looks
		return Order{}, c.adoptFailed(ctx, m, fmt.Errorf("key %s: %w", c.Key, ErrNotFound))
	}
	if len(c.doubts) > 0 {
		holder, ok := c.e.member(found.Group)
		if !ok {
			holder = m
		}
		if err := c.recordDoubts(tctx, holder, found); err != nil {
			return Order{}, c.adoptFailed(ctx, m, err)
		}
	}
	return c.answer(ctx, found)
}

func (c *creation) recordDoubts(ctx context.Context, m *member, winner Order) error {
	return transact(ctx, m, func(tx Tx) error {
		claim, _, err := tx.LockTag(ctx, winner.No.Tag(), c.Key)
		if err != nil {
			return err
		}
		if claim.State != shard.TagOwned {
			return &Fault{Outcome: NotCommitted, Err: ErrNotOwned}
		}
		row, err := tx.LockOrder(ctx, winner.No)
		if err != nil {
			return err
		}
		if row.State == pay.Void {
			return fmt.Errorf("order %s was voided meanwhile: %w", winner.No, ErrNotFound)
		}
		return tx.InsertDoubts(ctx, c.doubtsFor(winner.No))
	})
}

// adoptFailed ends a request that met its key but could not finish: an order
// exists, only not in hand, so the outcome is unknown and the caller asks again.
func (c *creation) adoptFailed(ctx context.Context, m *member, err error) error {
	c.failed[m.ID()] = err
	doubts := append(c.doubts, Doubt{OldGroup: m.ID()})
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return errUnknown(c.Key, doubts, err)
}

func (e *Engine) groupIDs() []shard.GroupID {
	ids := make([]shard.GroupID, len(e.members))
	for i, m := range e.members {
		ids[i] = m.ID()
	}
	return ids
}

// nextAttempt is the number of a further attempt: allowed only when the last one
// has ended by a definite answer, and when every group could be asked.
func (e *Engine) nextAttempt(ctx context.Context, key pay.Key) (int, error) {
	rows, silent := e.askGroups(ctx, key, e.groupIDs())
	if len(silent) > 0 {
		return 0, &Error{Code: CodeAttemptUnclear, Outcome: NotCommitted, RetryAfter: groupDownRetry,
			Message: fmt.Sprintf("groups %v did not say whether they hold an open attempt of key %s", silent, key),
			Hint:    "try again when they are back"}
	}
	last, ok := lastAttempt(rows)
	switch {
	case !ok:
		return 1, nil
	case last.State == pay.Closed || last.State == pay.Revoked:
		return last.Attempt + 1, nil
	}
	return 0, &Error{Code: CodeAttemptOpen, Outcome: NotCommitted,
		Message: fmt.Sprintf("attempt %d of key %s is %s as order %s", last.Attempt, key, last.State, last.No),
		Hint:    "a further attempt needs an end of this one: closed or revoked"}
}
