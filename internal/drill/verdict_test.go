package drill

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// One case for each row of the table of verdicts, and the traps around it.
func TestVerdict(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		build func(w *world)
		want  Verify // OK is filled in: no kinds, no doubts
		kinds []ProblemKind
	}{
		{name: "nothing sent"},
		{
			name:  "acked, once",
			build: func(w *world) { w.acked(key(1), 2) },
			want:  Verify{Acked: 1, Found: 1},
		},
		{
			name:  "acked, closed by its expiry",
			build: func(w *world) { setState(w, w.acked(key(1), 2).No, pay.Closed) },
			want:  Verify{Acked: 1, Found: 1},
		},
		{
			name:  "acked, nowhere",
			build: func(w *world) { w.everywhere(w.acked(key(1), 2).No, drop) },
			want:  Verify{Acked: 1, Lost: 1},
			kinds: []ProblemKind{Lost},
		},
		{
			name: "acked, nowhere, though the key has another order",
			build: func(w *world) {
				w.everywhere(w.acked(key(1), 2).No, drop)
				w.put(1, w.order(key(1), 1))
			},
			want:  Verify{Acked: 1, Lost: 1},
			kinds: []ProblemKind{Lost},
		},
		{
			name: "acked, payable twice",
			build: func(w *world) {
				w.acked(key(1), 2)
				w.put(1, w.order(key(1), 1))
			},
			want:  Verify{Acked: 1, Found: 1, Doubled: 1},
			kinds: []ProblemKind{Doubled},
		},
		{
			name: "acked, and an ended twin",
			build: func(w *world) {
				w.acked(key(1), 2)
				twin := w.order(key(1), 1)
				twin.State = pay.Closed
				w.put(1, twin)
			},
			want: Verify{Acked: 1, Found: 1},
		},
		{
			name:  "acked, not on a replica",
			build: func(w *world) { w.change(w.node(2, 1), w.acked(key(1), 2).No, drop) },
			want:  Verify{Acked: 1, Found: 1, Diverged: 1},
			kinds: []ProblemKind{Diverged},
		},
		{
			name:  "acked, on a replica alone",
			build: func(w *world) { w.change(w.node(2, 0), w.acked(key(1), 2).No, drop) },
			want:  Verify{Acked: 1, Found: 1, Diverged: 1},
			kinds: []ProblemKind{Diverged},
		},
		{
			name: "acked, another row on a replica",
			build: func(w *world) {
				w.change(w.node(2, 2), w.acked(key(1), 2).No, func(o *order.Order) bool { o.Amount++; return true })
			},
			want:  Verify{Acked: 1, Found: 1, Diverged: 1},
			kinds: []ProblemKind{Diverged},
		},
		{
			name: "acked, another amount",
			build: func(w *world) {
				w.everywhere(w.acked(key(1), 2).No, func(o *order.Order) bool { o.Amount++; return true })
			},
			want:  Verify{Acked: 1, Found: 1, Corrupt: 1},
			kinds: []ProblemKind{Corrupt},
		},
		{
			name: "acked, over another amount than sent",
			build: func(w *world) {
				w.acked(key(1), 2)
				w.run.Intents[key(1)].Acks[0].Amount++
			},
			want:  Verify{Acked: 1, Found: 1, Corrupt: 1},
			kinds: []ProblemKind{Corrupt},
		},
		{
			name:  "acked, another state",
			build: func(w *world) { setState(w, w.acked(key(1), 2).No, pay.Paid) },
			want:  Verify{Acked: 1, Found: 1, Corrupt: 1},
			kinds: []ProblemKind{Corrupt},
		},
		{
			name: "acked, not a shadow order any more",
			build: func(w *world) {
				w.everywhere(w.acked(key(1), 2).No, func(o *order.Order) bool { o.Shadow = false; return true })
			},
			want:  Verify{Acked: 1, Found: 1, Corrupt: 1},
			kinds: []ProblemKind{Corrupt},
		},
		{
			name: "acked, in another group than its tag's",
			build: func(w *world) {
				o := w.acked(key(1), 2)
				w.everywhere(o.No, drop)
				w.put(3, o)
			},
			want:  Verify{Acked: 1, Found: 1, Corrupt: 1},
			kinds: []ProblemKind{Corrupt},
		},
		{
			name: "acked, with a tag that nobody owns",
			build: func(w *world) {
				o := w.order(key(1), 2)
				o.No = w.number(9)
				w.put(2, o)
				w.intent(key(1), Acked, o.No)
			},
			want:  Verify{Acked: 1, Found: 1, Corrupt: 1},
			kinds: []ProblemKind{Corrupt},
		},
		{
			name: "acked, its number in two groups",
			build: func(w *world) {
				w.put(3, w.acked(key(1), 2))
			},
			want:  Verify{Acked: 1, Found: 1, Doubled: 1},
			kinds: []ProblemKind{Doubled},
		},
		{
			name: "acked, its number in two groups, of which its own is right",
			build: func(w *world) {
				o := w.acked(key(1), 2)
				o.Amount++
				w.put(1, o)
				w.put(3, o)
			},
			want:  Verify{Acked: 1, Found: 1, Doubled: 1},
			kinds: []ProblemKind{Doubled},
		},
		{
			name: "acked, under another key on a replica",
			build: func(w *world) {
				no := w.acked(key(1), 2).No
				w.change(w.node(2, 1), no, func(o *order.Order) bool { o.Key.MerchantOrderNo = key(2); return true })
				w.intent(key(2), Unknown)
				w.run.Intents[key(2)].Amount++
			},
			want:  Verify{Acked: 1, Found: 1, Diverged: 2, Recovered: 1},
			kinds: []ProblemKind{Diverged},
		},
		{
			name: "acked, its number given to another key as well",
			build: func(w *world) {
				w.intent(key(2), Acked, w.acked(key(1), 2).No)
			},
			want:  Verify{Acked: 2, Found: 1, Lost: 1, Doubled: 1},
			kinds: []ProblemKind{Lost, Doubled},
		},
		{
			name: "acked, void, and its twin lives",
			build: func(w *world) {
				w.replaceByTwin(w.acked(key(1), 2), 3)
			},
			want: Verify{Acked: 1, Found: 1},
		},
		{
			name: "acked, void, and its twin's twin lives",
			build: func(w *world) {
				w.replaceByTwin(w.replaceByTwin(w.acked(key(1), 2), 3), 1)
			},
			want: Verify{Acked: 1, Found: 1},
		},
		{
			name: "acked, void, and no twin is named",
			build: func(w *world) {
				no := w.acked(key(1), 2).No
				w.everywhere(no, func(o *order.Order) bool { *o = void(*o, pay.OrderNo{}); return true })
			},
			want:  Verify{Acked: 1, Lost: 1},
			kinds: []ProblemKind{Lost},
		},
		{
			name: "acked, void, and its twin is nowhere",
			build: func(w *world) {
				w.everywhere(w.replaceByTwin(w.acked(key(1), 2), 3).No, drop)
			},
			want:  Verify{Acked: 1, Lost: 1},
			kinds: []ProblemKind{Lost},
		},
		{
			name: "acked, and two void rows name each other",
			build: func(w *world) {
				first := w.acked(key(1), 2)
				second := w.replaceByTwin(first, 3)
				w.everywhere(second.No, func(o *order.Order) bool { *o = void(*o, first.No); return true })
			},
			want:  Verify{Acked: 1, Lost: 1},
			kinds: []ProblemKind{Lost},
		},
		{
			name: "acked, void, and its twin is another key's order",
			build: func(w *world) {
				other := w.acked(key(2), 3)
				no := w.acked(key(1), 2).No
				w.everywhere(no, func(o *order.Order) bool { *o = void(*o, other.No); return true })
			},
			want:  Verify{Acked: 2, Found: 1, Lost: 1},
			kinds: []ProblemKind{Lost},
		},
		{
			name: "acked, beside the tombstone of a doubted try",
			build: func(w *world) {
				winner := w.acked(key(1), 3)
				w.put(2, void(w.order(key(1), 2), winner.No))
			},
			want: Verify{Acked: 1, Found: 1},
		},
		{
			name: "acked twice under two numbers, and one is gone",
			build: func(w *world) {
				first := w.acked(key(1), 2)
				w.intent(key(1), Acked, first.No, w.number(3))
			},
			want:  Verify{Acked: 1, Lost: 1},
			kinds: []ProblemKind{Lost},
		},
		{
			name: "unknown, once",
			build: func(w *world) {
				w.put(2, w.order(key(1), 2))
				w.intent(key(1), Unknown)
			},
			want: Verify{Recovered: 1},
		},
		{
			name: "unknown, once and void",
			build: func(w *world) {
				w.put(2, void(w.order(key(1), 2), w.number(3)))
				w.intent(key(1), Unknown)
			},
			want: Verify{Recovered: 1},
		},
		{
			name: "unknown, once, but not what a retry would ask for",
			build: func(w *world) {
				o := w.order(key(1), 2)
				o.Amount++
				w.put(2, o)
				w.intent(key(1), Unknown)
			},
			want:  Verify{Recovered: 1, Corrupt: 1},
			kinds: []ProblemKind{Corrupt},
		},
		{
			name:  "unknown, nowhere",
			build: func(w *world) { w.intent(key(1), Unknown) },
		},
		{
			name: "unknown, payable, and acked in another group",
			build: func(w *world) {
				w.acked(key(1), 3)
				w.run.Intents[key(1)].doubted = true
				w.put(2, w.order(key(1), 2))
			},
			want:  Verify{Acked: 1, Found: 1, Doubled: 1},
			kinds: []ProblemKind{Doubled},
		},
		{
			name: "surely failed, once",
			build: func(w *world) {
				w.put(2, w.order(key(1), 2))
				w.intent(key(1), Failed)
			},
			want:  Verify{Phantom: 1},
			kinds: []ProblemKind{Phantom},
		},
		{
			name: "rejected, once and void",
			build: func(w *world) {
				w.put(2, void(w.order(key(1), 2), w.number(3)))
				w.intent(key(1), Rejected)
			},
			want:  Verify{Phantom: 1},
			kinds: []ProblemKind{Phantom},
		},
		{
			name: "surely failed, nowhere",
			build: func(w *world) {
				w.intent(key(1), Failed)
				w.intent(key(2), Rejected)
			},
		},
		{
			name:  "never sent, once",
			build: func(w *world) { w.put(2, w.order(key(1), 2)) },
			want:  Verify{Unexpected: 1},
			kinds: []ProblemKind{Unexpected},
		},
		{
			name: "rows of other runs and merchants",
			build: func(w *world) {
				w.put(2, w.order("load-beef0002-0000001", 2))
				other := w.order(key(1), 2)
				other.Key.MerchantID = "m1"
				w.put(2, other)
			},
		},
		{
			name: "a node could not be read",
			build: func(w *world) {
				w.acked(key(1), 2)
				w.unread = append(w.unread, w.node(3, 1))
			},
			want:  Verify{Acked: 1, Found: 1, Unread: 1},
			kinds: []ProblemKind{Unread},
		},
		{
			name: "what an unread node may hold is neither found nor lost",
			build: func(w *world) {
				w.everywhere(w.acked(key(1), 2).No, drop)
				w.everywhere(w.acked(key(2), 1).No, drop)
				w.unread = append(w.unread, w.node(2, 0))
			},
			want:  Verify{Acked: 2, Lost: 1, Unread: 1},
			kinds: []ProblemKind{Lost, Unread},
		},
		{
			name: "a number that nobody owns may lie on any unread node",
			build: func(w *world) {
				w.intent(key(1), Acked, w.number(9))
				w.unread = append(w.unread, w.node(2, 0))
			},
			want:  Verify{Acked: 1, Unread: 1},
			kinds: []ProblemKind{Unread},
		},
		{
			name: "a number that nobody owns and nobody has",
			build: func(w *world) {
				w.intent(key(1), Acked, w.number(9))
			},
			want:  Verify{Acked: 1, Lost: 1},
			kinds: []ProblemKind{Lost},
		},
		{
			name: "a node that was not read has not diverged",
			build: func(w *world) {
				w.change(w.node(2, 0), w.acked(key(1), 2).No, drop)
				w.unread = append(w.unread, w.node(2, 0))
			},
			want:  Verify{Acked: 1, Found: 1, Unread: 1},
			kinds: []ProblemKind{Unread},
		},
		{
			name: "a doubt is open",
			build: func(w *world) {
				w.acked(key(1), 2)
				w.doubts = 1
			},
			want: Verify{Acked: 1, Found: 1, DoubtsOpen: 1},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			if c.build != nil {
				c.build(w)
			}
			got := w.verdict()
			c.want.OK = len(c.kinds) == 0 && c.want.DoubtsOpen == 0
			if diff := cmp.Diff(c.want, sums(got)); diff != "" {
				t.Errorf("verdict (-want +got):\n%s%+v", diff, got.Problems)
			}
			wantKinds(t, got, c.kinds...)
		})
	}
}

func setState(w *world, no pay.OrderNo, s pay.State) {
	w.everywhere(no, func(o *order.Order) bool { o.State = s; return true })
}

// replaceByTwin voids an order in favour of a new twin in another group.
func (w *world) replaceByTwin(o order.Order, g pay.Tag) order.Order {
	twin := o
	twin.No = w.number(g)
	owner, _ := locateByTag(twin.No)
	w.put(owner, twin)
	w.everywhere(o.No, func(o *order.Order) bool { *o = void(*o, twin.No); return true })
	return twin
}
