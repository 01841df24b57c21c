package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

func TestDossiers(t *testing.T) { onEachKind(t, checkDossiers) }

// checkDossiers reads more orders than a page holds, with what belongs to them, some
// of it without its order.
func checkDossiers(t *testing.T, b *bed) {
	ctx := b.ctx()
	const rows = dossierPage + 7
	err := write(ctx, b.group, func(tx order.Tx) error {
		var errs []error
		for i := range rows {
			o := newOrder(t, i)
			errs = append(errs, tx.InsertOrder(ctx, o))
			for _, number := range []string{"r1", "r2"} {
				_, err := tx.PutRefund(ctx, newRefund(o.No, number, t0))
				errs = append(errs, err)
			}
			_, err := tx.PutRevoke(ctx, order.Revoke{OrderNo: o.No, No: "v", Amount: 1, State: order.RevokeRefused, Created: t0, Version: 1})
			errs = append(errs, err)
			_, err = tx.PutTask(ctx, order.Task{ID: "refund_abnormal-" + o.No.String(), Kind: order.TaskRefund, OrderNo: o.No, State: order.TaskOpen, Version: 1})
			errs = append(errs, err)
		}
		shadow := newOrder(t, rows)
		shadow.Shadow, shadow.Key.MerchantID = true, pay.ShadowMerchant
		moved, before := newOrder(t, rows+1), newOrder(t, rows+2)
		moved.No = taggedNumber(t, rows+1, 2) // of a tag that has moved
		var err error
		if before.No, err = pay.NewOrderNo(t0.Add(-time.Second), 7, 1, 1, 1); err != nil {
			return err
		}
		errs = append(errs, tx.InsertOrder(ctx, shadow), tx.InsertOrder(ctx, moved), tx.InsertOrder(ctx, before))
		return errors.Join(errs...)
	})
	if err != nil {
		t.Fatal(err)
	}
	b.exec(0, "INSERT INTO "+b.schema+"group_state (tag, state, epoch) VALUES (2, ?, 2)", shard.TagMoved)
	gone := map[int]bool{0: true, dossierPage - 1: true, dossierPage: true, rows - 1: true} // the first, the last and around the end of a page
	for i := range gone {
		b.exec(0, "DELETE FROM "+b.schema+"orders WHERE order_no=?", number(t, i).String())
	}
	var want, got []string
	for i := range rows {
		want = append(want, fmt.Sprintf("%s %t 1 2 1 1", number(t, i), !gone[i]))
	}
	q := order.DossierQuery{From: t0, To: t0.Add(time.Second)}
	read := func(d order.Dossier) error {
		if here := !d.Order.No.IsZero(); d.Group != 1 || (here && d.Order.No != d.No) || d.Moves[0].OrderNo != d.No {
			t.Errorf("dossier %+v", d)
		}
		got = append(got, fmt.Sprintf("%s %t %d %d %d %d", d.No, !d.Order.No.IsZero(), len(d.Moves), len(d.Refunds), len(d.Revokes), len(d.Tasks)))
		return nil
	}
	source, err := b.group.Dossiers(ctx, q, read)
	if d := cmp.Diff(want, got); err != nil || d != "" || source.Node == "" || len(source.Claims) != 2 {
		t.Errorf("source %+v, %v (-want +got):\n%s", source, err, d)
	}
	q.Shadow, got = true, nil
	if _, err := b.group.Dossiers(ctx, q, read); err != nil || len(got) != 1 || got[0] != number(t, rows).String()+" true 1 0 0 0" {
		t.Errorf("shadow ones: %v, %v", got, err)
	}
	stop := errors.New("enough")
	if _, err := b.group.Dossiers(ctx, q, func(order.Dossier) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("yield's error: %v", err)
	}
}
