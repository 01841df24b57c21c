package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

const (
	moveOrderSQL = `UPDATE orders SET state=?, live=?, refunded_fen=?, channel=?, account=?, channel_trade_no=?, terminal_id=?, subject=?,
  paid_ms=?, updated_ms=?, twin_of=?, risk_double=?, send_by_ms=?, due_ms=?, tries=?, version=version+1, op_id=?
WHERE order_no=? AND state=? AND version=?`
	moveColumns = `tag, order_no, version, merchant_id, created_ms, published_ms, from_state, to_state, mover, op_id, detail`
	// recordMoveSQL is also what tells the relay that the order has changed.
	recordMoveSQL = `INSERT INTO outbox (` + moveColumns + `) VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?)`
)

// Move is a compare-and-set on state and version. A VOID row that comes back to
// life (a supplement) answers ErrDuplicateKey where another row has taken its
// place.
func (t *tx) Move(ctx context.Context, before, after order.Order, m order.Move) (bool, error) {
	t.touch(before.No)
	n, err := t.exec(ctx, fmt.Sprintf("move order %s from %s to %s", before.No, before.State, after.State), moveOrderSQL,
		after.State, live(after.State), after.Refunded, after.Channel, after.Account, after.ChannelTradeNo, after.TerminalID, after.Subject,
		toMS(after.PaidAt), toMS(after.Updated), after.TwinOf.String(), after.RiskDouble, toMS(after.SendBy), toMS(after.Due), after.Tries, after.OpID,
		before.No.String(), before.State, before.Version)
	if err != nil || n == 0 {
		return false, err
	}
	err = t.recordMove(ctx, before.Key.MerchantID, m)
	return err == nil, err
}

func (t *tx) recordMove(ctx context.Context, merchant string, m order.Move) error {
	_, err := t.exec(ctx, fmt.Sprintf("record version %d of order %s", m.Version, m.OrderNo), recordMoveSQL,
		m.OrderNo.Tag(), m.OrderNo.String(), m.Version, merchant, toMS(m.At), m.From, m.To, m.By, m.OpID, m.Detail)
	return err
}

// Moves lists the moves of an order on the primary, the oldest first. Those that a
// program without payments wrote have no states.
func (g *Group) Moves(ctx context.Context, no pay.OrderNo) ([]order.Move, error) {
	n, doing := g.primary(), fmt.Sprintf("read the moves of order %s", no)
	moves, err := ofOrder(ctx, n, no, scanMove, "SELECT "+moveWords+" FROM outbox WHERE order_no=? ORDER BY version, id")
	return moves, n.fail(doing, err, beforeCommit)
}

// moveWords are what scanMove reads.
const moveWords = "order_no, version, from_state, to_state, mover, op_id, created_ms, detail"

func scanMove(row scanner) (m order.Move, err error) {
	var no string
	var at int64
	err = row.Scan(&no, &m.Version, &m.From, &m.To, &m.By, &m.OpID, &at, &m.Detail)
	m.At = fromMS(at)
	return m, errors.Join(err, m.OrderNo.UnmarshalText([]byte(no)))
}

// DueOrders lists orders whose time has come, the longest due first.
func (g *Group) DueOrders(ctx context.Context, q order.DueQuery) ([]order.Order, error) {
	if len(q.States) == 0 {
		return nil, nil
	}
	args := []any{toMS(q.Now)}
	for _, s := range q.States {
		args = append(args, s)
	}
	where := "due_ms>0 AND due_ms<=? AND state IN " + tuples(1, len(q.States))
	if len(q.Channels) > 0 {
		where += " AND channel IN " + tuples(1, len(q.Channels))
		for _, c := range q.Channels {
			args = append(args, c)
		}
	}
	where += " AND " + ofOwnTags + " ORDER BY due_ms, order_no LIMIT ?"
	nodes := []*node{g.primary()}
	if q.Down {
		nodes = slices.Concat(g.replicas(), nodes)
	}
	return askInTurn(ctx, nodes, "list due orders", func(ctx context.Context, n *node) ([]order.Order, error) {
		return readOrders(ctx, n.db, g.id, where, append(args, q.Limit)...)
	})
}

// Expire closes orders by one compare-and-set and records their moves. Its fault
// is NotCommitted where the group does not own the tag.
func (g *Group) Expire(ctx context.Context, tag pay.Tag, orders []pay.OrderNo, now time.Time, opID string) (n int, err error) {
	if len(orders) == 0 {
		return 0, nil
	}
	err = g.inTag(ctx, tag, fmt.Sprintf("expire orders of tag %d", tag), func(t *tx) (err error) {
		n, err = t.expire(ctx, tag, orders, now, opID)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

func (t *tx) expire(ctx context.Context, tag pay.Tag, orders []pay.OrderNo, now time.Time, opID string) (int, error) {
	doing := fmt.Sprintf("expire %d orders of tag %d", len(orders), tag)
	t.touch(orders...)
	in, these := " WHERE tag=? AND order_no IN "+tuples(1, len(orders)), []any{tag}
	for _, no := range orders {
		these = append(these, no.String())
	}
	args := slices.Concat([]any{pay.Closed, opID, toMS(now)}, these, []any{pay.Created, toMS(now)})
	n, err := t.exec(ctx, doing, "UPDATE orders SET state=?, due_ms=0, tries=0, version=version+1, op_id=?, updated_ms=?"+in+
		" AND state=? AND due_ms>0 AND due_ms<=?", args...)
	if err != nil || n == 0 {
		return 0, err
	}
	args = slices.Concat([]any{toMS(now), pay.Created, pay.Closed, pay.ByExpiry}, these, []any{opID})
	_, err = t.exec(ctx, doing, "INSERT INTO outbox ("+moveColumns+`)
SELECT tag, order_no, version, merchant_id, ?, 0, ?, ?, ?, op_id, '' FROM orders`+in+" AND op_id=?", args...)
	return int(n), err
}
