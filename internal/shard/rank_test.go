package shard

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"paytool/internal/pay"
)

func weights(ws ...int) Topology {
	reports := make([]Report, 0, len(ws))
	for i, w := range ws {
		g := GroupID(i + 1)
		reports = append(reports, Report{Group: g, State: GroupActive, Weight: w, Epoch: 1,
			Claims: []Claim{{Tag: pay.Tag(g), Group: g, State: TagOwned, Epoch: 1}}})
	}
	return NewTopology(0, reports...)
}

func testKey(i int) pay.Key {
	return pay.Key{MerchantID: fmt.Sprintf("m%d", i%97), MerchantOrderNo: fmt.Sprintf("A-%d", i)}
}

// TestRankFollowsWeights compares shares of homes with shares of weights by a
// chi-square test at one in a million.
func TestRankFollowsWeights(t *testing.T) {
	ws := []int{100, 100, 50, 0, 250}
	topo := weights(ws...)
	const n = 200_000
	homes := map[GroupID]int{}
	for i := range n {
		homes[topo.Rank(testKey(i))[0]]++
	}
	chi := 0.0
	for i, w := range ws {
		want := float64(n*w) / 500
		got := float64(homes[GroupID(i+1)])
		if w == 0 {
			if got != 0 {
				t.Errorf("group %d has weight 0 and is home of %v keys", i+1, got)
			}
			continue
		}
		chi += (got - want) * (got - want) / want
	}
	if chi > 30.66 { // 3 degrees of freedom, p = 1e-6
		t.Errorf("homes %v do not follow the weights %v: chi-square %.1f", homes, ws, chi)
	}
}

// TestWeightChangeMovesOnlyItsOwnKeys: the order of any two other groups stays.
func TestWeightChangeMovesOnlyItsOwnKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := []int{rapid.IntRange(1, 300).Draw(t, "a"), rapid.IntRange(1, 300).Draw(t, "b"), rapid.IntRange(1, 300).Draw(t, "c"), rapid.IntRange(1, 300).Draw(t, "d")}
		after := slices.Clone(before)
		after[3] = rapid.IntRange(0, 300).Draw(t, "d after")
		key := testKey(rapid.IntRange(0, 1<<30).Draw(t, "key"))
		others := func(t Topology) []GroupID {
			return slices.DeleteFunc(t.Rank(key), func(g GroupID) bool { return g == 4 })
		}
		if a, b := others(weights(before...)), others(weights(after...)); !slices.Equal(a, b) {
			t.Fatalf("%v became %v", a, b)
		}
	})
}

func TestRankIsAPermutationOfActiveGroups(t *testing.T) {
	topo := NewTopology(0,
		Report{Group: 3, State: GroupActive, Weight: 1, Epoch: 1},
		Report{Group: 1, State: GroupDraining, Weight: 100, Epoch: 1},
		Report{Group: 7, State: GroupActive, Weight: 1, Epoch: 1},
		Report{Group: 9, State: GroupActive, Weight: -5, Epoch: 1},
		Report{Group: 4, State: GroupJoining, Weight: 5, Epoch: 1},
	)
	got := topo.Rank(testKey(1))
	slices.Sort(got)
	if !slices.Equal(got, []GroupID{3, 7}) {
		t.Errorf("ranked %v", got)
	}
}

func TestRankRandomFollowsWeights(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	topo := weights(100, 300)
	second := 0
	const n = 100_000
	for range n {
		if topo.RankRandom("m", rng.Uint64)[0] == 2 {
			second++
		}
	}
	if share := float64(second) / n; math.Abs(share-0.75) > 0.01 {
		t.Errorf("group 2 has three quarters of the weight and %.3f of the orders", share)
	}
}

func TestTopologyHighestEpochWins(t *testing.T) {
	topo := NewTopology(1,
		Report{Group: 1, State: GroupActive, Weight: 1, Epoch: 3, Claims: []Claim{
			{Tag: 1, Group: 1, State: TagOwned, Epoch: 1}, {Tag: 4, Group: 1, State: TagOwned, Epoch: 7},
		}},
		Report{Group: 4, State: GroupMoved, Weight: 0, Epoch: 6, Claims: []Claim{{Tag: 4, Group: 4, State: TagMoved, Epoch: 7}}},
		Report{Group: 2, State: GroupActive, Weight: 1, Epoch: 2, Claims: []Claim{{Tag: 2, Group: 2, State: TagFenced, Epoch: 2}}},
	)
	if topo.Epoch != 7 {
		t.Errorf("epoch = %d, want the highest claim's", topo.Epoch)
	}
	mustNo := func(s string) pay.OrderNo {
		no, err := pay.ParseOrderNo(s)
		if err != nil {
			t.Fatal(err)
		}
		return no
	}
	base := "201609121215432322199"
	for no, want := range map[string]GroupID{base + "1": 1, base + "4": 1, base + "2": 2, base + "04": 1, base: 1} {
		if got, err := topo.Locate(mustNo(no)); err != nil || got != want {
			t.Errorf("%s lies in %d (%v), want %d", no, got, err, want)
		}
	}
	if _, err := topo.Locate(mustNo(base + "9")); err == nil {
		t.Error("tag 9 was never given out and is located all the same")
	}
	if h := topo.History(4); len(h) != 2 || h[0].Group != 1 || h[1].State != TagMoved {
		t.Errorf("history of tag 4: %+v", h)
	}
	if got := topo.TagsOf(1); !slices.Equal(got, []pay.Tag{1, 4}) {
		t.Errorf("group 1 owns %v", got)
	}
}

func TestLegacyNumberNeedsALegacyGroup(t *testing.T) {
	no, err := pay.ParseOrderNo("201609121215432322199")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := weights(1, 1).Locate(no); err == nil {
		t.Error("a legacy number was located without a legacy group")
	}
}

func BenchmarkRank5(b *testing.B) {
	topo := weights(100, 100, 100, 100, 100)
	key := testKey(1)
	b.ReportAllocs()
	for b.Loop() {
		topo.Rank(key)
	}
}
