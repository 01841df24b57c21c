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
