package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/shard/move"
	"paytool/internal/shard/mover"
)

// fakeRunner is a runner whose runs do as they are told: it writes the journal that a
// real one would.
type fakeRunner struct {
	t       *testing.T
	runs    []*mover.Standing
	calls   []string
	silent  error
	driven  func(s *mover.Standing, until mover.Until) error // before a run is driven
	pumped  error
	clock   time.Time
	OnEvent func(mover.Event)
}

func newFakeRunner(t *testing.T) *fakeRunner {
	return &fakeRunner{
		t: t, clock: time.Date(2026, 3, 1, 2, 0, 0, 0, pay.Beijing), OnEvent: func(mover.Event) {},
		driven: func(*mover.Standing, mover.Until) error { return nil },
	}
}

// plan54 takes groups 4 and 5 of five away.
func plan54() move.Plan {
	return move.Plan{
		Kind: move.Shrink, Hash: "0123456789abcdef", Epoch: 1, Groups: []shard.GroupID{1, 2, 3, 4, 5}, After: []shard.GroupID{1, 2, 3}, Leaving: []shard.GroupID{4, 5},
		Joining: []shard.GroupID{}, Rows: 3000, Refusals: []move.Reason{}, Warnings: []move.Reason{},
		Moves: []move.Move{
			{Leg: move.Leg{Tag: 4, From: 4, To: 1}, Rows: 1000, Tables: []move.TableSize{}, Duplicates: []move.Duplicate{}},
			{Leg: move.Leg{Tag: 5, From: 5, To: 2}, Rows: 2000, Tables: []move.TableSize{}, Duplicates: []move.Duplicate{}},
		},
	}
}

func (f *fakeRunner) Begin(_ context.Context, plan move.Plan) (runs []mover.Run, err error) {
	f.calls = append(f.calls, "begin")
	for _, m := range plan.Moves {
		run := mover.Run{ID: fmt.Sprintf("%s-%d", plan.Hash, m.From), Plan: plan, Source: m.From, Target: m.To, Tags: []pay.Tag{m.Tag}, Begun: f.clock, By: "li"}
		f.runs = append(f.runs, &mover.Standing{Run: run})
		runs = append(runs, run)
	}
	return runs, nil
}

func (f *fakeRunner) find(id string) *mover.Standing {
	for _, s := range f.runs {
		if s.Run.ID == id {
			return s
		}
	}
	f.t.Fatalf("no run %s", id)
	return nil
}

func (f *fakeRunner) write(s *mover.Standing, step move.Step, mark move.Mark, note string) {
	f.t.Helper()
	e := move.Entry{Seq: s.State.Seq + 1, At: f.clock, Who: "li", Step: step, Mark: mark, Note: note}
	next, err := s.State.With(e)
	if err != nil {
		f.t.Fatal(err)
	}
	s.State, s.Journal = next, append(s.Journal, e)
	f.OnEvent(mover.Event{At: f.clock, Run: s.Run.ID, Step: step, Mark: mark, Note: note})
	f.clock = f.clock.Add(100 * time.Millisecond)
}

func (f *fakeRunner) Drive(ctx context.Context, id string, until mover.Until) (mover.Standing, error) {
	f.calls = append(f.calls, fmt.Sprintf("drive %s to %d", id, until))
	s := f.find(id)
	if err := f.driven(s, until); err != nil {
		return *s, err
	}
	for ctx.Err() == nil && !s.State.Ended && !s.State.Paused {
		step := s.State.Next()
		if until == mover.UntilDrained && s.State.Drained && !s.State.Open || until == mover.UntilSwitched && s.State.Step == move.ReverseWindow && !s.State.Open {
			break
		}
		f.write(s, step, move.Intent, "")
		f.write(s, step, move.Done, "")
	}
	return *s, ctx.Err()
}

func (f *fakeRunner) Pump(context.Context) error {
	f.calls = append(f.calls, "pump")
	return f.pumped
}

func (f *fakeRunner) Say(_ context.Context, id string, mark move.Mark, note string) (mover.Standing, error) {
	f.calls = append(f.calls, fmt.Sprintf("%s %s %q", mark, id, note))
	s := f.find(id)
	f.write(s, move.Stop, mark, note)
	return *s, nil
}

func (f *fakeRunner) Standings(context.Context) (all []mover.Standing, err error) {
	for _, s := range f.runs {
		all = append(all, *s)
	}
	return all, f.silent
}

// moveBed is the commands' side of a fake runner.
type moveBed struct {
	*fakeRunner
	moves    *moves
	app      *app
	out, err bytes.Buffer
}

func newMoveBed(t *testing.T) *moveBed {
	b := &moveBed{fakeRunner: newFakeRunner(t)}
	b.app = &app{out: &b.out, err: newStatusLine(&b.err), output: outputTable}
	view := newMoveView(b.app.err, func() time.Time { return b.clock })
	b.OnEvent = view.heard
	b.moves = &moves{runner: b.fakeRunner, view: view}
	return b
}

func (b *moveBed) carryOut() {
	b.t.Helper()
	plan := plan54()
	if err := b.app.carryOut(b.t.Context(), b.moves, &plan); err != nil {
		b.t.Fatal(err)
	}
}

func (b *moveBed) wantCalls(want ...string) {
	b.t.Helper()
	if !slices.Equal(b.calls, want) {
		b.t.Errorf("called\n%s\nwant\n%s", strings.Join(b.calls, "\n"), strings.Join(want, "\n"))
	}
	b.calls = nil
}

var errBroken = errors.New("broken")
