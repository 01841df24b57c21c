package store

import (
	"context"
	"syscall"
	"testing"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// within runs f with a deadline of its own.
func (b *bed) within(d time.Duration, f func(ctx context.Context)) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx(), d)
	defer cancel()
	f(ctx)
}

func TestFindKeyFreshWithoutThePrimary(t *testing.T) {
	b := newBed(t)
	b.healAfter()
	o := newOrder(t, 1)
	b.insert(o)
	b.catchUp()
	b.mark(1, o.No, "replica")
	b.mark(2, o.No, "replica")
	b.signal(0, syscall.SIGSTOP)
	defer b.signal(0, syscall.SIGCONT)

	found := func(what string, down bool) {
		t.Helper()
		b.within(500*time.Millisecond, func(ctx context.Context) {
			if rows, err := b.group.FindKeyFresh(ctx, o.Key, down); err != nil || len(rows) != 1 || rows[0].Subject != "replica" {
				t.Errorf("%s: %+v, %v", what, rows, err)
			}
		})
	}
	silent := func(what string) {
		t.Helper()
		b.within(500*time.Millisecond, func(ctx context.Context) {
			if rows, err := b.group.FindKeyFresh(ctx, o.Key, false); err == nil {
				t.Errorf("%s: the others answered for it: %+v", what, rows)
			}
		})
	}
	found("the primary hangs", false)
	found("the primary is known to be out", true)
	b.within(500*time.Millisecond, func(ctx context.Context) {
		if rows, err := b.group.KeyRows(ctx, o.Key); err != nil || len(rows) != 1 {
			t.Errorf("for display: %+v, %v", rows, err)
		}
	})
	b.exec(1, "STOP SLAVE SQL_THREAD")
	silent("one replica applies nothing")
	b.exec(1, "START SLAVE SQL_THREAD")
	found("it applies again", true)
	b.signal(2, syscall.SIGKILL)
	silent("one replica is dead")
	b.within(500*time.Millisecond, func(ctx context.Context) {
		if due, err := b.group.DueOrders(ctx, order.DueQuery{Now: t0, States: []pay.State{pay.Created}, Limit: 1, Down: true}); err != nil || len(due) != 0 {
			t.Errorf("due orders, of the replica that is left: %v, %v", due, err)
		}
	})
}

func TestFindKeyFreshAsksThePrimaryFirst(t *testing.T) {
	b := newBed(t)
	o := newOrder(t, 1)
	b.insert(o)
	b.catchUp()
	b.mark(1, o.No, "replica")
	b.mark(2, o.No, "replica")
	if rows, err := b.group.FindKeyFresh(b.ctx(), o.Key, false); err != nil || len(rows) != 1 || rows[0].Subject != o.Subject {
		t.Errorf("got %+v, %v", rows, err)
	}
	b.cfg.Replicas = nil
	if rows, err := b.open().FindKeyFresh(b.ctx(), o.Key, true); err != nil || len(rows) != 1 {
		t.Errorf("a group without replicas: %+v, %v", rows, err)
	}
}

func TestFindKeyFreshRefusesAReplicaThatHasNotAppliedAll(t *testing.T) {
	b := newBed(t)
	b.healAfter()
	ctx := b.ctx()
	o := newOrder(t, 1)
	b.insert(o)
	b.catchUp()
	// The applier of a replica waits for a row while more is received.
	lock, err := b.root(1).BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Rollback()
	if _, err := lock.ExecContext(ctx, "SELECT order_no FROM pay.orders WHERE order_no=? FOR UPDATE", o.No.String()); err != nil {
		t.Fatal(err)
	}
	if done, err := b.move(o, moved(o, pay.Paying), pay.ByPay); !done || err != nil {
		t.Fatalf("moved: %v, %v", done, err)
	}
	eventually(t, "it is received and not applied", func() bool {
		r, err := readReplication(ctx, b.group.replicas()[0].monitor)
		return err == nil && r.sql && r.received != r.applied
	})
	if rows, err := b.group.FindKeyFresh(ctx, o.Key, true); err == nil {
		t.Errorf("a replica that lags answered: %+v", rows)
	}
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the replicas answer", func() bool {
		rows, err := b.group.FindKeyFresh(ctx, o.Key, true)
		return err == nil && len(rows) == 1 && rows[0].State == pay.Paying
	})
}

// A replica that is restarted throws its relay log away: what it had acknowledged
// and not applied it then counts as never received.
func TestFindKeyFreshRefusesARestartedReplica(t *testing.T) {
	b := newBed(t)
	b.healAfter()
	ctx := b.ctx()
	o := newOrder(t, 1)
	b.insert(o)
	b.catchUp()
	b.exec(1, "STOP SLAVE SQL_THREAD")
	if done, err := b.move(o, moved(o, pay.Paying), pay.ByPay); !done || err != nil {
		t.Fatalf("moved: %v, %v", done, err)
	}
	b.signal(0, syscall.SIGSTOP)
	defer b.signal(0, syscall.SIGCONT)
	b.exec(1, "STOP SLAVE")
	b.exec(1, "START SLAVE")
	eventually(t, "the replica seems to have applied all", func() bool {
		r, err := readReplication(ctx, b.group.replicas()[0].monitor)
		return err == nil && r.sql && r.received == r.applied
	})
	if rows, err := b.group.FindKeyFresh(ctx, o.Key, true); err == nil {
		t.Errorf("it answered: %+v", rows)
	}
	b.signal(0, syscall.SIGCONT)
	eventually(t, "the replicas answer", func() bool {
		rows, err := b.group.FindKeyFresh(ctx, o.Key, true)
		return err == nil && len(rows) == 1 && rows[0].State == pay.Paying
	})
}

func TestMergeLive(t *testing.T) {
	t.Parallel()
	row := func(sequence, attempt int, s pay.State, version int64) order.Order {
		o := newOrder(t, sequence)
		o.Attempt, o.State, o.Version = attempt, s, version
		return o
	}
	behind := []order.Order{row(1, 1, pay.Created, 1), row(3, 3, pay.Created, 1), row(2, 2, pay.Paying, 2)}
	ahead := []order.Order{row(1, 1, pay.Void, 2), row(2, 2, pay.Paid, 3)}
	for _, answers := range [][][]order.Order{{behind, ahead}, {ahead, behind}} {
		got := mergeLive(answers)
		if len(got) != 2 || got[0].State != pay.Paid || got[0].Version != 3 || got[1].Attempt != 3 {
			t.Errorf("got %+v, want attempt 2 as it is ahead, then attempt 3", got)
		}
	}
}
