package order_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// Engines with different channels share the groups: what belongs to a channel that an
// engine does not have waits for one that has it, untouched.

func TestWorkOfAnotherChannelIsLeftAlone(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		elsewhere := &till{name: s.till.name + "-b", account: "acc1", now: b.clock.Now}
		draft := func(state pay.State) order.Order {
			o := s.draft(1, newKey(), state)
			o.Channel = elsewhere.name
			return o
		}
		open := draft(pay.Paying)
		open.Due = open.Created
		s.put(open)
		refunded, twice := s.put(draft(pay.Paid)), s.put(draft(pay.Paid))
		s.within(1, refunded.No, func(ctx context.Context, tx order.Tx) error {
			now := refunded.Created
			_, err := tx.PutRefund(ctx, order.Refund{OrderNo: refunded.No, No: "r" + refunded.No.String(), Amount: 1,
				State: pay.RefundRequested, Created: now, Updated: now, Due: now, Version: 1})
			_, err2 := tx.PutTask(ctx, order.Task{ID: "money_back-" + twice.No.String(), Kind: order.TaskMoneyBack, OrderNo: twice.No,
				Merchant: "m1", Amount: amount, State: order.TaskOpen, Created: now, Deadline: now, Due: now, Version: 1})
			return errors.Join(err, err2)
		})
		var lists atomic.Int64 // two in each pass
		s.groups[0].fails(func(g *tamper) {
			g.due = func(context.Context) error {
				lists.Add(1)
				return nil
			}
		})
		eventually(t, "two passes are over", func() bool { return lists.Load() > 5 })
		task, _ := s.task(order.TaskMoneyBack, twice.No)
		if s.row(open.No).Version != 1 || s.refunds(refunded.No)[0].Version != 1 || s.row(refunded.No).Version != 1 || task.Version != 1 {
			t.Error("an engine without the channel took the work for itself")
		}
		s.open(func(o *order.Options) { o.Channels = []order.Channel{elsewhere} })
		elsewhere.says(func(w *words) { w.query = always(order.Failed) })
		s.lapse("the engine with the channel does it", func() bool {
			task, _ := s.task(order.TaskMoneyBack, twice.No)
			return s.row(open.No).State == pay.Closed && s.refunds(refunded.No)[0].State == pay.RefundDone && task.State == order.TaskDone
		})
	})
}

// TestOrdersOfAnotherChannelHideNothing has more of them due than fit into one list.
func TestOrdersOfAnotherChannelHideNothing(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		elsewhere := &till{name: s.till.name + "-b", account: "acc1", now: b.clock.Now}
		elsewhere.says(func(w *words) { w.query = always(order.Failed) })
		const many = 120
		var theirs []order.Order
		first := s.draft(1, newKey(), pay.Paying)
		s.within(1, first.No, func(ctx context.Context, tx order.Tx) error {
			for range many {
				o := s.draft(1, newKey(), pay.Paying)
				o.Channel, o.Due = elsewhere.name, o.Created.Add(-time.Minute)
				theirs = append(theirs, o)
				if err := tx.InsertOrder(ctx, o); err != nil {
					return err
				}
			}
			return nil
		})
		s.till.says(func(w *words) { w.query = s.till.success })
		first.Due = first.Created
		s.put(first)
		eventually(t, "our own order is looked at", func() bool { return s.row(first.No).State == pay.Paid })
		s.open(func(o *order.Options) { o.Channels = []order.Channel{elsewhere} }) // theirs must not lie in the way of other tests
		for _, o := range theirs {
			eventually(t, "their own engine looks at them", func() bool { return s.row(o.No).State == pay.Closed })
		}
	})
}

// TestAGroupThatHangsHoldsNobodyUp: one group answers no list of what is due, and does
// not even keep to the time that it is given.
func TestAGroupThatHangsHoldsNobodyUp(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		s.till.says(func(w *words) { w.query = s.till.success })
		asked, release := make(chan struct{}, 1), make(chan struct{})
		t.Cleanup(func() { close(release) })
		s.groups[0].fails(func(g *tamper) {
			g.due = func(context.Context) error {
				select {
				case asked <- struct{}{}:
				default:
				}
				<-release
				return asTold(order.NotCommitted)
			}
		})
		<-asked // by the background
		o := s.draft(2, newKey(), pay.Paying)
		o.Due = o.Created
		s.put(o)
		eventually(t, "the order of another group is looked at", func() bool { return s.row(o.No).State == pay.Paid })
	})
}
