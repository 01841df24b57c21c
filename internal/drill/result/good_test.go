package result

import (
	"time"

	"paytool/internal/drill"
	"paytool/internal/drill/curve"
	"paytool/internal/drill/plan"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// start is when the load of a test's drill begins.
var start = time.Date(2026, 11, 24, 10, 0, 0, 0, pay.Beijing)

func at(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }

// good is a drill that held: 200 orders a second on four groups for 20 s, group 2 hangs
// from 5 s to 15 s, its orders wait 30 ms more and land in group 3.
func good() Input {
	p := plan.Defaults()
	p.Title = "Group 2 hangs"
	p.Targets.Groups = []int{2}
	p.Method = []plan.Step{{Fault: "hang", For: 10 * time.Second}}
	if err := p.Complete(); err != nil {
		panic(err)
	}
	in := Input{
		ID: "20261124-100000-hang", Plan: p, Targets: []shard.GroupID{2}, By: "li", Host: "db-ops-1", Tool: "paytool devel",
		Started: start.Add(-2 * time.Second), Ended: at(30_000), LoadStarted: start,
		Verify: &drill.Verify{OK: true, Problems: []drill.Problem{}}, Settled: 3,
		Restore: Restore{OK: true, Ms: 412}, Affected: Affected{OrdersWaiting: 17, Merchants: 9, Terminals: 12},
		Events: []Event{
			{At: at(15_000), Kind: Recovered, Group: 2, Detail: "hang"}, // not in order
			{At: at(5_000), Kind: Injected, Group: 2, Detail: "hang"},
			{At: at(5_301), Kind: Ejected, Group: 2, Detail: "hang"},
			{At: at(15_640), Kind: Readmitted, Group: 2},
		},
	}
	for i := range 4000 {
		due := time.Duration(i) * 5 * time.Millisecond
		s := curve.Sample{Due: due, Done: due + 2*time.Millisecond, Answer: drill.Acked, Group: shard.GroupID(i%4 + 1)}
		if s.Group == 2 && due >= 5*time.Second && due < 15*time.Second {
			s.Group, s.Past, s.Done = 3, 2, due+32*time.Millisecond
		}
		in.Samples = append(in.Samples, s)
	}
	in.Verify.Acked, in.Verify.Found = len(in.Samples), len(in.Samples)
	in.Verify.AckedFen, in.Verify.FoundFen = 1_000_000, 1_000_000
	return in
}

// from changes the samples that fall due within some milliseconds.
func (in *Input) from(first, last int, f func(s *curve.Sample)) {
	for i := range in.Samples {
		if due := in.Samples[i].Due.Milliseconds(); due >= int64(first) && due < int64(last) {
			f(&in.Samples[i])
		}
	}
}
