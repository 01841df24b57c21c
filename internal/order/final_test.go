package order_test

import (
	"errors"
	"testing"

	"paytool/internal/order"
	"paytool/internal/pay"
)

func TestPaidIsRevokedOnlyWhereTheSettingAllowsIt(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		o := s.pays(s.create().No)
		_, err := s.engine.Revoke(s.ctx(), o.No)
		wantCode(t, err, order.CodeRevokeRefused)
		if got := s.want(o.No, pay.Paid); got.Version != o.Version || len(s.revokes(o.No)) != 0 {
			t.Errorf("written all the same: %+v", got)
		}
	})
}

func TestSupplementNeedsTwoPersonsAndTheChannel(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		o := s.put(s.draft(1, newKey(), pay.Closed))
		s.till.says(func(w *words) { w.query = s.till.success })
		for _, persons := range [][2]string{{"li", "li"}, {"li", ""}} {
			in := approved("D-1")
			in.Approvers = persons
			_, err := s.engine.Supplement(s.ctx(), o.No, in)
			wantCode(t, err, pay.CodeInvalidField)
		}
		for _, answer := range []order.Answer{said(order.Pending), said(order.NotFoundThere), {Verdict: order.Success, Amount: amount - 1}} {
			s.till.says(func(w *words) { w.query = func(pay.OrderNo) order.Answer { return answer } })
			_, err := s.engine.Supplement(s.ctx(), o.No, approved("D-1"))
			wantCode(t, err, pay.CodeMoveRefused)
			var refused *order.Error
			if errors.As(err, &refused) && (refused.RetryAfter == 0) != answer.Definite() {
				t.Errorf("%s: ask again after %s", answer.Verdict, refused.RetryAfter)
			}
		}
		if got := s.want(o.No, pay.Closed); got.Version != 1 {
			t.Errorf("written all the same: %+v", got)
		}
	})
}

// TestFinalStatesStay asks every verb of an order that has ended.
func TestFinalStatesStay(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		for _, state := range []pay.State{pay.Closed, pay.Void, pay.Revoked} {
			t.Run(string(state), func(t *testing.T) {
				s := s.in(t)
				o := s.draft(1, newKey(), state)
				o.Due = o.Created
				s.put(o)
				_, err := s.engine.Pay(s.ctx(), o.No, order.PayRequest{AuthCode: "code"})
				wantCode(t, err, order.CodeOrderEnded)
				if after, err := s.engine.Revoke(s.ctx(), o.No); err != nil || after.State != state {
					t.Errorf("revoke: %s, %v", after.State, err)
				}
				_, _, err = s.engine.Refund(s.ctx(), o.No, order.RefundRequest{No: "r1" + o.No.String(), Amount: 1})
				wantCode(t, err, order.CodeNotPaid)
				if n, err := b.groups[0].Expire(s.ctx(), 1, []pay.OrderNo{o.No}, o.Due, "expire"); n != 0 || err != nil {
					t.Errorf("expire: %d, %v", n, err)
				}
				for _, v := range []order.Verdict{order.Failed, order.ClosedByChannel, order.RevokedByChannel, order.PayError, order.NotFoundThere, order.Pending} {
					if _, err := s.engine.Conclude(s.ctx(), o, said(v)); err != nil {
						t.Error(err)
					}
				}
				if got := s.row(o.No); got.State != state || got.Version != 1 || s.till.count(o.No) != (count{}) {
					t.Fatalf("it was touched: %+v, calls %+v", got, s.till.count(o.No))
				}
				s.till.says(func(w *words) { w.query = s.till.success })
				if _, err := s.engine.Conclude(s.ctx(), o, s.till.success(o.No)); err != nil {
					t.Fatal(err)
				}
				s.want(o.No, state)
				if _, found := s.task(order.TaskMoneyBack, o.No); !found {
					t.Fatal("a success for an ended order opened no task")
				}
				s.lapse("the money is back", func() bool {
					task, _ := s.task(order.TaskMoneyBack, o.No)
					return task.State == order.TaskDone
				})
				s.wantTask(order.TaskMoneyBack, o.No, order.TaskDone)
				s.want(o.No, state)
				if revokes := s.revokes(o.No); len(revokes) != 1 || revokes[0].State != order.RevokeDone || s.till.count(o.No).revokes != 1 {
					t.Errorf("revokes %+v, calls %+v", revokes, s.till.count(o.No))
				}
				s.consistent(o.No)
				s.till.says(func(w *words) { w.query = nil })
			})
		}
	})
}

// TestOldNewsMovesNoMoney: the success was true once, and the channel has ended the
// payment by now.
func TestOldNewsMovesNoMoney(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		o := s.put(s.draft(1, newKey(), pay.Revoked))
		s.till.says(func(w *words) { w.query = always(order.Unclear) })
		if _, err := s.engine.Conclude(s.ctx(), o, s.till.success(o.No)); err != nil {
			t.Fatal(err)
		}
		s.lapse("the channel was asked twice", func() bool { return s.till.count(o.No).asked >= 2 })
		s.wantTask(order.TaskMoneyBack, o.No, order.TaskOpen) // nothing is known yet
		s.till.says(func(w *words) { w.query = always(order.RevokedByChannel) })
		s.lapse("the task is done", func() bool {
			task, _ := s.task(order.TaskMoneyBack, o.No)
			return task.State == order.TaskDone
		})
		if n := s.till.count(o.No); n.revokes+n.refunds != 0 {
			t.Errorf("calls %+v", n)
		}
		s.want(o.No, pay.Revoked)
	})
}
