package order_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// Rule 1: what is committed before a channel is called.

func TestRule1NothingIsSentBeforeTheCommit(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		o := s.create()
		s.till.says(func(w *words) {
			w.pay = func(c order.PayCall) order.Answer {
				row := s.row(c.OrderNo) // on another connection: what is not committed is not seen
				if row.State != pay.Paying || row.Attempt != 1 || row.Account != "acc1" || row.Channel != s.till.name ||
					row.SendBy.IsZero() || !row.SendBy.Equal(c.SendBy) || row.Due.IsZero() {
					t.Errorf("the channel is called while the row is %+v", row)
				}
				return s.till.success(c.OrderNo)
			}
			w.refund = func(c order.RefundCall) order.RefundAnswer {
				if all := s.refunds(c.OrderNo); len(all) != 1 || all[0].No != c.RefundNo || all[0].Amount != c.Amount {
					t.Errorf("a refund is sent while the records are %+v", all)
				}
				return order.RefundAnswer{State: pay.RefundDone}
			}
			w.revoke = func(c order.RevokeCall) order.RevokeAnswer {
				if all := s.revokes(c.OrderNo); s.row(c.OrderNo).State != pay.Revoking || len(all) != 1 || all[0].State != order.RevokeRequested {
					t.Errorf("a revoke is sent while the records are %+v", all)
				}
				return order.RevokeAnswer{Verdict: order.RevokeTaken, Money: pay.MoneyRefunded}
			}
		})
		s.pays(o.No)
		if _, _, err := s.engine.Refund(s.ctx(), o.No, order.RefundRequest{No: "R" + o.No.String(), Amount: 1}); err != nil {
			t.Fatal(err)
		}
		if n := s.till.count(o.No); n.pays != 1 || n.refunds != 1 {
			t.Errorf("calls %+v", n)
		}
		s.till.says(func(w *words) { w.pay = paysWith(order.Pending) })
		o = s.create()
		s.pays(o.No)
		s.cancels(o)
		s.lapse("it is revoked", func() bool { return s.row(o.No).State == pay.Revoked })
		if n := s.till.count(o.No); n.pays != 1 || n.revokes != 1 {
			t.Errorf("calls %+v", n)
		}
	})
}

// TestRule1CommitsThatFail does each request while its commits come to nothing, or
// nobody answers what became of them: one of them, or each one.
func TestRule1CommitsThatFail(t *testing.T) {
	isRefund := func(m order.Move) bool { return strings.HasPrefix(m.Detail, "refund ") }
	ask := map[string]struct {
		state pay.State // before
		fits  func(order.Move) bool
		do    func(s *shop, no pay.OrderNo) error
		calls func(n count) int
	}{
		"pay": {pay.Created, to(pay.Paying), func(s *shop, no pay.OrderNo) error {
			_, err := s.engine.Pay(s.ctx(), no, order.PayRequest{AuthCode: "code"})
			return err
		}, func(n count) int { return n.pays }},
		"refund": {pay.Paid, isRefund, func(s *shop, no pay.OrderNo) error {
			_, _, err := s.engine.Refund(s.ctx(), no, order.RefundRequest{No: "R" + no.String(), Amount: amount})
			return err
		}, func(n count) int { return n.refunds }},
		"revoke": {pay.Paid, to(pay.Revoking), func(s *shop, no pay.OrderNo) error {
			_, err := s.engine.Revoke(s.ctx(), no)
			return err
		}, func(n count) int { return n.revokes }},
	}
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t, func(o *order.Options) { o.RevokePaid = true })
		g := s.groups[0]
		for name, a := range ask {
			for _, f := range []fate{refused, lostEarly, lostLate} {
				t.Run(fmt.Sprintf("%s, fate %d", name, f), func(t *testing.T) {
					s := s.in(t)
					defer g.heals()
					o := s.put(s.draft(1, newKey(), a.state))
					g.fails(func(g *tamper) { g.commit = onceFor(f, a.fits) })
					// It is found not to be committed, and tried again; or only the answer was lost.
					if err := a.do(s, o.No); err != nil || a.calls(s.till.count(o.No)) != 1 {
						t.Errorf("one commit: %v, calls %+v", err, s.till.count(o.No))
					}
					s.consistent(o.No)
					if f == lostLate {
						return
					}
					o = s.put(s.draft(1, newKey(), a.state))
					g.fails(func(g *tamper) { g.commit = eachTimeFor(f, a.fits) })
					err := a.do(s, o.No)
					calls := a.calls(s.till.count(o.No))
					g.heals()
					wantCode(t, err, order.CodeGroupDown)
					if got := s.want(o.No, a.state); calls != 0 || got.Version != 1 || len(s.refunds(o.No))+len(s.revokes(o.No)) != 0 {
						t.Errorf("%d calls, row %+v", calls, got)
					}
					if err := a.do(s, o.No); err != nil || a.calls(s.till.count(o.No)) != 1 {
						t.Errorf("once more: %v, calls %+v", err, s.till.count(o.No))
					}
				})
			}
		}
	})
}

// TestRule1AnUnknownCommitSendsNothing: the move is committed and nobody can be asked
// whether it is. What was never sent is then given up by the timetable.
func TestRule1AnUnknownCommitSendsNothing(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		g := s.groups[0]
		o := s.put(s.draft(1, newKey(), pay.Created))
		g.fails(func(g *tamper) {
			lost := onceFor(lostLate, to(pay.Paying))
			g.commit = func(m order.Move) fate {
				f := lost(m)
				if f == lostLate {
					g.fails(func(g *tamper) { g.begin = func() error { return asTold(order.NotCommitted) } })
				}
				return f
			}
		})
		_, err := s.engine.Pay(s.ctx(), o.No, order.PayRequest{AuthCode: "code"})
		var e *order.Error
		if !errors.As(err, &e) || e.Outcome != order.Unknown || e.Code != order.CodeUnknownOutcome {
			t.Errorf("error %v, want an unknown outcome", err)
		}
		if n := s.engine.Counts()["moves_unknown"]; n != 1 {
			t.Errorf("%d unknown moves counted", n)
		}
		g.heals()
		s.want(o.No, pay.Paying)
		concludes(s, o.No)
		if n := s.till.count(o.No); n.pays != 0 {
			t.Errorf("it was sent %d times", n.pays)
		}
	})
}

// TestARevokeIsSentUnderItsOwnNumber, each time that it is tried, and money back
// under its fixed one.
func TestARevokeIsSentUnderItsOwnNumber(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.leavesNothingDue(t)
		s.till.says(func(w *words) { w.revoke = revokesWith(order.RevokeUnclear) })
		cancelled := s.payTold(order.Pending)
		s.cancels(cancelled)
		ended := s.put(s.draft(1, newKey(), pay.Closed))
		s.till.says(func(w *words) { w.query = s.till.success })
		if _, err := s.engine.Conclude(s.ctx(), ended, s.till.success(ended.No)); err != nil {
			t.Fatal(err)
		}
		s.lapse("both are tried twice", func() bool {
			return s.till.count(cancelled.No).revokes >= 2 && s.till.count(ended.No).revokes >= 2
		})
		s.till.mu.Lock()
		defer s.till.mu.Unlock()
		for _, call := range s.till.revokes {
			if all := s.revokes(call.OrderNo); len(all) != 1 || call.RevokeNo != all[0].No || call.RevokeNo == call.OrderNo.String() {
				t.Errorf("order %s: revoke %q was sent, the records are %+v", call.OrderNo, call.RevokeNo, all)
			}
		}
	})
}
