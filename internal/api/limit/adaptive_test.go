package limit_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"paytool/internal/api/limit"
)

// feed tells of n requests a millisecond apart, each of the same time and load.
func feed(a *limit.Adaptive, start time.Time, n int, took time.Duration, underWay int) time.Time {
	for i := range n {
		a.Done(start.Add(time.Duration(i)*time.Millisecond), took, underWay)
	}
	return start.Add(time.Duration(n) * time.Millisecond)
}

func TestAdaptive(t *testing.T) {
	t.Parallel()
	const start = 100
	for _, c := range []struct {
		name string
		feed func(a *limit.Adaptive, at time.Time)
		want func(limit int) bool
	}{
		{"grows while it is used up and quick", func(a *limit.Adaptive, at time.Time) { feed(a, at, 1000, 10*time.Millisecond, start) }, func(l int) bool { return l > start }},
		{"stays while there is room", func(a *limit.Adaptive, at time.Time) { feed(a, at, 1000, 10*time.Millisecond, 10) }, func(l int) bool { return l == start }},
		{"shrinks when most are slow", func(a *limit.Adaptive, at time.Time) { feed(a, at, 1000, 60*time.Millisecond, start) }, func(l int) bool { return l < start/2 }},
		{"comes back after a bad moment", func(a *limit.Adaptive, at time.Time) {
			at = feed(a, at, 1000, 60*time.Millisecond, start)
			feed(a, at, 5000, 10*time.Millisecond, 3)
		}, func(l int) bool { return l == start }},
		{"stays while one group of four hangs", func(a *limit.Adaptive, at time.Time) {
			for i := range 1000 {
				took := 10 * time.Millisecond
				if i%4 == 0 {
					took = 250 * time.Millisecond
				}
				a.Done(at.Add(time.Duration(i)*time.Millisecond), took, 10)
			}
		}, func(l int) bool { return l == start }},
		{"believes no two samples", func(a *limit.Adaptive, at time.Time) {
			a.Done(at, time.Second, start)
			a.Done(at.Add(time.Minute), time.Second, start)
		}, func(l int) bool { return l == start }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := limit.NewAdaptive(limit.AdaptiveOptions{Start: start})
			c.feed(a, time.Unix(1_700_000_000, 0))
			if got := a.Limit(); !c.want(got) {
				t.Errorf("the limit went from %d to %d", start, got)
			}
		})
	}
}

// Whatever it is told, the limit stays between its bounds.
func TestAdaptiveBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := limit.NewAdaptive(limit.AdaptiveOptions{Start: 20, Min: 10, Max: 30})
		at := time.Unix(1_700_000_000, 0)
		for range rapid.IntRange(1, 40).Draw(t, "windows") {
			took := time.Duration(rapid.IntRange(0, 1000).Draw(t, "ms")) * time.Millisecond
			at = feed(a, at, rapid.IntRange(1, 300).Draw(t, "samples"), took, rapid.IntRange(0, 100).Draw(t, "under way"))
			if l := a.Limit(); l < 10 || l > 30 {
				t.Fatalf("the limit is %d", l)
			}
		}
	})
}
