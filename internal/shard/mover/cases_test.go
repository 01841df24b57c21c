package mover

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"paytool/internal/pay"
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
		calls := 0
		w.between = func(*fake, string) {
			if calls++; calls == n {
				cancel()
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

func TestConsentNamesThePlan(t *testing.T) {
	t.Parallel()
	w := newWorld(8, 3)
	run := w.begin(t)
	w.drive(t, run.ID, UntilSwitched)
	r := w.runner()
	for _, note := range []string{"", "yes", "0123456789abcdef"} {
		if _, err := r.Say(t.Context(), run.ID, move.Consent, note); err == nil {
			t.Errorf("consent with %q", note)
		}
	}
	if _, err := r.Say(t.Context(), run.ID, move.Consent, run.Plan.Hash); err != nil {
		t.Error(err)
	}
}

// What only the source has is seen before it is deleted, and there is a way back.
func TestProofBeforeRetiring(t *testing.T) {
	t.Parallel()
	w := newWorld(9, 3)
	w.writes = 0
	run := w.begin(t)
	w.drive(t, run.ID, UntilSwitched)
	no := w.groups[3].numbers(3, "")[2]
	lost := w.groups[run.Target].rows[no]
	delete(w.groups[run.Target].rows, no)
	w.say(t, run, move.Consent)
	if _, err := w.runner().Drive(t.Context(), run.ID, UntilEnded); !errors.Is(err, errStuck) || !strings.Contains(err.Error(), no.String()) {
		t.Fatalf("retire: %v", err)
	}
	if len(w.groups[3].numbers(3, "")) != 9 {
		t.Error("the source's rows were deleted")
	}
	w.groups[run.Target].rows[no] = lost
	if err := w.finish(t, run, true); err != nil {
		t.Error(err)
	}
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	w := newWorld(10, 3)
	run := w.begin(t)
	w.once(0, "chunk", func() { w.say(t, run, move.Pause) })
	st := w.drive(t, run.ID, UntilSwitched)
	if !st.State.Paused || st.State.Step != move.Copy || !st.State.Open {
		t.Fatalf("paused: %+v", st.State)
	}
	w.say(t, run, move.Resume)
	chunks := 0
	w.between = func(_ *fake, call string) {
		if call == "chunk" {
			chunks++
		}
	}
	w.drive(t, run.ID, UntilSwitched)
	if w.between = nil; chunks >= 1+w.count(3)/chunkOf {
		t.Errorf("%d chunks were copied after the pause: it began anew", chunks)
	}
	if err := w.finish(t, run, false); err != nil {
		t.Error(err)
	}
}

func TestPumpFollowsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(11, 3)
	run := w.begin(t)
	w.drive(t, run.ID, UntilSwitched)
	engine := w.runner()
	for range 30 {
		w.clock = w.clock.Add(time.Second)
		if err := engine.Pump(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.writes = 0
	w.clock = w.clock.Add(time.Second)
	if err := engine.Pump(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, no := range w.groups[run.Target].numbers(3, "") {
		if w.groups[3].rows[no] != w.groups[run.Target].rows[no] {
			t.Errorf("order %s was not followed", no)
		}
	}
	before := len(w.settled(t, run.ID).Journal)
	w.say(t, run, move.Reverse)
	if err := engine.Pump(t.Context()); err != nil {
		t.Fatal(err)
	}
	st := w.settled(t, run.ID)
	if st.Lease.Holder != "" || len(st.Journal) != before+1 {
		t.Errorf("after a person's word: lease %+v, %d entries", st.Lease, len(st.Journal))
	}
	if err := w.finish(t, run, true); err != nil {
		t.Error(err)
	}
}

// Whatever fence a dead process left behind, an engine lifts it, or finishes its
// switch, and goes no further.
func TestPumpRecovers(t *testing.T) {
	t.Parallel()
	lifted, switched := 0, 0
	for n := 1; ; n++ {
		w := newWorld(uint64(n), 3)
		run := w.begin(t)
		points, at := 0, ""
		if _, err := w.runner(dying(n, &points, &at)).Drive(t.Context(), run.ID, UntilSwitched); err == nil {
			break
		}
		st := w.settled(t, run.ID)
		engine := w.runner()
		for range 8 {
			w.clock = w.clock.Add(time.Second)
			if err := engine.Pump(t.Context()); err != nil {
				t.Fatalf("point %d, %s: %v", n, at, err)
			}
		}
		now := w.settled(t, run.ID)
		switch {
		case now.State.Fenced || w.groups[3].tags[3].state == shard.TagFenced:
			t.Fatalf("point %d, %s: the fence is up: %+v", n, at, now.State)
		case st.State.Fenced && now.State.Switched:
			switched++
		case st.State.Fenced:
			lifted++
		case !st.State.Switched && now.State.Seq != st.State.Seq:
			t.Fatalf("point %d, %s: the engine went on with what it does not drive: %+v", n, at, now.State)
		}
		if err := w.finish(t, run, n%2 == 0); err != nil {
			t.Fatalf("point %d, %s: %v", n, at, err)
		}
	}
	if lifted < 5 || switched < 5 {
		t.Errorf("%d fences were lifted and %d switches finished", lifted, switched)
	}
}

func TestPumpLeavesALiveFenceAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(12, 3)
	w.busy = 0
	run := w.begin(t)
	engine := w.runner()
	w.between = func(_ *fake, call string) {
		if st := w.groups[run.Target].journals[run.ID]; len(st) > 0 && strings.HasPrefix(call, "append") {
			if err := engine.Pump(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	w.drive(t, run.ID, UntilSwitched)
	if n := w.has(t, run.ID, move.Unfence, move.Done); n > 0 {
		t.Errorf("%d fences were lifted", n)
	}
}

func TestBeginRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(13, 3)
	r := w.runner()
	plan := move.Draft(w.topology(), move.Request{Kind: move.Shrink, To: 2})
	refused := plan
	refused.Refusals = []move.Reason{{Text: "no room"}}
	if _, err := r.Begin(t.Context(), refused); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("a plan with refusals: %v", err)
	}
	w.groups[2].epoch++
	if _, err := r.Begin(t.Context(), plan); err == nil || !strings.Contains(err.Error(), "epoch 5 and the groups are at 6") {
		t.Errorf("an old plan: %v", err)
	}
	w.groups[2].epoch--
	w.groups[2].down = true
	if _, err := r.Begin(t.Context(), plan); !errors.Is(err, errLost) {
		t.Errorf("a silent group: %v", err)
	}
	w.groups[2].down = false
	for range 2 { // the second time says the same
		if runs, err := r.Begin(t.Context(), plan); err != nil || len(runs) != 1 {
			t.Errorf("begin: %v, %v", runs, err)
		}
	}
}

// A run that was taken back before it began has its plan's name for good, so the next
// plan gets another one.
func TestReverseBeforeItBegan(t *testing.T) {
	t.Parallel()
	w := newWorld(14, 3)
	run := w.begin(t)
	w.say(t, run, move.Reverse)
	if st := w.settled(t, run.ID); !st.State.Ended {
		t.Fatalf("%+v", st.State)
	}
	if again := w.begin(t); again.ID == run.ID {
		t.Errorf("both are %s", run.ID)
	}
}

func TestStandingsOfSilentGroups(t *testing.T) {
	t.Parallel()
	w := newWorld(15, 3)
	run := w.begin(t)
	w.groups[2].down = run.Target != 2
	w.groups[3].down = true
	all, err := w.runner().Standings(t.Context())
	var silent *SilentError
	if !errors.As(err, &silent) || silent.Groups[len(silent.Groups)-1] != 3 || len(all) != 1 || all[0].Run.ID != run.ID {
		t.Errorf("%v, %v", all, err)
	}
	if _, err := w.runner().Drive(t.Context(), "none", UntilEnded); !errors.As(err, &silent) {
		t.Errorf("a run that is not found while groups are silent: %v", err)
	}
}

// Two groups leave for the same heir, and their runs are driven one after the other.
func TestTwoRunsOfOnePlan(t *testing.T) {
	t.Parallel()
	for seed := uint64(1); seed <= 50; seed++ {
		w := newWorld(seed, 3)
		plan := move.Draft(w.topology(), move.Request{Kind: move.Shrink, To: 1})
		runs, err := w.runner().Begin(t.Context(), plan)
		if err != nil || len(runs) != 2 {
			t.Fatalf("%v, %v", runs, err)
		}
		for _, until := range []Until{UntilDrained, UntilSwitched} {
			for _, run := range runs {
				w.drive(t, run.ID, until)
			}
		}
		if err := w.finish(t, runs[0], true); err != nil && !strings.Contains(err.Error(), "records") {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if err := w.finish(t, runs[1], false); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if tags := w.topology().TagsOf(1); len(tags) != 2 || tags[1] != pay.Tag(runs[1].Tags[0]) {
			t.Fatalf("seed %d: group 1 owns %v", seed, tags)
		}
	}
}
