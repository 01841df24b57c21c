package store

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// catchUp waits until every replica has what the primary has.
func (b *bed) catchUp() {
	b.t.Helper()
	for _, r := range b.group.Nodes() {
		if err := r.CatchUp(b.ctx()); err != nil {
			b.t.Fatal(err)
		}
	}
}

// mark sets a subject on one node alone, so that an answer tells where it is from.
func (b *bed) mark(node int, no pay.OrderNo, subject string) {
	b.t.Helper()
	conn, err := b.root(node).Conn(b.ctx())
	if err != nil {
		b.t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // a test's connection
	for _, s := range []string{"SET sql_log_bin=0", fmt.Sprintf("UPDATE pay.orders SET subject='%s' WHERE order_no='%s'", subject, no)} {
		if _, err := conn.ExecContext(b.ctx(), s); err != nil {
			b.t.Fatal(err)
		}
	}
}

func TestFindAsksAFreshReplica(t *testing.T) {
	b := newBed(t)
	b.healAfter()
	ctx := b.ctx()
	o := newOrder(t, 1)
	b.insert(o)
	l := b.lease("h1", 5, t0)
	b.probeUntil(l, "")
	b.catchUp()
	b.mark(1, o.No, "replica")
	b.mark(2, o.No, "replica")
	subject := func() string {
		t.Helper()
		got, err := b.group.Find(ctx, o.No, false)
		if err != nil {
			t.Fatal(err)
		}
		return got.Subject
	}
	for range 2 { // each replica in turn
		if s := subject(); s != "replica" {
			t.Errorf("a fresh replica was not asked: %q", s)
		}
	}

	b.exec(1, "STOP SLAVE SQL_THREAD")
	b.exec(2, "STOP SLAVE SQL_THREAD")
	later := t0.Add(freshWithin + time.Millisecond)
	if a := b.probe(l, later, later.Unix()); a.Cause != "" {
		t.Fatalf("probe: %+v", a)
	}
	for range 2 {
		if s := subject(); s != o.Subject {
			t.Errorf("a stale replica answered: %q", s)
		}
	}
	// What no replica has is asked of the primary.
	b.insert(newOrder(t, 2))
	if _, err := b.group.Find(ctx, number(t, 2), false); err != nil {
		t.Error(err)
	}
	if _, err := b.group.Find(ctx, number(t, 3), false); !errors.Is(err, order.ErrNotFound) {
		t.Errorf("no such order: %v", err)
	}
}

func TestFindWithThePrimaryOut(t *testing.T) {
	b := newBed(t)
	b.healAfter()
	o := newOrder(t, 1)
	b.insert(o)
	b.catchUp()
	b.signal(0, syscall.SIGSTOP)
	defer b.signal(0, syscall.SIGCONT)
	ctx, cancel := context.WithTimeout(b.ctx(), 250*time.Millisecond)
	defer cancel()
	got, err := b.group.Find(ctx, o.No, true)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(o, got, compareNumbers); d != "" {
		t.Errorf("a replica's answer differs (-want +got):\n%s", d)
	}
	_, err = b.group.Find(ctx, number(t, 2), true)
	var f *order.Fault
	if errors.Is(err, order.ErrNotFound) || !errors.As(err, &f) || f.Cause != shard.Hang {
		t.Errorf("got %v: only the primary can say that there is no such order", err)
	}
	b.signal(1, syscall.SIGKILL) // the other replica still answers
	ctx2, cancel2 := context.WithTimeout(b.ctx(), 500*time.Millisecond)
	defer cancel2()
	for range 2 {
		if _, err := b.group.Find(ctx2, o.No, true); err != nil {
			t.Error(err)
		}
	}
}

func TestRowsReadsEveryRowOfAPrefixOnEveryNode(t *testing.T) {
	onEachKind(t, checkRowsReadsEveryRowOfAPrefixOnEveryNode)
}

func checkRowsReadsEveryRowOfAPrefixOnEveryNode(t *testing.T, b *bed) {
	ctx := b.ctx()
	const rows = 2*pageSize + 50
	err := write(ctx, b.group, func(tx order.Tx) error {
		for i := range rows {
			o := newOrder(t, i)
			o.Key.MerchantOrderNo = fmt.Sprintf("run%%1-%05d", i/3) // three rows a key, so that keys lie across pages
			if i%3 > 0 {
				o.State, o.TwinOf = pay.Void, number(t, i-i%3)
			}
			if err := tx.InsertOrder(ctx, o); err != nil {
				return err
			}
		}
		for i, key := range []string{"run", "run%", "run%2-00000", "run1-00000", "sun%1-00000"} {
			o := newOrder(t, rows+i)
			o.Key.MerchantOrderNo = key
			if err := tx.InsertOrder(ctx, o); err != nil {
				return err
			}
		}
		other := newOrder(t, rows+9)
		other.Key = pay.Key{MerchantID: "m2", MerchantOrderNo: "run%1-00000"}
		return tx.InsertOrder(ctx, other)
	})
	if err != nil {
		t.Fatal(err)
	}
	b.catchUp()
	for i, r := range b.group.Nodes() {
		if r.Primary() != (i == 0) || r.Group() != 1 {
			t.Errorf("node %d is %s, primary %v, group %d", i, r.Name(), r.Primary(), r.Group())
		}
		seen := map[pay.OrderNo]bool{}
		err := r.Rows(ctx, "m1", "run%1-", func(o order.Order) error {
			if seen[o.No] || o.Key.MerchantID != "m1" {
				t.Errorf("%s: order %s of %s came twice, or is another merchant's", r.Name(), o.No, o.Key)
			}
			seen[o.No] = true
			return nil
		})
		if err != nil || len(seen) != rows {
			t.Errorf("%s: %d rows, %v, want %d", r.Name(), len(seen), err, rows)
		}
		for from, want := range map[time.Time]int{t0: rows + 6, t0.Add(-time.Second): 0, t0.Add(time.Second): 0} {
			n, last := 0, pay.OrderNo{}
			err := r.Numbered(ctx, from, from.Add(time.Second), func(o order.Order) error {
				if n++; o.No.Compare(last) <= 0 {
					t.Errorf("%s: order %s after %s", r.Name(), o.No, last)
				}
				last = o.No
				return nil
			})
			if err != nil || n != want {
				t.Errorf("%s: %d numbered from %s, %v, want %d", r.Name(), n, from, err, want)
			}
		}
	}
	stop := errors.New("enough")
	n := 0
	err = b.group.Nodes()[0].Rows(ctx, "m1", "", func(order.Order) error { n++; return stop })
	if !errors.Is(err, stop) || n != 1 {
		t.Errorf("yield's error: %v after %d rows", err, n)
	}
}

func TestCatchUpWaitsForTheReplica(t *testing.T) {
	b := newBed(t)
	b.healAfter()
	b.exec(1, "STOP SLAVE SQL_THREAD")
	b.insert(newOrder(t, 1))
	behind := b.group.Nodes()[1]
	ctx, cancel := context.WithTimeout(b.ctx(), 100*time.Millisecond)
	defer cancel()
	if err := behind.CatchUp(ctx); err == nil {
		t.Error("a replica that applies nothing has caught up")
	}
	b.exec(1, "START SLAVE SQL_THREAD")
	if err := behind.CatchUp(b.ctx()); err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := behind.Rows(b.ctx(), "m1", "k", func(order.Order) error { n++; return nil }); err != nil || n != 1 {
		t.Errorf("after it caught up: %d rows, %v", n, err)
	}
}

func TestStatus(t *testing.T) {
	b := newBed(t)
	b.healAfter()
	b.insert(newOrder(t, 1))
	b.catchUp()
	s := b.group.Status(b.ctx())
	for i, n := range s.Nodes {
		replica := i > 0
		if !n.Reachable() || n.Semisync != SemisyncOn || n.ReadOnly != replica || (n.Lag != nil) != replica || (n.Role == RoleReplica) != replica {
			t.Errorf("node %d: %+v", i, n)
		}
	}
	if len(s.Nodes) != 3 || s.Orders != 1 {
		t.Errorf("%d nodes, %d orders", len(s.Nodes), s.Orders)
	}
	b.exec(1, "STOP SLAVE SQL_THREAD")
	b.signal(0, syscall.SIGKILL)
	eventually(t, "the status shows it", func() bool {
		s = b.group.Status(b.ctx())
		return !s.Nodes[0].Reachable() && s.Nodes[0].Semisync == SemisyncUnknown && s.Nodes[1].Reachable() && s.Nodes[1].Semisync == SemisyncOff && s.Orders == 1
	})
}
