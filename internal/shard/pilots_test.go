package shard

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"paytool/internal/pay"
)

func keyOf(merchant string, i int) pay.Key {
	return pay.Key{MerchantID: merchant, MerchantOrderNo: fmt.Sprintf("A-%d", i)}
}

// joiner is what a third group says of itself that joins two.
type joiner struct {
	state  GroupState
	weight int
	pilots []string
}

// along is the topology after each of the third group's states, a minute apart, with the
// record that a group keeps of them. The first was always there.
func along(course ...joiner) (topologies []Topology) {
	var last Group
	var shares []Share
	for i, j := range course {
		r := Report{Group: 3, State: j.state, Weight: j.weight, Pilots: j.pilots, Epoch: int64(i + 1)}
		now := GroupOf(r)
		if i > 0 {
			if !now.TakesAs(last) {
				if len(shares) == 0 {
					shares = append(shares, last.Record())
				}
				since := now.Record()
				since.Since = noon.Add(time.Duration(i) * time.Minute)
				shares = append(shares, since)
			}
			r.Shares, r.Changed = slices.Clone(shares), shares[len(shares)-1].Since
		}
		last = now
		topologies = append(topologies, NewTopology(0,
			Report{Group: 1, State: GroupActive, Weight: 100, Epoch: 1}, Report{Group: 2, State: GroupActive, Weight: 100, Epoch: 1}, r))
	}
	return topologies
}

var (
	waits    = joiner{state: GroupJoining}
	piloting = joiner{GroupJoining, 100, []string{"m2", "m1", "m2"}}
	another  = joiner{GroupJoining, 100, []string{"m3"}}
	little   = joiner{GroupActive, 1, []string{"m1", "m2"}} // whom an active group does not heed
	all      = joiner{state: GroupActive, weight: 100}
)

// TestPilotsAlone: the share of the pilots' keys is the group's share of the weights, and
// of other merchants' it is none.
func TestPilotsAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		at   joiner
		want map[string]float64 // of keys whose home is the third group
	}{
		{"no pilots", joiner{GroupJoining, 100, nil}, map[string]float64{"m1": 0, "m3": 0}},
		{"no weight", joiner{GroupJoining, 0, []string{"m1"}}, map[string]float64{"m1": 0}},
		{"pilots", piloting, map[string]float64{"m1": 1. / 3, "m2": 1. / 3, "m3": 0, "": 0}},
		{"active", joiner{GroupActive, 100, []string{"m1"}}, map[string]float64{"m1": 1. / 3, "m3": 1. / 3}},
		{"draining", joiner{GroupDraining, 100, []string{"m1"}}, map[string]float64{"m1": 0, "m3": 0}},
	} {
		topo := along(c.at)[0]
		for merchant, want := range c.want {
			const n = 20_000
			home, random, rng := 0, 0, rand.New(rand.NewPCG(1, 2))
			for i := range n {
				if topo.Rank(keyOf(merchant, i))[0] == 3 {
					home++
				}
				if topo.RankRandom(merchant, rng.Uint64)[0] == 3 {
					random++
				}
			}
			for how, got := range map[string]int{"by key": home, "by chance": random} {
				if share := float64(got) / n; math.Abs(share-want) > 0.02 || want == 0 && got > 0 {
					t.Errorf("%s: %.3f of the orders of %q, %s, want %.3f", c.name, share, merchant, how, want)
				}
			}
		}
	}
}

func TestPastsWithPilots(t *testing.T) {
	t.Parallel()
	drained := along(waits, piloting)[1]
	drained.Groups[0].Weight, drained.Groups[0].Changed = 0, noon.Add(2*time.Minute)
	drained.Groups[0].Shares = []Share{{Share: 100}, {Share: 0, Since: drained.Groups[0].Changed}}
	for _, c := range []struct {
		name string
		topo Topology
		want [][]int
	}{
		{"in force", along(waits, piloting)[1], [][]int{{100, 100, 0}}},
		{"others since", along(waits, piloting, another)[2], [][]int{{100, 100, 0}, {100, 100, 100}, {100, 100, 0}}},
		{"over", along(waits, piloting, little)[2], [][]int{{100, 100, 0}, {100, 100, 100}, {100, 100, 0}}},
		{"while another group drains", drained, [][]int{{100, 100, 0}, {100, 100, 100}, {100, 100, 0}}},
	} {
		list, known := c.topo.pasts(noon)
		if got := spread(list); !known || !slices.EqualFunc(got, c.want, slices.Equal) {
			t.Errorf("%s: %v, known %v; want %v", c.name, got, known, c.want)
		}
	}

	// More than can be told apart.
	reports := make([]Report, mostTogether+2)
	for i := range reports {
		reports[i] = Report{Group: GroupID(i + 1), State: GroupJoining, Weight: 100, Pilots: []string{"m1"}, Epoch: 1,
			Shares: []Share{{}, {Share: 100, Pilots: true, Since: noon.Add(time.Duration(i) * time.Minute)}}}
		reports[i].Changed = reports[i].Shares[1].Since
	}
	if list, known := NewTopology(0, reports...).pasts(noon.Add(-time.Second)); known {
		t.Errorf("tells %d pasts of six groups with pilots apart", len(list))
	}
}

// TestRetriesFindPilotsOrders: an attempt of a key is found where the weights of its time
// had sent it, by an engine that saw each change, by one that missed those in between,
// and by one that started after the last.
func TestRetriesFindPilotsOrders(t *testing.T) {
	t.Parallel()
	for name, course := range map[string][]joiner{
		"pilots come":           {waits, piloting},
		"all merchants follow":  {waits, piloting, little},
		"pilots are taken back": {waits, piloting, waits},
		"other pilots":          {waits, piloting, another},
		"and again":             {waits, piloting, waits, another, little},
		"from all to few":       {all, piloting, all},
	} {
		for _, engine := range []string{"saw each", "missed some", "started after"} {
			t.Run(name+", "+engine, func(t *testing.T) {
				t.Parallel()
				stages := along(course...)
				now := stages[len(stages)-1]
				heard := map[string][]Topology{"saw each": stages, "missed some": {stages[0], now}, "started after": {now}}[engine]
				s := newScene(t, heard[0])
				for _, topo := range heard[1:] {
					s.now = topo.Changed
					s.f.SetTopology(topo, s.now)
				}
				if engine == "started after" {
					s.f = NewFleet(FleetOptions{}, now, now.Changed)
					s.now = now.Changed
				}
				for g := range GroupID(3) {
					s.probe(g+1, "")
				}
				s.after(time.Second)
				s.findsAll(stages)
				s.after(15 * time.Minute)
				for i := range 50 {
					if p := s.plan(keyOf("m1", i)); len(p.Lookup) > 0 {
						t.Fatalf("still asks %v after the retry window", p.Lookup)
					}
				}
			})
		}
	}
}

// findsAll wants the home that each key had at each stage to be asked, and to be named by
// the order's hop record.
func (s *scene) findsAll(stages []Topology) {
	s.Helper()
	for i, stage := range stages {
		for _, merchant := range []string{"m1", "m2", "m3", "m4"} {
			for k := range 100 {
				key := keyOf(merchant, k)
				home, p := stage.Rank(key)[0], s.plan(key)
				if home != p.Tries[0] && (!slices.Contains(p.Lookup, home) || !slices.Contains(p.Above(p.Tries[0]), home)) {
					s.Fatalf("the home of %s at stage %d is group %d: tries %v first, asks %v, hop record names %v", key, i, home, p.Tries[0], p.Lookup, p.Above(p.Tries[0]))
				}
			}
		}
	}
}

// TestChangeOfPilotsWithoutRecord: an engine remembers whose orders a group took, also
// where the group does not.
func TestChangeOfPilotsWithoutRecord(t *testing.T) {
	t.Parallel()
	stages := along(waits, piloting, another)
	for _, topo := range stages {
		topo.Groups[2].Shares, topo.Groups[2].Changed = nil, time.Time{}
	}
	s := newScene(t, stages[0])
	for _, topo := range stages[1:] {
		s.after(time.Second)
		s.f.SetTopology(topo, s.now)
	}
	s.findsAll(stages)
	for i := range 100 {
		if p := s.plan(keyOf("m4", i)); len(p.Lookup) > 0 {
			t.Fatalf("asks %v for an order of a merchant that was never among them", p.Lookup)
		}
	}
}

func BenchmarkRankPilots(b *testing.B) {
	topo := along(piloting)[0]
	key := keyOf("m1", 1)
	b.ReportAllocs()
	for b.Loop() {
		topo.Rank(key)
	}
}
