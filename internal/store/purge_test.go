package store

import (
	"testing"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

func TestPurgeShadow(t *testing.T) {
	b := newBed(t)
	ctx := b.ctx()
	const old = purgeAtOnce + 50
	shadowOrder := func(i int) order.Order {
		o := newOrder(t, i)
		o.Key.MerchantID, o.Shadow = pay.ShadowMerchant, true
		return o
	}
	doubt := order.Doubt{OrderNo: taggedNumber(t, 1, 2), OldGroup: 2, Winner: number(t, 0), Created: t0}
	settled := order.Doubt{OrderNo: taggedNumber(t, 2, 2), OldGroup: 2, Winner: number(t, 1), Created: t0}
	err := write(ctx, b.group, func(tx order.Tx) error {
		for i := range old + 3 {
			o := shadowOrder(i)
			switch i {
			case old: // too young
				o.Created = t0.Add(time.Hour)
			case old + 1: // real
				o.Key.MerchantID, o.Shadow = "m1", false
			case old + 2: // of a tag that lives elsewhere now
				o.No = taggedNumber(t, i, 3)
			}
			if err := tx.InsertOrder(ctx, o); err != nil {
				return err
			}
			if i%100 != 1 {
				continue
			}
			refund, hop := newRefund(o.No, "r1", t0), order.Hop{OrderNo: o.No, Above: 2, Key: o.Key, Created: t0}
			if _, err := tx.PutRefund(ctx, refund); err != nil {
				return err
			}
			if _, err := tx.PutRevoke(ctx, order.Revoke{OrderNo: o.No, No: "v1", Version: 1}); err != nil {
				return err
			}
			if _, err := tx.PutTask(ctx, order.Task{ID: "t" + o.No.String(), OrderNo: o.No, Version: 1}); err != nil {
				return err
			}
			if err := tx.InsertHops(ctx, []order.Hop{hop}); err != nil {
				return err
			}
		}
		return tx.InsertDoubts(ctx, []order.Doubt{doubt, settled})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.group.SettleDoubt(ctx, settled, order.Tombstoned, t0); err != nil {
		t.Fatal(err)
	}
	before := t0.Add(time.Minute)
	purge := func(limit, want int) {
		t.Helper()
		if n, err := b.group.PurgeShadow(ctx, before, limit); n != want || err != nil {
			t.Errorf("purged %d, %v, want %d", n, err, want)
		}
	}
	if n, err := b.group.CountShadow(ctx, before); n != old-1 || err != nil {
		t.Errorf("counted %d, %v, want %d: the one of an open doubt stays", n, err, old-1)
	}
	purge(10, 10)
	purge(10_000, old-11)
	purge(10_000, 0)
	for table, want := range map[string]int{"orders": 4, "outbox": 4, "refunds": 0, "revokes": 0, "tasks": 0, "hops": 0, "doubts": 1} {
		if n := b.count(table); n != want {
			t.Errorf("%d rows are left in %s, want %d", n, table, want)
		}
	}
	if err := b.group.SettleDoubt(ctx, doubt, order.Kept, t0); err != nil {
		t.Fatal(err)
	}
	purge(10_000, 1)
	if n := b.count("doubts"); n != 0 {
		t.Errorf("%d doubts are left", n)
	}
}
