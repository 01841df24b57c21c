package drill

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// anyWorld draws a world in which all is well, with an order for each way to be
// well, and the verdict that it must get.
func anyWorld(t *rapid.T) (*world, Verify) {
	w, want := newWorld(), Verify{OK: true}
	group := func() shard.GroupID { return anyGroup(t) }
	ways := []func(key string){
		func(key string) { w.acked(key, group()); want.Acked++ },
		func(key string) { w.replaceByTwin(w.acked(key, group()), pay.Tag(group())); want.Acked++ },
		func(key string) {
			w.replaceByTwin(w.replaceByTwin(w.acked(key, group()), pay.Tag(group())), pay.Tag(group()))
			want.Acked++
		},
		func(key string) {
			g := group()
			w.put(g, void(w.order(key, g), w.acked(key, group()).No))
			want.Acked++
		},
		func(key string) {
			g := group()
			w.put(g, w.order(key, g))
			w.intent(key, Unknown)
			want.Recovered++
		},
		func(key string) { w.intent(key, Unknown) },
		func(key string) { w.intent(key, Failed) },
		func(key string) { w.intent(key, Rejected) },
	}
	n := rapid.IntRange(0, 20).Draw(t, "orders")
	for i := range n {
		ways[rapid.IntRange(0, len(ways)-1).Draw(t, "way")](key(i))
	}
	want.Found = want.Acked
	return w, want
}

func anyGroup(t *rapid.T) shard.GroupID {
	return shard.GroupID(rapid.IntRange(1, worldGroups).Draw(t, "group"))
}

func TestVerdictOfConsistentWorld(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w, want := anyWorld(t)
		got := w.verdict()
		if diff := cmp.Diff(want, sums(got)); diff != "" || got.AckedFen != got.FoundFen {
			t.Fatalf("verdict (-want +got):\n%s%+v", diff, got)
		}
	})
}

// One defect in a world in which all else is well is counted once, and as what it
// is.
func TestVerdictNamesPlantedDefect(t *testing.T) {
	t.Parallel()
	victim := key(1000)
	plants := map[ProblemKind]func(t *rapid.T, w *world, want *Verify){
		Lost: func(t *rapid.T, w *world, want *Verify) {
			w.everywhere(w.acked(victim, anyGroup(t)).No, drop)
			want.Acked++
		},
		Doubled: func(t *rapid.T, w *world, want *Verify) {
			g := anyGroup(t)
			w.acked(victim, anyGroup(t))
			w.put(g, w.order(victim, g))
			want.Acked, want.Found = want.Acked+1, want.Found+1
		},
		Corrupt: func(t *rapid.T, w *world, want *Verify) {
			no := w.acked(victim, anyGroup(t)).No
			by := pay.Fen(rapid.IntRange(1, 99).Draw(t, "by"))
			w.everywhere(no, func(o *order.Order) bool { o.Amount -= by; return true })
			want.Acked, want.Found = want.Acked+1, want.Found+1
		},
		Diverged: func(t *rapid.T, w *world, want *Verify) {
			g := anyGroup(t)
			change := drop
			if rapid.Bool().Draw(t, "stale") {
				change = func(o *order.Order) bool { o.Version++; return true }
			}
			w.change(w.node(g, rapid.IntRange(0, 2).Draw(t, "node")), w.acked(victim, g).No, change)
			want.Acked, want.Found = want.Acked+1, want.Found+1
		},
		Phantom: func(t *rapid.T, w *world, _ *Verify) {
			g := anyGroup(t)
			w.put(g, w.order(victim, g))
			w.intent(victim, rapid.SampledFrom([]Answer{Failed, Rejected}).Draw(t, "answer"))
		},
		Unexpected: func(t *rapid.T, w *world, _ *Verify) {
			g := anyGroup(t)
			w.put(g, w.order(victim, g))
		},
		Unread: func(t *rapid.T, w *world, _ *Verify) {
			w.unread = append(w.unread, rapid.SampledFrom(w.nodes).Draw(t, "node"))
		},
	}
	for _, kind := range kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				w, want := anyWorld(t)
				plants[kind](t, w, &want)
				*want.count(kind)++
				want.OK = false
				got := w.verdict()
				if diff := cmp.Diff(want, sums(got)); diff != "" {
					t.Fatalf("verdict (-want +got):\n%s%+v", diff, got.Problems)
				}
				if len(got.Problems) != 1 || got.Problems[0].Kind != kind {
					t.Fatalf("problems: %+v, want one of kind %s", got.Problems, kind)
				}
			})
		})
	}
}
