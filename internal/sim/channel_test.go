package sim

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// countered runs a story on a channel whose answers are clear.
func countered(t *testing.T, seed uint64, story func(l *line, ctx *vctx, no pay.OrderNo)) {
	t.Helper()
	playing(t, seed, func(e *venv, ctx *vctx) {
		truth := newTruth(0, e.clock)
		ch := newChannel(e.clock, truth)
		ch.calm, ch.forgets, truth.channel = true, false, ch
		no, err := pay.NewOrderNo(start, 1, 1, 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		story(&line{channel: ch, env: e, account: "acc"}, ctx, no)
	})
}

func (c *channel) open(no pay.OrderNo, state bookState) *book {
	b := &book{account: "acc", amount: 100, state: state, wasPaid: state == bookPaid, revocable: true, paidAt: c.clock.now}
	c.books[no] = b
	return b
}

func TestRevokedNumberIsNotPaid(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		countered(t, seed, func(l *line, _ *vctx, no pay.OrderNo) {
			b := l.open(no, bookSent)
			if a := l.revoke(order.RevokeCall{OrderNo: no, Account: "acc", Amount: 100}); a.Verdict != order.RevokeTaken {
				t.Errorf("a revoke before the payment: %+v", a)
			}
			if a := l.pay(order.PayCall{OrderNo: no, Account: "acc", Amount: 100}); a.Verdict != order.RevokedByChannel || b.kept() != 0 {
				t.Errorf("a payment after its revoke: %+v, kept %d", a, b.kept())
			}
		})
	}
}

func TestForgottenRevokeStopsNothing(t *testing.T) {
	t.Parallel()
	paid := 0
	for seed := range uint64(20) {
		countered(t, seed, func(l *line, _ *vctx, no pay.OrderNo) {
			l.forgets = true
			b := l.open(no, bookSent)
			l.revoke(order.RevokeCall{OrderNo: no, Account: "acc", Amount: 100})
			l.pay(order.PayCall{OrderNo: no, Account: "acc", Amount: 100})
			if b.kept() > 0 {
				paid++
			}
		})
	}
	if paid == 0 {
		t.Error("no payment was taken after a revoke that left no trace")
	}
}

func TestRefundAndRevokeExcludeEachOther(t *testing.T) {
	t.Parallel()
	countered(t, 1, func(l *line, _ *vctx, no pay.OrderNo) {
		b := l.open(no, bookPaid)
		refund := order.RefundCall{OrderNo: no, Account: "acc", RefundNo: "r", Amount: 40, Total: 100}
		if a := l.refund(refund); a.State != pay.RefundDone || b.kept() != 60 {
			t.Errorf("refunded: %+v, kept %d", a, b.kept())
		}
		if a := l.refund(refund); a.State != pay.RefundDone || b.kept() != 60 {
			t.Errorf("refunded again under its number: %+v, kept %d", a, b.kept())
		}
		if a := l.revoke(order.RevokeCall{OrderNo: no, Account: "acc", Amount: 100}); a.Verdict != order.RevokeTooLate || b.kept() != 60 {
			t.Errorf("revoked after a refund: %+v, kept %d", a, b.kept())
		}
	})
	countered(t, 1, func(l *line, _ *vctx, no pay.OrderNo) {
		b := l.open(no, bookPaid)
		if a := l.revoke(order.RevokeCall{OrderNo: no, Account: "acc", Amount: 100}); a.Verdict != order.RevokeTaken || b.kept() != 0 {
			t.Errorf("revoked: %+v, kept %d", a, b.kept())
		}
		if a := l.refund(order.RefundCall{OrderNo: no, RefundNo: "r", Amount: 40}); a.State != pay.RefundFailed || b.kept() != 0 {
			t.Errorf("refunded after a revoke: %+v, kept %d", a, b.kept())
		}
	})
}

func TestSendDeadlineAndSilence(t *testing.T) {
	t.Parallel()
	countered(t, 1, func(l *line, ctx *vctx, no pay.OrderNo) {
		if a := l.Pay(ctx, order.PayCall{OrderNo: no, SendBy: l.env.Now().Add(-time.Millisecond)}); a.Verdict != order.NotSent || len(l.books) > 0 {
			t.Errorf("after its deadline: %+v, %d books", a, len(l.books))
		}
		short, cancel := l.env.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		if a := l.Query(short, "acc", no); a.Verdict != order.Unclear {
			t.Errorf("a query that takes too long: %+v", a)
		}
		l.open(no, bookPaid)
		for account, want := range map[string]order.Verdict{"acc": order.Success, "other": order.NotFoundThere} {
			if a := l.Query(ctx, account, no); a.Verdict != want {
				t.Errorf("asked with account %s: %+v", account, a)
			}
		}
	})
}

// TestBooksStayWithinTheAmount: whatever is asked in whatever order, the channel
// keeps nothing or a part of what it took.
func TestBooksStayWithinTheAmount(t *testing.T) {
	t.Parallel()
	type step struct {
		What   int // revoke, refund, wait
		Amount pay.Fen
		Wait   time.Duration
	}
	steps := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) step {
		return step{What: rapid.IntRange(0, 2).Draw(r, "what"), Amount: pay.Fen(rapid.Int64Range(0, 60).Draw(r, "amount")),
			Wait: time.Duration(rapid.IntRange(0, 6000).Draw(r, "ms")) * time.Millisecond}
	}), 1, 8)
	rapid.Check(t, func(r *rapid.T) {
		todo, seed, wrong := steps.Draw(r, "steps"), rapid.Uint64().Draw(r, "seed"), ""
		countered(t, seed, func(l *line, ctx *vctx, no pay.OrderNo) {
			l.calm = false
			b, left := l.open(no, bookSent), pay.Fen(100)
			l.pay(order.PayCall{OrderNo: no, Account: "acc", Amount: 100})
			for i, s := range todo {
				switch s.What {
				case 0:
					l.revoke(order.RevokeCall{OrderNo: no, Account: "acc", Amount: 100})
				case 1:
					amount := min(s.Amount, left)
					left -= amount
					l.refund(order.RefundCall{OrderNo: no, RefundNo: fmt.Sprintf("r%d", i), Amount: amount})
				case 2:
					_ = l.env.Sleep(ctx, s.Wait)
				}
				if kept := b.kept(); kept < 0 || kept > 100 || (kept > 0 && !b.wasPaid) {
					wrong = fmt.Sprintf("after step %d the channel keeps %d of a payment that is %s", i, kept, b.state)
				}
			}
			for _, v := range l.truth.violations {
				wrong = v.String()
			}
		})
		if wrong != "" {
			r.Fatal(wrong)
		}
	})
}
