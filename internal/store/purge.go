package store

import (
	"context"
	"time"

	"paytool/internal/pay"
)

// Shadow orders are of one merchant, so that its index finds them in the order in
// which they go. The tags stand apart: a join with them would sort all that is left
// for each transaction.
const (
	ownedTagsSQL = `SELECT tag FROM group_state WHERE state='owned'`
	shadowWhere  = `merchant_id=? AND shadow=1 AND created_ms<?
  AND order_no NOT IN (SELECT order_no FROM doubts WHERE settled_ms=0)
  AND order_no NOT IN (SELECT winner FROM doubts WHERE settled_ms=0)`
	purgeAtOnce = 200
)

// purged lists what goes with an order, by the column that names it. A doubt
// belongs to the winner.
var purged = []string{
	"refunds WHERE order_no", "revokes WHERE order_no", "outbox WHERE order_no", "hops WHERE order_no", "tasks WHERE order_no",
	"doubts WHERE settled_ms>0 AND winner", "orders WHERE order_no",
}

// CountShadow counts what PurgeShadow would delete now.
func (g *Group) CountShadow(ctx context.Context, before time.Time) (int, error) {
	return askInTurn(ctx, g.nodes(), "count shadow orders", func(ctx context.Context, n *node) (count int, err error) {
		err = n.scan.QueryRowContext(ctx, "SELECT COUNT(*) FROM orders WHERE "+shadowWhere+" AND tag IN ("+ownedTagsSQL+")", pay.ShadowMerchant, toMS(before)).
			Scan(&count)
		return count, err
	})
}

// PurgeShadow deletes shadow orders of the tags that the group owns, the oldest
// first, in transactions of at most 200. After an error it says how many were
// deleted for sure.
func (g *Group) PurgeShadow(ctx context.Context, before time.Time, limit int) (int, error) {
	deleted := 0
	for deleted < limit {
		batch := min(limit-deleted, purgeAtOnce)
		n := 0
		err := g.inTx(ctx, func(t *tx) (err error) {
			n, err = t.purge(ctx, before, batch)
			return err
		})
		if err != nil {
			return deleted, err
		}
		if deleted += n; n < batch {
			break
		}
	}
	return deleted, nil
}

func (t *tx) purge(ctx context.Context, before time.Time, limit int) (n int, err error) {
	const doing = "delete shadow orders"
	tags, err := readAll(ctx, t.conn, scanValue[int64], ownedTagsSQL+" /*! LOCK IN SHARE MODE */") // the fence, see the package comment
	if err != nil || len(tags) == 0 {
		return 0, t.fail(doing, err)
	}
	args := append([]any{pay.ShadowMerchant, toMS(before)}, tags...)
	numbers, err := readAll(ctx, t.conn, scanValue[string],
		"SELECT order_no FROM orders WHERE "+shadowWhere+" AND tag IN "+tuples(1, len(tags))+" ORDER BY created_ms, order_no LIMIT ?", append(args, limit)...)
	if err != nil || len(numbers) == 0 {
		return 0, t.fail(doing, err)
	}
	for _, rows := range purged {
		if _, err := t.exec(ctx, doing, "DELETE FROM "+rows+" IN "+tuples(1, len(numbers)), numbers...); err != nil {
			return 0, err
		}
	}
	return len(numbers), nil
}

// scanValue reads the one column of a row, for use as an argument.
func scanValue[T any](row scanner) (any, error) {
	var v T
	err := row.Scan(&v)
	return v, err
}
