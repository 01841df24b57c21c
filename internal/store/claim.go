package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"paytool/internal/order"
	"paytool/internal/shard"
)

// ErrOldEpoch means that the group is at a higher epoch already. Read the
// topology again.
var ErrOldEpoch = errors.New("the group is at a higher epoch")

// SetClaim writes the group's word on a tag and raises the group's epoch to the
// claim's. It waits for every transaction that holds the tag (LockTag) and, while
// it waits, holds back those that come after it: when it returns, a fence is up.
// A writer that does not end within a second makes it fail with nothing changed.
// A lower epoch than the row's is refused with ErrOldEpoch.
func (g *Group) SetClaim(ctx context.Context, c shard.Claim) error {
	if c.Group != g.id {
		return fmt.Errorf("set tag %d: the claim is of group %d, this is group %d", c.Tag, c.Group, g.id)
	}
	return g.change(ctx, fmt.Sprintf("set tag %d to %s at epoch %d", c.Tag, c.State, c.Epoch), func(tx *sql.Tx) error {
		done, err := affected(tx.ExecContext(ctx, "UPDATE group_state SET state=?, epoch=? WHERE tag=? AND epoch<=?", c.State, c.Epoch, c.Tag, c.Epoch))
		if err != nil {
			return err
		}
		if done == 0 {
			_, err = tx.ExecContext(ctx, "INSERT INTO group_state (tag, state, epoch) VALUES (?, ?, ?)", c.Tag, c.State, c.Epoch)
			if isAnswer(err, errDuplicate) {
				return ErrOldEpoch
			}
			if err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, "UPDATE group_info SET epoch=? WHERE id=1 AND epoch<?", c.Epoch, c.Epoch)
		return err
	})
}

// SetWeight writes the group's state and its share of new orders at an epoch, and
// when the share changed: while it is recent, engines look for earlier attempts of a key
// where the old weights had sent them. It ends the time of pilots. A lower epoch than the
// row's is refused with ErrOldEpoch.
func (g *Group) SetWeight(ctx context.Context, weight int, state shard.GroupState, epoch int64, at time.Time) error {
	return g.weigh(ctx, shard.Report{State: state, Weight: weight, Epoch: epoch}, at)
}

// weigh writes state, weight and pilots of a report at its epoch.
func (g *Group) weigh(ctx context.Context, r shard.Report, at time.Time) error {
	next := shard.GroupOf(r)
	doing := fmt.Sprintf("set weight %d and state %s with %d pilots at epoch %d", r.Weight, r.State, len(next.Pilots), r.Epoch)
	return g.change(ctx, doing, func(tx *sql.Tx) error {
		var before shard.Report
		var changed, version int64
		var shares string
		err := tx.QueryRowContext(ctx, "SELECT state, weight, epoch, changed_ms, shares FROM group_info WHERE id=1"+forUpdate).
			Scan(&before.State, &before.Weight, &before.Epoch, &changed, &shares)
		if err == nil {
			before.Pilots, version, err = readPilots(ctx, tx)
		}
		if err != nil {
			return err
		}
		if before.Epoch > r.Epoch {
			return ErrOldEpoch
		}
		if was := shard.GroupOf(before); !next.TakesAs(was) {
			changed = at.UnixMilli()
			shares = addShare(shares, was.Record(), next.Record(), at)
		}
		if !slices.Equal(next.Pilots, before.Pilots) {
			if err := writePilots(ctx, tx, next.Pilots, version+1, at); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, "UPDATE group_info SET weight=?, state=?, epoch=?, changed_ms=?, shares=? WHERE id=1", r.Weight, r.State, r.Epoch, changed, shares)
		return err
	})
}

// change runs one transaction of the topology's. ErrOldEpoch comes back as it is.
func (g *Group) change(ctx context.Context, doing string, f func(tx *sql.Tx) error) error {
	tx, err := g.primary().db.BeginTx(ctx, nil)
	if err != nil {
		return g.primary().fail(doing, err, beforeCommit)
	}
	defer tx.Rollback()
	if err := f(tx); errors.Is(err, ErrOldEpoch) {
		return fmt.Errorf("%s on %s: %w", doing, g.primary().name, err)
	} else if err != nil {
		return g.primary().fail(doing, err, beforeCommit)
	}
	return g.primary().fail(doing, tx.Commit(), atCommit)
}

// affected is the number of rows that a statement matched.
func affected(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

var _ order.Group = (*Group)(nil)
