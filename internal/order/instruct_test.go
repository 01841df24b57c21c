package order_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// approved is an instruction over the amount of all tests.
func approved(id string) order.Instruction {
	return order.Instruction{ID: id, Approvers: [2]string{"li", "wang"}, Reason: "the buyer has a receipt", Amount: amount}
}

func TestInstructionsAreChecked(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		o := s.put(s.draft(1, newKey(), pay.Closed))
		for name, spoil := range map[string]func(in *order.Instruction){
			"no id":         func(in *order.Instruction) { in.ID = "" },
			"a long id":     func(in *order.Instruction) { in.ID = strings.Repeat("x", order.MaxInstructionID+1) },
			"a blank in it": func(in *order.Instruction) { in.ID = "D 1" },
			"not ASCII":     func(in *order.Instruction) { in.ID = "差异1" },
			"one person":    func(in *order.Instruction) { in.Approvers[1] = in.Approvers[0] },
			"nobody":        func(in *order.Instruction) { in.Approvers[1] = "" },
			"no amount":     func(in *order.Instruction) { in.Amount = 0 },
		} {
			in := approved("D-1")
			spoil(&in)
			_, err := s.engine.Supplement(s.ctx(), o.No, in)
			t.Log(name, err)
			wantCode(t, err, pay.CodeInvalidField)
			_, _, err = s.engine.RecordRefund(s.ctx(), o.No, order.ConsoleRefund{No: "r1"}, in)
			wantCode(t, err, pay.CodeInvalidField)
		}
		if n := s.till.count(o.No); n != (count{}) {
			t.Errorf("the channel was asked: %+v", n)
		}
	})
}

// TestASupplementIsOneMove: the same instruction again, and again after a commit of
// which nothing was heard.
func TestASupplementIsOneMove(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		for name, f := range map[string]fate{"heard": commits, "not heard": lostLate, "lost": lostEarly} {
			t.Run(name, func(t *testing.T) {
				s := b.shop(t)
				o := s.put(s.draft(1, newKey(), pay.Closed))
				s.till.says(func(w *words) { w.query = s.till.success })
				s.groups[0].fails(func(g *tamper) { g.commit = onceFor(f, to(pay.Paid)) })
				defer s.groups[0].heals()
				in := approved("D-" + strings.Repeat("7", order.MaxInstructionID-2))
				in.Reason = strings.Repeat("a long reason ", 40)
				for range 3 {
					after, err := s.engine.Supplement(s.ctx(), o.No, in)
					if f == lostEarly && err != nil {
						continue // told that nothing was written; the next one does it
					}
					if err != nil || after.State != pay.Paid {
						t.Fatalf("%+v, %v", after, err)
					}
				}
				moves := 0
				for _, m := range s.moves(o.No) {
					if m.By == pay.BySupplement {
						moves++
						if !strings.Contains(m.Detail, in.ID) || !strings.Contains(m.Detail, "li and wang") {
							t.Errorf("the move says %q", m.Detail)
						}
					}
				}
				if moves != 1 {
					t.Errorf("%d moves, want 1", moves)
				}
				_, err := s.engine.Supplement(s.ctx(), o.No, approved("D-another"))
				wantCode(t, err, pay.CodeMoveRefused)
			})
		}
	})
}

func TestSupplementRefusals(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.leavesNothingDue(t)
		s.till.says(func(w *words) { w.query = s.till.success })
		o := s.put(s.draft(1, newKey(), pay.Closed))
		in := approved("D-1")
		in.Amount--
		_, err := s.engine.Supplement(s.ctx(), o.No, in)
		wantCode(t, err, order.CodeAmountMismatch)
		in.Amount = amount
		paid := s.put(s.draft(1, newKey(), pay.Paid))
		_, err = s.engine.Supplement(s.ctx(), paid.No, in)
		wantCode(t, err, pay.CodeMoveRefused)

		void := s.draft(1, newKey(), pay.Void)
		s.put(void)
		s.put(s.draft(1, void.Key, pay.Created)) // took its place
		_, err = s.engine.Supplement(s.ctx(), void.No, in)
		wantCode(t, err, pay.CodeMoveRefused)

		if _, err := s.engine.Conclude(s.ctx(), o, s.till.success(o.No)); err != nil { // the money goes back
			t.Fatal(err)
		}
		_, err = s.engine.Supplement(s.ctx(), o.No, in)
		wantCode(t, err, pay.CodeMoveRefused)
		for _, o := range []order.Order{o, void} {
			if got := s.row(o.No); got.State != o.State {
				t.Errorf("order %s went from %s to %s", o.No, o.State, got.State)
			}
		}
	})
}

// console has the till know a refund that we do not.
func (s *shop) console(fen pay.Fen) {
	s.till.says(func(w *words) {
		w.queryRefund = func(order.RefundCall) order.RefundAnswer {
			return order.RefundAnswer{State: pay.RefundDone, ChannelNo: "C1", Amount: fen, Accepted: s.till.now(), Done: s.till.now(), Code: "SUCCESS"}
		}
	})
}

func TestAConsoleRefundIsRecordedOnce(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		for name, f := range map[string]fate{"heard": commits, "not heard": lostLate, "lost": lostEarly} {
			t.Run(name, func(t *testing.T) {
				s := b.shop(t)
				o := s.pays(s.create().No)
				s.console(500)
				in := approved("D-1")
				in.Amount = 500
				s.groups[o.Group-1].fails(func(g *tamper) {
					g.commit = onceFor(f, func(m order.Move) bool { return strings.Contains(m.Detail, "console") })
				})
				defer s.groups[o.Group-1].heals()
				for range 3 {
					after, r, err := s.engine.RecordRefund(s.ctx(), o.No, order.ConsoleRefund{No: "x1", ChannelNo: "C1"}, in)
					if f == lostEarly && err != nil {
						continue
					}
					if err != nil || after.State != pay.Paid || after.Refunded != 500 || r.State != pay.RefundDone || r.ChannelNo != "C1" || r.Amount != 500 {
						t.Fatalf("%+v, %+v, %v", after, r, err)
					}
				}
				if all := s.refunds(o.No); len(all) != 1 || all[0].Accepted.IsZero() || all[0].Done.IsZero() || !all[0].Due.IsZero() {
					t.Errorf("refunds %+v", all)
				}
				if got := s.want(o.No, pay.Paid); got.Refunded != 500 {
					t.Errorf("%d fen are refunded, want 500", got.Refunded)
				}
				if n := s.till.count(o.No); n.refunds != 0 {
					t.Errorf("%d refunds were sent: the tool moves no money", n.refunds)
				}
				s.consistent(o.No)
				_, _, err := s.engine.RecordRefund(s.ctx(), o.No, order.ConsoleRefund{No: "x2"}, in)
				wantCode(t, err, order.CodeNotFound) // one instruction is one refund
				in.ID = "D-2"                        // another one for what is known changes nothing
				if after, _, err := s.engine.RecordRefund(s.ctx(), o.No, order.ConsoleRefund{No: "x1"}, in); err != nil || after.Refunded != 500 {
					t.Errorf("%+v, %v", after, err)
				}
			})
		}
	})
}

func TestConsoleRefundRefusals(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		paid := s.put(s.draft(1, newKey(), pay.Paid))
		s.withRefund(paid, order.Refund{No: "ours", Amount: 400, State: pay.RefundDone, ChannelNo: "C0"})
		s.withRefund(paid, order.Refund{No: "closed", Amount: 500, State: pay.RefundClosed})
		open, closed := s.draft(1, newKey(), pay.Paying), s.put(s.draft(1, newKey(), pay.Closed))
		open.Due = s.bed.clock.Now().Add(time.Hour)
		s.put(open)
		done := order.RefundAnswer{State: pay.RefundDone, ChannelNo: "C1", Amount: 500}
		for name, c := range map[string]struct {
			o      order.Order
			number string
			says   func(a *order.RefundAnswer)
			fen    pay.Fen
			code   string
		}{
			"more than is left":      {paid, "x", nil, amount - 400 + 1, order.CodeRefundRefused},
			"another amount of ours": {paid, "ours", nil, 500, order.CodeAmountMismatch},
			"closed in our books":    {paid, "closed", nil, 500, order.CodeRefundRefused},
			"another channel number": {paid, "ours", nil, 400, order.CodeRefundRefused},
			"not paid, and open":     {open, "x", nil, 500, order.CodeOrderOpen},
			"not paid, and ended":    {closed, "x", nil, 500, order.CodeNotPaid},
			"not known there":        {paid, "x", func(a *order.RefundAnswer) { a.State = pay.RefundRequested }, 500, order.CodeRefundRefused},
			"no answer":              {paid, "x", func(a *order.RefundAnswer) { a.State = pay.RefundUnknown }, 500, order.CodeRefundRefused},
			"not done yet":           {paid, "x", func(a *order.RefundAnswer) { a.State = pay.RefundProcessing }, 500, order.CodeRefundRefused},
			"an amount not told":     {paid, "x", func(a *order.RefundAnswer) { a.Amount = 0 }, 500, order.CodeRefundRefused},
			"another amount there":   {paid, "x", func(a *order.RefundAnswer) { a.Amount = 501 }, 500, order.CodeRefundRefused},
			"another number there":   {paid, "x", func(a *order.RefundAnswer) { a.ChannelNo = "C2" }, 500, order.CodeRefundRefused},
			"no number":              {paid, "", nil, 500, pay.CodeInvalidField},
		} {
			t.Run(name, func(t *testing.T) {
				s := s.in(t)
				answer := done
				answer.Amount = c.fen
				if c.says != nil {
					c.says(&answer)
				}
				s.till.says(func(w *words) { w.queryRefund = func(order.RefundCall) order.RefundAnswer { return answer } })
				in := approved("D-" + strings.ReplaceAll(name, " ", "-"))
				in.Amount = c.fen
				_, _, err := s.engine.RecordRefund(s.ctx(), c.o.No, order.ConsoleRefund{No: c.number, ChannelNo: "C1"}, in)
				wantCode(t, err, c.code)
				if got := s.row(c.o.No); got.Version != c.o.Version || got.Refunded != c.o.Refunded {
					t.Errorf("written all the same: %+v", got)
				}
			})
		}
	})
}

// TestAConsoleRefundEndsWhatIsOpen: a refund of ours of which nothing is known, and
// money that is on its way back.
func TestAConsoleRefundEndsWhatIsOpen(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		o := s.put(s.draft(1, newKey(), pay.Paid))
		s.withRefund(o, order.Refund{No: "k1", Amount: 500, State: pay.RefundUnknown})
		s.console(500)
		in := approved("D-1")
		in.Amount = 500
		after, r, err := s.engine.RecordRefund(s.ctx(), o.No, order.ConsoleRefund{No: "k1", ChannelNo: "C1"}, in)
		if err != nil || after.Refunded != 500 || r.State != pay.RefundDone || len(s.refunds(o.No)) != 1 {
			t.Errorf("%+v, %+v, %v", after, r, err)
		}

		s.till.says(func(w *words) { w.query = s.till.success; w.revoke = revokesWith(order.RevokeUnclear) })
		ended := s.put(s.draft(1, newKey(), pay.Closed))
		if _, err := s.engine.Conclude(s.ctx(), ended, s.till.success(ended.No)); err != nil {
			t.Fatal(err)
		}
		s.console(amount)
		if _, _, err := s.engine.RecordRefund(s.ctx(), ended.No, order.ConsoleRefund{No: "x1", ChannelNo: "C1"}, approved("D-2")); err != nil {
			t.Fatal(err)
		}
		if got := s.want(ended.No, pay.Closed); got.Refunded != amount {
			t.Errorf("%d fen are refunded", got.Refunded)
		}
		s.lapse("the task is done", func() bool {
			task, _ := s.task(order.TaskMoneyBack, ended.No)
			return task.State == order.TaskDone
		})
	})
}

// withRefund puts a refund, and its sum into the order if it is done.
func (s *shop) withRefund(o order.Order, r order.Refund) {
	s.t.Helper()
	now := s.bed.clock.Now()
	r.OrderNo, r.Created, r.Updated, r.Version, r.OpID = o.No, now, now, 1, "put"
	s.within(o.Group, o.No, func(ctx context.Context, tx order.Tx) error {
		_, err := tx.PutRefund(ctx, r)
		return err
	})
}
