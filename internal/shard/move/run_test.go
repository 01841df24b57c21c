package move

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// world is a move as it would be, small: orders with a version in two groups, writers
// that go by the claims, and a process that keeps a journal and dies.
type world struct {
	source, target       map[int]int // order to version
	sourceHas, targetHas string      // owned, fenced, moved
	truth                map[int]int // what clients were told
	recording, weight    bool
	forth, back          map[int]bool // orders that changed at the source, at the target
	journal              []Entry
}

func newWorld(orders int) *world {
	w := &world{
		source: map[int]int{}, target: map[int]int{}, truth: map[int]int{}, forth: map[int]bool{}, back: map[int]bool{},
		sourceHas: "owned", targetHas: "moved", weight: true,
	}
	for o := range orders {
		w.source[o], w.truth[o] = 1, 1
	}
	return w
}

// write is a payment of an order: held where no group owns the tag.
func (w *world) write(o int) {
	switch {
	case w.sourceHas == "owned":
		w.source[o]++
		if w.recording {
			w.forth[o] = true
		}
	case w.targetHas == "owned":
		w.target[o]++
		w.back[o] = true
	default:
		return
	}
	w.truth[o]++
}

func replay(from, to map[int]int, changed map[int]bool) {
	for o := range changed {
		to[o] = from[o]
	}
}

func same(a, b map[int]int, only map[int]bool) bool {
	for o := range only {
		if a[o] != b[o] {
			return false
		}
	}
	return true
}

// take does a step; half leaves it in the middle. It answers false for Again.
func (w *world) take(s Step, half bool) bool {
	switch s {
	case Drain:
		w.weight, w.recording = false, true
	case Copy:
		n := 0
		for _, o := range slices.Sorted(maps.Keys(w.source)) {
			if n++; half && n > len(w.source)/2 {
				break
			}
			w.target[o] = w.source[o]
		}
	case Follow, LastChanges:
		replay(w.source, w.target, w.forth)
	case Verify:
		for o := range w.source {
			if !w.forth[o] && w.source[o] != w.target[o] {
				return false
			}
		}
	case Fence:
		w.sourceHas = "fenced"
	case VerifyChanged:
		return same(w.source, w.target, w.forth)
	case Switch:
		w.targetHas = "owned"
		if !half {
			w.sourceHas = "moved"
		}
	case ReverseWindow, LastBack:
		replay(w.target, w.source, w.back)
	case Retire:
		clear(w.source)
	case Unfence:
		if w.sourceHas == "fenced" {
			w.sourceHas = "owned"
		}
		if w.targetHas == "fenced" {
			w.targetHas = "owned"
		}
	case FenceBack:
		w.targetHas = "fenced"
	case VerifyBack:
		return same(w.source, w.target, w.back)
	case SwitchBack:
		w.sourceHas = "owned"
		if !half {
			w.targetHas = "moved"
		}
	case Discard:
		clear(w.target)
	case Refill:
		w.weight, w.recording = true, false
		clear(w.forth)
	case Stop:
	}
	return true
}

func (w *world) store(t fataler, s Step, m Mark) Run {
	r, err := Fold(w.journal)
	if err != nil {
		t.Fatalf("fold: %v", err)
	}
	e := Entry{Seq: r.Seq + 1, Step: s, Mark: m}
	next, err := r.With(e)
	if err != nil {
		t.Fatalf("store %s of %q at %+v: %v", m, s, r, err)
	}
	w.journal = append(w.journal, e)
	return next
}

type fataler interface{ Fatalf(string, ...any) }

func (w *world) run(t fataler) Run {
	r, err := Fold(w.journal)
	if err != nil {
		t.Fatalf("fold: %v", err)
	}
	return r
}

// check holds the world against what clients were told.
func (w *world) check(t fataler) {
	if w.sourceHas == "owned" && w.targetHas == "owned" {
		t.Fatalf("both groups own the tag; journal %v", w.journal)
	}
	if w.sourceHas == "owned" && !maps.Equal(w.source, w.truth) {
		t.Fatalf("the source owns the tag and has %v, clients were told %v; journal %v", w.source, w.truth, w.journal)
	}
	if w.targetHas == "owned" && !maps.Equal(w.target, w.truth) {
		t.Fatalf("the target owns the tag and has %v, clients were told %v; journal %v", w.target, w.truth, w.journal)
	}
}

// TestRunSurvivesEverything: processes die before, in the middle of and after every
// step, clients write all the time, rows of the copy rot before they are verified,
// fences time out, somebody reverses or retires. Whatever happens, no accepted write
// is lost, no tag has two owners, and every run can be brought to an end.
func TestRunSurvivesEverything(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		const orders = 6
		w := newWorld(orders)
		found := true // by a process that did not begin it
		for range rapid.IntRange(1, 80).Draw(rt, "moments") {
			r := w.run(rt)
			switch rapid.SampledFrom([]string{"step", "step", "step", "step", "crash", "write", "write", "rot", "timeout", "reverse", "consent", "pause"}).Draw(rt, "moment") {
			case "write":
				w.write(rapid.IntRange(0, orders-1).Draw(rt, "order"))
			case "rot":
				if !r.Verified && !r.Switched && r.Copied {
					w.target[rapid.IntRange(0, orders-1).Draw(rt, "order")] = -1
				}
			case "reverse":
				if !r.Ended && r.Step != Retire && rapid.IntRange(0, 9).Draw(rt, "really") == 0 {
					w.store(rt, Stop, Reverse)
				}
			case "consent":
				if r.Step == ReverseWindow && !r.Reversing {
					w.store(rt, Stop, Consent)
				}
			case "pause":
				if !r.Ended {
					w.store(rt, Stop, map[bool]Mark{false: Pause, true: Resume}[r.Paused])
				}
			case "crash":
				w.moment(rt, found, rapid.SampledFrom([]string{"before", "half", "after"}).Draw(rt, "crash"))
				found = true
			case "timeout":
				w.moment(rt, found, "timeout")
				found = false
			case "step":
				w.moment(rt, found, "")
				found = false
			}
			w.check(rt)
		}
		w.finish(rt)
	})
}

// moment takes one step as a process does that found the run or goes on with it.
func (w *world) moment(t fataler, found bool, fate string) {
	r := w.run(t)
	s := r.Next()
	if found {
		s = r.Recover()
	}
	if s == Stop {
		return
	}
	w.store(t, s, Intent)
	if fate == "before" {
		return
	}
	clean := w.take(s, fate == "half")
	switch {
	case fate == "half", fate == "after":
	case !clean, fate == "timeout" && slices.Contains([]Step{Copy, Verify, Fence, LastChanges, VerifyChanged, FenceBack, LastBack, VerifyBack}, s):
		w.store(t, s, Again)
	default:
		w.store(t, s, Done)
	}
}

// finish brings a run to its end and looks at what is left.
func (w *world) finish(t fataler) {
	for i := range 60 {
		r := w.run(t)
		switch {
		case r.Ended && r.Reversing:
			if !maps.Equal(w.source, w.truth) || len(w.target) > 0 || w.sourceHas != "owned" || !w.weight {
				t.Fatalf("reversed, and left %+v", w)
			}
			return
		case r.Ended:
			if !maps.Equal(w.target, w.truth) || len(w.source) > 0 || w.sourceHas != "moved" {
				t.Fatalf("retired, and left %+v", w)
			}
			return
		case r.Paused:
			w.store(t, Stop, Resume)
		case r.Step == ReverseWindow && !r.Reversing && !r.Consented:
			w.store(t, Stop, Consent)
		}
		w.moment(t, i == 0, "")
		w.check(t)
	}
	t.Fatalf("the run does not end: %+v", w.run(t))
}

// TestEveryCrashResumesToTheSameEnd crashes once, at each moment of a plain run.
func TestEveryCrashResumesToTheSameEnd(t *testing.T) {
	t.Parallel()
	for i := range forward {
		for _, fate := range []string{"before", "half", "after"} {
			w := newWorld(4)
			for j := 0; j <= i; j++ {
				if w.run(t).Next() == ReverseWindow && j == i {
					break
				}
				if r := w.run(t); r.Step == ReverseWindow {
					w.store(t, Stop, Consent)
				}
				w.write(j % 4)
				w.moment(t, j == 0, map[bool]string{true: fate}[j == i])
				w.check(t)
			}
			w.finish(t)
			if r := w.run(t); r.Reversing || !r.Ended {
				t.Errorf("crash %s %s: %+v", fate, forward[i], r)
			}
		}
	}
}

// TestEveryStepReverses asks to go back after each step before Retire.
func TestEveryStepReverses(t *testing.T) {
	t.Parallel()
	for i, last := range forward[:len(forward)-1] {
		w := newWorld(4)
		for range i + 1 {
			w.moment(t, false, "")
			w.write(1)
		}
		if got := w.run(t).Step; got != last {
			t.Fatalf("stands at %s, want %s", got, last)
		}
		w.store(t, Stop, Reverse)
		w.finish(t)
		if r := w.run(t); !r.Reversing || !r.Ended {
			t.Errorf("reversed after %s: %+v", last, r)
		}
	}
}

func TestEntriesThatDoNotFit(t *testing.T) {
	t.Parallel()
	walk := func(steps ...Step) (journal []Entry) {
		for _, s := range steps {
			for _, m := range []Mark{Intent, Done} {
				journal = append(journal, Entry{Seq: int64(len(journal) + 1), Step: s, Mark: m})
			}
		}
		return journal
	}
	for _, c := range []struct {
		name    string
		journal []Entry
		next    Entry
	}{
		{"somebody else stored this number", walk(Drain), Entry{Seq: 2, Step: Copy, Mark: Intent}},
		{"a gap", walk(Drain), Entry{Seq: 4, Step: Copy, Mark: Intent}},
		{"a fence without a comparison", walk(Drain, Copy, Follow), Entry{Seq: 7, Step: Fence, Mark: Intent}},
		{"a switch without a fence", walk(Drain, Copy, Follow, Verify), Entry{Seq: 9, Step: Switch, Mark: Intent}},
		{"a switch without the last comparison", walk(Drain, Copy, Follow, Verify, Fence, LastChanges), Entry{Seq: 13, Step: Switch, Mark: Intent}},
		{"the end of what was not begun", walk(Drain), Entry{Seq: 3, Step: Copy, Mark: Done}},
		{"retiring without consent", walk(Drain, Copy, Follow, Verify, Fence, LastChanges, VerifyChanged, Switch, ReverseWindow), Entry{Seq: 19, Step: Retire, Mark: Intent}},
		{"consent before the switch", walk(Drain, Copy), Entry{Seq: 5, Mark: Consent}},
		{"no mark", nil, Entry{Seq: 1, Mark: "maybe"}},
		{"a switch ends in one way only", append(walk(Drain, Copy, Follow, Verify, Fence, LastChanges, VerifyChanged), Entry{Seq: 15, Step: Switch, Mark: Intent}), Entry{Seq: 16, Step: Switch, Mark: Again}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, err := Fold(c.journal)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.With(c.next); !errors.Is(err, ErrEntry) {
				t.Errorf("%+v after %+v: %v", c.next, r, err)
			}
		})
	}
}

func TestAFoundFenceIsLifted(t *testing.T) {
	t.Parallel()
	w := newWorld(2)
	for w.run(t).Step != VerifyChanged {
		w.moment(t, false, "")
	}
	if got := w.run(t).Next(); got != Switch {
		t.Errorf("its maker goes on with %s", got)
	}
	if got := w.run(t).Recover(); got != Unfence {
		t.Errorf("another process goes on with %s", got)
	}
	w.moment(t, false, "before") // the switch was intended
	if got := w.run(t).Recover(); got != Switch {
		t.Errorf("after the intent of a switch another process goes on with %s", got)
	}
}

// TestAgain: what follows a step that ended without its result.
func TestAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		at   Step
		want []Step
	}{
		{Copy, []Step{Copy, Follow, Verify, Fence}},
		{Verify, []Step{Copy, Follow, Verify, Fence}},
		{Fence, []Step{Unfence, Follow, Fence}}, // what was compared stays compared
		{LastChanges, []Step{Unfence, Follow, Fence}},
		{VerifyChanged, []Step{Unfence, Follow, Verify, Fence}}, // a row that was followed differs
	} {
		w := newWorld(2)
		for w.run(t).Next() != c.at {
			w.moment(t, false, "")
		}
		w.moment(t, false, "timeout")
		for _, want := range c.want {
			if got := w.run(t).Next(); got != want {
				t.Fatalf("after %s in vain: %s, want %s", c.at, got, want)
			}
			w.moment(t, false, "")
		}
	}
}
