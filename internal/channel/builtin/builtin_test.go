package builtin_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"paytool/internal/channel/builtin"
	"paytool/internal/order"
	"paytool/internal/pay"
)

const amount pay.Fen = 1000

// desk is a channel with new books and a clock that the test moves.
type desk struct {
	*builtin.Channel
	t     testing.TB
	books string
	ahead atomic.Int64
}

var opening = time.Date(2026, 3, 1, 10, 0, 0, 0, pay.Beijing)

func newDesk(t testing.TB) *desk {
	t.Helper()
	d := &desk{t: t, books: filepath.Join(t.TempDir(), "books.db")}
	d.Channel = d.another()
	return d
}

// another is one more handle on the same books, as another process has it.
func (d *desk) another() *builtin.Channel {
	c := builtin.New(builtin.Options{Books: d.books, Now: d.now})
	d.t.Cleanup(func() {
		if err := c.Close(); err != nil {
			d.t.Error(err)
		}
	})
	return c
}

func (d *desk) now() time.Time { return opening.Add(time.Duration(d.ahead.Load())) }

func (d *desk) at(since time.Duration) { d.ahead.Store(int64(since)) }

func number(t testing.TB, sequence int) pay.OrderNo {
	t.Helper()
	no, err := pay.NewOrderNo(opening, 1, sequence, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	return no
}

func (d *desk) payCall(sequence int, code order.AuthCode) order.PayCall {
	d.t.Helper()
	return order.PayCall{OrderNo: number(d.t, sequence), Account: d.Account(), Amount: amount, AuthCode: code, SendBy: d.now().Add(time.Second)}
}

func (d *desk) pay(sequence int, code order.AuthCode) order.Answer {
	d.t.Helper()
	return d.Pay(d.t.Context(), d.payCall(sequence, code))
}

func (d *desk) query(sequence int) order.Answer {
	d.t.Helper()
	return d.Query(d.t.Context(), d.Account(), number(d.t, sequence))
}

func (d *desk) revoke(sequence int) order.RevokeAnswer {
	d.t.Helper()
	return d.Revoke(d.t.Context(), order.RevokeCall{OrderNo: number(d.t, sequence), Account: d.Account(), Amount: amount})
}

func (d *desk) refundCall(sequence int, no string, fen pay.Fen) order.RefundCall {
	d.t.Helper()
	return order.RefundCall{OrderNo: number(d.t, sequence), Account: d.Account(), RefundNo: no, Amount: fen, Total: amount}
}

func (d *desk) refund(no string, fen pay.Fen) pay.RefundState {
	d.t.Helper()
	return d.Refund(d.t.Context(), d.refundCall(1, no, fen)).State
}

func (d *desk) queryRefund(no string) pay.RefundState {
	d.t.Helper()
	return d.QueryRefund(d.t.Context(), d.refundCall(1, no, 1)).State
}

func (d *desk) position(sequence int) (found builtin.Position) {
	d.t.Helper()
	err := d.Positions(d.t.Context(), func(p builtin.Position) error {
		if p.OrderNo == number(d.t, sequence) {
			found = p
		}
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return found
}

func TestWords(t *testing.T) {
	t.Parallel()
	tested := map[string]bool{}
	for _, c := range []struct {
		word, code    string
		answer, query order.Verdict // to the payment, and to a query at once
		wait          time.Duration
		later         order.Verdict // to a query after that time
		kept          pay.Fen       // by then
		revoke        order.RevokeVerdict
		money         pay.Money
	}{
		{"success", "success", order.Success, order.Success, time.Minute, order.Success, amount, order.RevokeTaken, pay.MoneyRefunded},
		{"success", "28763443825664394", order.Success, order.Success, 0, order.Success, amount, order.RevokeTaken, pay.MoneyRefunded},
		{"refuse", "refuse", order.Failed, order.Failed, time.Minute, order.Failed, 0, order.RevokeTaken, pay.MoneyClosed},
		{"refuse", "refuse=5s-17", order.Pending, order.Pending, 5 * time.Second, order.Failed, 0, order.RevokeTaken, pay.MoneyClosed},
		{"late", "late", order.Pending, order.Pending, 1999 * time.Millisecond, order.Pending, 0, order.RevokeTaken, pay.MoneyClosed},
		{"late", "late-9", order.Pending, order.Pending, 2 * time.Second, order.Success, amount, order.RevokeTaken, pay.MoneyRefunded},
		{"late", "late=7s", order.Pending, order.Pending, 7 * time.Second, order.Success, amount, order.RevokeTaken, pay.MoneyRefunded},
		{"late", "late=soon", order.Pending, order.Pending, 2 * time.Second, order.Success, amount, order.RevokeTaken, pay.MoneyRefunded},
		{"never", "never", order.Pending, order.Pending, 44 * time.Second, order.Pending, 0, order.RevokeTaken, pay.MoneyClosed},
		{"never", "never", order.Pending, order.Pending, 45 * time.Second, order.ClosedByChannel, 0, order.RevokeTaken, pay.MoneyClosed},
		{"lost", "lost", order.Unclear, order.Success, 0, order.Success, amount, order.RevokeTaken, pay.MoneyRefunded},
		{"drop", "drop", order.Unclear, order.NotFoundThere, time.Hour, order.NotFoundThere, 0, order.RevokeTaken, pay.MoneyClosed},
		{"error", "error", order.PayError, order.Pending, 45 * time.Second, order.ClosedByChannel, 0, order.RevokeTaken, pay.MoneyClosed},
		{"final", "final", order.Success, order.Success, time.Hour, order.Success, amount, order.RevokeTooLate, pay.MoneyUnknown},
		{"amount", "amount", order.Success, order.Success, 0, order.Success, amount, order.RevokeTaken, pay.MoneyRefunded},
	} {
		tested[c.word] = true
		t.Run(c.code, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			first := d.pay(1, order.AuthCode(c.code))
			if first.Verdict != c.answer || d.query(1).Verdict != c.query {
				t.Errorf("answered %s, then %s, want %s, then %s", first.Verdict, d.query(1).Verdict, c.answer, c.query)
			}
			d.at(c.wait)
			later := d.query(1)
			if later.Verdict != c.later {
				t.Errorf("after %s: %s, want %s", c.wait, later.Verdict, c.later)
			}
			if later.Verdict == order.Success && c.word != "amount" &&
				(later.Amount != amount || later.Account != d.Account() || later.TradeNo == "" || later.At.IsZero()) {
				t.Errorf("a success says %+v", later)
			}
			if c.word == "amount" && (first.Amount != amount+1 || later.Amount != amount+1) {
				t.Errorf("%d and %d fen are told, want one more than was asked for", first.Amount, later.Amount)
			}
			if kept := d.position(1).Kept(); kept != c.kept {
				t.Errorf("%d fen are kept, want %d", kept, c.kept)
			}
			for range 2 { // it may be repeated
				if r := d.revoke(1); r.Verdict != c.revoke || r.Money != c.money {
					t.Errorf("revoke: %+v, want %s, money %s", r, c.revoke, c.money)
				}
			}
			if kept := d.position(1).Kept(); (kept != 0) != (c.revoke == order.RevokeTooLate) {
				t.Errorf("%d fen are kept after the revoke", kept)
			}
		})
	}
	for _, w := range builtin.Words {
		if !tested[w.Word] {
			t.Errorf("word %q has no test", w.Word)
		}
	}
}

func TestNothingIsTakenAfterTheSendDeadline(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	call := d.payCall(1, "success")
	d.at(time.Second + time.Millisecond)
	if a := d.Pay(t.Context(), call); a.Verdict != order.NotSent {
		t.Errorf("answered %s", a.Verdict)
	}
	if a := d.query(1); a.Verdict != order.NotFoundThere {
		t.Errorf("then it is %s", a.Verdict)
	}
	d.at(time.Second)
	if a := d.Pay(t.Context(), call); a.Verdict != order.Success {
		t.Errorf("at the deadline: %s", a.Verdict)
	}
}

func TestANumberIsPaidOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.pay(1, "refuse")
	if a := d.pay(1, "success"); a.Verdict != order.Failed {
		t.Errorf("another code under the same number: %s", a.Verdict)
	}
	if p := d.position(1); p.Sent != 2 || p.Kept() != 0 {
		t.Errorf("%+v, want it to have arrived twice", p)
	}
}

// TestRevokeOfAnUnknownNumber closes it: a payment that is still on its way comes to
// nothing.
func TestRevokeOfAnUnknownNumber(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if r := d.revoke(1); r.Verdict != order.RevokeTaken || r.Money != pay.MoneyClosed {
		t.Fatalf("%+v", r)
	}
	if a := d.pay(1, "success"); a.Verdict != order.ClosedByChannel {
		t.Errorf("it was paid after its revoke: %s", a.Verdict)
	}
	if kept := d.position(1).Kept(); kept != 0 {
		t.Errorf("%d fen are kept", kept)
	}
}

// TestManyAtOnce has two processes' handles on one file at work at once: every
// number is paid once, and the totals are right.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	handles := []*builtin.Channel{d.Channel, d.another()}
	const orders, workers = 20, 4
	var wg sync.WaitGroup
	for i := range workers {
		c := handles[i%2]
		wg.Go(func() {
			for n := range orders {
				call := d.payCall(n, "success")
				if a := c.Pay(t.Context(), call); a.Verdict != order.Success {
					t.Errorf("order %d: %+v", n, a)
				}
				refund := order.RefundCall{OrderNo: call.OrderNo, Account: call.Account, RefundNo: "r" + call.OrderNo.String(), Amount: 300, Total: amount}
				if a := c.Refund(t.Context(), refund); a.State != pay.RefundDone {
					t.Errorf("refund of order %d: %+v", n, a)
				}
			}
		})
	}
	wg.Wait()
	for i, c := range handles {
		var kept pay.Fen
		n := 0
		err := c.Positions(t.Context(), func(p builtin.Position) error {
			n++
			kept += p.Kept()
			if p.Sent != workers {
				t.Errorf("%s arrived %d times, want %d", p.OrderNo, p.Sent, workers)
			}
			return nil
		})
		if err != nil || n != orders || kept != orders*(amount-300) {
			t.Errorf("handle %d: %d orders, %d fen kept, %v", i, n, kept, err)
		}
	}
}

func TestBooksThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	c := builtin.New(builtin.Options{Books: filepath.Join(t.TempDir(), "missing", "books.db")})
	defer func() { _ = c.Close() }() // it never opened
	d := newDesk(t)
	if a := c.Pay(t.Context(), order.PayCall{OrderNo: number(t, 1), SendBy: time.Now().Add(time.Minute), Amount: 1}); a.Verdict != order.Unclear {
		t.Errorf("pay: %+v, want nothing to be known", a)
	}
	if a := c.Query(t.Context(), "a", number(t, 1)); a.Verdict != order.Unclear {
		t.Errorf("query: %+v: it is not known that the number is not there", a)
	}
	if a := c.Revoke(t.Context(), order.RevokeCall{OrderNo: number(t, 1)}); a.Verdict != order.RevokeUnclear {
		t.Errorf("revoke: %+v", a)
	}
	for name, ask := range map[string]func() order.RefundAnswer{
		"refund":       func() order.RefundAnswer { return c.Refund(t.Context(), d.refundCall(1, "a", 1)) },
		"query refund": func() order.RefundAnswer { return c.QueryRefund(t.Context(), d.refundCall(1, "a", 1)) },
	} {
		if a := ask(); a.State != pay.RefundUnknown {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

// TestBooksInUseWhileOpened is another process that has the file for itself in the
// moment of the first call: what that call cannot know, the next one can.
func TestBooksInUseWhileOpened(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	db, err := sql.Open("sqlite", d.books)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}
	given, cancel := context.WithCancel(t.Context())
	cancel()
	if a := d.Pay(given, d.payCall(1, "success")); a.Verdict != order.Unclear {
		t.Fatalf("while the file is another's: %+v", a)
	}
	if _, err := db.Exec("COMMIT"); err != nil {
		t.Fatal(err)
	}
	if a := d.pay(1, "success"); a.Verdict != order.Success {
		t.Errorf("afterwards: %+v", a)
	}
}
