package tagmove

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/shard/mover"
	"paytool/internal/store"
)

// Hold takes the lease of a run of this target, or renews it. Taking it over admits
// the holder to the run's tags here, in the same transaction, and so waits for a chunk
// of the other one's: mover.ErrBusy where that does not end in time. Renewing it waits
// for nobody.
func (g *Group) Hold(ctx context.Context, run, holder string, now, until time.Time) error {
	return g.workOnTags(ctx, "take the lease of move "+run, func(q store.Querier) error {
		var held, tagsText string
		var heldUntil int64
		err := q.QueryRowContext(ctx, "SELECT holder, until_ms, tags FROM moves WHERE id=? /*! FOR UPDATE */", run).Scan(&held, &heldUntil, &tagsText)
		if errors.Is(err, sql.ErrNoRows) {
			return errNoRun
		}
		if err != nil {
			return err
		}
		if held != holder && held != "" && heldUntil > now.UnixMilli() {
			return fmt.Errorf("%w: %q does until %s", mover.ErrHeld, held, time.UnixMilli(heldUntil).In(pay.Beijing).Format(time.TimeOnly))
		}
		if _, err := q.ExecContext(ctx, "UPDATE moves SET holder=?, until_ms=? WHERE id=?", holder, until.UnixMilli(), run); err != nil || held == holder {
			return err
		}
		var tags []pay.Tag
		if err := json.Unmarshal([]byte(tagsText), &tags); err != nil {
			return fmt.Errorf("the tags of move %s as they are stored: %w", run, err)
		}
		return admit(ctx, q, tags, holder)
	})
}

// Drop gives the lease back if the holder has it.
func (g *Group) Drop(ctx context.Context, run, holder string) error {
	return g.of.Work(ctx, "give back the lease of move "+run, func(q store.Querier) error {
		_, err := q.ExecContext(ctx, "UPDATE moves SET holder='', until_ms=0 WHERE id=? AND holder=?", run, holder)
		return err
	})
}

// Admit names the holder whose changes of these tags the group lets in from now on,
// and waits for transactions of another one, or ends with mover.ErrBusy.
func (g *Group) Admit(ctx context.Context, tags []pay.Tag, holder string) error {
	return g.workOnTags(ctx, fmt.Sprintf("admit %q to the tags %v", holder, tags), func(q store.Querier) error {
		return admit(ctx, q, tags, holder)
	})
}

// admit writes the holder into the tags' rows. A tag without one gets a claim at
// epoch 0, below that of any other group: without a row to name the holder, one who
// was left behind could write the first.
func admit(ctx context.Context, q store.Querier, tags []pay.Tag, holder string) error {
	there, err := lockTags(ctx, q, tags)
	if err != nil {
		return err
	}
	for _, tag := range sorted(tags) {
		if _, ok := there[tag]; !ok {
			_, err = q.ExecContext(ctx, "INSERT INTO group_state (tag, state, epoch, mover) VALUES (?, ?, 0, ?)", tag, shard.TagMoved, holder)
		} else if there[tag].mover != holder {
			_, err = q.ExecContext(ctx, "UPDATE group_state SET mover=? WHERE tag=?", holder, tag)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// tagRow is a group's row of a tag.
type tagRow struct {
	epoch int64
	mover string
}

// lockTags locks the tags' rows until the transaction ends. It waits for those who
// write orders or copies of these tags, and holds back those that come.
func lockTags(ctx context.Context, q store.Querier, tags []pay.Tag) (map[pay.Tag]tagRow, error) {
	in, args := among(sorted(tags))
	there := map[pay.Tag]tagRow{}
	err := each(ctx, q, "SELECT tag, epoch, mover FROM group_state WHERE tag"+in+" ORDER BY tag /*! FOR UPDATE */", args, func(scan scan) error {
		var tag pay.Tag
		var row tagRow
		err := scan(&tag, &row.epoch, &row.mover)
		there[tag] = row
		return err
	})
	return there, err
}

// lockAdmitted locks the tags' rows and refuses another holder than the admitted one.
func lockAdmitted(ctx context.Context, q store.Querier, tags []pay.Tag, holder string) (map[pay.Tag]tagRow, error) {
	there, err := lockTags(ctx, q, tags)
	for tag, row := range there {
		if err == nil && row.mover != holder {
			err = fmt.Errorf("%w: tag %d is in the hands of %q", mover.ErrHeld, tag, row.mover)
		}
	}
	return there, err
}
