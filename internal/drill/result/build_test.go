package result

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"paytool/internal/drill"
	"paytool/internal/drill/curve"
	"paytool/internal/drill/plan"
	"paytool/internal/shard"
)

func TestHeld(t *testing.T) {
	t.Parallel()
	r := Build(good())
	if r.Verdict != Held || r.Exit != 0 || len(r.Reasons) != 0 {
		t.Fatalf("%s, exit %d: %v", r.Verdict, r.Exit, r.Reasons)
	}
	if r.Baseline != (Baseline{P50Ms: 2, P99Ms: 2, Rate: 200}) {
		t.Errorf("baseline %+v", r.Baseline)
	}
	if want := (During{Attempted: 2000, Acked: 2000, P50Ms: 2, P99Ms: 32, MaxMs: 32, Hops: 500}); r.During != want {
		t.Errorf("during %+v, want %+v", r.During, want)
	}
	if *r.TimeToEjectMs != 301 || *r.TimeToReadmitMs != 640 || r.MTTRMs != nil {
		t.Errorf("ejected after %v, readmitted after %v, MTTR %v", *r.TimeToEjectMs, *r.TimeToReadmitMs, r.MTTRMs)
	}
	if r.InjectedMs != 5000 || r.RestoredMs != 15_000 || r.LoadMs != 20_000 {
		t.Errorf("injected at %v, restored at %v, ended at %v", r.InjectedMs, r.RestoredMs, r.LoadMs)
	}
	for i := 1; i < len(r.Timeline); i++ {
		if r.Timeline[i].At.Before(r.Timeline[i-1].At) {
			t.Errorf("event %d is out of order", i)
		}
	}
}

func bad(kind func(v *drill.Verify) *int) func(in *Input) {
	return func(in *Input) {
		if in.Verify != nil {
			*kind(in.Verify) = 2
		}
	}
}

func faults(text string) func(in *Input) {
	return func(in *Input) { in.Plan.Method[0].Fault = text }
}

func hypothesis(f func(h *plan.Hypothesis)) func(in *Input) {
	return func(in *Input) { f(&in.Plan.Hypothesis) }
}

func nothingHops(in *Input) {
	in.from(0, 20_000, func(s *curve.Sample) { s.Past = 0 })
}

// rules are the rules of the verdict, each broken alone.
var rules = []struct {
	name   string
	change func(in *Input)
	want   Verdict
	says   string
}{
	{"a guard", func(in *Input) { in.Refused = "outside the window" }, Refused, "refused: outside the window"},

	{"not restored", func(in *Input) { in.Restore = Restore{Detail: "group 2 takes no canary"} }, RestoreFailed, "not restored: group 2 takes no canary"},

	{"lost", bad(func(v *drill.Verify) *int { return &v.Lost }), Broken, "2 acknowledged orders are lost"},
	{"doubled", bad(func(v *drill.Verify) *int { return &v.Doubled }), Broken, "2 orders are there twice"},
	{"diverged", bad(func(v *drill.Verify) *int { return &v.Diverged }), Broken, "2 orders are not the same on all nodes of their group"},
	{"corrupt", bad(func(v *drill.Verify) *int { return &v.Corrupt }), Broken, "2 orders are not as they were acknowledged"},
	{"phantom", bad(func(v *drill.Verify) *int { return &v.Phantom }), Broken, "2 orders are there though their client was told that they failed"},
	{"unexpected", bad(func(v *drill.Verify) *int { return &v.Unexpected }), Broken, "2 orders are there that were never sent"},
	{"sums", bad(func(v *drill.Verify) *int { v.FoundFen++; return &v.Recovered }), Broken, "the sum of the orders found is 1 fen off the ledger's"},
	{"one copy", func(in *Input) {
		in.Events = append(in.Events, Event{At: at(6_000), Kind: SemisyncOff, Group: 1}, Event{At: at(6_100), Kind: SemisyncOn, Group: 1})
	}, Broken, "5 orders were acknowledged while semi-sync was off"},
	{"the commits with which semi-sync fell, and the next", func(in *Input) {
		in.from(6_000, 6_004, func(s *curve.Sample) { s.Group, s.Done = 1, s.Due+100*time.Millisecond })
		in.from(6_085, 6_120, func(s *curve.Sample) { s.Group, s.Past = 1, 0 }) // from the first, done at 6,100, to the last before 6,151: eight
		in.Events = append(in.Events, Event{At: at(6_150), Kind: SemisyncOff, Group: 1, Since: at(5_950), Wait: 100 * time.Millisecond}, Event{At: at(6_151), Kind: SemisyncOn, Group: 1})
	}, Broken, "8 orders were acknowledged while semi-sync was off"},
	{"orders that another commit's end released", func(in *Input) {
		in.from(6_000, 6_004, func(s *curve.Sample) { s.Group, s.Done = 1, s.Due+82*time.Millisecond })
		in.Events = append(in.Events, Event{At: at(6_090), Kind: SemisyncOff, Group: 1, Since: at(6_050), Alone: at(6_045), Wait: 100 * time.Millisecond}, Event{At: at(6_091), Kind: SemisyncOn, Group: 1})
	}, Broken, "3 orders were acknowledged while semi-sync was off"},
	{"one copy to the end", func(in *Input) {
		in.Events = append(in.Events, Event{At: at(19_900), Kind: SemisyncOff, Group: 1})
	}, Broken, "5 orders were acknowledged while semi-sync was off"},

	{"a node unread", bad(func(v *drill.Verify) *int { return &v.Unread }), Inconclusive, "2 nodes could not be read"},
	{"no ledger", func(in *Input) {
		in.Plan.Load.Observe = true
		if in.Verify != nil {
			in.Verify.Acked, in.Verify.AckedFen, in.Verify.FoundFen = 0, 0, 0
		}
	}, Inconclusive, "nobody kept a ledger: 4000 orders were found and held against each other, and whether any is missing cannot be told"},
	{"doubts open", bad(func(v *drill.Verify) *int { return &v.DoubtsOpen }), Inconclusive, "2 doubts are still open"},
	{"not verified", func(in *Input) { in.Verify = nil }, Inconclusive, "the data was not verified"},
	{"no effect", func(in *Input) { in.Effectless = []string{"hang in group 2"} }, Inconclusive, "the fault had no effect: hang in group 2"},
	{"not injected", func(in *Input) { in.Events = nil }, Inconclusive, "no fault was injected"},
	{"no baseline", func(in *Input) { in.Samples = in.Samples[1000:] }, Inconclusive, "no order was acknowledged before the fault"},
	{"nothing hopped", nothingHops, Inconclusive, "no order went past a broken group: nothing was avoided"},
	{"hops past others", func(in *Input) {
		in.from(0, 20_000, func(s *curve.Sample) {
			if s.Past == 2 {
				s.Past = 4
			}
		})
	}, Inconclusive, "no order went past a broken group: nothing was avoided"},
	{"lost_commit settles none", func(in *Input) { faults("lost_commit")(in); in.Settled = 0 }, Inconclusive, "no order without an answer was settled: the fault struck none"},
	{"semisync_stall settles none", func(in *Input) { faults("semisync_stall")(in); in.Settled = 0 }, Inconclusive, "no order without an answer was settled: the fault struck none"},
	{"beside another fault", func(in *Input) { faults("latency+lost_commit")(in); in.Settled = 0 }, Inconclusive, "no order without an answer was settled: the fault struck none"},

	{"stopped", func(in *Input) { in.Stopped = "more than 20 % of the orders failed" }, Stopped, "ended early: more than 20 % of the orders failed"},

	{"failed", func(in *Input) {
		in.from(7_000, 7_004, func(s *curve.Sample) { s.Answer = drill.Failed })
	}, Deviated, "not as expected: failed"},
	{"unknown", func(in *Input) {
		in.from(7_000, 7_004, func(s *curve.Sample) { s.Answer = drill.Unknown })
	}, Deviated, "not as expected: failed"},
	{"dropped", func(in *Input) {
		in.from(7_000, 7_004, func(s *curve.Sample) { s.Answer = curve.Dropped })
	}, Deviated, "not as expected: failed"},
	{"failed as the group came back", func(in *Input) {
		in.from(16_000, 16_004, func(s *curve.Sample) { s.Answer = drill.Failed })
	}, Deviated, "not as expected: failed"},
	{"slow", func(in *Input) {
		in.from(5_000, 15_000, func(s *curve.Sample) {
			if s.Past == 2 {
				s.Done = s.Due + 43*time.Millisecond
			}
		})
	}, Deviated, "not as expected: p99_delta"},
	{"max", hypothesis(func(h *plan.Hypothesis) { h.Max = 31 * time.Millisecond }), Deviated, "not as expected: max"},
	{"eject", hypothesis(func(h *plan.Hypothesis) { h.Eject = 300 * time.Millisecond }), Deviated, "not as expected: eject"},
	{"never ejected", func(in *Input) {
		in.Plan.Hypothesis.Eject = time.Hour
		in.Events = slices.DeleteFunc(in.Events, func(e Event) bool { return e.Kind == Ejected })
	}, Deviated, "not as expected: eject"},
	{"readmit", hypothesis(func(h *plan.Hypothesis) { h.Readmit = 600 * time.Millisecond }), Deviated, "not as expected: readmit"},
	{"mttr", func(in *Input) { in.Plan.Hypothesis.MTTR, in.MTTR = 30*time.Second, new(31*time.Second) }, Deviated, "not as expected: mttr"},
	{"mttr not measured", hypothesis(func(h *plan.Hypothesis) { h.MTTR = 30 * time.Second }), Deviated, "not as expected: mttr"},
}

func TestEveryRule(t *testing.T) {
	t.Parallel()
	for _, tc := range rules {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			in := good()
			tc.change(&in)
			r := Build(in)
			if r.Verdict != tc.want || r.Exit != tc.want.Exit() {
				t.Errorf("%s, exit %d, want %s: %v", r.Verdict, r.Exit, tc.want, r.Reasons)
			}
			if !slices.ContainsFunc(r.Reasons, func(r Reason) bool { return r.Verdict == tc.want && r.String() == tc.says }) {
				t.Errorf("nobody says %q: %v", tc.says, r.Reasons)
			}
		})
	}
}

// A gap is judged with the dip that makes it.
func TestGap(t *testing.T) {
	t.Parallel()
	in := good()
	in.from(8_000, 9_100, func(s *curve.Sample) { s.Done = 9100 * time.Millisecond })
	r := Build(in)
	if r.Verdict != Deviated || r.LongestGapMs < 1000 {
		t.Errorf("%s with a gap of %v ms", r.Verdict, r.LongestGapMs)
	}
}

// What the design allows passes.
func TestStillHeld(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(in *Input){
		"no unknown outcome, and the fault makes none": func(in *Input) { in.Settled = 0 },
		"recovered orders":             func(in *Input) { in.Verify.Recovered = 4 },
		"latency: nobody needs to hop": func(in *Input) { faults("latency")(in); nothingHops(in) },
		"exactly as slow as allowed":   func(in *Input) { in.Plan.Hypothesis.P99Delta = 30 * time.Millisecond },
		"semi-sync off in a group that took no order": func(in *Input) {
			in.Events = append(in.Events, Event{At: at(5_100), Kind: SemisyncOff, Group: 2}, Event{At: at(14_900), Kind: SemisyncOn, Group: 2})
		},
		"an order under way as semi-sync went off": func(in *Input) {
			in.Events = append(in.Events, Event{At: at(6_001), Kind: SemisyncOff, Group: 1}, Event{At: at(6_019), Kind: SemisyncOn, Group: 1})
		},
		"slow orders as semi-sync fell after a longer wait": func(in *Input) {
			in.from(6_000, 6_020, func(s *curve.Sample) { s.Done += 25 * time.Millisecond })
			in.Events = append(in.Events, Event{At: at(6_151), Kind: SemisyncOff, Group: 1, Since: at(5_950), Wait: 2 * time.Second}, Event{At: at(6_152), Kind: SemisyncOn, Group: 1})
		},
		"one failed order, where the plan allows for it": func(in *Input) {
			in.Plan.Hypothesis.Failed = 1
			in.from(7_000, 7_004, func(s *curve.Sample) { s.Answer = drill.Failed })
		},
	} {
		in := good()
		change(&in)
		if r := Build(in); r.Verdict != Held {
			t.Errorf("%s: %s: %v", name, r.Verdict, r.Reasons)
		}
	}
}

// The worst wins: 7 > 6 > 8 > 5 > 4.
func TestWorstWins(t *testing.T) {
	t.Parallel()
	ranked := []Verdict{RestoreFailed, Broken, Inconclusive, Stopped, Deviated, Held}
	exits := []int{7, 6, 8, 5, 4, 0}
	for i, worse := range ranked {
		if worse.Exit() != exits[i] {
			t.Errorf("%s exits with %d", worse, worse.Exit())
		}
		for _, better := range ranked[i:] {
			if got := Worst(better, worse); got != worse {
				t.Errorf("%s and %s make %s", better, worse, got)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		in := good()
		worst := Held
		broken := rapid.SliceOfNDistinct(rapid.IntRange(1, len(rules)-1), 1, 4, rapid.ID).Draw(t, "rules")
		slices.Sort(broken)
		slices.Reverse(broken) // those further down take away what those above add to
		for _, i := range broken {
			rules[i].change(&in)
			worst = Worst(worst, rules[i].want)
		}
		r := Build(in)
		if in.Verify != nil && in.Verify.Unread > 0 && in.Verify.AckedFen != in.Verify.FoundFen {
			worst = Worst(Inconclusive, r.Verdict) // what is missing may lie on the nodes that nobody read
		}
		// A stopped drill is asked for no proof, and one that nobody verified for no data.
		if in.Stopped == "" && in.Verify != nil && r.Verdict != worst && Worst(r.Verdict, worst) != r.Verdict {
			t.Fatalf("%s, want %s or worse: %v", r.Verdict, worst, r.Reasons)
		}
		for i := 1; i < len(r.Reasons); i++ {
			if Worst(r.Reasons[i-1].Verdict, r.Reasons[i].Verdict) != r.Reasons[i-1].Verdict {
				t.Fatalf("not sorted: %v", r.Reasons)
			}
		}
	})
}

func TestStoppedBeforeTheFault(t *testing.T) {
	t.Parallel()
	in := good()
	in.Events, in.Samples, in.Stopped = nil, in.Samples[:600], "paytool drill stop"
	r := Build(in)
	if r.Verdict != Stopped || r.During.Attempted != 0 {
		t.Errorf("%s, during %+v: %v", r.Verdict, r.During, r.Reasons)
	}
}

func TestTwoGroupsTellTheSlower(t *testing.T) {
	t.Parallel()
	in := good()
	in.Targets = []shard.GroupID{2, 3}
	in.Events = []Event{
		{At: at(5_000), Kind: Injected, Group: 2}, {At: at(5_010), Kind: Injected, Group: 3},
		{At: at(5_100), Kind: Ejected, Group: 3}, {At: at(5_300), Kind: Ejected, Group: 2},
		{At: at(15_000), Kind: Recovered},
		{At: at(15_400), Kind: Readmitted, Group: 2}, {At: at(15_900), Kind: Readmitted, Group: 3},
	}
	r := Build(in)
	if *r.TimeToEjectMs != 300 || *r.TimeToReadmitMs != 900 {
		t.Errorf("ejected after %v, readmitted after %v", *r.TimeToEjectMs, *r.TimeToReadmitMs)
	}
	in.Events = in.Events[:len(in.Events)-1]
	if r := Build(in); r.TimeToReadmitMs != nil {
		t.Errorf("readmitted after %v, and group 3 never was", *r.TimeToReadmitMs)
	}
}

// TestTimeToReadmit: from when the group could take orders again, whatever else is put
// right later.
func TestTimeToReadmit(t *testing.T) {
	t.Parallel()
	before := []Event{{At: at(5_000), Kind: Injected, Group: 2}, {At: at(5_300), Kind: Ejected, Group: 2, Detail: "crash"}}
	for name, c := range map[string]struct {
		events []Event
		want   float64 // -1: null
	}{
		"promoted, and the old primary is back later": {[]Event{{At: at(6_000), Kind: Promoted, Group: 2}, {At: at(6_450), Kind: Readmitted, Group: 2}, {At: at(15_000), Kind: Recovered}}, 450},
		"back before the promotion is told":           {[]Event{{At: at(5_900), Kind: Readmitted, Group: 2}, {At: at(6_000), Kind: Promoted, Group: 2}, {At: at(15_000), Kind: Recovered}}, 0},
		"back before it is proven":                    {[]Event{{At: at(14_900), Kind: Readmitted, Group: 2}, {At: at(15_000), Kind: Recovered}}, 0},
		"promoted, and never back":                    {[]Event{{At: at(6_000), Kind: Promoted, Group: 2}, {At: at(15_000), Kind: Recovered}}, -1},
		"in between, and out again":                   {[]Event{{At: at(7_000), Kind: Readmitted, Group: 2}, {At: at(7_500), Kind: Ejected, Group: 2}, {At: at(15_000), Kind: Recovered}, {At: at(15_200), Kind: Readmitted, Group: 2}}, 200},
	} {
		in := good()
		in.Events = append(slices.Clone(before), c.events...)
		got := -1.0
		if r := Build(in); r.TimeToReadmitMs != nil {
			got = *r.TimeToReadmitMs
		}
		if got != c.want {
			t.Errorf("%s: after %v ms, want %v", name, got, c.want)
		}
	}
}

// The keys that programs rely on are there whatever happened.
func TestJSONKeys(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]Result{"held": Build(good()), "refused": Build(Input{Refused: "no", Plan: plan.Defaults()})} {
		text, err := json.Marshal(r.Summary)
		if err != nil {
			t.Fatal(err)
		}
		var tree map[string]any
		if err := json.Unmarshal(text, &tree); err != nil {
			t.Fatal(err)
		}
		want := "affected baseline drill_id during exit fault groups longest_gap_ms mttr_ms report restore time_to_eject_ms time_to_readmit_ms verdict verify"
		if got := strings.Join(slices.Sorted(maps.Keys(tree)), " "); got != want {
			t.Errorf("%s: %s", name, got)
		}
		for key, want := range map[string]string{
			"baseline": "p50_ms p99_ms rate",
			"during":   "acked attempted dropped failed hops max_ms p50_ms p99_ms rejected unknown",
			"affected": "merchants orders_waiting terminals",
			"verify":   "acked acked_fen corrupt diverged doubled doubts_open found found_fen lost ok phantom problems recovered unexpected unread",
			"restore":  "detail ms ok",
		} {
			if got := strings.Join(slices.Sorted(maps.Keys(tree[key].(map[string]any))), " "); got != want {
				t.Errorf("%s: %s has %s", name, key, got)
			}
		}
	}
}

func TestJSONReadsBack(t *testing.T) {
	t.Parallel()
	r := Build(good())
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back Result
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(back)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(text), string(again)); diff != "" {
		t.Error(diff)
	}
}
