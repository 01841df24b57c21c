package tagmove

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"paytool/internal/shard/move"
	"paytool/internal/shard/mover"
	"paytool/internal/store"
)

const runColumns = `id, source, plan, tags, begun_ms, begun_by, holder, until_ms`

// Runs lists the runs whose target this group is, with their leases, the oldest
// first. A group that only older programs have prepared has none.
func (g *Group) Runs(ctx context.Context) (runs []mover.Run, leases []mover.Lease, err error) {
	err = g.of.Ask(ctx, "list the moves", func(q store.Querier) error {
		runs, leases, err = g.runs(ctx, q)
		if answered(err, errNoSuchTable) {
			return nil
		}
		return err
	})
	return runs, leases, err
}

func (g *Group) runs(ctx context.Context, q store.Querier) (runs []mover.Run, leases []mover.Lease, err error) {
	err = each(ctx, q, "SELECT "+runColumns+" FROM moves ORDER BY begun_ms, id", nil, func(scan scan) error {
		r := mover.Run{Target: g.ID()}
		var l mover.Lease
		var plan, tags string
		var begun, until int64
		if err := scan(&r.ID, &r.Source, &plan, &tags, &begun, &r.By, &l.Holder, &until); err != nil {
			return err
		}
		if err := errors.Join(json.Unmarshal([]byte(plan), &r.Plan), json.Unmarshal([]byte(tags), &r.Tags)); err != nil {
			return fmt.Errorf("move %s as it is stored: %w", r.ID, err)
		}
		r.Begun, l.Run = time.UnixMilli(begun), r.ID
		if until > 0 {
			l.Until = time.UnixMilli(until)
		}
		runs, leases = append(runs, r), append(leases, l)
		return nil
	})
	return runs, leases, err
}

// Begin writes a run, or does nothing where it is there already. While this group has
// a run of another plan that is not among those that have ended, it refuses with
// mover.ErrHeld.
func (g *Group) Begin(ctx context.Context, r mover.Run, ended []string) error {
	plan, err := json.Marshal(r.Plan)
	if err != nil {
		return fmt.Errorf("begin move %s: %w", r.ID, err)
	}
	tags, err := json.Marshal(sorted(r.Tags))
	if err != nil {
		return fmt.Errorf("begin move %s: %w", r.ID, err)
	}
	return g.of.Work(ctx, "begin move "+r.ID, func(q store.Querier) error {
		// The one row that every group has, so that of two who begin at once one waits.
		var group int
		if err := q.QueryRowContext(ctx, "SELECT group_id FROM group_info WHERE id=1 /*! FOR UPDATE */").Scan(&group); err != nil {
			return err
		}
		there, err := alone(ctx, q, r, ended)
		if err != nil || there {
			return err
		}
		_, err = q.ExecContext(ctx, "INSERT INTO moves ("+runColumns+", plan_hash) VALUES (?, ?, ?, ?, ?, ?, '', 0, ?)",
			r.ID, r.Source, string(plan), string(tags), r.Begun.UnixMilli(), r.By, r.Plan.Hash)
		return err
	})
}

// alone reports whether a run is there, and refuses one that another plan's stands
// in the way of.
func alone(ctx context.Context, q store.Querier, r mover.Run, ended []string) (there bool, err error) {
	err = each(ctx, q, "SELECT id, plan_hash FROM moves", nil, func(scan scan) error {
		var id, plan string
		if err := scan(&id, &plan); err != nil {
			return err
		}
		there = there || id == r.ID
		if plan != r.Plan.Hash && !slices.Contains(ended, id) {
			return fmt.Errorf("%w: move %s has not ended; carry it to its end or reverse it first", mover.ErrHeld, id)
		}
		return nil
	})
	return there, err
}

// errNoRun: the target has no such run. Whoever names it has it from somewhere else.
var errNoRun = errors.New("this group is not the target of such a move; see `paytool shard history`")

// hold locks a run's row until the transaction ends and refuses another holder than
// the one of its lease. Without a name it only locks.
func hold(ctx context.Context, q store.Querier, run, holder string) error {
	var held string
	err := q.QueryRowContext(ctx, "SELECT holder FROM moves WHERE id=? /*! FOR UPDATE */", run).Scan(&held)
	if errors.Is(err, sql.ErrNoRows) {
		return errNoRun
	}
	if err == nil && holder != "" && held != holder {
		return fmt.Errorf("%w: %q does", mover.ErrHeld, held)
	}
	return err
}

// Journal reads a run's entries in their order.
func (g *Group) Journal(ctx context.Context, run string) (journal []move.Entry, err error) {
	err = g.of.Ask(ctx, "read the journal of move "+run, func(q store.Querier) error {
		journal, err = readJournal(ctx, q, run)
		return err
	})
	return journal, err
}

func readJournal(ctx context.Context, q store.Querier, run string) (journal []move.Entry, err error) {
	err = each(ctx, q, "SELECT entry FROM move_journal WHERE run=? ORDER BY seq", []any{run}, func(scan scan) error {
		var text string
		var e move.Entry
		if err := scan(&text); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			return fmt.Errorf("an entry of move %s as it is stored: %w", run, err)
		}
		journal = append(journal, e)
		return nil
	})
	return journal, err
}

// Append adds an entry if its number is the next one, or answers mover.ErrSeq. With a
// holder it answers mover.ErrHeld where another one holds the run.
func (g *Group) Append(ctx context.Context, run, holder string, e move.Entry) error {
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("record entry %d of move %s: %w", e.Seq, run, err)
	}
	return g.of.Work(ctx, fmt.Sprintf("record entry %d of move %s", e.Seq, run), func(q store.Querier) error {
		if err := hold(ctx, q, run, holder); err != nil {
			return err
		}
		var last int64
		if err := q.QueryRowContext(ctx, "SELECT COALESCE(MAX(seq), 0) FROM move_journal WHERE run=?", run).Scan(&last); err != nil {
			return err
		}
		if e.Seq != last+1 {
			return fmt.Errorf("%w: its last entry is %d", mover.ErrSeq, last)
		}
		_, err := q.ExecContext(ctx, "INSERT INTO move_journal (run, seq, entry) VALUES (?, ?, ?)", run, e.Seq, string(text))
		return err
	})
}

// Checkpoint reads how far a step is, "" where nothing was kept.
func (g *Group) Checkpoint(ctx context.Context, run, name string) (text string, err error) {
	err = g.of.Ask(ctx, fmt.Sprintf("read checkpoint %s of move %s", name, run), func(q store.Querier) error {
		err := q.QueryRowContext(ctx, "SELECT body FROM move_checkpoints WHERE run=? AND name=?", run, name).Scan(&text)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return text, err
}

// SaveCheckpoint keeps how far a step is, for the holder of the run alone.
func (g *Group) SaveCheckpoint(ctx context.Context, run, holder, name, text string) error {
	return g.of.Work(ctx, fmt.Sprintf("save checkpoint %s of move %s", name, run), func(q store.Querier) error {
		if err := hold(ctx, q, run, holder); err != nil {
			return err
		}
		n, err := affected(q.ExecContext(ctx, "UPDATE move_checkpoints SET body=? WHERE run=? AND name=?", text, run, name))
		if err != nil || n > 0 {
			return err
		}
		_, err = q.ExecContext(ctx, "INSERT INTO move_checkpoints (run, name, body) VALUES (?, ?, ?)", run, name, text)
		return err
	})
}

// affected is the number of rows that a statement matched.
func affected(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}
