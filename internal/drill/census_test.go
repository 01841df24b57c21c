package drill

import (
	"testing"

	"paytool/internal/order"
	"paytool/internal/pay"
)

func (w *world) census() Verify {
	c := NewCensus(w.nodes, locateByTag)
	for _, n := range w.nodes { // primaries first, as it wants it
		for _, o := range w.rows[n] {
			c.Add(n, o)
		}
	}
	for _, n := range w.unread {
		c.Unread(n)
	}
	return c.Verdict(w.doubts)
}

// TestCensus: what nodes can show against each other is found without a ledger, and what
// goes on meanwhile is not taken for damage.
func TestCensus(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(w *world)
		want   []ProblemKind
		found  int
	}{
		{"all well", func(*world) {}, nil, 2},
		{"another merchant's order of the same number", func(w *world) {
			o := w.order(key(1), 3)
			o.Key.MerchantID = "m2"
			w.put(3, o)
		}, nil, 3},
		{"paid while the nodes were read", func(w *world) {
			for i := 1; i < 3; i++ {
				w.change(w.node(1, i), w.rows[w.node(1, 0)][0].No, func(o *order.Order) bool { o.State, o.Version = pay.Paid, 2; return true })
			}
		}, nil, 2},
		{"a tombstone written after the primary was read", func(w *world) {
			w.rows[w.node(3, 1)] = append(w.rows[w.node(3, 1)], void(w.order(key(1), 3), pay.OrderNo{}))
		}, nil, 2},
		{"a twin that was voided", func(w *world) {
			w.put(3, void(w.order(key(1), 3), w.rows[w.node(1, 0)][0].No))
		}, nil, 2},
		{"two orders of a key", func(w *world) { w.put(3, w.order(key(1), 3)) }, []ProblemKind{Doubled}, 2},
		{"a replica lacks one", func(w *world) { w.change(w.node(1, 2), w.rows[w.node(1, 0)][0].No, drop) }, []ProblemKind{Diverged}, 2},
		{"another amount on a replica", func(w *world) {
			w.change(w.node(1, 2), w.rows[w.node(1, 0)][0].No, func(o *order.Order) bool { o.Amount++; return true })
		}, []ProblemKind{Diverged}, 2},
		{"in the wrong group", func(w *world) { w.put(2, w.order(key(3), 1)) }, []ProblemKind{Corrupt}, 3},
		{"a node unread", func(w *world) {
			w.unread = append(w.unread, w.node(1, 2))
			w.rows[w.node(1, 2)] = nil
		}, []ProblemKind{Unread}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.acked(key(1), 1)
			w.acked(key(2), 2)
			c.change(w)
			v := w.census()
			wantKinds(t, v, c.want...)
			if v.Found != c.found || v.Acked != 0 || v.OK != (len(c.want) == 0) {
				t.Errorf("got %+v, want %d found and nothing acked", v, c.found)
			}
		})
	}
}
