package store

import (
	"context"
	"errors"
	"fmt"

	"paytool/internal/order"
	"paytool/internal/pay"
)

const (
	revokeColumns = `order_no, revoke_no, amount_fen, state, money, mover, detail,
  created_ms, done_ms, shadow, version, op_id, updated_ms`
	revokesOfOrder  = `SELECT ` + revokeColumns + ` FROM revokes WHERE order_no=? ORDER BY created_ms, revoke_no`
	insertRevokeSQL = `INSERT INTO revokes (` + revokeColumns + `, tag) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	updateRevokeSQL = `UPDATE revokes SET state=?, money=?, mover=?, detail=?, done_ms=?, version=?, op_id=?, updated_ms=?
WHERE order_no=? AND revoke_no=? AND version=?`
)

func scanRevoke(row scanner) (r order.Revoke, err error) {
	var created, done, updated int64
	var no string
	err = row.Scan(&no, &r.No, &r.Amount, &r.State, &r.Money, &r.By, &r.Detail,
		&created, &done, &r.Shadow, &r.Version, &r.OpID, &updated)
	r.Created, r.Done, r.Updated = fromMS(created), fromMS(done), fromMS(updated)
	return r, errors.Join(err, r.OrderNo.UnmarshalText([]byte(no)))
}

// LockRevokes reads the revokes of an order, the oldest first, and locks their rows
// until the transaction ends.
func (t *tx) LockRevokes(ctx context.Context, no pay.OrderNo) ([]order.Revoke, error) {
	all, err := readAll(ctx, t.conn, scanRevoke, revokesOfOrder+forUpdate, no.String())
	return all, t.fail(fmt.Sprintf("lock the revokes of order %s", no), err)
}

// PutRevoke writes a new revoke, or a compare-and-set on its version. Number,
// amount and creation never change.
func (t *tx) PutRevoke(ctx context.Context, r order.Revoke) (bool, error) {
	doing := fmt.Sprintf("write revoke %s of order %s", r.No, r.OrderNo)
	t.touch(r.OrderNo)
	if r.Version == 1 {
		_, err := t.exec(ctx, doing, insertRevokeSQL, r.OrderNo.String(), r.No, r.Amount, r.State, r.Money, r.By, r.Detail,
			toMS(r.Created), toMS(r.Done), r.Shadow, r.Version, r.OpID, toMS(r.Updated), r.OrderNo.Tag())
		return err == nil, err
	}
	n, err := t.exec(ctx, doing, updateRevokeSQL, r.State, r.Money, r.By, r.Detail, toMS(r.Done), r.Version, r.OpID, toMS(r.Updated),
		r.OrderNo.String(), r.No, r.Version-1)
	return err == nil && n == 1, err
}

// ReadRevokes lists the revokes of an order, the oldest first.
func (g *Group) ReadRevokes(ctx context.Context, no pay.OrderNo) ([]order.Revoke, error) {
	doing := fmt.Sprintf("read the revokes of order %s", no)
	return askInTurn(ctx, g.nodes(), doing, func(ctx context.Context, n *node) ([]order.Revoke, error) {
		return ofOrder(ctx, n, no, scanRevoke, revokesOfOrder)
	})
}
