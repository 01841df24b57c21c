package builtin

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// States of a payment in the books.
const (
	statePending = "pending"
	statePaid    = "paid"
	stateFailed  = "failed"
	stateClosed  = "closed"
	stateRevoked = "revoked"
)

// Times of the words that have one.
const (
	lateAfter  = 2 * time.Second
	closeAfter = 45 * time.Second
)

// row is one payment as it is stored.
type row struct {
	amount   pay.Fen
	state    string
	decided  time.Time
	tradeNo  string
	firm     bool    // no revoke is taken
	reported pay.Fen // what success says was paid
}

// Pay takes a payment. Nothing is written after SendBy.
func (c *Channel) Pay(ctx context.Context, call order.PayCall) order.Answer {
	word, after, timed := readWord(string(call.AuthCode))
	now := c.opts.Now()
	if now.After(call.SendBy) {
		return order.Answer{Verdict: order.NotSent, Code: "SEND_DEADLINE"}
	}
	if word == "drop" {
		return order.Answer{Verdict: order.Unclear, Code: "NO_ANSWER"}
	}
	r := row{amount: call.Amount, reported: call.Amount, state: statePaid, decided: now, tradeNo: "BI" + call.OrderNo.String()}
	switch word {
	case "refuse":
		r.state, r.decided = stateFailed, now.Add(orAfter(after, timed, 0))
	case "late":
		r.decided = now.Add(orAfter(after, timed, lateAfter))
	case "never":
		r.state, r.decided = stateClosed, now.Add(orAfter(after, timed, closeAfter))
	case "error":
		r.state, r.decided = stateClosed, now.Add(closeAfter)
	case "final":
		r.firm = true
	case "amount":
		r.reported++
	}
	var known bool
	err := c.transact(ctx, func(tx *sql.Tx) error {
		have, err := readPayment(ctx, tx, call.Account, call.OrderNo)
		if known = err == nil; known {
			r = have
			_, err = tx.ExecContext(ctx, "UPDATE payments SET sent=sent+1 WHERE account=? AND order_no=?", call.Account, call.OrderNo.String())
			return err
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		return insertPayment(ctx, tx, call.Account, call.OrderNo, r, 1)
	})
	switch {
	case err != nil:
		return unclear(err)
	case !known && word == "error":
		return order.Answer{Verdict: order.PayError, Code: "PAYERROR"}
	case !known && word == "lost":
		return order.Answer{Verdict: order.Unclear, Code: "NO_ANSWER"}
	}
	return r.answer(call.Account, now)
}

// unclear is the answer when the books could not be asked: nothing is known.
func unclear(err error) order.Answer {
	return order.Answer{Verdict: order.Unclear, Code: "BOOKS: " + err.Error()}
}

// answer is what the channel says of a payment at a moment.
func (r row) answer(account string, now time.Time) order.Answer {
	a := order.Answer{Account: account, Amount: r.reported, TradeNo: r.tradeNo, At: r.decided}
	switch {
	case r.decided.After(now):
		return order.Answer{Verdict: order.Pending, Code: "USERPAYING"}
	case r.state == statePaid:
		a.Verdict, a.Code = order.Success, "SUCCESS"
	case r.state == stateFailed:
		a.Verdict, a.Code = order.Failed, "NOTENOUGH"
	case r.state == stateRevoked:
		a.Verdict, a.Code = order.RevokedByChannel, "REVOKED"
	default:
		a.Verdict, a.Code = order.ClosedByChannel, "CLOSED"
	}
	return a
}

// Query says what became of a payment.
func (c *Channel) Query(ctx context.Context, account string, no pay.OrderNo) order.Answer {
	var r row
	err := c.transact(ctx, func(tx *sql.Tx) (err error) {
		r, err = readPayment(ctx, tx, account, no)
		return err
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return order.Answer{Verdict: order.NotFoundThere, Code: "ORDERNOTEXIST"}
	case err != nil:
		return unclear(err)
	}
	return r.answer(account, c.opts.Now())
}

// Revoke ends a payment and gives the money back if it was taken. A number that is
// not known is closed, so that it cannot be paid any more.
func (c *Channel) Revoke(ctx context.Context, call order.RevokeCall) (a order.RevokeAnswer) {
	now := c.opts.Now()
	err := c.transact(ctx, func(tx *sql.Tx) error {
		r, err := readPayment(ctx, tx, call.Account, call.OrderNo)
		if errors.Is(err, sql.ErrNoRows) {
			a = order.RevokeAnswer{Verdict: order.RevokeTaken, Money: pay.MoneyClosed, Code: "CLOSED"}
			return insertPayment(ctx, tx, call.Account, call.OrderNo, row{amount: call.Amount, reported: call.Amount, state: stateClosed, decided: now}, 0)
		}
		if err != nil {
			return err
		}
		taken := r.state == statePaid && !r.decided.After(now)
		switch {
		case r.state == stateRevoked:
			a = order.RevokeAnswer{Verdict: order.RevokeTaken, Money: pay.MoneyRefunded, Code: "REVOKED"}
			return nil
		case !taken:
			a = order.RevokeAnswer{Verdict: order.RevokeTaken, Money: pay.MoneyClosed, Code: "CLOSED"}
			return updatePayment(ctx, tx, call, stateClosed, now)
		}
		refunds, err := countRefunds(ctx, tx, call.Account, call.OrderNo)
		if err != nil {
			return err
		}
		if r.firm || refunds > 0 {
			a = order.RevokeAnswer{Verdict: order.RevokeTooLate, Money: pay.MoneyUnknown, Code: "TRADE_OVERDUE"}
			return nil
		}
		a = order.RevokeAnswer{Verdict: order.RevokeTaken, Money: pay.MoneyRefunded, Code: "REFUNDED"}
		if _, err := tx.ExecContext(ctx, "INSERT INTO revokes (account, order_no, trade_no, amount_fen, paid_ms, revoked_ms) VALUES (?, ?, ?, ?, ?, ?)",
			call.Account, call.OrderNo.String(), r.tradeNo, r.amount, r.decided.UnixMilli(), now.UnixMilli()); err != nil {
			return err
		}
		return updatePayment(ctx, tx, call, stateRevoked, now)
	})
	if err != nil {
		return order.RevokeAnswer{Verdict: order.RevokeUnclear, Money: pay.MoneyUnknown, Code: "BOOKS: " + err.Error()}
	}
	return a
}

func readPayment(ctx context.Context, tx *sql.Tx, account string, no pay.OrderNo) (r row, err error) {
	var decided int64
	err = tx.QueryRowContext(ctx, "SELECT amount_fen, state, decided_ms, trade_no, firm, reported_fen FROM payments WHERE account=? AND order_no=?", account, no.String()).
		Scan(&r.amount, &r.state, &decided, &r.tradeNo, &r.firm, &r.reported)
	r.decided = time.UnixMilli(decided)
	return r, err
}

func insertPayment(ctx context.Context, tx *sql.Tx, account string, no pay.OrderNo, r row, sent int) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO payments (account, order_no, amount_fen, state, decided_ms, trade_no, firm, reported_fen, sent) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		account, no.String(), r.amount, r.state, r.decided.UnixMilli(), r.tradeNo, r.firm, r.reported, sent)
	return err
}

func updatePayment(ctx context.Context, tx *sql.Tx, call order.RevokeCall, state string, at time.Time) error {
	_, err := tx.ExecContext(ctx, "UPDATE payments SET state=?, decided_ms=? WHERE account=? AND order_no=?", state, at.UnixMilli(), call.Account, call.OrderNo.String())
	return err
}

func countRefunds(ctx context.Context, tx *sql.Tx, account string, no pay.OrderNo) (n int, err error) {
	err = tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM refunds WHERE account=? AND order_no=? AND state NOT IN ('failed', 'closed', 'dropped')", account, no.String()).Scan(&n)
	return n, err
}
