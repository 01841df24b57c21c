package order_test

import (
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"paytool/internal/channel/builtin"
	"paytool/internal/order"
	"paytool/internal/pay"
)

// Rules 8 and 9: one key, many groups.

// TestRule8OneOfTwoPaymentsGoesBack pays both orders of a key while their groups do
// not see each other, at the built-in channel, whose books are then looked at.
func TestRule8OneOfTwoPaymentsGoesBack(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		for _, c := range []struct {
			name, code string // of the second payment
			end        pay.State
		}{
			{"by a revoke", "success", pay.Revoked},
			{"by a refund, where the revoke is refused", "final", pay.Paid},
		} {
			t.Run(c.name, func(t *testing.T) {
				books := builtin.New(builtin.Options{Books: filepath.Join(t.TempDir(), "books.db"), Now: b.clock.Now})
				defer func() { _ = books.Close() }()
				s := b.shop(t, func(o *order.Options) { o.Channels = []order.Channel{books} })
				key := newKey()
				first, second := s.draft(1, key, pay.Created), s.draft(2, key, pay.Created)
				first.Channel, second.Channel = builtin.Name, builtin.Name
				s.put(first)
				s.put(second)
				for i, code := range []order.AuthCode{"success", order.AuthCode(c.code)} {
					o := []order.Order{first, second}[i]
					s.groups[0].heals()
					s.groups[1].heals()
					s.groups[2-o.Group].silences() // the other one's
					got, err := s.engine.Pay(s.ctx(), o.No, order.PayRequest{AuthCode: code, ConfirmRisk: true})
					if err != nil || got.No != o.No || got.State != pay.Paid {
						t.Fatalf("%+v, %v", got, err)
					}
					b.clock.forward(time.Second) // the second success is the later one
				}
				s.groups[0].heals()
				s.groups[1].heals()
				s.lapse("the money is back", func() bool {
					task, _ := s.task(order.TaskMoneyBack, second.No)
					return task.State == order.TaskDone
				})
				s.wantTask(order.TaskMoneyBack, second.No, order.TaskDone)
				if _, found := s.task(order.TaskMoneyBack, first.No); found {
					t.Error("the earlier payment is given back, too")
				}
				s.want(first.No, pay.Paid)
				goes := s.want(second.No, c.end)
				if c.end == pay.Paid && goes.Refunded != amount {
					t.Errorf("%d fen are refunded", goes.Refunded)
				}
				if kept := keptOf(t, books); kept != amount {
					t.Errorf("the channel keeps %d fen for us, want one payment", kept)
				}
				s.consistent(second.No)
			})
		}
	})
}

func keptOf(t *testing.T, books *builtin.Channel) (kept pay.Fen) {
	t.Helper()
	err := books.Positions(t.Context(), func(p builtin.Position) error {
		kept += p.Kept()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

// TestRule8TheTaskOutlivesItsEngine: the engine that opened the task is gone.
func TestRule8TheTaskOutlivesItsEngine(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		s.till.says(func(w *words) { w.revoke = revokesWith(order.RevokeUnclear) })
		_, later := s.paidTwice()
		eventually(t, "the task is open", func() bool {
			_, found := s.task(order.TaskMoneyBack, later.No)
			return found
		})
		_, err := s.engine.CloseTask(s.ctx(), "money_back-"+later.No.String(), "li", "looks fine")
		wantCode(t, err, pay.CodeMoveRefused)
		tasks, _ := s.engine.Tasks(s.ctx(), order.TaskOpen, false, 1000)
		listed := false
		for _, task := range tasks {
			listed = listed || task.OrderNo == later.No
		}
		if !listed {
			t.Error("the task is not listed")
		}
		second := s.open()
		s.engine = second // the first one goes on as well: whoever comes first
		s.till.says(func(w *words) { w.revoke = nil })
		s.lapse("the money is back", func() bool {
			task, _ := s.task(order.TaskMoneyBack, later.No)
			return task.State == order.TaskDone
		})
		if revokes := s.revokes(later.No); len(revokes) != 1 || revokes[0].No != "B1-"+later.No.String() {
			t.Errorf("revokes %+v, want one under the fixed number", revokes)
		}
	})
}

// TestRule8NoRevokeBesideARefund: the merchant refunds a part of the later payment at
// the moment at which the engine goes to revoke it.
func TestRule8NoRevokeBesideARefund(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		var once sync.Once
		s.groups[1].fails(func(g *tamper) {
			g.read = func(no pay.OrderNo) {
				once.Do(func() {
					if _, _, err := s.engine.Refund(s.ctx(), no, order.RefundRequest{No: "R" + no.String(), Amount: 300}); err != nil {
						t.Error(err)
					}
				})
			}
		})
		_, later := s.paidTwice()
		s.lapse("the money is back", func() bool {
			task, _ := s.task(order.TaskMoneyBack, later.No)
			return task.State == order.TaskDone
		})
		o := s.want(later.No, pay.Paid)
		if n := s.till.count(later.No); n.revokes != 0 || n.refunds != 2 || o.Refunded != amount {
			t.Errorf("calls %+v, %d fen are refunded, want all of it by two refunds", n, o.Refunded)
		}
	})
}

// TestRule9TheHopNamesEveryGroupAbove makes an order land in the last group of its
// ranking, with a twin in each group above it, and wants the sweep to find both.
func TestRule9TheHopNamesEveryGroupAbove(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		key := newKey()
		ranked := s.engine.Plan(order.Request{Key: key, Amount: amount}).Ranked
		for _, g := range ranked[:2] {
			s.groups[g-1].fails(func(g *tamper) { g.begin = func() error { return asTold(order.NotCommitted) } })
		}
		o, err := s.engine.Create(s.ctx(), order.Request{Key: key, Amount: amount})
		if err != nil || o.Group != ranked[2] {
			t.Fatalf("%+v, %v, want it in group %d", o, err, ranked[2])
		}
		hops, err := b.groups[o.Group-1].KeyHops(s.ctx(), key)
		if err != nil || len(hops) != 2 {
			t.Fatalf("hops %+v, %v, want one past each group above", hops, err)
		}
		var twins []order.Order
		for _, g := range ranked[:2] {
			s.groups[g-1].heals()
			twins = append(twins, s.put(s.draft(g, key, pay.Created)))
		}
		s.lapse("one of the three is left", func() bool {
			live := one(s.row(o.No).State != pay.Void)
			for _, twin := range twins {
				live += one(s.row(twin.No).State != pay.Void)
			}
			return live == 1
		})
	})
}

// TestRule9ATombstoneMeetsAPayment resolves doubts whose try went on to be paid.
func TestRule9ATombstoneMeetsAPayment(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		for _, c := range []struct{ try, winner, tryAfter, winnerAfter pay.State }{
			{pay.Paid, pay.Created, pay.Paid, pay.Void},
			{pay.Paying, pay.Created, pay.Paying, pay.Void},
			{pay.Revoking, pay.Created, pay.Revoking, pay.Void},
			{pay.Created, pay.Paid, pay.Void, pay.Paid},
			{pay.Closed, pay.Created, pay.Closed, pay.Created},
		} {
			winner, try := s.twins(c.winner, c.try)
			s.doubts(try, winner)
			s.engine.Settle(s.ctx())
			got, stays := s.want(try.No, c.tryAfter), s.want(winner.No, c.winnerAfter)
			if got.State != pay.Void && got.Version != 1 || stays.State != pay.Void && stays.Version != 1 {
				t.Errorf("%+v: the order that stays was written", c)
			}
			if stays.State == pay.Void && stays.TwinOf != try.No || got.State == pay.Void && got.TwinOf != winner.No {
				t.Errorf("%+v: the void one does not name its twin", c)
			}
		}
		first := s.draft(1, newKey(), pay.Paid)
		later := s.draft(2, first.Key, pay.Paid)
		later.PaidAt = first.PaidAt.Add(time.Second)
		s.put(first)
		s.put(later)
		s.doubts(later, first)
		s.engine.Settle(s.ctx())
		eventually(t, "two payments are rule 8", func() bool {
			_, found := s.task(order.TaskMoneyBack, later.No)
			return found
		})
		s.want(first.No, pay.Paid)
	})
}

// TestRule9ATombstoneFencesItsNumber: what arrives after it is refused.
func TestRule9ATombstoneFencesItsNumber(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		winner := s.put(s.draft(1, newKey(), pay.Created))
		try := s.draft(2, winner.Key, pay.Created)
		s.doubts(try, winner)
		s.engine.Settle(s.ctx())
		if tomb := s.want(try.No, pay.Void); tomb.TwinOf != winner.No {
			t.Errorf("the tombstone names %s", tomb.TwinOf)
		}
		tx, err := b.groups[1].Begin(s.ctx())
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		if _, _, err := tx.LockTag(s.ctx(), try.No.Tag(), try.Key); err != nil {
			t.Fatal(err)
		}
		if err := tx.InsertOrder(s.ctx(), try); !errors.Is(err, order.ErrDuplicateNo) {
			t.Errorf("the late try was taken: %v", err)
		}
		s.want(winner.No, pay.Created)
	})
}
