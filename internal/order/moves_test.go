package order_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// walk is a row of the table of moves without its setting.
type walk struct {
	from, to pay.State
	by       pay.Mover
}

// walkers bring an order over each row of the table by what the engine does of its
// own, and name it.
var walkers = map[walk]func(s *shop) pay.OrderNo{
	{pay.None, pay.Created, pay.ByCreate}: func(s *shop) pay.OrderNo { return s.create().No },
	{pay.Created, pay.Paying, pay.ByPay}: func(s *shop) pay.OrderNo {
		return s.payTold(order.Pending).No
	},
	{pay.Created, pay.Closed, pay.ByExpiry}: func(s *shop) pay.OrderNo {
		o := s.draft(1, newKey(), pay.Created)
		o.Due = o.Created
		return s.put(o).No
	},
	{pay.Created, pay.Closed, pay.ByCancel}: func(s *shop) pay.OrderNo { return s.cancels(s.create()) },
	{pay.Created, pay.Void, pay.ByResolver}: func(s *shop) pay.OrderNo {
		stays, goes := s.twins(pay.Created, pay.Created)
		s.doubts(goes, stays)
		s.engine.Settle(s.ctx())
		return goes.No
	},
	{pay.Created, pay.Void, pay.BySweep}: func(s *shop) pay.OrderNo {
		stays, goes := s.twins(pay.Created, pay.Created)
		s.hopped(stays, goes.Group)
		s.engine.Settle(s.ctx())
		return goes.No
	},
	{pay.Created, pay.Void, pay.ByGuard}: func(s *shop) pay.OrderNo {
		stays, goes := s.twins(pay.Created, pay.Created)
		s.pays(stays.No)
		return goes.No
	},
	{pay.Paying, pay.Paid, pay.BySuccess}:    func(s *shop) pay.OrderNo { return s.pays(s.create().No).No },
	{pay.Paying, pay.Closed, pay.ByFailure}:  func(s *shop) pay.OrderNo { return s.payTold(order.Failed).No },
	{pay.Paying, pay.Closed, pay.ByChannel}:  func(s *shop) pay.OrderNo { return s.payTold(order.ClosedByChannel).No },
	{pay.Paying, pay.Revoked, pay.ByChannel}: func(s *shop) pay.OrderNo { return s.payTold(order.RevokedByChannel).No },
	{pay.Paying, pay.Revoking, pay.ByTimetable}: func(s *shop) pay.OrderNo {
		return s.payTold(order.PayError).No
	},
	{pay.Paying, pay.Revoking, pay.ByCashier}: func(s *shop) pay.OrderNo {
		return s.cancels(s.payTold(order.Pending))
	},
	{pay.Revoking, pay.Revoked, pay.ByRevokeAnswer}: func(s *shop) pay.OrderNo {
		return s.cancels(s.payTold(order.Pending))
	},
	{pay.Revoking, pay.Paid, pay.ByRevokeRefused}: func(s *shop) pay.OrderNo {
		o := s.payTold(order.Pending)
		s.till.says(func(w *words) { w.revoke, w.query = revokesWith(order.RevokeTooLate), s.till.success })
		return s.cancels(o)
	},
	{pay.Paid, pay.Revoking, pay.ByMoneyBack}: func(s *shop) pay.OrderNo {
		_, later := s.paidTwice()
		return later.No
	},
	{pay.Paid, pay.Revoking, pay.ByCashier}: func(s *shop) pay.OrderNo { // the shop has the setting
		return s.cancels(s.pays(s.create().No))
	},
	{pay.Void, pay.Paid, pay.BySupplement}:    func(s *shop) pay.OrderNo { return s.supplements(pay.Void) },
	{pay.Closed, pay.Paid, pay.BySupplement}:  func(s *shop) pay.OrderNo { return s.supplements(pay.Closed) },
	{pay.Revoked, pay.Paid, pay.BySupplement}: func(s *shop) pay.OrderNo { return s.supplements(pay.Revoked) },
}

// payTold pays a new order; the till answers with a verdict, and says so later too.
func (s *shop) payTold(v order.Verdict) order.Order {
	s.t.Helper()
	s.till.says(func(w *words) { w.pay, w.query = paysWith(v), always(v) })
	return s.pays(s.create().No)
}

func (s *shop) cancels(o order.Order) pay.OrderNo {
	s.t.Helper()
	if _, err := s.engine.Revoke(s.ctx(), o.No); err != nil {
		s.t.Fatal(err)
	}
	return o.No
}

func (s *shop) supplements(from pay.State) pay.OrderNo {
	s.t.Helper()
	o := s.draft(1, newKey(), from)
	if from == pay.Void {
		o.Account = "" // as far as we know it was never sent
	}
	s.put(o)
	s.till.says(func(w *words) { w.query = s.till.success })
	if _, err := s.engine.Supplement(s.ctx(), o.No, approved("D-1")); err != nil {
		s.t.Fatal(err)
	}
	return o.No
}

// doubts records that a try became known as unknown before its winner was written.
func (s *shop) doubts(try, winner order.Order) {
	s.t.Helper()
	s.within(winner.Group, winner.No, func(ctx context.Context, tx order.Tx) error {
		return tx.InsertDoubts(ctx, []order.Doubt{{OrderNo: try.No, OldGroup: try.Group, Key: try.Key, Attempt: try.Attempt,
			Amount: try.Amount, Winner: winner.No, Created: winner.Created}})
	})
}

// paidTwice has both orders of a key paid, the second one later, and the engine find
// that out.
func (s *shop) paidTwice() (first, later order.Order) {
	s.t.Helper()
	first = s.draft(1, newKey(), pay.Paid)
	later = s.draft(2, first.Key, pay.Paid)
	later.PaidAt = first.PaidAt.Add(time.Second)
	later.RiskDouble, later.Due = true, later.Created
	return s.put(first), s.put(later)
}

func TestEveryMove(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		for _, m := range pay.Moves() {
			w := walk{m.From, m.To, m.By}
			t.Run(string(m.From)+" to "+string(m.To)+" by "+string(m.By), func(t *testing.T) {
				step := walkers[w]
				if step == nil {
					t.Fatal("no test walks this row of the table")
				}
				s := b.shop(t, func(o *order.Options) { o.RevokePaid = true })
				no := step(s)
				s.in(t).lapse("the move is recorded", func() bool { return s.moved(no, w) })
				s.consistent(no)
			})
		}
	})
}

// moved reports whether the outbox has a move.
func (s *shop) moved(no pay.OrderNo, w walk) bool {
	s.t.Helper()
	return slices.ContainsFunc(s.moves(no), func(m order.Move) bool { return walk{m.From, m.To, m.By} == w })
}

// consistent wants the moves of an order to follow one another, and its row to be
// where the last one led.
func (s *shop) consistent(no pay.OrderNo) {
	s.t.Helper()
	var o order.Order
	var moves []order.Move
	eventually(s.t, "row and moves are read at one version", func() bool {
		before := s.row(no)
		moves, o = s.moves(no), s.row(no)
		return before.Version == o.Version
	})
	state := pay.None
	for i, m := range moves {
		if m.From != state || m.Version != int64(i+1) || m.OpID == "" || m.At.IsZero() {
			s.t.Errorf("move %d of order %s is %+v, the one before it ended as %q", i+1, no, m, state)
		}
		state = m.To
	}
	last := moves[len(moves)-1]
	if o.State != last.To || o.Version != last.Version || o.OpID != last.OpID {
		s.t.Errorf("the row is %s at version %d by %s, its last move %+v", o.State, o.Version, o.OpID, last)
	}
}

// TestNoOtherMove asks the engine's write path for every move that the table does
// not have.
func TestNoOtherMove(t *testing.T) {
	movers := []pay.Mover{pay.ByCreate, pay.ByPay, pay.ByExpiry, pay.ByCancel, pay.ByResolver, pay.BySweep, pay.ByGuard, pay.BySuccess,
		pay.ByFailure, pay.ByTimetable, pay.ByCashier, pay.ByChannel, pay.ByRevokeAnswer, pay.ByRevokeRefused, pay.ByMoneyBack,
		pay.BySupplement, "nobody"}
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		rows := map[pay.State]order.Order{}
		var forbidden []walk
		for i, from := range pay.States() {
			rows[from] = s.put(s.draft(s.groups[i%3].ID(), newKey(), from))
			for _, to := range append(pay.States(), pay.None) {
				for _, by := range movers {
					if _, err := pay.CheckMove(from, to, by); err != nil && from != to {
						forbidden = append(forbidden, walk{from, to, by})
					}
				}
			}
		}
		if allowed := len(pay.Moves()) - 1; len(forbidden) != 7*7*len(movers)-allowed {
			t.Fatalf("%d moves to be refused", len(forbidden))
		}
		var wg sync.WaitGroup
		next := make(chan walk)
		for range 8 {
			wg.Go(func() {
				for w := range next {
					var e *order.Error
					if _, err := s.engine.Force(s.ctx(), rows[w.from].No, w.to, w.by); !errors.As(err, &e) || e.Code != pay.CodeMoveRefused || e.Outcome != order.NotCommitted {
						t.Errorf("%+v: %v", w, err)
					}
				}
			})
		}
		for _, w := range forbidden {
			next <- w
		}
		close(next)
		wg.Wait()
		if n := s.engine.Counts()["moves_refused"]; n != int64(len(forbidden)) {
			t.Errorf("%d of %d refusals are counted", n, len(forbidden))
		}
		for state, o := range rows {
			if got := s.want(o.No, state); got.Version != 1 || len(s.moves(o.No)) != 1 {
				t.Errorf("the %s order was written: version %d", state, got.Version)
			}
		}
	})
}
