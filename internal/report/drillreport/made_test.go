package drillreport

import (
	"math/rand/v2"
	"time"

	"paytool/internal/drill"
	"paytool/internal/drill/curve"
	"paytool/internal/drill/plan"
	"paytool/internal/drill/result"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

var start = time.Date(2026, 11, 24, 10, 0, 3, 0, pay.Beijing)

func at(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }

// drilled is a drill of five groups at 200 orders a second for 20 s, of which broken
// ones hang from 5 s to 15 s.
func drilled(broken ...shard.GroupID) result.Input {
	p := plan.Defaults()
	p.Title = "每周演练：单组卡死"
	for _, g := range broken {
		p.Targets.Groups = append(p.Targets.Groups, int(g))
	}
	p.Method = []plan.Step{{Fault: "hang", For: 10 * time.Second}}
	p.Hypothesis.Eject = 350 * time.Millisecond
	if err := p.Complete(); err != nil {
		panic(err)
	}
	in := result.Input{
		ID: "20261124-100000-hang-2", Plan: p, Targets: broken, By: "li.wei", Host: "db-ops-1", Tool: "paytool devel",
		Started: start.Add(-3 * time.Second), Ended: at(31_400), LoadStarted: start, Settled: 6,
		Restore:  result.Restore{OK: true, Ms: 412},
		Affected: result.Affected{OrdersWaiting: 17, Merchants: 9, Terminals: 12},
		Verify:   &drill.Verify{OK: true, Recovered: 2, Problems: []drill.Problem{}},
	}
	in.Events = append(in.Events, result.Event{At: at(-2900), Kind: result.PhaseBegan, Detail: "gate"}, result.Event{At: start, Kind: result.PhaseBegan, Detail: "baseline"})
	for _, g := range broken {
		in.Events = append(in.Events,
			result.Event{At: at(5_000), Kind: result.Injected, Group: g, Detail: "hang"},
			result.Event{At: at(5_300), Kind: result.Ejected, Group: g, Detail: "hang"},
			result.Event{At: at(15_020), Kind: result.Recovered, Group: g, Detail: "hang"},
			result.Event{At: at(15_640), Kind: result.Readmitted, Group: g},
			result.Event{At: at(15_700), Kind: result.Canary, Group: g, Detail: "20261124100018000000122"})
	}
	in.Samples = orders(broken)
	in.Verify.Acked, in.Verify.Found = len(in.Samples), len(in.Samples)
	return in
}

func orders(broken []shard.GroupID) []curve.Sample {
	chance := rand.New(rand.NewPCG(7, 0))
	sick := func(g shard.GroupID) bool {
		for _, b := range broken {
			if g == b {
				return true
			}
		}
		return false
	}
	var all []curve.Sample
	for i := range 4000 {
		due := time.Duration(i) * 5 * time.Millisecond
		s := curve.Sample{Due: due, Answer: drill.Acked, Group: shard.GroupID(chance.IntN(5) + 1)}
		wait := time.Duration(1500+chance.IntN(1800)) * time.Microsecond
		if chance.IntN(60) == 0 {
			wait *= 3
		}
		if sick(s.Group) && due >= 5*time.Second && due < 15640*time.Millisecond {
			s.Past = s.Group
			for sick(s.Group) {
				s.Group = shard.GroupID(chance.IntN(5) + 1)
			}
			if due < 5300*time.Millisecond {
				wait += 250 * time.Millisecond
			}
		}
		s.Done = due + wait
		all = append(all, s)
	}
	return all
}

// sample are the drills that the tests draw.
func samples() map[string]result.Result {
	held := drilled(2)

	broken := drilled(2, 4)
	broken.Plan.Title = "Two groups hang"
	broken.Verify.Lost, broken.Verify.Doubled, broken.Verify.OK, broken.Verify.Found = 2, 1, false, len(broken.Samples)-2
	no, err := pay.ParseOrderNo("2026112410000512000122")
	if err != nil {
		panic(err)
	}
	broken.Verify.Problems = []drill.Problem{
		{Kind: drill.Lost, Key: "load-ab12cd34-0001022", OrderNo: no, Detail: "the order was acknowledged and no node has it"},
		{Kind: drill.Doubled, Key: "load-ab12cd34-0001033", OrderNo: no, Node: "g2-replica-1", Detail: "<script>alert(1)</script> & \"quotes\""},
	}

	deviated := drilled(3)
	deviated.Plan.Title = "Promotion drill"
	deviated.MTTR = new(8420 * time.Millisecond)
	for i := range deviated.Samples {
		if s := &deviated.Samples[i]; s.Past != 0 && s.Due > 7*time.Second && s.Due < 8*time.Second {
			s.Answer = drill.Unknown
		}
	}

	refused := result.Input{ID: "refused", Plan: held.Plan, Targets: held.Targets, Refused: "it is 09:12 in Beijing, the plan allows 10:00 to 16:00", Restore: result.Restore{OK: true}, Started: start, Ended: start}

	long := drilled(2)
	long.Verify.Unread = 1
	for i := range long.Samples { // too slow for tenths
		long.Samples[i].Due *= 30
		long.Samples[i].Done = long.Samples[i].Due + 3*time.Millisecond
	}
	for i := range long.Events {
		long.Events[i].At = start.Add(30 * long.Events[i].At.Sub(start))
	}
	long.Ended = at(900_000)
	return map[string]result.Result{
		"held": result.Build(held), "broken": result.Build(broken), "deviated": result.Build(deviated),
		"refused": result.Build(refused), "inconclusive": result.Build(long),
	}
}
