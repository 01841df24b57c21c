package drill

import (
	"encoding/json"
	"testing"

	"paytool/internal/order"
)

// A diverged node is named against its primary, whichever was read first.
func TestVerdictNamesDivergedNode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		node   int
		change func(*order.Order) bool
		want   Problem
	}{
		{"missing on a replica", 2, drop, Problem{Node: "g2-replica2", Detail: "it has no such row, g2-primary has"}},
		{"missing on the primary", 0, drop, Problem{Node: "g2-primary", Detail: "it has no such row, g2-replica1 has"}},
		{"stale on a replica", 2, func(o *order.Order) bool { o.Version++; return true },
			Problem{Node: "g2-replica2", Detail: "its row is not the one on g2-primary"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			o := w.acked(key(1), 2)
			w.change(w.node(2, c.node), o.No, c.change)
			c.want.Kind, c.want.Key, c.want.OrderNo = Diverged, key(1), o.No
			if got := w.verdict().Problems; len(got) != 1 || got[0] != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestVerdictSums(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.acked(key(1), 1)
	w.everywhere(w.acked(key(2), 2).No, drop)
	got := w.verdict()
	if got.AckedFen != 200 || got.FoundFen != 100 {
		t.Errorf("sums: acked %d fen, found %d fen; want 200 and 100", got.AckedFen, got.FoundFen)
	}
}

// A flood of one kind neither hides the worse kinds nor makes the list grow, and
// the counts stay exact.
func TestVerdictCapsProblems(t *testing.T) {
	t.Parallel()
	w := newWorld()
	for i := range 3 * maxProblems {
		w.put(1, w.order(key(i), 1))
	}
	w.everywhere(w.acked(key(9999), 2).No, drop)
	got := w.verdict()
	if got.Unexpected != 3*maxProblems || got.Lost != 1 {
		t.Errorf("counts: %d unexpected, %d lost; want %d and 1", got.Unexpected, got.Lost, 3*maxProblems)
	}
	if len(got.Problems) != maxProblems || got.Problems[0].Kind != Lost {
		t.Errorf("%d problems, the first %+v; want %d, the lost order first", len(got.Problems), got.Problems[0], maxProblems)
	}
}

// Scripts rely on every key being there, zero included.
func TestVerifyJSON(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(newWorld().verdict())
	want := `{"acked":0,"found":0,"lost":0,"doubled":0,"diverged":0,"corrupt":0,"phantom":0,"unexpected":0,` +
		`"recovered":0,"unread":0,"doubts_open":0,"ok":true,"acked_fen":0,"found_fen":0,"problems":[]}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
}
