package builtin_test

import (
	"fmt"
	"testing"
	"time"

	"paytool/internal/channel/builtin"
	"paytool/internal/order"
	"paytool/internal/pay"
)

func TestRefundWords(t *testing.T) {
	t.Parallel()
	tested := map[string]bool{}
	for _, c := range []struct {
		word          string
		answer, query pay.RefundState
		wait          time.Duration
		again         pay.RefundState // to the same request after that time
		back          pay.Fen         // in the end
	}{
		{"plain", pay.RefundDone, pay.RefundDone, 0, pay.RefundDone, 400},
		{"late", pay.RefundProcessing, pay.RefundProcessing, 2 * time.Second, pay.RefundDone, 400},
		{"late=9s", pay.RefundProcessing, pay.RefundProcessing, 8 * time.Second, pay.RefundProcessing, 0},
		{"lost", pay.RefundUnknown, pay.RefundDone, 0, pay.RefundDone, 400},
		{"drop", pay.RefundUnknown, pay.RefundRequested, 0, pay.RefundDone, 400},
		{"refuse", pay.RefundFailed, pay.RefundFailed, 0, pay.RefundFailed, 0},
		{"wait", pay.RefundWaitingFunds, pay.RefundWaitingFunds, time.Second, pay.RefundWaitingFunds, 0},
		{"wait", pay.RefundWaitingFunds, pay.RefundWaitingFunds, 2 * time.Second, pay.RefundDone, 400},
		{"abnormal", pay.RefundAbnormal, pay.RefundAbnormal, time.Hour, pay.RefundAbnormal, 0},
	} {
		tested[c.word] = true
		t.Run(fmt.Sprintf("%s after %s", c.word, c.wait), func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.pay(1, "success")
			if a, q := d.refund(c.word+"-1", 400), d.queryRefund(c.word+"-1"); a != c.answer || q != c.query {
				t.Errorf("answered %s, then %s, want %s, then %s", a, q, c.answer, c.query)
			}
			d.at(c.wait)
			if a := d.refund(c.word+"-1", 400); a != c.again {
				t.Errorf("after %s: %s, want %s", c.wait, a, c.again)
			}
			if p := d.position(1); p.Refunded != c.back || p.Kept() != amount-c.back {
				t.Errorf("%+v, want %d fen back", p, c.back)
			}
		})
	}
	for _, w := range builtin.RefundWords {
		if !tested[w.Word] {
			t.Errorf("word %q has no test", w.Word)
		}
	}
}

func TestRefundsAreBounded(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if s := d.queryRefund("a"); s != pay.RefundRequested {
		t.Errorf("a number that is not known is %s", s)
	}
	if s := d.refund("unpaid", 1); s != pay.RefundClosed {
		t.Errorf("of an order that is not paid: %s", s)
	}
	d.pay(1, "success")
	for range 2 {
		if s := d.refund("a", 600); s != pay.RefundDone {
			t.Errorf("a is %s", s)
		}
	}
	if s := d.refund("late-b", 300); s != pay.RefundProcessing {
		t.Errorf("b is %s", s)
	}
	if s := d.refund("c", 101); s != pay.RefundClosed {
		t.Errorf("more than is left: %s", s)
	}
	if s := d.refund("a", 1); s != pay.RefundClosed {
		t.Errorf("a used number over another amount: %s", s)
	}
	d.pay(2, "success")
	if a := d.Refund(t.Context(), d.refundCall(2, "a", 600)); a.State != pay.RefundClosed {
		t.Errorf("a used number of another order: %s", a.State)
	}
	if s := d.refund("d", 100); s != pay.RefundDone {
		t.Errorf("all that is left: %s", s)
	}
	if r := d.revoke(1); r.Verdict != order.RevokeTooLate {
		t.Errorf("a revoke after refunds: %s", r.Verdict)
	}
	d.at(time.Minute)
	if p := d.position(1); p.Kept() != 0 || p.Refunded != amount {
		t.Errorf("%+v", p)
	}
	d.revoke(2)
	if a := d.Refund(t.Context(), d.refundCall(2, "e", 1)); a.State != pay.RefundClosed {
		t.Errorf("a refund after the revoke: %s", a.State)
	}
}

// TestARefundThatCameToNothingBarsNoRevoke: only what gave money back, or still may,
// does.
func TestARefundThatCameToNothingBarsNoRevoke(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]order.RevokeVerdict{
		"refuse": order.RevokeTaken, "drop": order.RevokeTaken, "plain": order.RevokeTooLate, "late": order.RevokeTooLate,
		"lost": order.RevokeTooLate, "wait": order.RevokeTooLate, "abnormal": order.RevokeTooLate,
	} {
		d := newDesk(t)
		d.pay(1, "success")
		d.refund(word+"-1", 1)
		if r := d.revoke(1); r.Verdict != want {
			t.Errorf("after a refund of the word %q: %s, want %s", word, r.Verdict, want)
		}
	}
	d := newDesk(t)
	d.pay(1, "success")
	d.refund("a", amount+1)
	if r := d.revoke(1); r.Verdict != order.RevokeTaken {
		t.Errorf("after a refund that was closed: %s", r.Verdict)
	}
}
