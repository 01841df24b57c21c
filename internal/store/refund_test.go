package store

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"paytool/internal/order"
	"paytool/internal/pay"
)

func newRefund(no pay.OrderNo, refundNo string, created time.Time) order.Refund {
	return order.Refund{OrderNo: no, No: refundNo, Amount: 100, State: pay.RefundRequested, Created: created, Due: created, Version: 1, OpID: "op", Updated: created}
}

// put writes a record in a transaction of its own.
func (b *bed) put(f func(tx order.Tx) (bool, error)) (done bool, err error) {
	b.t.Helper()
	err = write(b.ctx(), b.group, func(tx order.Tx) (err error) {
		done, err = f(tx)
		return err
	})
	return done, err
}

func (b *bed) putRefund(r order.Refund) (bool, error) {
	b.t.Helper()
	return b.put(func(tx order.Tx) (bool, error) { return tx.PutRefund(b.ctx(), r) })
}

func (b *bed) putRevoke(r order.Revoke) (bool, error) {
	b.t.Helper()
	return b.put(func(tx order.Tx) (bool, error) { return tx.PutRevoke(b.ctx(), r) })
}

func TestRefunds(t *testing.T) { onEachKind(t, checkRefunds) }

func checkRefunds(t *testing.T, b *bed) {
	ctx := b.ctx()
	no := number(t, 1)
	second := newRefund(no, "r1", t0.Add(time.Second))
	first := newRefund(no, "r2", t0)
	other := newRefund(number(t, 2), "r1", t0.Add(-time.Second)) // the same number, of another order
	for _, r := range []order.Refund{second, first, other} {
		if done, err := b.putRefund(r); !done || err != nil {
			t.Fatalf("new refund: %v, %v", done, err)
		}
	}
	if done, err := b.putRefund(first); done || !errors.Is(err, order.ErrDuplicateNo) {
		t.Errorf("a number that is taken: %v, %v", done, err)
	}
	due, err := b.group.DueRefunds(ctx, t0, 10)
	if d := cmp.Diff([]order.Refund{other, first}, due, compareNumbers); err != nil || d != "" {
		t.Errorf("due refunds (-want +got): %v\n%s", err, d)
	}

	done := first
	done.State, done.ChannelNo, done.Detail, done.Accepted, done.Done = pay.RefundDone, "ch1", "well", t0.Add(time.Second), t0.Add(time.Minute)
	done.Due, done.Tries, done.Version, done.OpID, done.Updated = time.Time{}, 3, 2, "op2", t0.Add(time.Hour)
	if ok, err := b.putRefund(done); !ok || err != nil {
		t.Errorf("over version 1: %v, %v", ok, err)
	}
	if ok, err := b.putRefund(done); ok || err != nil {
		t.Errorf("over version 1, which is gone: %v, %v", ok, err)
	}
	want := []order.Refund{done, second}
	read, err := b.group.ReadRefunds(ctx, no)
	if d := cmp.Diff(want, read, compareNumbers); err != nil || d != "" {
		t.Errorf("read (-want +got): %v\n%s", err, d)
	}
	err = write(ctx, b.group, func(tx order.Tx) error {
		locked, err := tx.LockRefunds(ctx, no)
		if d := cmp.Diff(want, locked, compareNumbers); d != "" {
			t.Errorf("locked (-want +got):\n%s", d)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestRevokes(t *testing.T) { onEachKind(t, checkRevokes) }

func checkRevokes(t *testing.T, b *bed) {
	ctx := b.ctx()
	r := order.Revoke{OrderNo: number(t, 1), No: "v1", Amount: 1250, State: order.RevokeRequested, By: pay.ByTimetable, Created: t0, Version: 1, OpID: "op", Updated: t0}
	if done, err := b.putRevoke(r); !done || err != nil {
		t.Fatalf("new revoke: %v, %v", done, err)
	}
	if done, err := b.putRevoke(r); done || !errors.Is(err, order.ErrDuplicateNo) {
		t.Errorf("a number that is taken: %v, %v", done, err)
	}
	r.State, r.Money, r.By, r.Detail, r.Done, r.Version, r.OpID, r.Updated = order.RevokeDone, pay.MoneyRefunded, pay.ByChannel, "well", t0.Add(time.Second), 2, "op2", t0.Add(time.Second)
	if done, err := b.putRevoke(r); !done || err != nil {
		t.Errorf("over version 1: %v, %v", done, err)
	}
	if done, err := b.putRevoke(r); done || err != nil {
		t.Errorf("over version 1, which is gone: %v, %v", done, err)
	}
	err := write(ctx, b.group, func(tx order.Tx) error {
		locked, err := tx.LockRevokes(ctx, r.OrderNo)
		if d := cmp.Diff([]order.Revoke{r}, locked, compareNumbers); d != "" {
			t.Errorf("locked (-want +got):\n%s", d)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
