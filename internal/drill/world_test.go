package drill

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// world is a run and the nodes that it ran on, as tests build them: three groups
// of a primary and two replicas. Tag n belongs to group n.
type world struct {
	run    *Run
	nodes  []Node
	rows   map[Node][]order.Order
	unread []Node
	doubts int
	given  int // numbers given out
}

const worldGroups = 3

func newWorld() *world {
	w := &world{
		run:  &Run{Header: testHeader(), Intents: map[string]*Intent{}},
		rows: map[Node][]order.Order{},
	}
	for g := shard.GroupID(1); g <= worldGroups; g++ {
		for _, name := range []string{"primary", "replica1", "replica2"} {
			w.nodes = append(w.nodes, Node{Name: fmt.Sprintf("g%d-%s", g, name), Group: g, Primary: name == "primary"})
		}
	}
	return w
}

func testHeader() Header {
	return Header{Run: "cafe0001", Merchant: pay.ShadowMerchant, Prefix: "load-cafe0001-", Shadow: true,
		Started: time.Date(2026, 3, 1, 9, 0, 0, 0, pay.Beijing)}
}

// node is the primary (0) or a replica (1, 2) of a group.
func (w *world) node(g shard.GroupID, i int) Node { return w.nodes[(int(g)-1)*3+i] }

// number gives out the next order number of a tag.
func (w *world) number(tag pay.Tag) pay.OrderNo {
	w.given++
	no, err := pay.NewOrderNo(testHeader().Started, 7, w.given, tag, 1)
	if err != nil {
		panic(err)
	}
	return no
}

// order is a row as a create of the run writes it.
func (w *world) order(key string, g shard.GroupID) order.Order {
	return order.Order{
		No: w.number(pay.Tag(g)), Key: pay.Key{MerchantID: w.run.Merchant, MerchantOrderNo: key},
		Attempt: 1, State: pay.Created, Amount: 100, Shadow: true, Version: 1,
	}
}

// void turns an order into the VOID row that names its twin.
func void(o order.Order, twin pay.OrderNo) order.Order {
	o.State, o.TwinOf, o.Version = pay.Void, twin, o.Version+1
	return o
}

// put writes a row on every node of a group.
func (w *world) put(g shard.GroupID, o order.Order) {
	for i := range 3 {
		n := w.node(g, i)
		w.rows[n] = append(w.rows[n], o)
	}
}

// change rewrites a row on a node; the change reports whether it stays.
func (w *world) change(n Node, no pay.OrderNo, change func(*order.Order) bool) {
	var kept []order.Order
	for _, o := range w.rows[n] {
		if o.No != no || change(&o) {
			kept = append(kept, o)
		}
	}
	w.rows[n] = kept
}

// everywhere rewrites a row on every node.
func (w *world) everywhere(no pay.OrderNo, f func(*order.Order) bool) {
	for _, n := range w.nodes {
		w.change(n, no, f)
	}
}

func drop(*order.Order) bool { return false }

// intent notes an order of 100 fen and its answer; acks are the numbers given.
func (w *world) intent(key string, a Answer, acks ...pay.OrderNo) {
	i := &Intent{Amount: 100, Attempt: 1}
	switch a {
	case Acked:
		for _, no := range acks {
			i.Acks = append(i.Acks, Ack{No: no, Amount: 100})
		}
	case Unknown:
		i.open = 1
	case Failed, Rejected:
		i.declined = a
	}
	w.run.Intents[key] = i
}

// acked is an order that was acknowledged and lies where it should.
func (w *world) acked(key string, g shard.GroupID) order.Order {
	o := w.order(key, g)
	w.put(g, o)
	w.intent(key, Acked, o.No)
	return o
}

func (w *world) verdict() Verify {
	j := NewJudge(w.run, w.nodes, locateByTag)
	for _, n := range slices.Backward(w.nodes) { // replicas first: order must not matter
		for _, o := range w.rows[n] {
			j.Add(n, o)
		}
	}
	for _, n := range w.unread {
		j.Unread(n)
	}
	return j.Verdict(w.doubts)
}

func locateByTag(no pay.OrderNo) (shard.GroupID, error) {
	if no.Tag() < 1 || no.Tag() > worldGroups {
		return 0, fmt.Errorf("%w: %s", shard.ErrUnknownTag, no)
	}
	return shard.GroupID(no.Tag()), nil
}

// key is the nth key of the run.
func key(n int) string { return testHeader().key(n) }

// sums leaves the figures of a verdict that tables compare.
func sums(v Verify) Verify {
	v.Problems, v.AckedFen, v.FoundFen = nil, 0, 0
	return v
}

func wantKinds(t *testing.T, v Verify, want ...ProblemKind) {
	t.Helper()
	got := map[ProblemKind]bool{}
	for _, p := range v.Problems {
		got[p.Kind] = true
		if p.Detail == "" {
			t.Errorf("the problem %+v says nothing", p)
		}
	}
	if len(got) != len(want) {
		t.Errorf("kinds of problems: got %v, want %v", got, want)
	}
	for _, k := range want {
		if !got[k] {
			t.Errorf("no problem of kind %s in %+v", k, v.Problems)
		}
	}
}
