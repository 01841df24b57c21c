package order_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// refund asks for one, under a number that the order makes unique.
func (s *shop) refund(o order.Order, name string, fen pay.Fen) (order.Refund, error) {
	_, r, err := s.engine.Refund(s.ctx(), o.No, order.RefundRequest{No: name + o.No.String(), Amount: fen})
	return r, err
}

// refunded wants a refund to be in a state.
func (s *shop) refunded(o order.Order, name string, fen pay.Fen, want pay.RefundState) {
	s.t.Helper()
	if r, err := s.refund(o, name, fen); err != nil || r.State != want {
		s.t.Fatalf("refund %s is %s, %v, want %s", name, r.State, err, want)
	}
}

func (s *shop) putPaid() order.Order {
	s.t.Helper()
	return s.put(s.draft(1, newKey(), pay.Paid))
}

func TestRefundsNeverExceedTheOrder(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		o := s.putPaid()
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				_, err := s.refund(o, fmt.Sprint(i), 300)
				var e *order.Error
				if err != nil && (!errors.As(err, &e) || e.Code != order.CodeRefundRefused) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := s.row(o.No); got.Refunded != 1200 || s.till.count(o.No).refunds != 4 {
			t.Errorf("%d of %d fen are refunded by %d calls, want 1200 by 4", got.Refunded, amount, s.till.count(o.No).refunds)
		}
		_, err := s.refund(o, "rest", 51)
		wantCode(t, err, order.CodeRefundRefused)
		s.refunded(o, "rest", 50, pay.RefundDone)
		_, err = s.refund(o, "more", 1)
		wantCode(t, err, order.CodeRefundRefused)
		s.consistent(o.No)
	})
}

// TestRefundsUnderWayCount: what is reserved is gone, whether it is done or not.
func TestRefundsUnderWayCount(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		for _, state := range []pay.RefundState{pay.RefundProcessing, pay.RefundUnknown, pay.RefundWaitingFunds, pay.RefundAccepted, pay.RefundAbnormal, pay.RefundFailed} {
			o := s.putPaid()
			s.till.says(func(w *words) { w.refund, w.queryRefund = refundsWith(state), refundsWith(state) })
			s.refunded(o, "a", amount, state)
			_, err := s.refund(o, "b", 1)
			wantCode(t, err, order.CodeRefundRefused)
			if got := s.row(o.No); got.Refunded != 0 {
				t.Errorf("%s counts as refunded", state)
			}
		}
	})
}

func TestRefundNumberIsIdempotent(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		o := s.putPaid()
		for range 3 {
			s.refunded(o, "a", 100, pay.RefundDone)
		}
		_, err := s.refund(o, "a", 101)
		wantCode(t, err, order.CodeAmountMismatch)
		if got := s.row(o.No); got.Refunded != 100 || s.till.count(o.No).refunds != 1 || len(s.refunds(o.No)) != 1 {
			t.Errorf("%d fen by %d calls", got.Refunded, s.till.count(o.No).refunds)
		}
	})
}

func TestRefundLimitsOfTheChannel(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		s.till.limits = order.ChannelLimits{RefundGap: 20 * time.Second, MaxRefunds: 50, RefundWithin: time.Hour}
		o := s.putPaid()
		s.refunded(o, "0", 1, pay.RefundDone)
		_, err := s.refund(o, "1", 1)
		wantCode(t, err, order.CodeRefundRefused)
		var e *order.Error
		if errors.As(err, &e); e.RetryAfter <= 0 || e.RetryAfter > 20*time.Second {
			t.Errorf("try again after %s", e.RetryAfter)
		}
		b.clock.forward(20 * time.Second)
		s.refunded(o, "1", 1, pay.RefundDone)

		s.till.mu.Lock()
		s.till.limits.RefundGap = 0
		s.till.mu.Unlock()
		for i := 2; i < 50; i++ {
			s.refunded(o, fmt.Sprint(i), 1, pay.RefundDone)
		}
		_, err = s.refund(o, "50", 1)
		wantCode(t, err, order.CodeRefundRefused)
		if n := s.till.count(o.No).refunds; n != 50 {
			t.Errorf("%d refunds were sent, want 50", n)
		}

		old := s.draft(1, newKey(), pay.Paid)
		old.PaidAt = old.PaidAt.Add(-61 * time.Minute)
		_, err = s.refund(s.put(old), "late", 1)
		wantCode(t, err, order.CodeRefundRefused)
	})
}

func TestOnlyPaidOrdersAreRefunded(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		for _, state := range pay.States() {
			o := s.put(s.draft(1, newKey(), state))
			if _, err := s.refund(o, "a", 1); state == pay.Paid {
				if err != nil {
					t.Error(err)
				}
			} else {
				wantCode(t, err, order.CodeNotPaid)
			}
		}
	})
}

func TestRefundAndRevokeExcludeEachOther(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t, func(o *order.Options) { o.RevokePaid = true })
		for _, state := range []pay.RefundState{pay.RefundUnknown, pay.RefundFailed, pay.RefundDone} {
			o := s.putPaid()
			s.till.says(func(w *words) { w.refund, w.queryRefund = refundsWith(state), refundsWith(state) })
			s.refunded(o, "a", 1, state)
			_, err := s.engine.Revoke(s.ctx(), o.No)
			wantCode(t, err, order.CodeRevokeRefused)
			if s.want(o.No, pay.Paid); s.till.count(o.No).revokes != 0 {
				t.Error("a revoke was sent")
			}
		}
		o := s.putPaid()
		s.till.says(func(w *words) { w.revoke = revokesWith(order.RevokeUnclear) })
		s.cancels(o)
		_, err := s.refund(o, "a", 1)
		wantCode(t, err, order.CodeNotPaid)
		if s.want(o.No, pay.Revoking); s.till.count(o.No).refunds != 0 {
			t.Error("a refund was sent")
		}
		o = s.putPaid()
		s.till.says(func(w *words) { w.refund, w.revoke = refundsWith(pay.RefundClosed), nil })
		s.refunded(o, "a", 1, pay.RefundClosed) // it came to nothing
		s.cancels(o)
		s.want(o.No, pay.Revoked)
	})
}

// TestRefundStatesGoOn lets the channel answer one thing first and another later.
func TestRefundStatesGoOn(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		for _, c := range []struct {
			first, then pay.RefundState // then: to a query
			refunds     int             // sent in all
		}{
			{pay.RefundProcessing, pay.RefundDone, 1},
			{pay.RefundAccepted, pay.RefundDone, 1},
			{pay.RefundUnknown, pay.RefundDone, 1},
			{pay.RefundUnknown, pay.RefundRequested, 2}, // the channel does not know the number
			{pay.RefundWaitingFunds, pay.RefundWaitingFunds, 2},
			{pay.RefundAbnormal, pay.RefundDone, 1},
		} {
			o := s.putPaid()
			s.till.says(func(w *words) { w.refund, w.queryRefund = refundsWith(c.first), refundsWith(c.first) })
			s.refunded(o, "a", 100, c.first)
			s.till.says(func(w *words) { w.refund, w.queryRefund = nil, refundsWith(c.then) })
			s.lapse(fmt.Sprintf("%s goes on to done", c.first), func() bool { return s.refunds(o.No)[0].State == pay.RefundDone })
			if n := s.till.count(o.No); n.refunds != c.refunds || n.asks == 0 {
				t.Errorf("%s, then %s: calls %+v, want %d refunds", c.first, c.then, n, c.refunds)
			}
			if got := s.row(o.No); got.Refunded != 100 {
				t.Errorf("%s, then %s: %d fen are refunded", c.first, c.then, got.Refunded)
			}
			_, abnormal := s.task(order.TaskRefund, o.No)
			if abnormal != (c.first == pay.RefundAbnormal) {
				t.Errorf("%s: a person was told: %t", c.first, abnormal)
			}
		}
	})
}

func TestFailedRefundIsTriedUnderTheSameNumber(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		o := s.putPaid()
		s.till.says(func(w *words) { w.refund = refundsWith(pay.RefundFailed) })
		s.refunded(o, "a", amount, pay.RefundFailed)
		s.till.says(func(w *words) { w.refund = nil })
		s.refunded(o, "a", amount, pay.RefundDone)
		if n := s.till.count(o.No); n.refunds != 2 || s.row(o.No).Refunded != amount {
			t.Errorf("calls %+v, %d fen are refunded", n, s.row(o.No).Refunded)
		}
	})
}

func TestClosedRefundWantsANewNumber(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		o := s.putPaid()
		s.till.says(func(w *words) { w.refund = refundsWith(pay.RefundClosed) })
		s.refunded(o, "a", amount, pay.RefundClosed)
		s.till.says(func(w *words) { w.refund = nil })
		_, err := s.refund(o, "a", amount)
		wantCode(t, err, order.CodeRefundRefused)
		s.refunded(o, "b", amount, pay.RefundDone)
		if n := s.till.count(o.No); n.refunds != 2 {
			t.Errorf("calls %+v", n)
		}
	})
}

// TestRefundAnswerThatIsNotWritten: the channel has refunded, and each commit of its
// answer comes to nothing or its outcome is lost.
func TestRefundAnswerThatIsNotWritten(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		s.till.says(func(w *words) { w.queryRefund = refundsWith(pay.RefundDone) })
		for _, f := range []fate{refused, lostEarly, lostLate} {
			o := s.putPaid()
			s.groups[0].fails(func(g *tamper) {
				g.commit = eachTimeFor(f, func(m order.Move) bool { return strings.HasSuffix(m.Detail, string(pay.RefundDone)) })
			})
			if _, err := s.refund(o, "a", amount); (err == nil) != (f == lostLate) {
				t.Errorf("fate %d: %v", f, err)
			}
			s.groups[0].heals()
			s.lapse("the refund is written", func() bool { return s.refunds(o.No)[0].State == pay.RefundDone })
			if got := s.row(o.No); got.Refunded != amount || s.till.count(o.No).refunds != 1 {
				t.Errorf("fate %d: %d fen by %d calls", f, got.Refunded, s.till.count(o.No).refunds)
			}
			s.consistent(o.No)
		}
	})
}
