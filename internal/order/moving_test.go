package order_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/store/chunk"
)

// wanderer is a tag of no group's number, which its orders leave and come back with.
const wanderer pay.Tag = 9

// wandering moves the tag between groups 1 and 2, as a person with the tools of a move
// would: what it writes are claims and copies.
type wandering struct {
	*shop
	epoch    int64
	from, to shard.GroupID
}

// wander lets group 1 own the tag, and group 2 wait for it.
func (s *shop) wander() *wandering {
	s.t.Helper()
	w := &wandering{shop: s, from: 1, to: 2}
	for _, g := range s.bed.groups {
		info, err := g.Info(s.ctx())
		if err != nil {
			s.t.Fatal(err)
		}
		w.epoch = max(w.epoch, info.Epoch)
	}
	w.epoch++
	w.claim(2, shard.TagMoved)
	w.claim(1, shard.TagOwned)
	return w
}

func (w *wandering) claim(g shard.GroupID, state shard.TagState) {
	w.t.Helper()
	if err := w.bed.groups[g-1].SetClaim(w.ctx(), shard.Claim{Tag: wanderer, Group: g, State: state, Epoch: w.epoch}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *wandering) copy() {
	w.t.Helper()
	c := chunk.Copy{Tag: wanderer}
	for side, g := range map[**chunk.Side]shard.GroupID{&c.Source: w.from, &c.Target: w.to} {
		opened, err := chunk.Open(w.ctx(), w.bed.groups[g-1])
		if err != nil {
			w.t.Fatal(err)
		}
		*side = opened
	}
	if _, err := c.Run(w.ctx(), chunk.Checkpoint{}); err != nil {
		w.t.Fatal(err)
	}
}

// move is one whole move. between is called with a copy in the target, and between the
// two halves of the switch.
func (w *wandering) move(between func()) {
	w.t.Helper()
	w.copy()
	between()
	w.epoch++
	w.claim(w.from, shard.TagFenced)
	w.copy()
	w.epoch++
	w.claim(w.to, shard.TagOwned)
	between()
	w.claim(w.from, shard.TagMoved)
	w.from, w.to = w.to, w.from
}

// draftHere is a draft in the group that owns the tag now.
func (w *wandering) draftHere(merchant string, state pay.State) order.Order {
	o := w.draft(shard.GroupID(wanderer), pay.Key{MerchantID: merchant, MerchantOrderNo: newKey().MerchantOrderNo}, state)
	o.Group = w.from
	return o
}

// TestATagMovesUnderLoad lets a tag go to and fro while two engines read, pay, revoke
// and refund its orders: each call does what it is asked for, once, and each order is
// listed once all the time.
func TestATagMovesUnderLoad(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		engines := []*order.Engine{s.engine, s.open()}
		w := s.wander()
		const many, moves = 36, 4
		merchant := newKey().MerchantOrderNo[:16]
		orders := make([]order.Order, many)
		for i := range orders {
			orders[i] = w.put(w.draftHere(merchant, []pay.State{pay.Created, pay.Created, pay.Paid}[i%3]))
		}
		for _, e := range engines {
			e.Refresh(t.Context())
		}
		ctx, stop := context.WithCancel(t.Context())
		var calls, next atomic.Int64
		var workers sync.WaitGroup
		worker := func(call func(e *order.Engine, n int) error) {
			workers.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					if err := call(engines[n%len(engines)], n); err != nil {
						t.Error(err)
						return
					}
					calls.Add(1)
				}
			})
		}
		worker(func(e *order.Engine, n int) error {
			want := orders[n%many]
			o, err := e.Get(t.Context(), want.No)
			if err == nil && o.Key != want.Key {
				err = fmt.Errorf("got %+v for order %s", o, want.No)
			}
			return err
		})
		worker(func(e *order.Engine, n int) error {
			trace, err := e.Trace(t.Context(), orders[n%many].No)
			if err == nil && (len(trace.Attempts) != 1 || len(trace.Missing) > 0) {
				err = fmt.Errorf("a trace of %s with %d attempts, missing %v", orders[n%many].No, len(trace.Attempts), trace.Missing)
			}
			return err
		})
		worker(func(e *order.Engine, _ int) error {
			page, err := e.List(t.Context(), order.ListQuery{Merchant: merchant, Limit: order.MaxPage})
			shown := map[pay.OrderNo]int{}
			for _, o := range page.Orders {
				shown[o.No]++
			}
			if err == nil && (len(shown) != many || len(page.Orders) != many || len(page.Missing) > 0) {
				err = fmt.Errorf("%d rows of %d orders listed, want %d; missing %v", len(page.Orders), len(shown), many, page.Missing)
			}
			return err
		})
		worker(func(e *order.Engine, _ int) error {
			i := int(next.Add(1) - 1)
			if i >= many {
				_, err := e.Task(t.Context(), "money_back-"+orders[i%many].No.String())
				if errors.Is(err, order.ErrNotFound) {
					err = nil
				}
				return err
			}
			var err error
			switch i % 3 {
			case 0:
				_, err = e.Pay(t.Context(), orders[i].No, order.PayRequest{AuthCode: "code"})
			case 1:
				_, err = e.Revoke(t.Context(), orders[i].No)
			case 2:
				_, _, err = e.Refund(t.Context(), orders[i].No, order.RefundRequest{No: "r" + orders[i].No.String(), Amount: 1})
			}
			return err
		})
		for n := 0; (n < moves || next.Load() < many) && !t.Failed(); n++ {
			w.move(func() {
				before := calls.Load()
				eventually(t, "work goes on", func() bool { return calls.Load() > before+10 || t.Failed() })
			})
		}
		stop()
		workers.Wait()
		if t.Failed() {
			return
		}
		for i, o := range orders {
			row, err := b.groups[w.from-1].Read(t.Context(), o.No)
			want := []pay.State{pay.Paid, pay.Closed, pay.Paid}[i%3]
			if err != nil || row.State != want || (i%3 == 2 && row.Refunded != 1) {
				t.Errorf("order %d at the end: %+v, %v, want %s", i, row, err, want)
			}
		}
		s.till.mu.Lock()
		defer s.till.mu.Unlock()
		if len(s.till.pays) != many/3 || len(s.till.refunds) != many/3 {
			t.Errorf("the channel was asked for %d payments and %d refunds, want %d of each", len(s.till.pays), len(s.till.refunds), many/3)
		}
	})
}

// TestACopyIsNobodysWork puts work that is due into a tag of which another group has a
// copy. Both groups are asked for what is due, and only the owner's counts.
func TestACopyIsNobodysWork(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		w := s.wander()
		merchant := newKey().MerchantOrderNo[:16]
		open := w.draftHere(merchant, pay.Paying)
		open.Channel, open.Due = "nobody's", open.Created
		w.put(open)
		w.within(w.from, open.No, func(ctx context.Context, tx order.Tx) error {
			now := open.Created
			if _, err := tx.PutRefund(ctx, order.Refund{OrderNo: open.No, No: "r1", Amount: 1, State: pay.RefundRequested, Created: now, Updated: now, Due: now, Version: 1}); err != nil {
				return err
			}
			if _, err := tx.PutTask(ctx, order.Task{ID: "money_back-" + open.No.String(), Kind: order.TaskMoneyBack, OrderNo: open.No, Merchant: merchant, Amount: 1,
				State: order.TaskOpen, Created: now, Deadline: now, Due: now, Version: 1}); err != nil {
				return err
			}
			return tx.InsertHops(ctx, []order.Hop{{OrderNo: open.No, Above: 3, Key: open.Key, Attempt: 1, Reason: "hang", Created: now, Due: now.AddDate(1, 0, 0)}})
		})
		counts := func(g shard.GroupID) (n [5]int) {
			group, ctx := b.groups[g-1], t.Context()
			now := open.Created
			orders, err := group.DueOrders(ctx, order.DueQuery{Now: now, States: []pay.State{pay.Paying}, Channels: []string{"nobody's"}, Limit: 1000})
			refunds, err2 := group.DueRefunds(ctx, now, 1000)
			tasks, err3 := group.Tasks(ctx, order.TaskOpen, false, 1000)
			hops, err4 := group.HopsSince(ctx, now, 1000)
			rows, err5 := group.List(ctx, order.ListQuery{Merchant: merchant, Limit: 10})
			for _, err := range []error{err, err2, err3, err4, err5} {
				if err != nil {
					t.Fatal(err)
				}
			}
			for _, o := range orders {
				n[0] += oneIf(o.No == open.No)
			}
			for _, r := range refunds {
				n[1] += oneIf(r.OrderNo == open.No)
			}
			for _, k := range tasks {
				n[2] += oneIf(k.OrderNo == open.No)
			}
			for _, h := range hops {
				n[3] += oneIf(h.OrderNo == open.No)
			}
			n[4] = len(rows)
			return n
		}
		want := func(owner, other shard.GroupID) {
			t.Helper()
			if o, c := counts(owner), counts(other); o != [5]int{1, 1, 1, 1, 1} || c != [5]int{} {
				t.Errorf("owner %d counts %v of due orders, refunds, tasks, hops and rows, group %d with the copy %v", owner, o, other, c)
			}
		}
		w.copy()
		want(1, 2)
		w.epoch++
		w.claim(1, shard.TagFenced)
		want(1, 2)
		w.epoch++
		w.claim(2, shard.TagOwned)
		w.claim(1, shard.TagMoved)
		want(2, 1)
		if _, err := b.groups[0].Read(t.Context(), open.No); !errors.Is(err, order.ErrNotOwned) {
			t.Errorf("the group that gave the tag away answers %v", err)
		}
		if _, err := b.groups[0].ReadRefunds(t.Context(), open.No); !errors.Is(err, order.ErrNotOwned) {
			t.Errorf("the group that gave the tag away answers %v for refunds", err)
		}
	})
}

func oneIf(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
