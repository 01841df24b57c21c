package store

import (
	"context"
	"fmt"
	"math"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// List reads a page of a merchant's orders. A page costs the same wherever it lies:
// its bounds are a range of the index that it is sorted by.
func (g *Group) List(ctx context.Context, q order.ListQuery) ([]order.Order, error) {
	where, args := listWhere(q)
	return askInTurn(ctx, g.nodes(), "list the orders of merchant "+q.Merchant, func(ctx context.Context, n *node) ([]order.Order, error) {
		return readOrders(ctx, n.db, g.id, where, args...)
	})
}

func listWhere(q order.ListQuery) (where string, args []any) {
	before := int64(math.MaxInt64)
	if !q.To.IsZero() {
		before = toMS(q.To)
	}
	where, args = "merchant_id=? AND created_ms>=? AND created_ms<?", []any{q.Merchant, toMS(q.From), before}
	if !q.After.Created.IsZero() {
		// Not (created_ms, order_no) < (?, ?): MariaDB reads no range of an index for it.
		after := toMS(q.After.Created)
		where += " AND created_ms<=? AND (created_ms<? OR order_no<?)"
		args = append(args, after, after, q.After.No.String())
	}
	state, compare := q.State, " AND state=?"
	if state == pay.None {
		state, compare = pay.Void, " AND state<>?"
	}
	return where + compare + " AND shadow=? AND " + ofOwnTags + " ORDER BY created_ms DESC, order_no DESC LIMIT ?", append(args, state, q.Shadow, q.Limit)
}

const keyRowsWhere = "merchant_id=? AND merchant_order_no=? ORDER BY attempt, order_no"

// KeyRows reads every row of a key, VOID ones too, by attempt.
func (g *Group) KeyRows(ctx context.Context, key pay.Key) ([]order.Order, error) {
	return askInTurn(ctx, g.nodes(), fmt.Sprintf("read the rows of key %s", key), func(ctx context.Context, n *node) ([]order.Order, error) {
		return readOrders(ctx, n.db, g.id, keyRowsWhere, key.MerchantID, key.MerchantOrderNo)
	})
}

// KeyHops reads the hops of a key, the oldest first.
func (g *Group) KeyHops(ctx context.Context, key pay.Key) ([]order.Hop, error) {
	return askInTurn(ctx, g.nodes(), fmt.Sprintf("read the hops of key %s", key), func(ctx context.Context, n *node) ([]order.Hop, error) {
		return readHops(ctx, n.db, "merchant_id=? AND merchant_order_no=? ORDER BY created_ms, order_no, above_group", key.MerchantID, key.MerchantOrderNo)
	})
}
