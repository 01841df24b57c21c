package mover

import (
	"errors"
	"strings"
	"testing"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/shard/move"
)

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

// What was changed behind the source's back since the switch does not come to count
// again: somebody has to say which side is right.
func TestReverseToACorruptSource(t *testing.T) {
	t.Parallel()
	w := newWorld(9, 3)
	w.writes = 0
	run := w.begin(t)
	w.drive(t, run.ID, UntilSwitched)
	no := w.groups[3].numbers(3, "")[2]
	right := w.groups[3].rows[no]
	delete(w.groups[3].rows, no)
	w.say(t, run, move.Reverse)
	if _, err := w.runner().Drive(t.Context(), run.ID, UntilEnded); !errors.Is(err, errStuck) || !strings.Contains(err.Error(), no.String()) {
		t.Fatalf("reverse: %v", err)
	}
	if st := w.settled(t, run.ID); !st.State.Switched || st.State.Fenced {
		t.Errorf("it stands at %+v", st.State)
	}
	w.groups[3].rows[no] = right
	w.drive(t, run.ID, UntilEnded)
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
	if n := len(w.groups[run.Target].numbers(3, "")); n == 0 || n > chunkOf {
		t.Errorf("%d orders were copied before it paused, a chunk has %d", n, chunkOf)
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
