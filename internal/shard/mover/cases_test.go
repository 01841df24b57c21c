package mover

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"paytool/internal/shard"
	"paytool/internal/shard/move"
)

// once calls f before the first call of a name to a group, or to any with group 0.
func (w *world) once(group shard.GroupID, call string, f func()) {
	w.between = func(g *fake, name string) {
		if name == call && (group == 0 || g.id == group) {
			w.between = nil
			f()
		}
	}
}

// has counts entries of a run's journal.
func (w *world) has(t *testing.T, id string, step move.Step, mark move.Mark) (n int) {
	t.Helper()
	for _, e := range w.settled(t, id).Journal {
		if e.Step == step && e.Mark == mark {
			n++
		}
	}
	return n
}

func TestVerifyFindsAndCopyMends(t *testing.T) {
	t.Parallel()
	w := newWorld(2, 3)
	w.writes = 0
	run := w.begin(t)
	w.once(0, "append intent verify", func() {
		no := w.groups[1].numbers(3, "")
		if len(no) == 0 {
			no = w.groups[2].numbers(3, "")
		}
		g := w.groups[run.Target]
		g.rows[no[0]] = row{version: 1, body: 666}
		delete(g.rows, no[3])
	})
	w.drive(t, run.ID, UntilSwitched)
	if w.has(t, run.ID, move.Verify, move.Again) != 1 || w.has(t, run.ID, move.Copy, move.Done) != 2 {
		t.Errorf("journal: %+v", w.settled(t, run.ID).Journal)
	}
	if err := w.owns(run.Target, run.Source, run); err != nil {
		t.Error(err)
	}
	for _, e := range w.settled(t, run.ID).Journal {
		if e.Mark == move.Again && !strings.HasPrefix(e.Note, "2 rows differ, the first: orders ") {
			t.Errorf("note %q", e.Note)
		}
	}
}

// A row that differs is found by whoever goes on after the one that found it died.
func TestDifferenceOutlivesItsFinder(t *testing.T) {
	t.Parallel()
	for n := 1; n < 200; n++ {
		w := newWorld(3, 3)
		w.writes = 0
		run := w.begin(t)
		corrupt := func() {
			g := w.groups[run.Target]
			g.rows[g.numbers(3, "")[0]] = row{version: 1, body: 666}
		}
		w.once(0, "append intent verify", corrupt)
		points, at := 0, ""
		_, err := w.runner(dying(n, &points, &at)).Drive(t.Context(), run.ID, UntilSwitched)
		if err == nil {
			return
		}
		w.drive(t, run.ID, UntilSwitched)
		if err := w.owns(run.Target, run.Source, run); err != nil {
			t.Fatalf("point %d, %s: %v", n, at, err)
		}
	}
	t.Error("no run went through")
}

func TestCorruptedUnderTheFence(t *testing.T) {
	t.Parallel()
	w := newWorld(4, 3)
	w.writes, w.busy = 0, 0
	run := w.begin(t)
	w.once(0, "append intent fence", func() { w.update(w.groups[3], w.groups[3].numbers(3, "")[0]) })
	r := w.runner(func(o *Options) {
		corrupted := false
		o.Crash = func(point string) error {
			if point == "after write done of last_changes" && !corrupted {
				corrupted = true
				g := w.groups[run.Target]
				g.rows[g.numbers(3, "")[0]] = row{version: 2, body: 666}
			}
			return nil
		}
	})
	if _, err := r.Drive(t.Context(), run.ID, UntilSwitched); err != nil {
		t.Fatal(err)
	}
	if w.has(t, run.ID, move.VerifyChanged, move.Again) != 1 || w.has(t, run.ID, move.Unfence, move.Done) != 1 || w.has(t, run.ID, move.Verify, move.Done) != 2 {
		t.Errorf("journal: %+v", w.settled(t, run.ID).Journal)
	}
	if err := w.owns(run.Target, run.Source, run); err != nil {
		t.Error(err)
	}
}

func TestTwoRunners(t *testing.T) {
	t.Parallel()
	w := newWorld(5, 3)
	run := w.begin(t)
	first := w.runner()
	w.once(0, "chunk", func() {
		second := w.runner(func(o *Options) {
			// The first one is well: its lease is renewed while the second waits.
			o.Sleep = func(ctx context.Context, d time.Duration) error {
				g := w.groups[run.Target]
				l := g.leases[run.ID]
				l.Until = w.clock.Add(first.opts.Lease)
				g.leases[run.ID] = l
				return w.sleep(ctx, d)
			}
		})
		before := len(w.groups[run.Target].journals[run.ID])
		if _, err := second.Drive(t.Context(), run.ID, UntilSwitched); !errors.Is(err, ErrHeld) {
			t.Errorf("the second got %v", err)
		}
		if after := len(w.groups[run.Target].journals[run.ID]); after != before {
			t.Error("the second wrote into the journal")
		}
	})
	if _, err := first.Drive(t.Context(), run.ID, UntilSwitched); err != nil {
		t.Fatal(err)
	}
	if err := w.finish(t, run, false); err != nil {
		t.Error(err)
	}
}

// A process that freezes before any call, and wakes up after another one has finished
// its run, does no harm.
func TestFrozen(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		w := newWorld(uint64(n), 3)
		run := w.begin(t)
		calls, what := 0, ""
		w.between = func(_ *fake, call string) {
			if calls++; calls != n {
				return
			}
			what = call
			w.clock = w.clock.Add(time.Minute)
			w.drive(t, run.ID, UntilSwitched)
		}
		_, err := w.runner().Drive(t.Context(), run.ID, UntilSwitched)
		if w.between = nil; err != nil && !errors.Is(err, ErrHeld) {
			t.Fatalf("call %d, %s: %v", n, what, err)
		}
		if err := w.finish(t, run, n%2 == 0); err != nil {
			t.Fatalf("call %d, %s: %v", n, what, err)
		}
		if what == "" {
			t.Logf("%d calls", calls)
			return
		}
	}
}

func TestFenceOverBudget(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"claims fenced", "append done fence", "append intent last_changes", "append done verify_changed"} {
		w := newWorld(6, 3)
		run := w.begin(t)
		w.once(0, call, func() { w.clock = w.clock.Add(2 * time.Second) })
		w.drive(t, run.ID, UntilSwitched)
		if w.has(t, run.ID, move.Unfence, move.Done) == 0 {
			t.Errorf("%s: the fence was not lifted", call)
		}
		if err := w.finish(t, run, false); err != nil {
			t.Errorf("%s: %v", call, err)
		}
	}
}

// Fences that are never short enough end the session, with no fence up.
func TestFencesInVain(t *testing.T) {
	t.Parallel()
	w := newWorld(6, 3)
	run := w.begin(t)
	w.between = func(_ *fake, call string) {
		if call == "append intent last_changes" {
			w.clock = w.clock.Add(2 * time.Second)
		}
	}
	_, err := w.runner().Drive(t.Context(), run.ID, UntilSwitched)
	if !errors.Is(err, errStuck) {
		t.Fatalf("drive: %v", err)
	}
	if err := w.owns(3, run.Target, run); err != nil {
		t.Error(err)
	}
}

// Wherever the context ends, no fence stays up and the lease is given back.
func TestContextEndsAnywhere(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		w := newWorld(uint64(n), 3)
		run := w.begin(t)
		ctx, cancel := context.WithCancel(t.Context())
		calls, fenced := 0, false
		w.between = func(*fake, string) {
			if calls++; calls == n {
				cancel()
				at, err := move.Fold(w.groups[run.Target].journals[run.ID])
				fenced = err == nil && at.Fenced && at.Step != move.VerifyChanged && !at.Switched
			}
		}
		_, err := w.runner().Drive(ctx, run.ID, UntilSwitched)
		cancel()
		w.between = nil
		if err == nil {
			return
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("call %d: %v", n, err)
		}
		st := w.settled(t, run.ID)
		if st.State.Fenced || st.Lease.Holder != "" || w.groups[3].tags[3].state == shard.TagFenced {
			t.Fatalf("call %d: %+v, lease %+v", n, st.State, st.Lease)
		}
		if fenced && st.State.Switched {
			t.Fatalf("call %d: it went on to the switch", n)
		}
		if err := w.finish(t, run, n%2 == 0); err != nil {
			t.Fatalf("call %d: %v", n, err)
		}
	}
}

// A fence that is lost with its server, between the intent to switch and the switch,
// is put up again, and what came through is copied.
func TestFenceIsLost(t *testing.T) {
	t.Parallel()
	w := newWorld(7, 3)
	run := w.begin(t)
	r := w.runner(func(o *Options) {
		o.Crash = func(point string) error {
			if point == "after write intent of switch" {
				tag := w.groups[3].tags[3]
				tag.state, tag.epoch = shard.TagOwned, tag.epoch-1
				w.update(w.groups[3], w.groups[3].numbers(3, "")[1])
			}
			return nil
		}
	})
	if _, err := r.Drive(t.Context(), run.ID, UntilSwitched); err != nil {
		t.Fatal(err)
	}
	if err := w.finish(t, run, false); err != nil {
		t.Error(err)
	}
}

// The same with a server that has lost it when the target owns the tags already.
func TestFenceIsLostAfterTheSwitch(t *testing.T) {
	t.Parallel()
	w := newWorld(7, 3)
	w.writes = 0
	run := w.begin(t)
	r := w.runner(func(o *Options) {
		o.Crash = func(point string) error {
			if point == "after own" {
				tag := w.groups[3].tags[3]
				tag.state, tag.epoch = shard.TagOwned, tag.epoch-1
				return errDied
			}
			return nil
		}
	})
	if _, err := r.Drive(t.Context(), run.ID, UntilSwitched); !errors.Is(err, errDied) {
		t.Fatal(err)
	}
	if err := w.finish(t, run, false); err != nil {
		t.Error(err)
	}
}

// A fence that was asked for and comes when it is not wanted any more is refused.
func TestLateFenceIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(6, 3)
	w.busy = 0
	run := w.begin(t)
	asked, holder := int64(0), ""
	w.once(0, "append done fence", func() {
		asked, holder = w.groups[3].tags[3].epoch, w.groups[3].tags[3].mover
		w.clock = w.clock.Add(2 * time.Second)
	})
	late := errors.New("not tried")
	r := w.runner(func(o *Options) {
		o.OnEvent = func(e Event) {
			if e.Step == move.Unfence && e.Mark == move.Done && !errors.Is(late, ErrOldEpoch) {
				late = w.groups[3].SetClaims(t.Context(), holder, Claims{Tags: run.Tags, State: shard.TagFenced, Epoch: asked})
			}
		}
	})
	if _, err := r.Drive(t.Context(), run.ID, UntilSwitched); err != nil || !errors.Is(late, ErrOldEpoch) {
		t.Errorf("drive: %v, the late fence: %v", err, late)
	}
}

// While the group that keeps the journal is down, a fence is lifted before that can be
// written.
func TestTargetDownUnderTheFence(t *testing.T) {
	t.Parallel()
	w := newWorld(6, 3)
	w.busy = 0
	run := w.begin(t)
	target, waited, lifted := w.groups[run.Target], 0, false
	w.once(0, "append done fence", func() { target.down = true })
	r := w.runner(func(o *Options) {
		o.Sleep = func(ctx context.Context, d time.Duration) error {
			if !target.down {
				return w.sleep(ctx, d)
			}
			if waited++; waited == 1 {
				return context.DeadlineExceeded // the budget of the fence
			}
			lifted = w.groups[3].tags[3].state == shard.TagOwned
			target.down = false
			return nil
		}
	})
	if _, err := r.Drive(t.Context(), run.ID, UntilSwitched); err != nil || !lifted {
		t.Errorf("drive: %v, lifted %v", err, lifted)
	}
	if err := w.finish(t, run, false); err != nil {
		t.Error(err)
	}
}

// What changed during a pause is followed before the fence, however far the run was.
func TestPauseBeforeTheFence(t *testing.T) {
	t.Parallel()
	w := newWorld(16, 3)
	w.writes, w.busy = 0, 0
	run := w.begin(t)
	w.once(0, "append intent fence", func() { w.say(t, run, move.Pause) })
	if st := w.drive(t, run.ID, UntilSwitched); !st.State.Paused || st.State.Fenced {
		t.Fatalf("%+v", st.State)
	}
	for range 60 {
		w.update(w.groups[3], w.groups[3].numbers(3, "")[w.rng.IntN(9)])
	}
	w.say(t, run, move.Resume)
	left := -1
	w.once(3, "claims fenced", func() { left = len(w.groups[3].below(run.Tags, Compared)) })
	w.drive(t, run.ID, UntilSwitched)
	if left != 0 {
		t.Errorf("%d changes were left for the fence", left)
	}
}

// Whoever has an old epoch and may still write is waited for, for as long as its lease
// lasts, and no longer: not one row is copied before.
func TestDrainWaitsForALease(t *testing.T) {
	t.Parallel()
	for _, lease := range []time.Duration{0, 2 * time.Second, 30 * time.Second} {
		w := newWorld(8, 3)
		run := w.begin(t)
		until := w.clock.Add(lease)
		w.groups[3].silent = until
		if _, err := w.runner().Drive(t.Context(), run.ID, UntilDrained); err != nil {
			t.Fatal(err)
		}
		if took := w.clock.Sub(until); took < 0 || took > 2*time.Second {
			t.Errorf("a lease of %v: drained %v after its end", lease, took)
		}
		if err := w.finish(t, run, false); err != nil {
			t.Error(err)
		}
	}
}

// A fence waits while more changes are left than FewChanges, and does not for as many.
func TestFewChangesBeforeTheFence(t *testing.T) {
	t.Parallel()
	const few, above = 4, 3 // times that one more is left
	w := newWorld(9, 3)
	w.writes = 0
	run := w.begin(t)
	source, counts := w.groups[3], 0
	w.between = func(g *fake, call string) {
		if g != source || call != "count" {
			return
		}
		left := few
		if counts++; counts <= above {
			left++
		}
		for n := left - len(source.below(run.Tags, Compared)); n > 0; n-- {
			w.update(source, source.numbers(3, "")[n])
		}
	}
	var waited []int64
	fenced := 0 // counts before the first fence
	r := w.runner(func(o *Options) {
		o.FewChanges = few
		o.OnEvent = func(e Event) {
			switch {
			case strings.Contains(e.Progress.Held, "changes are left"):
				waited = append(waited, e.Changes)
			case e.Step == move.Fence && e.Mark == move.Intent && fenced == 0:
				fenced = counts
			}
		}
	})
	if _, err := r.Drive(t.Context(), run.ID, UntilSwitched); err != nil {
		t.Fatal(err)
	}
	if want := slices.Repeat([]int64{few + 1}, above); !slices.Equal(waited, want) {
		t.Errorf("it waited with %v changes left, want %v", waited, want)
	}
	if fenced <= above {
		t.Errorf("the fence went up after %d looks, of which %d were to hold it back", fenced, above)
	}
}
