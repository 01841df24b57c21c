package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"paytool/internal/shard/move"
	"paytool/internal/shard/mover"
)

const run4, run5 = "0123456789abcdef-4", "0123456789abcdef-5"

// TestShrinkDrainsAllFirst: no group is copied while another one that leaves with it
// takes orders, and the result tells how to go on.
func TestShrinkDrainsAllFirst(t *testing.T) {
	t.Parallel()
	b := newMoveBed(t)
	b.app.output = outputJSON
	b.carryOut()
	b.wantCalls("begin", "drive "+run4+" to 1", "drive "+run5+" to 1", "drive "+run4+" to 2", "drive "+run5+" to 2")
	var got struct {
		Hash string `json:"hash"`
		Rows int64  `json:"rows"`
		Runs []struct {
			Run      string `json:"run"`
			Switched bool   `json:"switched"`
			Ended    bool   `json:"ended"`
			Rows     int64  `json:"rows"`
			FenceMS  int64  `json:"fence_ms"`
			Steps    []struct {
				Step string `json:"step"`
				MS   int64  `json:"ms"`
			} `json:"steps"`
		} `json:"runs"`
	}
	if err := json.Unmarshal(b.out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Hash != "0123456789abcdef" || got.Rows != 3000 || len(got.Runs) != 2 {
		t.Fatalf("%+v", got)
	}
	r := got.Runs[1]
	if r.Run != run5 || !r.Switched || r.Ended || r.Rows != 2000 || r.FenceMS != 700 || len(r.Steps) != 9 || r.Steps[0].Step != "drain" || r.Steps[0].MS != 100 {
		t.Errorf("%+v", r)
	}
}

func TestShrinkTellsWhatItDoes(t *testing.T) {
	t.Parallel()
	b := newMoveBed(t)
	b.driven = func(s *mover.Standing, until mover.Until) error {
		if s.Run.ID == run5 && until == mover.UntilSwitched { // a fence that was up for too long
			for s.State.Next() != move.LastChanges {
				b.write(s, s.State.Next(), move.Intent, "")
				b.write(s, s.State.Step, move.Done, "")
			}
			b.write(s, move.LastChanges, move.Intent, "")
			b.write(s, move.LastChanges, move.Again, "the time is over")
			b.write(s, move.Unfence, move.Intent, "")
			b.write(s, move.Unfence, move.Done, "")
		}
		return nil
	}
	b.carryOut()
	golden(t, "shard_shrink.txt", "stderr:\n"+b.err.String()+"stdout:\n"+b.out.String())
}

// golden holds a text against a file of testdata; UPDATE=1 in the environment writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/golden/" + name
	if os.Getenv("UPDATE") == "1" {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestStoppedMoveSaysHowToGoOn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		driven func(b *moveBed, cancel func()) func(*mover.Standing, mover.Until) error
		want   string
	}{
		{"Ctrl-C", func(_ *moveBed, cancel func()) func(*mover.Standing, mover.Until) error {
			return func(*mover.Standing, mover.Until) error { cancel(); return nil }
		}, "`paytool shard continue` goes on with it, `paytool shard reverse` takes it back"},
		{"held by another process", func(*moveBed, func()) func(*mover.Standing, mover.Until) error {
			return func(*mover.Standing, mover.Until) error { return mover.ErrHeld }
		}, "`paytool shard status` shows who"},
		{"paused by somebody", func(b *moveBed, _ func()) func(*mover.Standing, mover.Until) error {
			return func(s *mover.Standing, until mover.Until) error {
				if until == mover.UntilSwitched {
					b.write(s, move.Stop, move.Pause, "")
				}
				return nil
			}
		}, "it is paused: `paytool shard continue`"},
		{"reversed by somebody", func(b *moveBed, _ func()) func(*mover.Standing, mover.Until) error {
			return func(s *mover.Standing, until mover.Until) error {
				if until == mover.UntilSwitched {
					b.write(s, move.Stop, move.Reverse, "")
				}
				return nil
			}
		}, "somebody reverses it"},
		{"broken", func(*moveBed, func()) func(*mover.Standing, mover.Until) error {
			return func(*mover.Standing, mover.Until) error { return errBroken }
		}, "move " + run4 + " (4 -> 1): broken"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newMoveBed(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			b.driven = c.driven(b, cancel)
			plan := plan54()
			err := b.app.carryOut(ctx, b.moves, &plan)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if b.out.Len() > 0 {
				t.Errorf("printed a result: %s", b.out.String())
			}
		})
	}
}

func (b *moveBed) openRuns(plan string) []mover.Standing {
	b.t.Helper()
	open, err := b.moves.open(b.t.Context(), plan)
	if err != nil {
		b.t.Fatal(err)
	}
	return open
}

func TestContinue(t *testing.T) {
	t.Parallel()
	b := newMoveBed(t)
	b.driven = func(s *mover.Standing, until mover.Until) error {
		if until == mover.UntilSwitched {
			return errBroken
		}
		return nil
	}
	plan := plan54()
	if err := b.app.carryOut(t.Context(), b.moves, &plan); !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	b.driven = func(*mover.Standing, mover.Until) error { return nil }
	if _, err := b.moves.say(t.Context(), b.openRuns("")[1:], move.Pause, "lunch"); err != nil {
		t.Fatal(err)
	}
	b.calls = nil
	reached, err := b.moves.resume(t.Context(), b.openRuns(""))
	if err != nil || len(reached) != 2 || !reached[0].State.Switched || !reached[1].State.Switched {
		t.Fatalf("%+v, %v", reached, err)
	}
	b.wantCalls(`resume `+run5+` ""`, "drive "+run4+" to 1", "drive "+run5+" to 1", "drive "+run4+" to 2", "drive "+run5+" to 2")
}

// TestContinueLeavesAWindowToItsEngine: an engine that serves holds a switched move for
// as long as nobody says which way to go, and there is nothing to wait for.
func TestContinueLeavesAWindowToItsEngine(t *testing.T) {
	t.Parallel()
	b := newMoveBed(t)
	b.carryOut()
	b.driven = func(*mover.Standing, mover.Until) error { return mover.ErrHeld }
	reached, err := b.moves.resume(t.Context(), b.openRuns(""))
	if err != nil || len(reached) != 2 || !reached[0].State.Switched || !reached[1].State.Switched {
		t.Errorf("%+v, %v", reached, err)
	}
	if _, err := b.moves.reverse(t.Context(), b.openRuns(""), wordOptions{}); !errors.Is(err, mover.ErrHeld) {
		t.Errorf("reversed while another process holds it: %v", err)
	}
}

func TestReverse(t *testing.T) {
	t.Parallel()
	b := newMoveBed(t)
	b.carryOut()
	b.calls = nil
	reached, err := b.moves.reverse(t.Context(), b.openRuns(""), wordOptions{note: "wrong day"})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range reached {
		if !s.State.Ended || !s.State.Reversing || newRunResult(s, time.Now()).word() != "taken back" {
			t.Errorf("%+v", s.State)
		}
	}
	b.wantCalls(`reverse `+run4+` "wrong day"`, `reverse `+run5+` "wrong day"`, "drive "+run4+" to 3", "drive "+run5+" to 3")
	if open := b.openRuns(""); len(open) != 0 {
		t.Errorf("still open: %+v", open)
	}
	if _, err := b.moves.open(t.Context(), "0123456789abcdef"); err == nil || !strings.Contains(err.Error(), "has ended") {
		t.Errorf("a plan whose moves have ended: %v", err)
	}
	if _, err := b.moves.open(t.Context(), "ffff"); err == nil || !strings.Contains(err.Error(), "no move has the plan") {
		t.Errorf("a plan that nobody knows: %v", err)
	}
}

// TestContinueReversesTheWholePlan: a process that died while it said the word to reverse
// leaves runs that have not heard it, and none of them may go on to its switch.
func TestContinueReversesTheWholePlan(t *testing.T) {
	t.Parallel()
	for name, drained := range map[string]bool{"begun": true, "not begun": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newMoveBed(t)
			runs, err := b.Begin(t.Context(), plan54())
			if err != nil {
				t.Fatal(err)
			}
			if drained {
				if _, err := b.moves.drive(t.Context(), runs, mover.UntilDrained); err != nil {
					t.Fatal(err)
				}
			}
			b.write(b.find(run4), move.Stop, move.Reverse, "wrong day")
			if _, err := b.moves.resume(t.Context(), b.openRuns("")); err != nil {
				t.Fatal(err)
			}
			for _, s := range b.runs {
				if !s.State.Ended || !s.State.Reversing || s.State.Switched {
					t.Errorf("move %s: %+v", s.Run.ID, s.State)
				}
			}
		})
	}
}

func TestReverseOfSeveralPlansNamesOne(t *testing.T) {
	t.Parallel()
	b := newMoveBed(t)
	b.carryOut()
	other := plan54()
	other.Hash = "fedcba9876543210"
	if _, err := b.Begin(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	b.calls = nil
	if _, err := b.moves.reverse(t.Context(), b.openRuns(""), wordOptions{}); err == nil || !strings.Contains(err.Error(), "--plan fedcba9876543210") {
		t.Errorf("got %v", err)
	}
	b.wantCalls()
	if open := b.openRuns("fedcba9876543210"); len(open) != 2 {
		t.Errorf("%d are open", len(open))
	}
}

// TestRetireWantsASwitch: consent is not even written for a move that is not switched.
func TestRetireWantsASwitch(t *testing.T) {
	t.Parallel()
	b := newMoveBed(t)
	if _, err := b.Begin(t.Context(), plan54()); err != nil {
		t.Fatal(err)
	}
	b.calls = nil
	if _, err := b.moves.retire(t.Context(), b.openRuns("")); err == nil || !strings.Contains(err.Error(), "not switched") {
		t.Errorf("got %v", err)
	}
	b.wantCalls()
	if _, err := b.moves.drive(t.Context(), runsOf(b.openRuns("")), mover.UntilSwitched); err != nil {
		t.Fatal(err)
	}
	b.calls = nil
	reached, err := b.moves.retire(t.Context(), b.openRuns("0123456789abcdef"))
	if err != nil || !reached[0].State.Ended || !reached[1].State.Ended {
		t.Fatalf("%+v, %v", reached, err)
	}
	b.wantCalls(`consent `+run4+` "0123456789abcdef"`, `consent `+run5+` "0123456789abcdef"`, "drive "+run4+" to 3", "drive "+run5+" to 3")
}

// TestSilentGroupHidesRuns: words are not written while a run may be unseen, history is
// shown as far as it is known.
func TestSilentGroupHidesRuns(t *testing.T) {
	t.Parallel()
	b := newMoveBed(t)
	b.carryOut()
	b.silent = errBroken
	if _, err := b.moves.open(t.Context(), ""); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
	b.out.Reset()
	if err := b.app.showHistory(t.Context(), b.moves, ""); !errors.Is(err, errBroken) || !strings.Contains(b.out.String(), run5) {
		t.Errorf("got %v and\n%s", err, b.out.String())
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	b := newMoveBed(t)
	plan := plan54()
	plan.Moves = plan.Moves[:1]
	if err := b.app.carryOut(t.Context(), b.moves, &plan); err != nil {
		t.Fatal(err)
	}
	if _, err := b.moves.say(t.Context(), b.openRuns(""), move.Pause, "sale, until midnight"); err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, output := range []string{outputTable, outputCSV} {
		b.out.Reset()
		b.app.output = output
		if err := b.app.showHistory(t.Context(), b.moves, plan.Hash); err != nil {
			t.Fatal(err)
		}
		text += b.out.String() + "\n"
	}
	b.out.Reset()
	if err := writeMoveStatus(&b.out, openMoveStatus(b.openRuns(""), b.clock)); err != nil {
		t.Fatal(err)
	}
	golden(t, "shard_history.txt", text+b.out.String())
	b.app.output = outputTable
	b.out.Reset()
	if err := b.app.showHistory(t.Context(), b.moves, "none"); err != nil || !strings.Contains(b.out.String(), "no group has moved") {
		t.Errorf("%v\n%s", err, b.out.String())
	}
}
