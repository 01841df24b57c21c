package tagmove

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/shard/move"
	"paytool/internal/shard/mover"
)

const first, second = "0123456789abcdef-1", "0123456789abcdef-3"

func entry(seq int64) move.Entry {
	return move.Entry{Seq: seq, At: t0.Add(12 * time.Millisecond).UTC(), Who: "li", Step: move.Drain, Mark: move.Intent, Note: "咖啡"}
}

func TestRunsComeBackAsTheyWereWritten(t *testing.T) {
	onEachKind(t, func(t *testing.T, b *bed) {
		ctx := b.ctx()
		a, later := run(first, 1), run(second, 3)
		later.Begun = t0.Add(time.Hour)
		b.do(b.target.Begin(ctx, later, nil), b.target.Begin(ctx, a, nil), b.target.Begin(ctx, a, nil))
		b.do(b.target.Hold(ctx, first, mine, t0, t0.Add(3*time.Second)))
		runs, leases, err := b.target.Runs(ctx)
		if err != nil {
			t.Fatal(err)
		}
		times := cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })
		if diff := cmp.Diff([]mover.Run{a, later}, runs, times); diff != "" {
			t.Errorf("runs (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]mover.Lease{{Run: first, Holder: mine, Until: t0.Add(3 * time.Second)}, {Run: second}}, leases, times); diff != "" {
			t.Errorf("leases (-want +got):\n%s", diff)
		}
		b.exec(b.target, "ALTER TABLE moves RENAME TO moves_away")
		runs, _, err = b.target.Runs(ctx)
		b.exec(b.target, "ALTER TABLE moves_away RENAME TO moves")
		if err != nil || len(runs) != 0 {
			t.Errorf("a group of an older schema: %v, %v", runs, err)
		}
	})
}

func TestRunsOfTwoPlansDoNotMeet(t *testing.T) {
	onEachKind(t, func(t *testing.T, b *bed) {
		ctx := b.ctx()
		const another = "ffffffffffffffff-1"
		b.do(b.target.Begin(ctx, run(first, 1), nil))
		if err := b.target.Begin(ctx, run(another, 1), nil); !errors.Is(err, mover.ErrHeld) {
			t.Errorf("while the first has not ended: %v", err)
		}
		if err := b.target.Begin(ctx, run(another, 1), []string{first}); err != nil {
			t.Errorf("after it has ended: %v", err)
		}
		b.exec(b.target, "DELETE FROM moves")
		var won sync.WaitGroup
		errs := make([]error, 4)
		for i := range errs {
			won.Go(func() { errs[i] = b.target.Begin(ctx, run(fmt.Sprintf("%016d-1", i), 1), nil) })
		}
		won.Wait()
		begun := 0
		for _, err := range errs {
			if err == nil {
				begun++
			} else if !errors.Is(err, mover.ErrHeld) {
				t.Error(err)
			}
		}
		if begun != 1 {
			t.Errorf("%d plans were begun at once: %v", begun, errs)
		}
	})
}

func TestJournal(t *testing.T) {
	onEachKind(t, func(t *testing.T, b *bed) {
		ctx := b.ctx()
		b.do(b.target.Begin(ctx, run(first, 1), nil), b.target.Hold(ctx, first, mine, t0, t0.Add(time.Second)))
		b.do(b.target.Append(ctx, first, mine, entry(1)), b.target.Append(ctx, first, "", entry(2))) // a person needs no lease
		for _, seq := range []int64{1, 2, 4} {
			if err := b.target.Append(ctx, first, mine, entry(seq)); !errors.Is(err, mover.ErrSeq) {
				t.Errorf("entry %d after 2: %v", seq, err)
			}
		}
		if err := b.target.Append(ctx, second, "", entry(1)); !errors.Is(err, errNoRun) {
			t.Errorf("of a run that was never begun: %v", err)
		}
		journal, err := b.target.Journal(ctx, first)
		if diff := cmp.Diff([]move.Entry{entry(1), entry(2)}, journal); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		var all sync.WaitGroup
		errs := make([]error, 5)
		for i := range errs { // of those who saw the same journal, one goes on
			all.Go(func() { errs[i] = b.target.Append(ctx, first, "", entry(3)) })
		}
		all.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, mover.ErrSeq) {
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("entry 3 was written %d times", won)
		}
	})
}

func TestCheckpoints(t *testing.T) {
	onEachKind(t, func(t *testing.T, b *bed) {
		ctx := b.ctx()
		b.do(b.target.Begin(ctx, run(first, 1), nil), b.target.Hold(ctx, first, mine, t0, t0.Add(time.Second)))
		if text, err := b.target.Checkpoint(ctx, first, "copy/12/1"); text != "" || err != nil {
			t.Errorf("nothing was saved: %q, %v", text, err)
		}
		for _, text := range []string{"one", "two"} {
			b.do(b.target.SaveCheckpoint(ctx, first, mine, "copy/12/1", text))
			if got, err := b.target.Checkpoint(ctx, first, "copy/12/1"); got != text || err != nil {
				t.Errorf("%q, %v, want %q", got, err, text)
			}
		}
	})
}

// TestStaleHolder: once another process has taken the run over, whatever one that was
// left behind tries is refused, and nothing has changed.
func TestStaleHolder(t *testing.T) {
	onEachKind(t, func(t *testing.T, b *bed) {
		ctx, on := b.ctx(), true
		tags := []pay.Tag{moving}
		b.insert(b.source, 1)
		b.do(b.target.Begin(ctx, run(first, 1), nil), b.target.Hold(ctx, first, mine, t0, t0.Add(time.Second)))
		if err := b.target.Hold(ctx, first, other, t0.Add(999*time.Millisecond), t0.Add(time.Minute)); !errors.Is(err, mover.ErrHeld) {
			t.Errorf("before the lease has run out: %v", err)
		}
		b.do(b.target.Hold(ctx, first, mine, t0.Add(999*time.Millisecond), t0.Add(2*time.Second))) // renewed
		b.do(b.target.Hold(ctx, first, other, t0.Add(2*time.Second), t0.Add(time.Minute)), b.source.Admit(ctx, tags, other))
		carrier := b.carrier()
		copies := legwork(mine)
		back := mover.Legwork{Tag: moving, From: 2, To: 1, Holder: mine}
		for name, call := range map[string]func() error{
			"renew":          func() error { return b.target.Hold(ctx, first, mine, t0.Add(3*time.Second), t0.Add(time.Minute)) },
			"append":         func() error { return b.target.Append(ctx, first, mine, entry(1)) },
			"checkpoint":     func() error { return b.target.SaveCheckpoint(ctx, first, mine, "x", "y") },
			"claims, source": func() error { return b.source.SetClaims(ctx, mine, fence(2)) },
			"claims, target": func() error {
				return b.target.SetClaims(ctx, mine, mover.Claims{Tags: tags, State: shard.TagOwned, Epoch: 3, Record: &on})
			},
			"record":          func() error { return b.source.Record(ctx, mine, tags, true) },
			"forget":          func() error { return b.source.Forget(ctx, mine, tags, 0) },
			"copy":            func() error { return carrier.Copy(ctx, copies, "", ignore) },
			"copy of orders":  func() error { return carrier.CopyOrders(ctx, copies, []pay.OrderNo{number(t, 1)}) },
			"delete":          func() error { return carrier.Delete(ctx, copies, 2, nil) },
			"copy backwards":  func() error { return carrier.Copy(ctx, back, "", ignore) },
			"delete (source)": func() error { return carrier.Delete(ctx, copies, 1, nil) },
		} {
			if err := call(); !errors.Is(err, mover.ErrHeld) {
				t.Errorf("%s: %v, want %v", name, err, mover.ErrHeld)
			}
		}
		b.do(b.target.Drop(ctx, first, mine)) // it has nothing to give back
		if _, leases, err := b.target.Runs(ctx); err != nil || leases[0].Holder != other {
			t.Errorf("%+v, %v", leases, err)
		}
		if s, d := b.claim(b.source, moving), b.claim(b.target, moving); s.State != shard.TagOwned || d.State != shard.TagMoved || b.count(b.target, "SELECT COUNT(*) FROM orders") != 0 {
			t.Errorf("something was changed: %+v, %+v", s, d)
		}
		b.do(b.target.Drop(ctx, first, other), b.target.Hold(ctx, first, mine, t0, t0.Add(time.Second))) // given back, it is free before its time
		b.do(b.target.Append(ctx, first, mine, entry(1)), carrier.CopyOrders(ctx, copies, []pay.OrderNo{number(t, 1)}))
	})
}

// TestTakingOverWaitsForAChunk that another holder is writing.
func TestTakingOverWaitsForAChunk(t *testing.T) {
	onEachKind(t, func(t *testing.T, b *bed) {
		ctx := b.ctx()
		b.do(b.target.Begin(ctx, run(first, 1), nil), b.target.Hold(ctx, first, mine, t0, t0.Add(time.Second)))
		chunk, claim := b.begin(ctx, b.target) // holds the row as a chunk does
		if claim.State != shard.TagMoved {
			t.Fatalf("%+v", claim)
		}
		taken := make(chan error, 1)
		go func() { taken <- b.target.Hold(ctx, first, other, t0.Add(time.Minute), t0.Add(time.Hour)) }()
		eventually(t, "taking over waits", func() bool { return b.lockIsAwaited(b.target) })
		chunk.Rollback()
		b.do(<-taken)
		if n := b.count(b.target, "SELECT COUNT(*) FROM group_state WHERE tag=? AND mover=?", moving, other); n != 1 {
			t.Error("the new holder was not admitted")
		}
	})
}
