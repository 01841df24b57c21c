package order_test

import (
	"slices"
	"testing"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// Rules 2 to 6: around the channel call. Rule 1 has a file of its own.

func TestRule2SendDeadline(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		o := s.create()
		before := b.clock.Now()
		s.till.says(func(w *words) {
			w.pay = func(c order.PayCall) order.Answer {
				if early, late := before.Add(3*time.Second-time.Millisecond), b.clock.Now().Add(3*time.Second); c.SendBy.Before(early) || c.SendBy.After(late) {
					t.Errorf("to be sent by %s, want 3 s after the commit, %s to %s", c.SendBy, early, late)
				}
				if c.SendBy != time.UnixMilli(c.SendBy.UnixMilli()) {
					t.Error("the deadline is on a clock that stands still while the machine sleeps")
				}
				return said(order.NotSent)
			}
			w.query = always(order.NotFoundThere)
		})
		if got := s.pays(o.No); got.State != pay.Paying {
			t.Fatalf("never sent, and at once %s", got.State)
		}
		concludes(s, o.No)
	})
}

// TestRule2ARevokeOvertakesNoPayment cancels a payment that may still be on its way.
func TestRule2ARevokeOvertakesNoPayment(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		o := s.payTold(order.Unclear)
		s.till.says(func(w *words) {
			w.revoke = func(c order.RevokeCall) order.RevokeAnswer {
				if from := s.row(c.OrderNo).SendBy.Add(time.Second); b.clock.Now().Before(from) {
					t.Errorf("revoked before %s, when the payment must have arrived", from)
				}
				return order.RevokeAnswer{Verdict: order.RevokeTaken, Money: pay.MoneyClosed}
			}
		})
		s.cancels(o)
		s.want(o.No, pay.Revoking)
		s.lapse("it is revoked", func() bool { return s.row(o.No).State == pay.Revoked })
		if n := s.till.count(o.No); n.revokes != 1 {
			t.Errorf("calls %+v", n)
		}
	})
}

// concludes puts the clock forward and wants nothing to be concluded about an order
// that the channel does not know before NotFoundAfter has passed, and then a revoke.
func concludes(s *shop, no pay.OrderNo) {
	s.t.Helper()
	over := s.row(no).SendBy.Add(5 * time.Second)
	s.lapse("it is revoked", func() bool {
		now := s.bed.clock.Now()
		o := s.row(no)
		if now.Before(over) && o.State != pay.Paying { // read after the clock
			if s.bed.clock.Now().Before(over) {
				s.t.Fatalf("%s before %s it is %s", now, over, o.State)
			}
		}
		return o.State == pay.Revoked
	})
	if n := s.till.count(no); n.revokes != 1 || n.pays > 1 || n.asked == 0 {
		s.t.Errorf("calls %+v, want a query, then one revoke", n)
	}
}

func TestRule3OnlyWhitelistedAnswersEnd(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		for _, v := range []order.Verdict{order.Unclear, order.Pending, order.NotFoundThere, order.NotSent, "surprise", ""} {
			if got := s.payTold(v); got.State != pay.Paying {
				t.Errorf("%q ended the order as %s", v, got.State)
			}
		}
	})
}

func TestRule3NotFoundConcludesNothingEarly(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t, func(o *order.Options) { o.Timetable.PayFor = time.Second }) // the buyer's time is over long before
		o := s.payTold(order.NotFoundThere)
		concludes(s, o.No)
		if n := s.engine.Counts()["answer_not_found_at_channel"]; n < 2 {
			t.Errorf("%d answers counted", n)
		}
		s.wantTask(order.TaskNotFound, o.No, order.TaskOpen)
	})
}

func TestRule4NoOtherChannelAfterAnUnknownAnswer(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		other := &till{name: "other", account: "acc9", now: b.clock.Now}
		s := b.shop(t, func(o *order.Options) { o.Channels = append(o.Channels, other) })
		o := s.payTold(order.Unclear)
		for range 2 {
			got, err := s.engine.Pay(s.ctx(), o.No, order.PayRequest{AuthCode: "another code", Channel: "other"})
			if err != nil || got.State != pay.Paying {
				t.Fatalf("%s, %v", got.State, err)
			}
		}
		if n := s.till.count(o.No); n.pays != 1 || n.asked < 2 || other.count(o.No) != (count{}) {
			t.Errorf("calls %+v, of the other channel %+v", n, other.count(o.No))
		}
	})
}

func TestRule4SameRefundIsSentAgain(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		o := s.pays(s.create().No)
		s.till.says(func(w *words) { w.refund = refundsWith(pay.RefundUnknown) })
		if _, r, err := s.engine.Refund(s.ctx(), o.No, order.RefundRequest{No: "R" + o.No.String(), Amount: 50}); err != nil || r.State != pay.RefundUnknown {
			t.Fatalf("%s, %v", r.State, err)
		}
		if n := s.till.count(o.No); n.refunds != 1 || n.asks != 0 {
			t.Fatalf("calls %+v", n)
		}
		s.till.says(func(w *words) { w.refund = nil }) // and the channel does not know the number
		s.lapse("the refund is done", func() bool { return s.refunds(o.No)[0].State == pay.RefundDone })
		if n := s.till.count(o.No); n.refunds != 2 || n.asks != 1 {
			t.Errorf("calls %+v, want it asked for, then sent again", n)
		}
		sent := s.till.refunds
		if sent[0] != sent[1] {
			t.Errorf("sent %+v, then %+v", sent[0], sent[1])
		}
	})
}

func TestRule5AnOrderKeepsItsAccountAndCode(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t, func(o *order.Options) { o.RevokePaid = true })
		refunded, revoked := s.payTold(order.Pending), s.payTold(order.Pending)
		s.till.mu.Lock()
		s.till.account = "acc2"
		s.till.mu.Unlock()
		s.till.says(func(w *words) {
			w.query = func(no pay.OrderNo) order.Answer {
				a := s.till.success(no)
				a.Account = "acc1"
				return a
			}
		})
		for _, o := range []order.Order{refunded, revoked} {
			if got := s.pays(o.No); got.State != pay.Paid || s.till.count(o.No).pays != 1 {
				t.Fatalf("%s, calls %+v, want the code sent once", got.State, s.till.count(o.No))
			}
		}
		if _, _, err := s.engine.Refund(s.ctx(), refunded.No, order.RefundRequest{No: "R" + refunded.No.String(), Amount: 1}); err != nil {
			t.Fatal(err)
		}
		s.cancels(revoked)
		s.lapse("it is revoked", func() bool { return s.row(revoked.No).State == pay.Revoked })
		s.till.mu.Lock()
		defer s.till.mu.Unlock()
		if s.till.refunds[0].Account != "acc1" || s.till.revokes[0].Account != "acc1" ||
			slices.ContainsFunc(s.till.asked, func(a asked) bool { return a.account != "acc1" }) {
			t.Errorf("asked %+v, refunded %+v, revoked %+v", s.till.asked, s.till.refunds, s.till.revokes)
		}
	})
}

func TestRule5AFurtherAttemptNeedsADefiniteEnd(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		for _, state := range pay.States() {
			o := s.put(s.draft(1, newKey(), state))
			again, err := s.engine.Create(s.ctx(), order.Request{Key: o.Key, Amount: amount, NewAttempt: true})
			switch state {
			case pay.Closed, pay.Revoked:
				if err != nil || again.Attempt != 2 || again.No == o.No {
					t.Errorf("%s: attempt %d, %v", state, again.Attempt, err)
				}
			case pay.Void: // it was never an attempt of its own
				if err != nil || again.Attempt != 1 || again.No == o.No {
					t.Errorf("%s: attempt %d, %v", state, again.Attempt, err)
				}
			default:
				wantCode(t, err, order.CodeAttemptOpen)
			}
		}
	})
}

func TestRule6AContradictionAlarms(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		for name, a := range map[string]order.Answer{
			"another amount":  {Verdict: order.Success, Amount: amount + 1, Account: "acc1"},
			"another account": {Verdict: order.Success, Amount: amount, Account: "acc9"},
		} {
			s.till.says(func(w *words) { w.pay = func(order.PayCall) order.Answer { return a } })
			o := s.pays(s.create().No)
			if s.want(o.No, pay.Paying); o.State != pay.Paying {
				t.Errorf("%s: answered as %s", name, o.State)
			}
			s.wantTask(order.TaskContradiction, o.No, order.TaskOpen)
		}
		s.till.says(func(w *words) { w.pay = nil })
		for _, v := range []order.Verdict{order.Failed, order.ClosedByChannel, order.RevokedByChannel, order.Success} {
			o := s.pays(s.create().No) // the first final word stands
			if _, err := s.engine.Conclude(s.ctx(), o, order.Answer{Verdict: v, TradeNo: "another", Amount: amount}); err != nil {
				t.Fatal(err)
			}
			s.want(o.No, pay.Paid)
			s.wantTask(order.TaskContradiction, o.No, order.TaskOpen)
		}
	})
}
