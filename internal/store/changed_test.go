package store

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

func (b *bed) record(on bool) {
	b.t.Helper()
	b.exec(0, "UPDATE "+b.schema+"group_state SET recording=? WHERE tag=1", on)
}

// changed lists what is on record of a tag, and forgets it.
func (b *bed) changed(tag pay.Tag) (numbers []string) {
	b.t.Helper()
	rows, err := b.root(0).QueryContext(b.ctx(), "SELECT order_no FROM "+b.schema+"changed WHERE tag=? AND stage=0 ORDER BY order_no", tag)
	if err != nil {
		b.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var no string
		if err := rows.Scan(&no); err != nil {
			b.t.Fatal(err)
		}
		numbers = append(numbers, no)
	}
	if err := rows.Err(); err != nil {
		b.t.Fatal(err)
	}
	b.exec(0, "DELETE FROM "+b.schema+"changed")
	return numbers
}

// TestEveryChangeIsRecorded: each statement that changes rows of an order, in any
// table, puts its number on record where its tag is recorded, and nowhere else.
func TestEveryChangeIsRecorded(t *testing.T) { onEachKind(t, checkEveryChangeIsRecorded) }

func checkEveryChangeIsRecorded(t *testing.T, b *bed) {
	ctx := b.ctx()
	o, late := newOrder(t, 1), newOrder(t, 2)
	late.Due = t0.Add(time.Minute)
	elsewhere := taggedNumber(t, 9, 2)
	b.insert(o)
	b.insert(late)
	paid := o
	paid.State, paid.PaidAt, paid.Version = pay.Paid, t0, 2
	task := order.Task{ID: "money_back:9", Kind: order.TaskMoneyBack, OrderNo: elsewhere, Merchant: "m1", State: order.TaskOpen, Created: t0, Version: 1}
	for _, c := range []struct {
		name string
		want pay.OrderNo
		do   func(tx order.Tx) error
	}{
		{"insert", number(t, 3), func(tx order.Tx) error { return tx.InsertOrder(ctx, newOrder(t, 3)) }},
		{"hops", o.No, func(tx order.Tx) error {
			return tx.InsertHops(ctx, []order.Hop{{OrderNo: o.No, Above: 2, Key: o.Key, Attempt: 1, Reason: "hang", Created: t0, Due: t0}})
		}},
		{"a doubt lies with its winner", o.No, func(tx order.Tx) error {
			return tx.InsertDoubts(ctx, []order.Doubt{{OrderNo: elsewhere, OldGroup: 2, Key: o.Key, Attempt: 1, Amount: 1, Winner: o.No, Created: t0}})
		}},
		{"move", o.No, func(tx order.Tx) error {
			_, err := tx.Move(ctx, o, paid, order.Move{OrderNo: o.No, Version: 2, From: pay.Created, To: pay.Paid, By: pay.ByResolver, At: t0})
			return err
		}},
		{"refund", o.No, func(tx order.Tx) error { _, err := tx.PutRefund(ctx, newRefund(o.No, "r1", t0)); return err }},
		{"revoke", o.No, func(tx order.Tx) error {
			_, err := tx.PutRevoke(ctx, order.Revoke{OrderNo: o.No, No: "v1", State: order.RevokeRequested, Created: t0, Updated: t0, Version: 1})
			return err
		}},
		{"a task about a try elsewhere lies with the locked tag", elsewhere, func(tx order.Tx) error { _, err := tx.PutTask(ctx, task); return err }},
	} {
		b.record(true)
		if err := write(ctx, b.group, c.do); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got, want := b.changed(1), []string{c.want.String()}; !slices.Equal(got, want) {
			t.Errorf("%s: on record are %v, want %v", c.name, got, want)
		}
	}
	if n, err := b.group.Expire(ctx, 1, []pay.OrderNo{late.No}, t0.Add(time.Hour), "op"); n != 1 || err != nil {
		t.Fatalf("expired %d, %v", n, err)
	}
	if got := b.changed(1); !slices.Equal(got, []string{late.No.String()}) {
		t.Errorf("expire: on record are %v", got)
	}
	b.record(false)
	b.insert(newOrder(t, 4))
	if got := b.changed(1); len(got) != 0 {
		t.Errorf("outside a move %v were recorded", got)
	}
}

func TestAnOrderIsRecordedOnce(t *testing.T) { onEachKind(t, checkAnOrderIsRecordedOnce) }

func checkAnOrderIsRecordedOnce(t *testing.T, b *bed) {
	b.record(true)
	ctx := b.ctx()
	if err := write(ctx, b.group, func(tx order.Tx) error {
		_, err := tx.PutRefund(ctx, newRefund(number(t, 1), "r1", t0))
		return errors.Join(err, tx.InsertOrder(ctx, newOrder(t, 1)), tx.InsertOrder(ctx, newOrder(t, 2)))
	}); err != nil {
		t.Fatal(err)
	}
	if got := b.changed(1); !slices.Equal(got, []string{number(t, 1).String(), number(t, 2).String()}) {
		t.Errorf("on record are %v", got)
	}
	tx, err := b.group.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := tx.LockTag(ctx, 1, pay.Key{}); err != nil {
		t.Fatal(err)
	}
	if err := tx.InsertOrder(ctx, newOrder(t, 3)); err != nil {
		t.Fatal(err)
	}
	tx.Rollback()
	if got := b.changed(1); len(got) != 0 {
		t.Errorf("on record are %v of a transaction that was rolled back", got)
	}
}

// TestNoChangeWithoutItsRecord: where the record cannot be written, the change does
// not happen, and that is known.
func TestNoChangeWithoutItsRecord(t *testing.T) { onEachKind(t, checkNoChangeWithoutItsRecord) }

func checkNoChangeWithoutItsRecord(t *testing.T, b *bed) {
	b.record(true)
	b.exec(0, "ALTER TABLE "+b.schema+"changed RENAME TO "+b.schema+"changed_away")
	t.Cleanup(func() { b.exec(0, "ALTER TABLE "+b.schema+"changed_away RENAME TO "+b.schema+"changed") })
	err := insert(b.ctx(), b.group, newOrder(t, 1))
	var f *order.Fault
	if !errors.As(err, &f) || f.Outcome != order.NotCommitted {
		t.Errorf("%v, want not committed", err)
	}
	if _, err := b.group.Read(context.Background(), number(t, 1)); !errors.Is(err, order.ErrNotFound) {
		t.Errorf("the order is there: %v", err)
	}
}

// TestOldProgramsKeepOut: a program that records nothing may work beside this schema
// until the first tag is recorded.
func TestOldProgramsKeepOut(t *testing.T) { onEachKind(t, checkOldProgramsKeepOut) }

func checkOldProgramsKeepOut(t *testing.T, b *bed) {
	if _, needs, err := readVersion(b.ctx(), b.group.Bulk()); err != nil || needs >= recordsChanges {
		t.Fatalf("before a move it needs version %d, %v", needs, err)
	}
	t.Cleanup(func() {
		b.exec(0, "UPDATE "+b.schema+"schema_version SET min_reader=1 WHERE version=?", recordsChanges)
	})
	if err := b.group.Work(b.ctx(), "require recorders", func(q Querier) error { return RequireRecorders(b.ctx(), q) }); err != nil {
		t.Fatal(err)
	}
	if _, needs, err := readVersion(b.ctx(), b.group.Bulk()); err != nil || needs != recordsChanges {
		t.Errorf("from then on it needs version %d, %v", needs, err)
	}
	if err := b.open().Prepare(b.ctx(), 100); err != nil {
		t.Errorf("this program: %v", err)
	}
}
