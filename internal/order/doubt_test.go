package order_test

import (
	"context"
	"testing"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// TestADoubtThatStaysOpenIsToldAndTakenBack: a minute after its group is back a doubt
// that cannot be settled is a task, and that ends with the doubt.
func TestADoubtThatStaysOpenIsToldAndTakenBack(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		key := newKey()
		tried, winner := s.draft(1, key, pay.Created), s.put(s.draft(2, key, pay.Created))
		s.groups[0].fails(func(g *tamper) { g.begin = func() error { return asTold(order.NotCommitted) } })
		s.within(2, winner.No, func(ctx context.Context, tx order.Tx) error {
			return tx.InsertDoubts(ctx, []order.Doubt{{OrderNo: tried.No, OldGroup: 1, Key: key, Attempt: 1, Amount: amount, Winner: winner.No, Created: b.clock.Now()}})
		})
		if _, found := s.task(order.TaskDoubt, winner.No); found {
			t.Fatal("there is a task before anybody could settle the doubt")
		}
		b.clock.forward(time.Minute)
		eventually(t, "a person is told", func() bool {
			task, found := s.task(order.TaskDoubt, winner.No)
			return found && task.State == order.TaskOpen
		})
		s.wantTask(order.TaskDoubt, winner.No, order.TaskOpen)
		s.groups[0].heals()
		eventually(t, "the doubt is settled and the task closed", func() bool {
			task, _ := s.task(order.TaskDoubt, winner.No)
			return task.State == order.TaskDone && task.ClosedBy == "engine"
		})
		if o := s.row(tried.No); o.State != pay.Void || o.TwinOf != winner.No {
			t.Errorf("the number in doubt is %s, twin of %s", o.State, o.TwinOf)
		}
	})
}

// TestDoubtsAreSettledWithoutCreates: a group that creates were ejected from, and that
// nobody creates in any more, settles what is in doubt all the same.
func TestDoubtsAreSettledWithoutCreates(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		s.groups[0].fails(func(g *tamper) { g.begin = func() error { return asTold(order.NotCommitted) } })
		for i := 0; s.engine.Fleet().Admitted(1); i++ {
			if i == 1000 {
				t.Fatal("creates did not eject the group")
			}
			s.create()
		}
		key := newKey()
		tried, winner := s.draft(1, key, pay.Created), s.put(s.draft(2, key, pay.Created))
		s.within(2, winner.No, func(ctx context.Context, tx order.Tx) error {
			return tx.InsertDoubts(ctx, []order.Doubt{{OrderNo: tried.No, OldGroup: 1, Key: key, Attempt: 1, Amount: amount, Winner: winner.No, Created: b.clock.Now()}})
		})
		s.groups[0].heals()
		eventually(t, "everything is settled", func() bool { return s.engine.Settle(s.ctx()).None() })
		if s.engine.Fleet().Admitted(1) {
			t.Fatal("the group was readmitted, and the test shows nothing")
		}
		if o := s.row(tried.No); o.State != pay.Void {
			t.Errorf("the number in doubt is %s", o.State)
		}
	})
}
