package mover

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/shard/move"
)

var errDied = errors.New("the process died")

// begin begins the move of the last group's tags.
func (w *world) begin(t *testing.T) Run {
	t.Helper()
	losing := w.losing
	w.losing = 0
	defer func() { w.losing = losing }()
	plan := move.Draft(w.topology(), move.Request{Kind: move.Shrink, To: len(w.groups) - 1})
	runs, err := w.runner().Begin(t.Context(), plan)
	if err != nil || len(runs) != 1 {
		t.Fatalf("begin: %v, %v", runs, err)
	}
	return runs[0]
}

// settled reads where a run stands, with nothing in the way.
func (w *world) settled(t *testing.T, id string) Standing {
	t.Helper()
	losing, between := w.losing, w.between
	w.losing, w.between = 0, nil
	defer func() { w.losing, w.between = losing, between }()
	st, err := w.runner().find(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// say says a word, with nothing in the way.
func (w *world) say(t *testing.T, run Run, mark move.Mark) {
	t.Helper()
	losing := w.losing
	w.losing = 0
	defer func() { w.losing = losing }()
	note := ""
	if mark == move.Consent {
		note = run.Plan.Hash
	}
	if _, err := w.runner().Say(t.Context(), run.ID, mark, note); err != nil {
		t.Fatalf("%s: %v", mark, err)
	}
}

// owns checks that one group has all orders of the run's tags as they were
// acknowledged, and takes writes, and the other does not.
func (w *world) owns(owner, other shard.GroupID, run Run) error {
	if w.broken != nil {
		return w.broken
	}
	for _, tag := range run.Tags {
		here, there := w.groups[owner].tags[tag], w.groups[other].tags[tag]
		if here == nil || here.state != shard.TagOwned {
			return fmt.Errorf("group %d does not own tag %d: %+v", owner, tag, here)
		}
		if there != nil && there.state != shard.TagMoved {
			return fmt.Errorf("group %d has tag %d as %s", other, tag, there.state)
		}
		if c, _ := w.topology().Owner(tag); c.Group != owner {
			return fmt.Errorf("the topology finds tag %d in group %d", tag, c.Group)
		}
		if got := len(w.groups[owner].numbers(tag, "")); got != w.count(tag) {
			return fmt.Errorf("group %d has %d orders of tag %d, %d were acknowledged", owner, got, tag, w.count(tag))
		}
	}
	for no, version := range w.truth {
		if c, _ := w.topology().Owner(no.Tag()); w.groups[c.Group].rows[no] != (row{version, version * 7}) {
			return fmt.Errorf("order %s was acknowledged at version %d, group %d has %+v", no, version, c.Group, w.groups[c.Group].rows[no])
		}
	}
	return nil
}

func (w *world) count(tag pay.Tag) (n int) {
	for no := range w.truth {
		if no.Tag() == tag {
			n++
		}
	}
	return n
}

// retired and restored check both ends of a run.
func (w *world) retired(run Run) error {
	if err := w.owns(run.Target, run.Source, run); err != nil {
		return err
	}
	if g := w.groups[run.Source]; g.state != shard.GroupRetired || g.weight != 0 {
		return fmt.Errorf("the source is %s with weight %d", g.state, g.weight)
	}
	return w.tidy(w.groups[run.Source], run)
}

func (w *world) restored(run Run) error {
	if err := w.owns(run.Source, run.Target, run); err != nil {
		return err
	}
	if g := w.groups[run.Source]; g.state != shard.GroupActive || g.weight != 100 {
		return fmt.Errorf("the source is %s with weight %d", g.state, g.weight)
	}
	return w.tidy(w.groups[run.Target], run)
}

// tidy checks that nothing is left of a run in the group that lost its rows, and that
// nobody records any more.
func (w *world) tidy(empty *fake, run Run) error {
	for _, tag := range run.Tags {
		if n := len(empty.numbers(tag, "")); n > 0 {
			return fmt.Errorf("group %d still has %d orders of tag %d", empty.id, n, tag)
		}
	}
	for id, g := range w.groups {
		for tag, row := range g.tags {
			if row.recording {
				return fmt.Errorf("group %d still records tag %d", id, tag)
			}
		}
		if len(g.changed) > 0 {
			return fmt.Errorf("group %d still has %d records", id, len(g.changed))
		}
	}
	return nil
}

// drive drives a run and fails the test on an error.
func (w *world) drive(t *testing.T, id string, until Until) Standing {
	t.Helper()
	st, err := w.runner().Drive(t.Context(), id, until)
	if err != nil {
		t.Fatalf("drive: %v (%v)", err, w.broken)
	}
	return st
}

// finish takes a run to one of its ends.
func (w *world) finish(t *testing.T, run Run, back bool) error {
	t.Helper()
	if back {
		st := w.settled(t, run.ID)
		if !st.State.Ended && !st.State.Reversing {
			w.say(t, run, move.Reverse)
		}
		w.drive(t, run.ID, UntilEnded)
		return w.restored(run)
	}
	w.drive(t, run.ID, UntilSwitched)
	if err := w.owns(run.Target, run.Source, run); err != nil {
		return err
	}
	if st := w.settled(t, run.ID); !st.State.Consented {
		w.say(t, run, move.Consent)
	}
	w.drive(t, run.ID, UntilEnded)
	return w.retired(run)
}

func TestRunToBothEnds(t *testing.T) {
	t.Parallel()
	for _, back := range []bool{false, true} {
		w := newWorld(1, 3)
		run := w.begin(t)
		if st := w.drive(t, run.ID, UntilDrained); st.State.Step != move.Drain || w.groups[3].weight != 0 || w.groups[3].state != shard.GroupDraining {
			t.Errorf("drained: %+v", st.State)
		}
		w.drive(t, run.ID, UntilSwitched)
		if w.groups[3].state != shard.GroupMoved {
			t.Errorf("the source is %s", w.groups[3].state)
		}
		if err := w.finish(t, run, back); err != nil {
			t.Errorf("back %v: %v", back, err)
		}
	}
}

// dying lets a process die at its nth point.
func dying(n int, points *int, at *string) func(*Options) {
	return func(o *Options) {
		o.Crash = func(point string) error {
			if *points++; *points == n {
				*at = point
				return errDied
			}
			return nil
		}
	}
}

// TestDiesAnywhere lets the process die before and after each effect of a whole move,
// and another one finish it, or take it back.
func TestDiesAnywhere(t *testing.T) {
	t.Parallel()
	for _, way := range []struct {
		name             string
		before, reverses bool // reversing from the beginning of the crash; else after
	}{{name: "resume"}, {name: "reverse after", reverses: true}, {name: "die while reversing", before: true, reverses: true}} {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			for n := 1; ; n++ {
				w := newWorld(uint64(n), 3)
				run := w.begin(t)
				points, at := 0, ""
				if way.before {
					w.drive(t, run.ID, UntilSwitched)
					w.say(t, run, move.Reverse)
				}
				r := w.runner(dying(n, &points, &at))
				_, err := r.Drive(t.Context(), run.ID, UntilSwitched)
				if err == nil {
					if !way.before {
						w.say(t, run, move.Consent)
						_, err = r.Drive(t.Context(), run.ID, UntilEnded)
					}
					if err == nil {
						t.Logf("%d points", points)
						return
					}
				}
				if !errors.Is(err, errDied) {
					t.Fatalf("point %d: %v (%v)", n, err, w.broken)
				}
				back := way.reverses
				if st := w.settled(t, run.ID); st.State.Step == move.Retire {
					back = false // nothing reverses that
				}
				if err := w.finish(t, run, back); err != nil {
					t.Fatalf("point %d, %s: %v", n, at, err)
				}
			}
		})
	}
}

// TestDiesReversingEarly is the same for a move that is taken back before its switch.
func TestDiesReversingEarly(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		w := newWorld(uint64(n), 3)
		run := w.begin(t)
		points, at := 0, ""
		w.between = func(_ *fake, call string) {
			if call == "append done verify" {
				w.between = nil
				w.say(t, run, move.Reverse)
			}
		}
		_, err := w.runner(dying(n, &points, &at)).Drive(t.Context(), run.ID, UntilEnded)
		if err == nil {
			if err := w.restored(run); err != nil {
				t.Fatal(err)
			}
			t.Logf("%d points", points)
			return
		}
		if !errors.Is(err, errDied) {
			t.Fatalf("point %d: %v", n, err)
		}
		w.between = nil
		if err := w.finish(t, run, true); err != nil {
			t.Fatalf("point %d, %s: %v", n, at, err)
		}
	}
}

// TestSeeds lets chance decide: answers are lost, processes die, freeze and wake up,
// fences take too long, persons change their mind.
func TestSeeds(t *testing.T) {
	t.Parallel()
	seeds := uint64(3000)
	if testing.Short() {
		seeds = 300
	}
	for seed := uint64(1); seed <= seeds; seed++ {
		if err := chance(t, seed); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func chance(t *testing.T, seed uint64) error {
	w := newWorld(seed, 2+int(seed%3))
	run := w.begin(t)
	w.losing = []float64{0, 0.02, 0.1}[w.rng.IntN(3)]
	w.stalls = []float64{0, 0.001, 0.01}[w.rng.IntN(3)]
	freezes := w.rng.IntN(3)
	w.between = func(*fake, string) {
		if freezes == 0 || w.rng.IntN(150) > 0 {
			return
		}
		freezes--
		w.freeze(t, run)
	}
	for range w.rng.IntN(4) {
		points, at := 0, ""
		_, err := w.runner(dying(1+w.rng.IntN(120), &points, &at)).Drive(t.Context(), run.ID, UntilSwitched)
		if w.broken != nil {
			return w.broken
		}
		if err != nil && !errors.Is(err, errDied) && !errors.Is(err, ErrHeld) && !errors.Is(err, errLost) {
			return err
		}
	}
	w.losing, w.stalls, w.between = 0, 0, nil
	st := w.settled(t, run.ID)
	if st.State.Ended {
		return w.restored(run)
	}
	if st.State.Paused {
		w.say(t, run, move.Resume)
	}
	return w.finish(t, run, st.State.Reversing || seed%2 == 0)
}

// freeze stands for a process that does not get to run for a while: others go on with
// its run, or a person has a word, and then it wakes up.
func (w *world) freeze(t *testing.T, run Run) {
	ctx, other := t.Context(), w.runner()
	switch w.rng.IntN(5) {
	case 0:
		_, _ = other.Say(ctx, run.ID, move.Reverse, "")
	case 1:
		_, _ = other.Say(ctx, run.ID, move.Pause, "")
	case 2:
		for range 6 {
			w.clock = w.clock.Add(time.Second)
			_ = other.Pump(ctx)
		}
	default:
		points, at := 0, ""
		_, _ = w.runner(dying(1+w.rng.IntN(200), &points, &at)).Drive(ctx, run.ID, UntilSwitched)
	}
}
