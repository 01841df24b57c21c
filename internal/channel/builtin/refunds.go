package builtin

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// refundRow is one refund as it is stored. A state other than done holds until
// done_ms, where that is set.
type refundRow struct {
	orderNo        string
	amount         pay.Fen
	state          pay.RefundState
	channelNo      string
	accepted, done time.Time
}

// answer is what the channel says of a refund at a moment.
func (r refundRow) answer(now time.Time) order.RefundAnswer {
	a := order.RefundAnswer{State: r.state, ChannelNo: r.channelNo, Amount: r.amount, Accepted: r.accepted, Code: string(r.state)}
	switch {
	case r.state == pay.RefundDone && r.done.After(now):
		a.State, a.Code = pay.RefundProcessing, "PROCESSING"
	case r.state == pay.RefundDone:
		a.Done = r.done
	case r.state == pay.RefundWaitingFunds || r.state == pay.RefundFailed:
		a.Accepted = time.Time{}
	}
	return a
}

// Refund takes a refund. The same number and amount again is the same refund.
func (c *Channel) Refund(ctx context.Context, call order.RefundCall) (a order.RefundAnswer) {
	word, after, timed := readWord(call.RefundNo)
	now := c.opts.Now()
	first := false
	err := c.transact(ctx, func(tx *sql.Tx) error {
		have, err := readRefund(ctx, tx, call)
		if err == nil && (have.orderNo != call.OrderNo.String() || have.amount != call.Amount) {
			a = order.RefundAnswer{State: pay.RefundClosed, Code: "NUMBER_USED"}
			return nil
		}
		if err == nil && have.state != pay.RefundWaitingFunds && have.state != pay.RefundFailed && have.state != dropped {
			a = have.answer(now)
			return nil
		}
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		first = err != nil
		r, code, err := decideRefund(ctx, tx, call, have, first, word, now, now.Add(orAfter(after, timed, lateAfter)))
		if err != nil {
			return err
		}
		a = r.answer(now)
		a.Code = code
		return putRefund(ctx, tx, call, r)
	})
	switch {
	case err != nil, first && word == "lost", a.State == dropped:
		return order.RefundAnswer{State: pay.RefundUnknown, Code: "NO_ANSWER"}
	}
	return a
}

// dropped marks a number whose first request never arrived.
const dropped pay.RefundState = "dropped"

func decideRefund(ctx context.Context, tx *sql.Tx, call order.RefundCall, have refundRow, first bool, word string, now, later time.Time) (refundRow, string, error) {
	r := refundRow{orderNo: call.OrderNo.String(), amount: call.Amount, state: pay.RefundDone, channelNo: "BR" + call.RefundNo, accepted: now, done: now}
	paid, err := readPayment(ctx, tx, call.Account, call.OrderNo)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return r, "", err
	}
	var sum pay.Fen
	if err := tx.QueryRowContext(ctx, "SELECT COALESCE(SUM(amount_fen), 0) FROM refunds WHERE account=? AND order_no=? AND refund_no<>? AND state IN ('done', 'processing', 'abnormal')",
		call.Account, call.OrderNo.String(), call.RefundNo).Scan(&sum); err != nil {
		return r, "", err
	}
	switch {
	case err != nil || paid.state != statePaid || paid.decided.After(now):
		r.state = pay.RefundClosed
		return r, "TRADE_NOT_PAID", nil
	case sum+call.Amount > paid.amount:
		r.state = pay.RefundClosed
		return r, "MORE_THAN_PAID", nil
	case word == "late":
		r.done = later
	case word == "drop" && first:
		r.state = dropped
	case word == "refuse":
		r.state = pay.RefundFailed
	case word == "abnormal":
		r.state = pay.RefundAbnormal
	case word == "wait" && first:
		r.state, r.done = pay.RefundWaitingFunds, later
	case word == "wait" && have.done.After(now):
		r.state, r.done = pay.RefundWaitingFunds, have.done
	}
	return r, string(r.state), nil
}

// QueryRefund says what became of a refund; a number that is not known has to be
// sent (again).
func (c *Channel) QueryRefund(ctx context.Context, call order.RefundCall) order.RefundAnswer {
	var r refundRow
	err := c.transact(ctx, func(tx *sql.Tx) (err error) {
		r, err = readRefund(ctx, tx, call)
		return err
	})
	switch {
	case errors.Is(err, sql.ErrNoRows), err == nil && (r.state == dropped || r.orderNo != call.OrderNo.String()):
		return order.RefundAnswer{State: pay.RefundRequested, Code: "REFUNDNOTEXIST"}
	case err != nil:
		return order.RefundAnswer{State: pay.RefundUnknown, Code: "BOOKS: " + err.Error()}
	}
	return r.answer(c.opts.Now())
}

func readRefund(ctx context.Context, tx *sql.Tx, call order.RefundCall) (r refundRow, err error) {
	var accepted, done int64
	err = tx.QueryRowContext(ctx, "SELECT order_no, amount_fen, state, channel_no, accepted_ms, done_ms FROM refunds WHERE account=? AND refund_no=?", call.Account, call.RefundNo).
		Scan(&r.orderNo, &r.amount, &r.state, &r.channelNo, &accepted, &done)
	r.accepted, r.done = time.UnixMilli(accepted), time.UnixMilli(done)
	return r, err
}

func putRefund(ctx context.Context, tx *sql.Tx, call order.RefundCall, r refundRow) error {
	_, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO refunds (account, refund_no, order_no, amount_fen, state, channel_no, accepted_ms, done_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		call.Account, call.RefundNo, r.orderNo, r.amount, r.state, r.channelNo, r.accepted.UnixMilli(), r.done.UnixMilli())
	return err
}
