package order_test

import (
	"context"
	"testing"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// owes puts a paid order whose money is on its way back: with its refunds as they are
// and the open task.
func (s *shop) owes(o order.Order, refunds ...order.Refund) order.Order {
	s.t.Helper()
	now := s.bed.clock.Now()
	s.put(o)
	s.within(o.Group, o.No, func(ctx context.Context, tx order.Tx) error {
		for _, r := range refunds {
			r.OrderNo, r.Created, r.Updated, r.Version, r.OpID = o.No, now, now, 1, "put"
			if _, err := tx.PutRefund(ctx, r); err != nil {
				return err
			}
		}
		_, err := tx.PutTask(ctx, order.Task{ID: "money_back-" + o.No.String(), Kind: order.TaskMoneyBack, OrderNo: o.No, Merchant: o.Key.MerchantID,
			Amount: o.Amount, State: order.TaskOpen, Detail: "the key was paid twice", Created: now, Deadline: now, Due: now, Version: 1})
		return err
	})
	return o
}

// TestRule8TheRestGoesBackToo: a merchant's refund was under way when the money began
// to go back, and the channel closed it: what it would have given back goes under a
// further number.
func TestRule8TheRestGoesBackToo(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		o := s.draft(1, newKey(), pay.Paid)
		o.Refunded = 750
		s.owes(o, order.Refund{No: "k1", Amount: 500, State: pay.RefundClosed}, order.Refund{No: "B1-" + o.No.String(), Amount: 750, State: pay.RefundDone})
		eventually(t, "all of the money is back", func() bool {
			task, _ := s.task(order.TaskMoneyBack, o.No)
			return task.State == order.TaskDone
		})
		if row := s.row(o.No); row.Refunded != row.Amount {
			t.Errorf("%d of %d fen are back", row.Refunded, row.Amount)
		}
		if n := s.till.count(o.No); n.refunds != 1 {
			t.Errorf("the channel was sent %d refunds, want the one of the rest", n.refunds)
		}
	})
}

// TestRule8NoRefundBesideARevoke: the cashier's revoke of a paid order is open when its
// task comes due: it is carried on, and nothing is refunded beside it.
func TestRule8NoRefundBesideARevoke(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		s.till.limits.RevokeWithin = 1 // too late for a revoke of money back's own
		o := s.draft(1, newKey(), pay.Revoking)
		s.owes(o)
		s.within(1, o.No, func(ctx context.Context, tx order.Tx) error {
			_, err := tx.PutRevoke(ctx, order.Revoke{OrderNo: o.No, No: "R1-" + o.No.String(), Amount: o.Amount, State: order.RevokeRequested, By: pay.ByCashier,
				Created: b.clock.Now(), Updated: b.clock.Now(), Version: 1, OpID: "put"})
			return err
		})
		s.till.says(func(w *words) { w.query = always(order.RevokedByChannel) })
		s.lapse("the money is back", func() bool {
			task, _ := s.task(order.TaskMoneyBack, o.No)
			return task.State == order.TaskDone
		})
		s.want(o.No, pay.Revoked)
		if n := s.till.count(o.No); n.refunds != 0 || len(s.refunds(o.No)) != 0 {
			t.Errorf("%d refunds were sent beside the revoke", n.refunds)
		}
	})
}
