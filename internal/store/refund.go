package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

const (
	refundColumns = `order_no, refund_no, amount_fen, state, channel_refund_no, detail,
  created_ms, accepted_ms, done_ms, due_ms, tries, shadow, version, op_id, updated_ms`
	refundsOfOrder  = `SELECT ` + refundColumns + ` FROM refunds WHERE order_no=? ORDER BY created_ms, refund_no`
	insertRefundSQL = `INSERT INTO refunds (` + refundColumns + `, tag) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	updateRefundSQL = `UPDATE refunds SET state=?, channel_refund_no=?, detail=?, accepted_ms=?, done_ms=?, due_ms=?, tries=?, version=?, op_id=?, updated_ms=?
WHERE order_no=? AND refund_no=? AND version=?`
)

func scanRefund(row scanner) (r order.Refund, err error) {
	var created, accepted, done, due, updated int64
	var no string
	err = row.Scan(&no, &r.No, &r.Amount, &r.State, &r.ChannelNo, &r.Detail,
		&created, &accepted, &done, &due, &r.Tries, &r.Shadow, &r.Version, &r.OpID, &updated)
	r.Created, r.Accepted, r.Done, r.Due, r.Updated = fromMS(created), fromMS(accepted), fromMS(done), fromMS(due), fromMS(updated)
	return r, errors.Join(err, r.OrderNo.UnmarshalText([]byte(no)))
}

// LockRefunds reads the refunds of an order, the oldest first, and locks their rows
// until the transaction ends. A new refund is held back by the lock on the order
// alone.
func (t *tx) LockRefunds(ctx context.Context, no pay.OrderNo) ([]order.Refund, error) {
	all, err := readAll(ctx, t.conn, scanRefund, refundsOfOrder+forUpdate, no.String())
	return all, t.fail(fmt.Sprintf("lock the refunds of order %s", no), err)
}

// PutRefund writes a new refund, or a compare-and-set on its version. Number,
// amount and creation never change.
func (t *tx) PutRefund(ctx context.Context, r order.Refund) (bool, error) {
	doing := fmt.Sprintf("write refund %s of order %s", r.No, r.OrderNo)
	t.touch(r.OrderNo)
	if r.Version == 1 {
		_, err := t.exec(ctx, doing, insertRefundSQL, r.OrderNo.String(), r.No, r.Amount, r.State, r.ChannelNo, r.Detail,
			toMS(r.Created), toMS(r.Accepted), toMS(r.Done), toMS(r.Due), r.Tries, r.Shadow, r.Version, r.OpID, toMS(r.Updated), r.OrderNo.Tag())
		return err == nil, err
	}
	n, err := t.exec(ctx, doing, updateRefundSQL, r.State, r.ChannelNo, r.Detail, toMS(r.Accepted), toMS(r.Done), toMS(r.Due), r.Tries,
		r.Version, r.OpID, toMS(r.Updated), r.OrderNo.String(), r.No, r.Version-1)
	return err == nil && n == 1, err
}

// ReadRefunds lists the refunds of an order, the oldest first.
func (g *Group) ReadRefunds(ctx context.Context, no pay.OrderNo) ([]order.Refund, error) {
	doing := fmt.Sprintf("read the refunds of order %s", no)
	return askInTurn(ctx, g.nodes(), doing, func(ctx context.Context, n *node) ([]order.Refund, error) {
		return ofOrder(ctx, n, no, scanRefund, refundsOfOrder)
	})
}

// DueRefunds lists refunds whose time has come, on the primary, the longest due
// first.
func (g *Group) DueRefunds(ctx context.Context, now time.Time, limit int) ([]order.Refund, error) {
	due, err := readAll(ctx, g.primary().db, scanRefund, `SELECT `+refundColumns+` FROM refunds
WHERE due_ms>0 AND due_ms<=? AND `+ofOwnTags+` ORDER BY due_ms, order_no, refund_no LIMIT ?`, toMS(now), limit)
	return due, g.primary().fail("list due refunds", err, beforeCommit)
}
