package watch

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"paytool/internal/drill"
	"paytool/internal/drill/plan"
	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

var start = time.Date(2026, 11, 24, 10, 0, 0, 0, pay.Beijing)

func at(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }

func acked(due, wait int, g shard.GroupID) drill.Sample {
	return drill.Sample{Due: at(due), Done: at(due + wait), Answer: drill.Acked, Order: order.Order{Group: g}}
}

// watched is a watch that was told of so many orders, 10 ms apart and 2 ms long.
func watched(n int, change func(i int, s *drill.Sample)) *Watch {
	w := New(plan.Stop{FailedPercent: 20, P99: 500 * time.Millisecond, Replication: true}, []shard.GroupID{2}, start)
	for i := range n {
		s := acked(10*i, 2, shard.GroupID(i%2+1))
		change(i, &s)
		w.Told(s)
	}
	return w
}

func asItIs(int, *drill.Sample) {}

func TestLive(t *testing.T) {
	t.Parallel()
	w := watched(300, asItIs)
	w.Hopped(2, 1)
	got := w.Live(at(3000))
	want := Live{
		Totals: Totals{Attempted: 300, Acked: 300, Hops: 1}, Rate: 100, P99: 2 * time.Millisecond,
		Groups: []Group{{ID: 1, Rate: 50, Acked: 150, In: 1}, {ID: 2, Rate: 50, Acked: 150, Out: 1}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if l := w.Live(at(60_000)); l.Rate != 0 || l.Acked != 300 {
		t.Errorf("a minute later: %+v", l)
	}
}

func TestBreach(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		watch  *Watch
		now    int
		groups []State
		want   string
	}{
		{"all is well", watched(300, asItIs), 3000, []State{{ID: 1}, {ID: 2}}, ""},
		{"the target is ejected and broken", watched(300, asItIs), 3000, []State{{ID: 2, Ejected: true, Broken: "semi-sync is off"}}, ""},
		{"another group is ejected", watched(300, asItIs), 3000, []State{{ID: 1, Ejected: true}}, "groups [1] are ejected, which nobody broke"},
		{"another group's replication", watched(300, asItIs), 3000, []State{{ID: 3, Broken: "semi-sync is off"}}, "group 3, which nobody broke: semi-sync is off"},
		{"a fifth fails", watched(300, func(i int, s *drill.Sample) {
			if i%5 == 0 {
				s.Answer = drill.Failed
			}
		}), 3000, nil, ""},
		{"more than a fifth fails", watched(300, func(i int, s *drill.Sample) {
			if i%4 == 0 {
				s.Answer = drill.Unknown
			}
		}), 3000, nil, "25 of the last 100 orders were not taken, more than 20 %"},
		{"failures of the past", watched(300, func(i int, s *drill.Sample) {
			if i < 150 {
				s.Answer = drill.Failed
			}
		}), 3000, nil, ""},
		{"dropped", watched(300, func(i int, s *drill.Sample) {
			if i%2 == 0 {
				s.Answer = ""
			}
		}), 3000, nil, "50 of the last 100 orders were not taken, more than 20 %"},
		{"too few to say", watched(3, func(_ int, s *drill.Sample) { s.Answer = drill.Failed }), 100, nil, ""},
		{"few, and over a longer time", watched(12, func(i int, s *drill.Sample) {
			s.Due, s.Done, s.Answer = at(500*i), at(500*i+2), drill.Failed
		}), 5900, nil, "10 of the last 10 orders were not taken, more than 20 %"},
		{"slow", watched(300, func(i int, s *drill.Sample) {
			if i%20 == 0 {
				s.Due = s.Due.Add(-600 * time.Millisecond)
			}
		}), 3000, nil, "p99 is 602ms, more than 500ms"},
		{"nobody answers", watched(300, asItIs), 3500, nil, "no order was answered for 510ms"},
		{"nobody ever answers", watched(0, asItIs), 600, nil, "no order was answered for 600ms"},
	} {
		if got := tc.watch.Breach(at(tc.now), tc.groups); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	w := watched(0, asItIs)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 200 {
				w.Told(acked(10*i, 2, 1))
				w.Hopped(2, 1)
				w.Live(at(10 * i))
				w.Breach(at(10*i), nil)
			}
		})
	}
	all.Wait()
	if l := w.Live(at(2000)); l.Acked != 800 || l.Hops != 800 {
		t.Errorf("%+v", l)
	}
}
