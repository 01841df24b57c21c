package order

import (
	"context"
	"errors"
	"fmt"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// tombstoneOp starts the operation id of tombstones, so that a resolver that runs
// a second time can tell its own tombstone from a row that was voided.
const tombstoneOp = "tombstone-"

// resolveDoubts settles the doubts that the holder keeps about tries in another
// group, as far as they were there before, and returns what is left open.
//
// The doubted number says where to look: old is where it was tried, and its tag may
// have moved since.
func (e *Engine) resolveDoubts(ctx context.Context, holder *member, old shard.GroupID, before time.Time) (open Open) {
	ctx, cancel := e.env.WithTimeout(ctx, settleTimeout)
	defer cancel()
	doubts, err := holder.Doubts(ctx, old, settleBatch)
	if err != nil {
		e.log.Warn("doubts not read", logGroup, holder.ID(), logErr, err)
		return Open{Failed: 1}
	}
	for _, d := range doubts {
		if d.Created.After(before) {
			break // and so are those that follow
		}
		m, err := e.ownerOf(d.OrderNo)
		if err != nil || e.out(m) {
			open.Waiting++
			continue
		}
		how, err := e.resolve(ctx, d)
		if err == nil {
			err = holder.SettleDoubt(ctx, d, how, e.env.Now())
		}
		if err != nil {
			open.Failed++
			e.notYet("doubt not settled yet", err, logOrder, d.OrderNo, logGroup, d.OldGroup)
			if !errors.Is(err, ErrNotOwned) {
				e.doubtLate(ctx, m, d, err)
			}
			continue
		}
		if e.env.Now().Sub(d.Created) >= doubtPatience { // somebody may have been told
			_, _ = e.closeTask(ctx, taskID(TaskDoubt, d.Winner), d.Winner, engineHand, "settled: "+string(how)) // mostly there is none
		}
		e.log.Info("doubt settled", logOrder, d.OrderNo, logGroup, d.OldGroup, "how", how, "winner", d.Winner)
	}
	return open
}

// doubtPatience is how long after its group came back a doubt may stay open before
// a person is told (hop design, rule 3).
const doubtPatience = time.Minute

// doubtLate alarms about a doubt that is still open though the group of its number is
// back.
func (e *Engine) doubtLate(ctx context.Context, m *member, d Doubt, cause error) {
	now := e.env.Now()
	if m.backFor(now) < doubtPatience || now.Sub(d.Created) < doubtPatience {
		return
	}
	_, err := e.change(ctx, d.Winner, func(c *change, o *Order) (why, error) {
		detail := fmt.Sprintf("whether order %s was written in group %d is not settled: %v", d.OrderNo, d.OldGroup, cause)
		if err := c.open(*o, TaskDoubt, clip(detail), time.Time{}); err != nil {
			return why{}, err
		}
		if len(c.opened) == 0 {
			return why{}, errNothing // it is there already
		}
		return why{byLook, clip(detail)}, nil
	})
	if err != nil {
		e.log.Warn("no task for an open doubt", logOrder, d.OrderNo, logErr, err)
	}
}

// resolve decides one doubt with a fencing write, never with a SELECT: a row that
// is waiting for its replica is invisible to reads but not to a unique key (rule
// 3). Each step may be repeated after a crash.
func (e *Engine) resolve(ctx context.Context, d Doubt) (Settlement, error) {
	m, err := e.ownerOf(d.OrderNo)
	if err != nil {
		return "", err
	}
	now := e.env.Now()
	tombstone := Order{
		No: d.OrderNo, Key: d.Key, Attempt: d.Attempt, State: pay.Void, Amount: d.Amount, Shadow: d.Shadow,
		Created: now, Updated: now, TwinOf: d.Winner, Version: 1, OpID: tombstoneOp + e.opID()[:16],
	}
	err = e.onTag(ctx, m, d.OrderNo, d.Key, func(ctx context.Context, tx Tx) error { return tx.InsertOrder(ctx, tombstone) })
	if err == nil {
		return Tombstoned, nil
	}
	if !errors.Is(err, ErrDuplicateNo) {
		return "", err
	}
	return e.resolveExisting(ctx, d)
}

// resolveExisting decides a doubt whose row exists: the try was committed, or the
// number was fenced before.
func (e *Engine) resolveExisting(ctx context.Context, d Doubt) (Settlement, error) {
	row, err := e.readPrimary(ctx, d.OrderNo)
	switch {
	case err != nil:
		return "", err
	case row.Key != d.Key:
		// The number went to another key, so our try under it was refused.
		return Tombstoned, nil
	case row.State == pay.Void && len(row.OpID) > len(tombstoneOp) && row.OpID[:len(tombstoneOp)] == tombstoneOp:
		return Tombstoned, nil
	case row.State == pay.Void:
		return Voided, nil
	}
	winner, err := e.livingTwin(ctx, d.Winner)
	switch {
	case err != nil:
		return "", fmt.Errorf("read the winner %s of doubt %s: %w", d.Winner, d.OrderNo, err)
	case winner.No == row.No:
		return Kept, nil // the winner was voided in favour of this very row
	}
	return e.settleTwins(ctx, row, winner, pay.ByResolver)
}

// settleTwins voids whichever of the two goes, seen from the first.
func (e *Engine) settleTwins(ctx context.Context, first, second Order, by pay.Mover) (Settlement, error) {
	keep, loser, how := second.No, first.No, Voided
	switch pay.JudgeTwins(first.Twin(), second.Twin()) {
	case pay.KeepBoth:
		return Kept, nil
	case pay.BothSent:
		if first.State != pay.Paid || second.State != pay.Paid {
			return "", fmt.Errorf("orders %s (%s) and %s (%s) of one key were both sent; whether both are paid is not settled yet", first.No, first.State, second.No, second.State)
		}
		return BothSent, e.paidTwice(ctx, first, second)
	case pay.KeepFirst:
		keep, loser, how = first.No, second.No, Kept
	case pay.KeepSecond:
	}
	done, err := e.voidTwin(ctx, loser, keep, by)
	if err != nil {
		return "", err
	}
	if !done {
		return "", fmt.Errorf("order %s moved while its twin %s was looked at", loser, keep)
	}
	return how, nil
}
