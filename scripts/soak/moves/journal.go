package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"paytool/internal/config"
	"paytool/internal/order"
	"paytool/internal/shard"
	"paytool/internal/shard/move"
	"paytool/internal/shard/mover"
	"paytool/internal/store"
	"paytool/internal/store/chunk"
	"paytool/internal/store/tagmove"
)

// journals reads the moves that are open, from the groups themselves: to ask the tool
// would take longer than the steps under a fence do. It is used by one goroutine.
type journals struct {
	groups map[shard.GroupID]*store.Group
	over   map[string]bool // runs that have ended
	open   []mover.Standing
}

func (w *world) openJournals() (*journals, error) {
	cfg, err := config.Load(w.config)
	if err != nil {
		return nil, err
	}
	j := &journals{groups: map[shard.GroupID]*store.Group{}, over: map[string]bool{}}
	for _, g := range cfg.Groups {
		opened, err := store.Open(store.Config{Group: shard.GroupID(g.Group), Primary: store.Node{DSN: string(g.Primary.DSN)}, Pool: 4}, slog.New(slog.DiscardHandler))
		if err != nil {
			return nil, fmt.Errorf("open group %d: %w", g.Group, err)
		}
		j.groups[opened.ID()] = opened
	}
	return j, nil
}

func (j *journals) close() {
	for _, g := range j.groups {
		_ = g.Close() // it was only read
	}
}

// look finds the runs that have not ended.
func (j *journals) look(ctx context.Context) error {
	j.open = nil
	for _, g := range j.groups {
		runs, _, err := tagmove.Open(g).Runs(ctx)
		if err != nil {
			return err
		}
		for _, r := range runs {
			if !j.over[r.ID] {
				j.open = append(j.open, mover.Standing{Run: r})
			}
		}
	}
	return j.read(ctx)
}

// read reads the journals of the runs that were found.
func (j *journals) read(ctx context.Context) (err error) {
	for i := range j.open {
		st := &j.open[i]
		if st.Journal, err = tagmove.Open(j.groups[st.Run.Target]).Journal(ctx, st.Run.ID); err != nil {
			return err
		}
		if st.State, err = move.Fold(st.Journal); err != nil {
			return err
		}
		if st.State.Ended {
			j.over[st.Run.ID] = true
		}
	}
	j.open = slices.DeleteFunc(j.open, func(st mover.Standing) bool { return st.State.Ended })
	return nil
}

// newest is the open run that wrote last, none where nothing is open.
func (j *journals) newest() (newest mover.Standing, ok bool) {
	for _, st := range j.open {
		if n := len(st.Journal); n > 0 && (!ok || st.Journal[n-1].At.After(newest.Journal[len(newest.Journal)-1].At)) {
			newest, ok = st, true
		}
	}
	return newest, ok
}

const (
	readEvery = 2 * time.Millisecond
	lookEvery = 250 * time.Millisecond
)

// follow tells f of the newest run each time that its journal has gone on, until the
// context ends or f answers true.
func (j *journals) follow(ctx context.Context, f func(st mover.Standing) (enough bool)) error {
	var looked time.Time
	seen := map[string]int{}
	for (order.System{}).Sleep(ctx, readEvery) == nil {
		var err error
		if time.Since(looked) >= lookEvery {
			looked, err = time.Now(), j.look(ctx)
		} else {
			err = j.read(ctx)
		}
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("read the journals of moves: %w", err)
		}
		st, ok := j.newest()
		if n := len(st.Journal); ok && n != seen[st.Run.ID] {
			seen[st.Run.ID] = n
			if f(st) {
				return nil
			}
		}
	}
	return nil
}

// ahead counts the orders of a run that is being copied which the target has behind
// what the checkpoints say, and how many there may be: those of one chunk, which at
// most doubles in size each time.
func (j *journals) ahead(ctx context.Context, st mover.Standing) (n, most int64, err error) {
	first := slices.IndexFunc(st.Journal, func(e move.Entry) bool { return e.Step == move.Copy })
	target := j.groups[st.Run.Target]
	for _, tag := range st.Run.Tags {
		text, err := tagmove.Open(target).Checkpoint(ctx, st.Run.ID, fmt.Sprintf("%s/%d/%d", move.Copy, st.Journal[first].Seq, tag))
		if err != nil {
			return 0, 0, err
		}
		var done chunk.Checkpoint
		if text != "" {
			if err := json.Unmarshal([]byte(text), &done); err != nil {
				return 0, 0, fmt.Errorf("read checkpoint %q: %w", text, err)
			}
		}
		var behind int64
		err = target.Ask(ctx, "count orders behind a checkpoint", func(q store.Querier) error {
			return q.QueryRowContext(ctx, "SELECT COUNT(*) FROM orders WHERE tag=? AND order_no>?", tag, done.After).Scan(&behind)
		})
		if err != nil {
			return 0, 0, err
		}
		n, most = n+behind, max(most, 1000<<min(done.Chunks, 10))
	}
	return n, most, nil
}
