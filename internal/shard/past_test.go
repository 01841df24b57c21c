package shard

import (
	"slices"
	"testing"
	"time"
)

var noon = time.Unix(1_700_000_000, 0)

// withRecord has a group say which shares it had.
func withRecord(t Topology, g GroupID, shares ...Share) Topology {
	last := shares[len(shares)-1]
	t.Groups[g-1].Weight, t.Groups[g-1].Shares, t.Groups[g-1].Changed = last.Share, shares, last.Since
	t.Changed = last.Since
	return t
}

// spread lists the shares of topologies, for comparisons.
func spread(list []past) (shares [][]int) {
	for _, p := range list {
		var of []int
		for _, g := range p.topo.Groups {
			of = append(of, g.Share())
		}
		shares = append(shares, of)
	}
	return shares
}

func TestPasts(t *testing.T) {
	t.Parallel()
	minute := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Minute) }
	grown := withRecord(weights(100, 0), 2, Share{Share: 0}, Share{Share: 1, Since: minute(-20)}, Share{Share: 12, Since: minute(-10)}, Share{Share: 100, Since: minute(-5)})
	both := withRecord(withRecord(weights(100, 100, 100), 2, Share{Share: 100}, Share{Share: 0, Since: noon.Add(-3 * time.Second)}),
		3, Share{Share: 100}, Share{Share: 0, Since: noon.Add(-2 * time.Second)})
	var long []Share
	for i := range MostShares {
		long = append(long, Share{Share: i, Since: noon.Add(time.Duration(i-MostShares) * 10 * time.Second)})
	}
	for _, tt := range []struct {
		name  string
		topo  Topology
		want  [][]int
		known bool
	}{
		{"nothing ever changed", weights(100, 100), nil, true},
		{"step by step", grown, [][]int{{100, 1}, {100, 12}}, true},
		{"two at once", both, [][]int{{100, 100, 100}, {100, 0, 100}, {100, 100, 0}}, true},
		{"more than is kept", withRecord(weights(100, 100), 1, long...), nil, false},
		{"long ago", withRecord(weights(100, 100), 1, Share{Share: 100}, Share{Share: 50, Since: minute(-16)}), nil, true},
	} {
		list, known := tt.topo.pasts(minute(-15))
		if got := spread(list); known != tt.known || !slices.EqualFunc(got, tt.want, slices.Equal) {
			t.Errorf("%s: %v, known %v; want %v", tt.name, got, known, tt.want)
		}
	}
}

// TestStartWithARecord: an instance that starts after weights were changed looks where
// they had sent the key, and nowhere else.
func TestStartWithARecord(t *testing.T) {
	t.Parallel()
	all := weights(100, 100, 100)
	topo := withRecord(weights(100, 100, 0), 3, Share{Share: 100}, Share{Share: 0, Since: newScene(t, all).now.Add(-time.Minute)})
	s := newScene(t, topo)
	for i := range 200 {
		key := testKey(i)
		p, home := s.plan(key), all.Rank(key)[0]
		var want []GroupID
		if home == 3 {
			want = []GroupID{3}
		}
		if !slices.Equal(p.Lookup, want) && len(p.Lookup)+len(want) > 0 {
			t.Fatalf("key %d, whose home was %d: asks %v", i, home, p.Lookup)
		}
	}
	s.after(15 * time.Minute)
	if p := s.plan(testKey(5)); len(p.Lookup) != 0 {
		t.Errorf("still asks %v after the retry window", p.Lookup)
	}
}
