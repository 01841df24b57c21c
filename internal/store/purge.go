package store

import (
	"context"
	"errors"
	"time"

	"paytool/internal/order"
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

// PurgeShadow deletes shadow orders of the tags that the group owns, tag by tag and
// the oldest first, in transactions of at most 200. After an error it says how many
// were deleted for sure. A tag that is fenced meanwhile is left to a later call.
func (g *Group) PurgeShadow(ctx context.Context, before time.Time, limit int) (deleted int, err error) {
	tags, err := readAll(ctx, g.primary().db, scanValue[pay.Tag], ownedTagsSQL)
	if err != nil {
		return 0, g.primary().fail(purging, err, beforeCommit)
	}
	for _, tag := range tags {
		n, err := g.purgeTag(ctx, tag, before, limit-deleted)
		deleted += n
		if err != nil && !errors.Is(err, order.ErrNotOwned) {
			return deleted, err
		}
	}
	return deleted, nil
}

const purging = "delete shadow orders"

func (g *Group) purgeTag(ctx context.Context, tag pay.Tag, before time.Time, limit int) (deleted int, err error) {
	for deleted < limit {
		batch := min(limit-deleted, purgeAtOnce)
		n := 0
		err := g.inTag(ctx, tag, purging, func(t *tx) (err error) {
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
	numbers, err := readAll(ctx, t.conn, scanValue[string],
		"SELECT order_no FROM orders WHERE "+shadowWhere+" AND tag=? ORDER BY created_ms, order_no LIMIT ?", pay.ShadowMerchant, toMS(before), t.tag, limit)
	if err != nil || len(numbers) == 0 {
		return 0, t.fail(purging, err)
	}
	these := make([]any, len(numbers))
	for i, text := range numbers {
		no, err := pay.ParseOrderNo(text)
		if err != nil {
			return 0, t.fail(purging, err)
		}
		t.touch(no)
		these[i] = text
	}
	for _, rows := range purged {
		if _, err := t.exec(ctx, purging, "DELETE FROM "+rows+" IN "+tuples(1, len(these)), these...); err != nil {
			return 0, err
		}
	}
	return len(numbers), nil
}

// scanValue reads the one column of a row.
func scanValue[T any](row scanner) (v T, err error) {
	err = row.Scan(&v)
	return v, err
}
