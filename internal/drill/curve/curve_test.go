package curve

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"paytool/internal/drill"
	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

const sec = time.Second

// steady is a load of 100 a second in four groups, each order done after 2 ms.
func steady(length time.Duration) []Sample {
	var all []Sample
	for due := time.Duration(0); due < length; due += 10 * time.Millisecond {
		all = append(all, Sample{Due: due, Done: due + 2*time.Millisecond, Answer: drill.Acked, Group: shard.GroupID(len(all)%4 + 1)})
	}
	return all
}

// change does something to the orders that fall due in a part of the load.
func change(all []Sample, from, to time.Duration, f func(s *Sample)) []Sample {
	all = slices.Clone(all)
	for i := range all {
		if all[i].Due >= from && all[i].Due < to {
			f(&all[i])
		}
	}
	return all
}

var phases = Phases{Injected: 5 * sec, Restored: 15 * sec, End: 20 * sec}

func TestSteadyLoadHasNoDip(t *testing.T) {
	t.Parallel()
	c := Measure(steady(20*sec), phases, []shard.GroupID{2})
	want := Figures{WidthMs: 1000, Median: 100, MAD: 2, DipDepth: 1, RecoveryMs: new(0.0), Spike: 1}
	if diff := cmp.Diff(want, c.Second); diff != "" {
		t.Error(diff)
	}
	if c.Tenth == nil || c.Tenth.DipDepth != 1 || c.Tenth.DipArea != 0 {
		t.Errorf("tenths: %+v", c.Tenth)
	}
	if want := (Stats{Attempted: 500, Acked: 500, P50Ms: 2, P99Ms: 2, MaxMs: 2, Rate: 100}); c.Baseline != want {
		t.Errorf("baseline %+v, want %+v", c.Baseline, want)
	}
	if c.During.Attempted != 1000 || c.After.Attempted != 500 {
		t.Errorf("during %d, after %d", c.During.Attempted, c.After.Attempted)
	}
	if c.LongestGapMs != 10 || c.TimeToHopMs != nil || c.HoppedShare != 0 {
		t.Errorf("gap %v, time to hop %v, share %v", c.LongestGapMs, c.TimeToHopMs, c.HoppedShare)
	}
}

// A group hangs: its orders wait 250 ms, then land in group 3.
func TestHopsAreMeasured(t *testing.T) {
	t.Parallel()
	all := change(steady(20*sec), 5*sec, 15*sec, func(s *Sample) {
		if s.Group == 2 {
			s.Past, s.Group, s.Done = 2, 3, s.Due+250*time.Millisecond
		}
	})
	c := Measure(all, phases, []shard.GroupID{2})
	if c.During.P99Ms != 250 || c.During.P50Ms != 2 || c.Baseline.P99Ms != 2 {
		t.Errorf("p99 %v, p50 %v, baseline's p99 %v", c.During.P99Ms, c.During.P50Ms, c.Baseline.P99Ms)
	}
	if c.Control.During.P99Ms != 2 || c.Control.During.Acked != 750 {
		t.Errorf("the control group is %+v", c.Control.During)
	}
	// The first order of group 2 after 5 s falls due at 5.01 s.
	if c.TimeToHopMs == nil || *c.TimeToHopMs != 260 {
		t.Errorf("time to hop %v, want 260", c.TimeToHopMs)
	}
	if c.During.Hops != 250 || c.HoppedShare != 0.25 {
		t.Errorf("%d hops, a share of %v", c.During.Hops, c.HoppedShare)
	}
	want := []Flow{{0, 1, 500}, {0, 2, 250}, {0, 3, 500}, {0, 4, 500}, {2, 3, 250}}
	if diff := cmp.Diff(want, c.Flows); diff != "" {
		t.Error(diff)
	}
	// 25 orders of the first second come 250 ms late, six of them in the next one.
	if c.Second.DipDepth != 0.94 || c.Second.DipArea != 0 {
		t.Errorf("seconds: depth %v, area %v", c.Second.DipDepth, c.Second.DipArea)
	}
	if c.Tenth.DipDepth != 0.7 || c.Tenth.DipArea != 3 || *c.Tenth.RecoveryMs != 100 {
		t.Errorf("tenths: depth %v, area %v, recovery %v", c.Tenth.DipDepth, c.Tenth.DipArea, *c.Tenth.RecoveryMs)
	}
}

// Nobody gets an order for two seconds; then all get theirs at once.
func TestFreeze(t *testing.T) {
	t.Parallel()
	all := change(steady(20*sec), 7*sec, 9*sec, func(s *Sample) { s.Done = 9 * sec })
	c := Measure(all, phases, []shard.GroupID{2})
	if c.LongestGapMs != 2008 || c.GapAtMs != 6992 {
		t.Errorf("a gap of %v ms from %v ms", c.LongestGapMs, c.GapAtMs)
	}
	if want := (Figures{WidthMs: 1000, Median: 100, MAD: 2, DipArea: 200, RecoveryMs: new(4000.0), Spike: 3}); c.Second != want && cmp.Diff(want, c.Second) != "" {
		t.Error(cmp.Diff(want, c.Second))
	}
	if c.During.MaxMs != 2000 {
		t.Errorf("the longest wait is %v", c.During.MaxMs)
	}
}

func TestNeverBack(t *testing.T) {
	t.Parallel()
	all := change(steady(20*sec), 6*sec, 20*sec, func(s *Sample) { s.Answer = drill.Failed })
	c := Measure(all, phases, []shard.GroupID{2})
	if c.Second.RecoveryMs != nil || c.Tenth.RecoveryMs != nil {
		t.Errorf("back after %v", c.Second.RecoveryMs)
	}
	if c.Second.DipDepth != 0 || c.LongestGapMs != 14008 || c.During.Unserved() != 900 || c.After.Unserved() != 500 {
		t.Errorf("depth %v, gap %v, unserved %d and %d", c.Second.DipDepth, c.LongestGapMs, c.During.Unserved(), c.After.Unserved())
	}
}

func TestAnswersAreCounted(t *testing.T) {
	t.Parallel()
	answers := []drill.Answer{drill.Acked, drill.Failed, drill.Unknown, drill.Rejected, Dropped}
	var all []Sample
	for i := range 5 {
		all = append(all, Sample{Due: 6 * sec, Done: 6*sec + time.Duration(i+1)*time.Millisecond, Answer: answers[i], Group: 1})
	}
	all[4].Done = 0
	got := Measure(all, phases, nil).During
	want := Stats{Attempted: 5, Acked: 1, Failed: 1, Unknown: 1, Rejected: 1, Dropped: 1, P50Ms: 2, P99Ms: 3, MaxMs: 3, Rate: 0.1}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// An order that is under way at the injection meets the fault; the baseline is free of
// it.
func TestUnderWayAtTheInjection(t *testing.T) {
	t.Parallel()
	all := change(steady(20*sec), 4990*time.Millisecond, 5*sec, func(s *Sample) { s.Done = 6 * sec })
	c := Measure(all, phases, nil)
	if c.Baseline.MaxMs != 2 || c.During.MaxMs != 1010 {
		t.Errorf("baseline %v, during %v", c.Baseline.MaxMs, c.During.MaxMs)
	}
}

func TestEmpty(t *testing.T) {
	t.Parallel()
	for name, all := range map[string][]Sample{
		"nothing":              nil,
		"nothing acknowledged": change(steady(20*sec), 0, 20*sec, func(s *Sample) { s.Answer = drill.Unknown }),
		"no baseline":          steady(20 * sec)[600:],
	} {
		c := Measure(all, phases, []shard.GroupID{1})
		if want := (Figures{WidthMs: 1000}); c.Second != want || c.Tenth != nil {
			t.Errorf("%s: %+v, %+v", name, c.Second, c.Tenth)
		}
	}
	if c := Measure(nil, Phases{}, nil); c.LongestGapMs != 0 || len(c.Seconds.Acked) != 0 {
		t.Errorf("no load at all: %+v", c)
	}
	if c := Measure(nil, phases, nil); c.LongestGapMs != 15_000 {
		t.Errorf("nothing: a gap of %v", c.LongestGapMs)
	}
}

// loads draws a load with waits, failures and hops.
func loads(t *rapid.T) ([]Sample, Phases) {
	tenths := func(lo, hi int, label string) time.Duration {
		return time.Duration(rapid.IntRange(lo, hi).Draw(t, label)) * sec / 10
	}
	p := Phases{Injected: tenths(20, 60, "injected")}
	p.Restored = p.Injected + tenths(0, 60, "fault")
	p.End = p.Restored + tenths(0, 40, "after")
	step := time.Duration(rapid.IntRange(5, 25).Draw(t, "step")) * time.Millisecond
	waits := rapid.SliceOfN(rapid.IntRange(1, 900), 16, 16).Draw(t, "waits")
	answers := rapid.SliceOfN(rapid.SampledFrom([]drill.Answer{drill.Acked, drill.Acked, drill.Failed, drill.Unknown, Dropped}), 16, 16).Draw(t, "answers")
	var all []Sample
	for due := time.Duration(0); due < p.End; due += step {
		i := len(all)
		s := Sample{Due: due, Done: due + 2*time.Millisecond, Answer: drill.Acked, Group: shard.GroupID(i%3 + 1)}
		if due >= p.Injected {
			s.Done, s.Answer, s.Past = due+time.Duration(waits[i%16])*time.Millisecond, answers[i%16], shard.GroupID(waits[i%16]%4)
		}
		all = append(all, s)
	}
	return all, p
}

// What comes before the baseline does not matter: a load that starts a while earlier
// has the same figures, that much later.
func TestShift(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all, p := loads(t)
		c := Measure(all, p, []shard.GroupID{2})
		shift := time.Duration(rapid.IntRange(1, 5000).Draw(t, "shift")) * time.Millisecond
		moved := slices.Clone(all)
		for i := range moved {
			moved[i].Due += shift
			moved[i].Done += shift
		}
		later := Measure(moved, Phases{Injected: p.Injected + shift, Restored: p.Restored + shift, End: p.End + shift}, []shard.GroupID{2})
		if later.During != c.During || later.LongestGapMs != c.LongestGapMs || cmp.Diff(later.TimeToHopMs, c.TimeToHopMs) != "" || cmp.Diff(later.Flows, c.Flows) != "" {
			t.Fatalf("moved by %v:\n%+v\n%+v", shift, c, later)
		}
		for _, name := range []string{"acked", "unserved"} {
			a, b := c.Seconds.Acked, later.Seconds.Acked
			if name == "unserved" {
				a, b = c.Seconds.Unserved, later.Seconds.Unserved
			}
			if sum(a) != sum(b) {
				t.Fatalf("%s: %d, moved %d", name, sum(a), sum(b))
			}
		}
	})
}

// Twice the orders are the same curve: shares stay, counts double.
func TestScale(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all, p := loads(t)
		c := Measure(all, p, []shard.GroupID{2})
		twice := Measure(append(slices.Clone(all), all...), p, []shard.GroupID{2})
		if twice.Second.DipDepth != c.Second.DipDepth || twice.Second.Spike != c.Second.Spike || cmp.Diff(twice.Second.RecoveryMs, c.Second.RecoveryMs) != "" {
			t.Fatalf("\n%+v\n%+v", c.Second, twice.Second)
		}
		if d := twice.Second.DipArea - 2*c.Second.DipArea; d < -.01 || d > .01 {
			t.Fatalf("area %v, of twice the orders %v", c.Second.DipArea, twice.Second.DipArea)
		}
		if twice.During.P99Ms != c.During.P99Ms || twice.LongestGapMs != c.LongestGapMs || twice.HoppedShare != c.HoppedShare || twice.During.Attempted != 2*c.During.Attempted {
			t.Fatalf("\n%+v\n%+v", c, twice)
		}
	})
}

// However a load goes, no order is lost between the bins, and the order of the samples
// does not matter.
func TestEveryOrderIsInOneBin(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all, p := loads(t)
		c := Measure(all, p, []shard.GroupID{2})
		for _, s := range []Series{c.Seconds, c.Tenths} {
			if sum(s.Acked)+sum(s.Unserved) != len(all) {
				t.Fatalf("%d acked, %d not, of %d", sum(s.Acked), sum(s.Unserved), len(all))
			}
			groups := 0
			for _, g := range s.Groups {
				groups += sum(g.Acked)
			}
			if groups != sum(s.Acked) {
				t.Fatalf("%d in the groups, %d in all", groups, sum(s.Acked))
			}
		}
		if n := c.Baseline.Attempted + c.During.Attempted + c.After.Attempted; n != len(all) {
			t.Fatalf("%d in the parts, %d in all", n, len(all))
		}
		back := slices.Clone(all)
		slices.Reverse(back)
		if diff := cmp.Diff(c, Measure(back, p, []shard.GroupID{2})); diff != "" {
			t.Fatal(diff)
		}
	})
}

func sum(values []int) (n int) {
	for _, v := range values {
		n += v
	}
	return n
}

func TestFromLoad(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 24, 10, 0, 0, 0, pay.Beijing)
	no, err := pay.ParseOrderNo("2026112410000512000123")
	if err != nil {
		t.Fatal(err)
	}
	got := FromLoad(start, []drill.Sample{
		{Due: start.Add(sec), Done: start.Add(2 * sec), Answer: drill.Acked, Order: order.Order{No: no, Group: 3}},
		{Due: start.Add(2 * sec), Done: start.Add(3 * sec), Answer: drill.Failed},
		{Due: start.Add(3 * sec), Done: start.Add(3 * sec)},
	}, func(asked pay.OrderNo) shard.GroupID {
		if asked != no {
			t.Errorf("asked for %s", asked)
		}
		return 2
	})
	want := []Sample{
		{Due: sec, Done: 2 * sec, Answer: drill.Acked, Group: 3, Past: 2},
		{Due: 2 * sec, Done: 3 * sec, Answer: drill.Failed},
		{Due: 3 * sec, Done: 3 * sec, Answer: Dropped},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
