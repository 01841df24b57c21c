package tagmove

import (
	"context"
	"fmt"
	"slices"

	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/shard/mover"
	"paytool/internal/store"
)

// idsAtOnce bounds the records of one statement.
const idsAtOnce = 500

// Changes lists records of these tags below a stage, the oldest first.
func (g *Group) Changes(ctx context.Context, tags []pay.Tag, below mover.Stage, limit int) (list []mover.Changed, err error) {
	if len(tags) == 0 {
		return nil, nil
	}
	in, args := among(sorted(tags))
	err = g.of.Ask(ctx, fmt.Sprintf("list the changed orders of the tags %v", tags), func(q store.Querier) error {
		return each(ctx, q, "SELECT id, tag, order_no, stage FROM changed WHERE tag"+in+" AND stage<? ORDER BY id LIMIT ?", append(args, below, limit), func(scan scan) error {
			var c mover.Changed
			var no string
			if err := scan(&c.ID, &c.Tag, &no, &c.Stage); err != nil {
				return err
			}
			list = append(list, c)
			return list[len(list)-1].No.UnmarshalText([]byte(no))
		})
	})
	return list, err
}

// CountChanges counts records of these tags below a stage.
func (g *Group) CountChanges(ctx context.Context, tags []pay.Tag, below mover.Stage) (n int64, err error) {
	if len(tags) == 0 {
		return 0, nil
	}
	in, args := among(sorted(tags))
	err = g.of.Ask(ctx, fmt.Sprintf("count the changed orders of the tags %v", tags), func(q store.Querier) error {
		return q.QueryRowContext(ctx, "SELECT COUNT(*) FROM changed WHERE tag"+in+" AND stage<?", append(args, below)...).Scan(&n)
	})
	return n, err
}

// Advance sets the stage of exactly these records; one that is further stays there.
func (g *Group) Advance(ctx context.Context, ids []int64, to mover.Stage) error {
	for some := range slices.Chunk(ids, idsAtOnce) {
		in, args := among(some)
		err := g.of.Work(ctx, fmt.Sprintf("set %d records of changed orders to stage %d", len(some), to), func(q store.Querier) error {
			_, err := q.ExecContext(ctx, "UPDATE changed SET stage=? WHERE stage<? AND id"+in, append([]any{to, to}, args...)...)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Forget deletes records of these tags that are at mover.Compared and no newer than
// an id; with id 0 all records of the tags. Each transaction deletes some hundreds.
func (g *Group) Forget(ctx context.Context, holder string, tags []pay.Tag, through int64) error {
	in, args := among(sorted(tags))
	where := "tag" + in
	if through > 0 {
		where, args = where+" AND stage=? AND id<=?", append(args, mover.Compared, through)
	}
	for deleted := idsAtOnce; deleted == idsAtOnce && len(tags) > 0; {
		err := g.workOnTags(ctx, fmt.Sprintf("forget changed orders of the tags %v", tags), func(q store.Querier) (err error) {
			if err := sharedAdmitted(ctx, q, tags, holder); err != nil {
				return err
			}
			deleted, err = forget(ctx, q, where, args)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func forget(ctx context.Context, q store.Querier, where string, args []any) (int, error) {
	var ids []int64
	err := each(ctx, q, "SELECT id FROM changed WHERE "+where+" ORDER BY id LIMIT ?", append(slices.Clone(args), idsAtOnce), func(scan scan) error {
		var id int64
		err := scan(&id)
		ids = append(ids, id)
		return err
	})
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	in, these := among(ids)
	_, err = q.ExecContext(ctx, "DELETE FROM changed WHERE id"+in, these...)
	return len(ids), err
}

// sharedAdmitted refuses another holder than the admitted one, beside writers: the
// rows are held in share mode.
func sharedAdmitted(ctx context.Context, q store.Querier, tags []pay.Tag, holder string) error {
	in, args := among(sorted(tags))
	return each(ctx, q, "SELECT tag, mover FROM group_state WHERE tag"+in+" ORDER BY tag /*! LOCK IN SHARE MODE */", args, func(scan scan) error {
		var tag pay.Tag
		var admitted string
		if err := scan(&tag, &admitted); err != nil {
			return err
		}
		if admitted != holder {
			return fmt.Errorf("%w: tag %d is in the hands of %q", mover.ErrHeld, tag, admitted)
		}
		return nil
	})
}

// Open counts doubts of the group's own tags that are not settled and name the group
// old.
func (g *Group) Open(ctx context.Context, old shard.GroupID) (n int64, err error) {
	err = g.of.Ask(ctx, fmt.Sprintf("count the doubts about group %d", old), func(q store.Querier) error {
		return q.QueryRowContext(ctx, `SELECT COUNT(*) FROM doubts WHERE old_group=? AND settled_ms=0
  AND tag NOT IN (SELECT tag FROM group_state WHERE state='moved')`, old).Scan(&n)
	})
	return n, err
}
