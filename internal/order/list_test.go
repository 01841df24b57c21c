package order_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// TestListPagesWhileOrdersArrive pages through a merchant's orders, many of them of
// one millisecond, while new ones come in: each of the old ones shows exactly once.
func TestListPagesWhileOrdersArrive(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		merchant := newKey().MerchantOrderNo[:16]
		now := b.clock.Now()
		want := map[string]bool{}
		for i := range 300 {
			o := s.draft(shard.GroupID(1+i%3), pay.Key{MerchantID: merchant, MerchantOrderNo: fmt.Sprint("old", i)}, pay.Paid)
			o.Created = now.Add(-time.Minute + time.Duration(i/40)*time.Millisecond)
			want[s.put(o).No.String()] = true
		}
		void := s.draft(1, pay.Key{MerchantID: merchant, MerchantOrderNo: "void"}, pay.Void)
		s.put(void)

		arriving, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			var err error
			for i := 0; arriving.Err() == nil && err == nil; i++ {
				_, err = s.engine.Create(t.Context(), order.Request{Key: pay.Key{MerchantID: merchant, MerchantOrderNo: fmt.Sprint("new", i)}, Amount: amount})
			}
			done <- err
		}()
		shown := map[string]int{}
		q := order.ListQuery{Merchant: merchant, Limit: 37}
		for {
			page, err := s.engine.List(t.Context(), q)
			if err != nil || len(page.Missing) > 0 {
				t.Fatalf("%v, missing %v", err, page.Missing)
			}
			if !slices.IsSortedFunc(page.Orders, func(a, b order.Order) int { return b.Created.Compare(a.Created) }) {
				t.Fatal("a page is not sorted by time, the newest first")
			}
			for _, o := range page.Orders {
				shown[o.No.String()]++
			}
			if page.Next.IsZero() {
				break
			}
			if q.After, err = order.ParseCursor(page.Next.String()); err != nil {
				t.Fatal(err)
			}
		}
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		for no := range want {
			if shown[no] != 1 {
				t.Errorf("order %s was shown %d times", no, shown[no])
			}
		}
		for no, n := range shown {
			if n > 1 || no == void.No.String() {
				t.Errorf("order %s was shown %d times", no, n)
			}
		}
		voids, err := s.engine.List(t.Context(), order.ListQuery{Merchant: merchant, State: pay.Void, Limit: 10})
		if err != nil || len(voids.Orders) != 1 || voids.Orders[0].No != void.No {
			t.Errorf("asked for void ones: %+v, %v", voids.Orders, err)
		}
		span, err := s.engine.List(t.Context(), order.ListQuery{Merchant: merchant, From: now.Add(-time.Minute), To: now.Add(-time.Minute + 2*time.Millisecond), Limit: 100})
		if err != nil || len(span.Orders) != 80 {
			t.Errorf("%d orders of the first two milliseconds, %v, want 80", len(span.Orders), err)
		}
	})
}

// TestListNamesAGroupThatIsOut: a page without a group says so, and the others are
// on it.
func TestListNamesAGroupThatIsOut(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		key := newKey()
		key.MerchantID = key.MerchantOrderNo[:16]
		here := s.put(s.draft(1, key, pay.Paid))
		key.MerchantOrderNo += "x"
		s.put(s.draft(2, key, pay.Paid))
		s.groups[1].fails(func(g *tamper) { g.list = func() error { return errors.New("out") } })
		defer s.groups[1].heals()
		page, err := s.engine.List(t.Context(), order.ListQuery{Merchant: key.MerchantID, Limit: 10})
		if err != nil || !slices.Equal(page.Missing, []shard.GroupID{2}) || len(page.Orders) != 1 || page.Orders[0].No != here.No {
			t.Errorf("%+v, %v, want order %s alone and group 2 missing", page, err, here.No)
		}
	})
}

// TestATaskThatGoesOnIsOpenedAgain: a person closes a task, and its matter goes on.
func TestATaskThatGoesOnIsOpenedAgain(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		wrong := func(no pay.OrderNo) order.Answer {
			a := s.till.success(no)
			a.Amount++
			return a
		}
		s.till.says(func(w *words) {
			w.pay = func(c order.PayCall) order.Answer { return wrong(c.OrderNo) }
			w.query = wrong
		})
		o := s.pays(s.create().No)
		if o.State != pay.Paying {
			t.Fatalf("a success over another amount made the order %s", o.State)
		}
		s.wantTask(order.TaskContradiction, o.No, order.TaskOpen)
		id := "contradiction-" + o.No.String()
		if task, err := s.engine.CloseTask(t.Context(), id, "li.lei", "asked the channel"); err != nil || task.State != order.TaskDone || task.ClosedBy != "li.lei" {
			t.Fatalf("%+v, %v", task, err)
		}
		s.lapse("the task is open again", func() bool {
			task, found := s.task(order.TaskContradiction, o.No)
			return found && task.State == order.TaskOpen
		})
		_, err := s.engine.CloseTask(t.Context(), "money_back-"+o.No.String(), "li.lei", "I want it gone")
		wantCode(t, err, pay.CodeMoveRefused)
		_, err = s.engine.Task(t.Context(), "revoke_refused-"+o.No.String())
		wantCode(t, err, order.CodeNotFound)
	})
}
