package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// Doubts lists open doubts about tries in the group old, the oldest first.
func (g *Group) Doubts(ctx context.Context, old shard.GroupID, limit int) ([]order.Doubt, error) {
	doubts, err := g.readDoubts(ctx, old, limit)
	return doubts, g.primary().fail(fmt.Sprintf("list doubts about group %d", old), err, beforeCommit)
}

func (g *Group) readDoubts(ctx context.Context, old shard.GroupID, limit int) ([]order.Doubt, error) {
	rows, err := g.primary().db.QueryContext(ctx, `SELECT order_no, old_group, merchant_id, merchant_order_no, attempt, amount_fen, shadow, winner, created_ms
FROM doubts WHERE old_group=? AND settled_ms=0 AND `+ofOwnTags+` ORDER BY created_ms, order_no LIMIT ?`, old, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var doubts []order.Doubt
	for rows.Next() {
		var d order.Doubt
		var no, winner string
		var created int64
		err := rows.Scan(&no, &d.OldGroup, &d.Key.MerchantID, &d.Key.MerchantOrderNo, &d.Attempt, &d.Amount, &d.Shadow, &winner, &created)
		if err == nil {
			err = errors.Join(d.OrderNo.UnmarshalText([]byte(no)), d.Winner.UnmarshalText([]byte(winner)))
		}
		if err != nil {
			return nil, err
		}
		d.Created = fromMS(created)
		doubts = append(doubts, d)
	}
	return doubts, rows.Err()
}

// SettleDoubt closes a doubt, under the lock of its winner's tag, with which it lies.
// The first settlement stays. It is refused with order.ErrNotOwned while the tag takes
// no writes here.
func (g *Group) SettleDoubt(ctx context.Context, d order.Doubt, how order.Settlement, at time.Time) error {
	doing := fmt.Sprintf("settle the doubt about order %s", d.OrderNo)
	return g.inTag(ctx, d.Winner.Tag(), doing, func(t *tx) error {
		t.touch(d.Winner)
		_, err := t.exec(ctx, doing, "UPDATE doubts SET settled_ms=?, settlement=? WHERE order_no=? AND winner=? AND settled_ms=0",
			toMS(at), how, d.OrderNo.String(), d.Winner.String())
		return err
	})
}

// OpenDoubts counts the doubts that are not settled.
func (g *Group) OpenDoubts(ctx context.Context) (n int, err error) {
	err = g.primary().db.QueryRowContext(ctx, "SELECT COUNT(*) FROM doubts WHERE settled_ms=0 AND "+ofOwnTags).Scan(&n)
	return n, g.primary().fail("count open doubts", err, beforeCommit)
}

// Backlog asks for everything in one statement. Each part reads one entry of an index.
func (g *Group) Backlog(ctx context.Context, q order.BacklogQuery) (order.Backlog, error) {
	b := order.Backlog{Doubts: map[shard.GroupID]time.Time{}, Hops: map[shard.GroupID]time.Time{}}
	const doing = "read what is to be settled"
	// MIN gives each part a row also where there is nothing.
	query, args := "SELECT 0, 0, COUNT(*) FROM instances WHERE slot<? AND until_ms>?", []any{q.Slot, toMS(q.Now)}
	for _, about := range q.About {
		query += " UNION ALL SELECT 1, ?, MIN(created_ms) FROM doubts WHERE old_group=? AND settled_ms=0" +
			" UNION ALL SELECT 2, ?, MIN(due_ms) FROM hops WHERE above_group=? AND closed=0 AND due_ms<=?"
		args = append(args, about, about, about, about, toMS(q.Due))
	}
	rows, err := g.primary().db.QueryContext(ctx, query, args...)
	if err != nil {
		return b, g.primary().fail(doing, err, beforeCommit)
	}
	defer rows.Close()
	for rows.Next() {
		var part int
		var about shard.GroupID
		var value sql.NullInt64
		if err := rows.Scan(&part, &about, &value); err != nil {
			return b, g.primary().fail(doing, err, beforeCommit)
		}
		switch {
		case part == 0:
			b.Ahead = int(value.Int64)
		case value.Valid && part == 1:
			b.Doubts[about] = fromMS(value.Int64)
		case value.Valid:
			b.Hops[about] = fromMS(value.Int64)
		}
	}
	return b, g.primary().fail(doing, rows.Err(), beforeCommit)
}

// Hops lists open hops past a group whose time has come, by order number.
func (g *Group) Hops(ctx context.Context, above shard.GroupID, due time.Time, after pay.OrderNo, limit int) ([]order.Hop, error) {
	hops, err := readHops(ctx, g.primary().db, "above_group=? AND closed=0 AND due_ms<=? AND order_no>? AND "+ofOwnTags+" ORDER BY order_no LIMIT ?", above, toMS(due), after.String(), limit)
	return hops, g.primary().fail(fmt.Sprintf("list hops past group %d", above), err, beforeCommit)
}

// HopsSince lists the hops dated at a time or later, open or closed, the oldest
// first. Where earlier weights would have sent an order is not among them: everybody
// knows those weights, and after a move of tags such hops are a third of all orders.
func (g *Group) HopsSince(ctx context.Context, since time.Time, limit int) ([]order.Hop, error) {
	hops, err := readHops(ctx, g.primary().db, "created_ms>=? AND reason<>? AND "+ofOwnTags+" ORDER BY created_ms LIMIT ?", toMS(since), order.ReasonWeights, limit)
	return hops, g.primary().fail("read the hop ledger", err, beforeCommit)
}

func readHops(ctx context.Context, db querier, where string, args ...any) ([]order.Hop, error) {
	return readAll(ctx, db, scanHop,
		"SELECT order_no, above_group, merchant_id, merchant_order_no, attempt, reason, created_ms, due_ms FROM hops WHERE "+where, args...)
}

func scanHop(row scanner) (h order.Hop, err error) {
	var no string
	var created, due int64
	err = row.Scan(&no, &h.Above, &h.Key.MerchantID, &h.Key.MerchantOrderNo, &h.Attempt, &h.Reason, &created, &due)
	h.Created, h.Due = fromMS(created), fromMS(due)
	return h, errors.Join(err, h.OrderNo.UnmarshalText([]byte(no)))
}

// ordersAtOnce bounds the order numbers of one transaction.
const ordersAtOnce = 500

// AskedHops sets when the group above is asked again about orders; a zero time
// closes their hops, and a closed hop stays closed. Large lists are written in several
// transactions, each under the lock of one tag. Those of a tag that takes no writes
// here stay as they are, and order.ErrNotOwned is returned once the others are written.
func (g *Group) AskedHops(ctx context.Context, above shard.GroupID, orders []pay.OrderNo, next time.Time) error {
	byTag := map[pay.Tag][]pay.OrderNo{}
	for _, no := range orders {
		byTag[no.Tag()] = append(byTag[no.Tag()], no)
	}
	var held error
	for _, tag := range slices.Sorted(maps.Keys(byTag)) {
		for these := range slices.Chunk(byTag[tag], ordersAtOnce) {
			doing := fmt.Sprintf("record that group %d was asked about %d orders", above, len(these))
			err := g.inTag(ctx, tag, doing, func(t *tx) error { return t.asked(ctx, doing, above, these, next) })
			if err != nil && !errors.Is(err, order.ErrNotOwned) {
				return err
			}
			held = cmp.Or(held, err)
		}
	}
	return held
}

func (t *tx) asked(ctx context.Context, doing string, above shard.GroupID, orders []pay.OrderNo, next time.Time) error {
	t.touch(orders...)
	args := make([]any, 0, len(orders)+3)
	args = append(args, toMS(next), next.IsZero(), above)
	for _, no := range orders {
		args = append(args, no.String())
	}
	_, err := t.exec(ctx, doing, `UPDATE hops SET due_ms=?, closed=? WHERE above_group=? AND closed=0 AND order_no IN `+tuples(1, len(orders)), args...)
	return err
}
