package builtin

import (
	"context"
	"fmt"
	"time"

	"paytool/internal/pay"
)

// Trade is a movement in the channel's books, as a bill lists it.
type Trade struct {
	Account  string
	Kind     pay.EntryKind
	OrderNo  string
	TradeNo  string
	RefundNo string // of a refund: ours, and the channel's
	RefundID string
	Amount   pay.Fen
	At       time.Time // a refund's or revoke's: when it was taken
}

// Trades yields what an account's books moved from one instant up to another, by time:
// payments that succeeded, also those that were revoked later, refunds that were taken,
// and revokes that gave money back. An error of yield ends it and is returned.
func (c *Channel) Trades(ctx context.Context, account string, from, to time.Time, yield func(Trade) error) error {
	db, err := c.books(ctx)
	if err != nil {
		return err
	}
	rows, err := db.QueryContext(ctx, `SELECT kind, order_no, trade_no, refund_no, refund_id, amount_fen, at FROM (
  SELECT 'pay' AS kind, order_no, trade_no, '' AS refund_no, '' AS refund_id, amount_fen, decided_ms AS at, account FROM payments WHERE state='paid'
  UNION ALL SELECT 'pay', order_no, trade_no, '', '', amount_fen, paid_ms, account FROM revokes
  UNION ALL SELECT 'revoke', order_no, trade_no, '', '', amount_fen, revoked_ms, account FROM revokes
  UNION ALL SELECT 'refund', r.order_no, p.trade_no, r.refund_no, r.channel_no, r.amount_fen, r.accepted_ms, r.account
    FROM refunds r JOIN payments p ON p.account=r.account AND p.order_no=r.order_no WHERE r.state IN ('done', 'processing', 'abnormal')
) WHERE account=? AND at>=? AND at<? ORDER BY at, order_no, kind, refund_no`, account, from.UnixMilli(), to.UnixMilli())
	if err != nil {
		return fmt.Errorf("read the built-in channel's books: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		t := Trade{Account: account}
		var at int64
		if err := rows.Scan(&t.Kind, &t.OrderNo, &t.TradeNo, &t.RefundNo, &t.RefundID, &t.Amount, &at); err != nil {
			return fmt.Errorf("read the built-in channel's books: %w", err)
		}
		t.At = time.UnixMilli(at)
		if err := yield(t); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the built-in channel's books: %w", err)
	}
	return nil
}
