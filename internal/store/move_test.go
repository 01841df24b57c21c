package store

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// move runs one move in a transaction of its own.
func (b *bed) move(before, after order.Order, by pay.Mover) (done bool, err error) {
	b.t.Helper()
	ctx := b.ctx()
	err = write(ctx, b.group, func(tx order.Tx) (err error) {
		done, err = tx.Move(ctx, before, after, order.Move{
			OrderNo: before.No, Version: before.Version + 1, From: before.State, To: after.State, By: by, OpID: after.OpID, At: after.Updated, Detail: "why",
		})
		return err
	})
	return done, err
}

// moved is the order after a move: its version and operation are the next ones.
func moved(before order.Order, to pay.State) order.Order {
	after := before
	after.State, after.OpID, after.Updated = to, before.OpID+"+", before.Updated.Add(time.Second)
	return after
}

func TestMoveIsACompareAndSet(t *testing.T) { onEachKind(t, checkMoveIsACompareAndSet) }

func checkMoveIsACompareAndSet(t *testing.T, b *bed) {
	ctx := b.ctx()
	created := newOrder(t, 1)
	b.insert(created)
	paying := moved(created, pay.Paying)
	paying.Channel, paying.Account, paying.TerminalID = "alipay", "pid", "t9"
	paying.SendBy, paying.Due, paying.Tries, paying.RiskDouble = t0.Add(3*time.Second), t0.Add(time.Minute), 2, true

	elsewhere := created
	elsewhere.Version = 2
	sent := created
	sent.State = pay.Paying
	for name, before := range map[string]order.Order{"another version": elsewhere, "another state": sent} {
		if done, err := b.move(before, paying, pay.ByPay); done || err != nil {
			t.Errorf("moved from %s: %v, %v", name, done, err)
		}
	}
	if done, err := b.move(created, paying, pay.ByPay); !done || err != nil {
		t.Fatalf("moved: %v, %v", done, err)
	}
	paying.Version = 2
	if d := cmp.Diff(paying, b.find(created.No), compareNumbers); d != "" {
		t.Errorf("the row differs (-want +got):\n%s", d)
	}
	if done, err := b.move(created, paying, pay.ByPay); done || err != nil {
		t.Errorf("moved twice: %v, %v", done, err)
	}

	paid := moved(paying, pay.Paid)
	paid.PaidAt, paid.ChannelTradeNo, paid.Refunded, paid.Due = t0.Add(time.Second), "ch1", 5, time.Time{}
	if done, err := b.move(paying, paid, pay.BySuccess); !done || err != nil {
		t.Fatalf("moved: %v, %v", done, err)
	}
	paid.Version = 3
	if d := cmp.Diff(paid, b.find(created.No), compareNumbers); d != "" {
		t.Errorf("the row differs (-want +got):\n%s", d)
	}

	moves, err := b.group.Moves(ctx, created.No)
	want := []order.Move{
		{OrderNo: created.No, Version: 1, To: pay.Created, By: pay.ByCreate, OpID: created.OpID, At: created.Updated},
		{OrderNo: created.No, Version: 2, From: pay.Created, To: pay.Paying, By: pay.ByPay, OpID: paying.OpID, At: paying.Updated, Detail: "why"},
		{OrderNo: created.No, Version: 3, From: pay.Paying, To: pay.Paid, By: pay.BySuccess, OpID: paid.OpID, At: paid.Updated, Detail: "why"},
	}
	if d := cmp.Diff(want, moves, compareNumbers); d != "" || err != nil {
		t.Errorf("moves (-want +got): %v\n%s", err, d)
	}
}

func TestVoidFreesTheKeyAndASupplementTakesItBack(t *testing.T) {
	onEachKind(t, checkVoidFreesTheKeyAndASupplementTakesItBack)
}

func checkVoidFreesTheKeyAndASupplementTakesItBack(t *testing.T, b *bed) {
	ctx := b.ctx()
	created := newOrder(t, 1)
	b.insert(created)
	void := moved(created, pay.Void)
	void.TwinOf = number(t, 2)
	if done, err := b.move(created, void, pay.BySweep); !done || err != nil {
		t.Fatalf("voided: %v, %v", done, err)
	}
	void.Version = 2
	if rows, err := b.group.FindKey(ctx, created.Key); err != nil || len(rows) != 0 {
		t.Errorf("a voided order is live: %v, %v", rows, err)
	}
	if rows, err := b.group.KeyRows(ctx, created.Key); err != nil || len(rows) != 1 || rows[0].TwinOf != void.TwinOf {
		t.Errorf("all rows of the key: %v, %v", rows, err)
	}
	twin := newOrder(t, 2)
	twin.Key = created.Key
	b.insert(twin) // the key is free again

	paid := moved(void, pay.Paid)
	if done, err := b.move(void, paid, pay.BySupplement); done || !errors.Is(err, order.ErrDuplicateKey) {
		t.Errorf("a supplement beside a live twin: %v, %v", done, err)
	}
	if got := b.find(created.No); got.State != pay.Void || got.Version != 2 {
		t.Errorf("the refused supplement left %s at version %d", got.State, got.Version)
	}
	if done, err := b.move(twin, moved(twin, pay.Void), pay.ByGuard); !done || err != nil {
		t.Fatalf("voided: %v, %v", done, err)
	}
	if done, err := b.move(void, paid, pay.BySupplement); !done || err != nil {
		t.Errorf("supplement: %v, %v", done, err)
	}
	if rows, err := b.group.FindKey(ctx, created.Key); err != nil || len(rows) != 1 || rows[0].State != pay.Paid {
		t.Errorf("live rows after the supplement: %v, %v", rows, err)
	}
	tombstone := newOrder(t, 3)
	tombstone.State = pay.Void
	b.insert(tombstone)
	if moves, err := b.group.Moves(ctx, tombstone.No); err != nil || len(moves) != 1 || moves[0].By != pay.ByResolver || moves[0].To != pay.Void {
		t.Errorf("moves of a tombstone: %+v, %v", moves, err)
	}
}

func TestReadAsksThePrimary(t *testing.T) {
	b := newBed(t)
	o := newOrder(t, 1)
	b.insert(o)
	b.catchUp()
	b.mark(1, o.No, "replica")
	b.mark(2, o.No, "replica")
	if got, err := b.group.Read(b.ctx(), o.No); err != nil || got.Subject != o.Subject {
		t.Errorf("got %q, %v", got.Subject, err)
	}
	if _, err := b.group.Read(b.ctx(), number(t, 2)); !errors.Is(err, order.ErrNotFound) {
		t.Errorf("no such order: %v", err)
	}
}

func TestExpireClosesDueOrders(t *testing.T) {
	b := newBed(t)
	ctx := b.ctx()
	const all = 300
	var numbers []pay.OrderNo
	err := write(ctx, b.group, func(tx order.Tx) error {
		for i := range all {
			o := newOrder(t, i)
			o.Due = t0.Add(time.Duration(all-i) * time.Millisecond) // the last one is the longest due
			switch i {
			case 0:
				o.State = pay.Paying
			case 1:
				o.Due = t0.Add(time.Hour) // not due
			case 2:
				o.Due = time.Time{} // nothing to do
			}
			if err := tx.InsertOrder(ctx, o); err != nil {
				return err
			}
			numbers = append(numbers, o.No)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	b.catchUp()
	now := t0.Add(time.Second)
	due, err := b.group.DueOrders(ctx, order.DueQuery{Now: now, States: []pay.State{pay.Created, pay.Paying}, Limit: 2})
	if err != nil || len(due) != 2 || due[0].No != numbers[all-1] || due[1].No != numbers[all-2] {
		t.Errorf("the longest due: %v, %v", due, err)
	}
	if due, err := b.group.DueOrders(ctx, order.DueQuery{Now: now, States: []pay.State{pay.Paying}, Channels: []string{"wechat"}, Limit: all, Down: true}); err != nil || len(due) != 1 || due[0].No != numbers[0] {
		t.Errorf("due and PAYING, as a replica has it: %v, %v", due, err)
	}

	n, err := b.group.Expire(ctx, 1, numbers, now, "expire1")
	if err != nil || n != all-3 {
		t.Errorf("expired %d, %v, want %d", n, err, all-3)
	}
	got := b.find(numbers[3])
	if got.State != pay.Closed || got.Version != 2 || got.OpID != "expire1" || !got.Due.IsZero() || !got.Updated.Equal(now) {
		t.Errorf("an expired order: %+v", got)
	}
	moves, err := b.group.Moves(ctx, numbers[3])
	want := order.Move{OrderNo: numbers[3], Version: 2, From: pay.Created, To: pay.Closed, By: pay.ByExpiry, OpID: "expire1", At: now}
	if err != nil || len(moves) != 2 || cmp.Diff(want, moves[1], compareNumbers) != "" {
		t.Errorf("moves %+v, %v, want %+v", moves, err, want)
	}
	if n := b.count("outbox WHERE mover=?", pay.ByExpiry); n != all-3 {
		t.Errorf("%d moves are recorded, want %d", n, all-3)
	}
	if n, err := b.group.Expire(ctx, 1, numbers, now, "expire2"); n != 0 || err != nil {
		t.Errorf("expired %d again, %v", n, err)
	}

	b.exec(0, "UPDATE "+b.schema+"group_state SET state=?", shard.TagFenced)
	_, err = b.group.Expire(ctx, 1, numbers, now.Add(time.Hour), "expire3")
	var f *order.Fault
	if !errors.As(err, &f) || f.Outcome != order.NotCommitted || f.Cause != "" {
		t.Errorf("expired behind a fence: %v", err)
	}
}
