package tagmove

import (
	"context"
	"errors"
	"fmt"

	"paytool/internal/pay"
	"paytool/internal/shard/mover"
	"paytool/internal/store"
)

// SetClaims writes claims if the holder is the admitted one, and raises the group's
// epoch to theirs. It waits for writers of the tags and holds back those that come:
// when it returns, a fence is up. mover.ErrBusy where a writer does not end in time.
func (g *Group) SetClaims(ctx context.Context, holder string, c mover.Claims) error {
	if len(c.Tags) == 0 {
		return nil
	}
	return g.workOnTags(ctx, fmt.Sprintf("set the tags %v to %s at epoch %d", c.Tags, c.State, c.Epoch), func(q store.Querier) error {
		there, err := lockAdmitted(ctx, q, c.Tags, holder)
		if err != nil {
			return err
		}
		for tag, row := range there {
			if row.epoch > c.Epoch {
				return fmt.Errorf("%w: tag %d is at %d", mover.ErrOldEpoch, tag, row.epoch)
			}
		}
		if err := writeClaims(ctx, q, holder, c, there); err != nil {
			return err
		}
		if c.Record != nil {
			if err := setRecording(ctx, q, c.Tags, *c.Record); err != nil {
				return err
			}
		}
		_, err = q.ExecContext(ctx, "UPDATE group_info SET epoch=? WHERE id=1 AND epoch<?", c.Epoch, c.Epoch)
		return err
	})
}

func writeClaims(ctx context.Context, q store.Querier, holder string, c mover.Claims, there map[pay.Tag]tagRow) error {
	for _, tag := range sorted(c.Tags) {
		query, args := "UPDATE group_state SET state=?, epoch=? WHERE tag=?", []any{c.State, c.Epoch, tag}
		if _, ok := there[tag]; !ok {
			query, args = "INSERT INTO group_state (state, epoch, tag, mover) VALUES (?, ?, ?, ?)", append(args, holder)
		}
		if _, err := q.ExecContext(ctx, query, args...); err != nil {
			return err
		}
	}
	return nil
}

var errNoClaim = errors.New("the group has no claim on it")

// Record turns the recording of changes on or off. When it returns, every writer that
// began before has committed or been rolled back, and later ones record, or no longer.
func (g *Group) Record(ctx context.Context, holder string, tags []pay.Tag, on bool) error {
	return g.workOnTags(ctx, fmt.Sprintf("set the recording of the tags %v to %t", tags, on), func(q store.Querier) error {
		there, err := lockAdmitted(ctx, q, tags, holder)
		if err != nil {
			return err
		}
		for _, tag := range tags {
			if _, ok := there[tag]; !ok {
				return fmt.Errorf("tag %d: %w", tag, errNoClaim)
			}
		}
		return setRecording(ctx, q, tags, on)
	})
}

func setRecording(ctx context.Context, q store.Querier, tags []pay.Tag, on bool) error {
	in, args := among(sorted(tags))
	if _, err := q.ExecContext(ctx, "UPDATE group_state SET recording=? WHERE tag"+in, append([]any{on}, args...)...); err != nil || !on {
		return err
	}
	return store.RequireRecorders(ctx, q)
}
