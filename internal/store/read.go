package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

const orderColumns = `order_no, merchant_id, merchant_order_no, attempt, state, amount_fen, refunded_fen,
  channel, account, channel_trade_no, terminal_id, subject,
  created_ms, paid_ms, updated_ms, twin_of, shadow, version, op_id,
  risk_double, send_by_ms, due_ms, tries`

// scanner is one row: *sql.Row and *sql.Rows.
type scanner interface{ Scan(targets ...any) error }

// scanOrder reads orderColumns, after which more columns may follow.
func scanOrder(row scanner, group shard.GroupID, more ...any) (order.Order, error) {
	o := order.Order{Group: group}
	var no, twin string
	var created, paid, updated, sendBy, due int64
	targets := []any{&no, &o.Key.MerchantID, &o.Key.MerchantOrderNo, &o.Attempt, &o.State, &o.Amount, &o.Refunded,
		&o.Channel, &o.Account, &o.ChannelTradeNo, &o.TerminalID, &o.Subject,
		&created, &paid, &updated, &twin, &o.Shadow, &o.Version, &o.OpID,
		&o.RiskDouble, &sendBy, &due, &o.Tries}
	if err := row.Scan(append(targets, more...)...); err != nil {
		return order.Order{}, err
	}
	o.Created, o.PaidAt, o.Updated = fromMS(created), fromMS(paid), fromMS(updated)
	o.SendBy, o.Due = fromMS(sendBy), fromMS(due)
	if err := errors.Join(o.No.UnmarshalText([]byte(no)), o.TwinOf.UnmarshalText([]byte(twin))); err != nil {
		return order.Order{}, fmt.Errorf("order %s as it is stored: %w", no, err)
	}
	return o, nil
}

func notFound(no pay.OrderNo, node string) error {
	return fmt.Errorf("order %s on %s: %w", no, node, order.ErrNotFound)
}

// FindKey reads the live rows of a key on the primary, by attempt. Like all that looks
// for a key it gives the rows of tags that are not the group's as well: while a tag
// moves, an order that lies twice is told from its copy by its version, but one that
// each group left to the other would be missed, and a twin written beside it.
func (g *Group) FindKey(ctx context.Context, key pay.Key) ([]order.Order, error) {
	return g.findOrders(ctx, fmt.Sprintf("look up key %s", key),
		`merchant_id=? AND merchant_order_no=? AND live=1 ORDER BY attempt`, key.MerchantID, key.MerchantOrderNo)
}

// keysAtOnce bounds the keys of one statement.
const keysAtOnce = 200

// FindKeys reads the live rows of many keys on the primary, in any order.
func (g *Group) FindKeys(ctx context.Context, keys []pay.Key) ([]order.Order, error) {
	var found []order.Order
	for len(keys) > 0 {
		n := min(len(keys), keysAtOnce)
		args := make([]any, 0, 2*n)
		for _, k := range keys[:n] {
			args = append(args, k.MerchantID, k.MerchantOrderNo)
		}
		// Not (merchant_id, merchant_order_no) IN (...): MariaDB reads no index for it.
		const one = "(merchant_id=? AND merchant_order_no=? AND live=1)"
		where := strings.Repeat(one+" OR ", n-1) + one
		rows, err := g.findOrders(ctx, fmt.Sprintf("look up %d keys", n), where, args...)
		if err != nil {
			return nil, err
		}
		found = append(found, rows...)
		keys = keys[n:]
	}
	return found, nil
}

func (g *Group) findOrders(ctx context.Context, doing, where string, args ...any) ([]order.Order, error) {
	found, err := readOrders(ctx, g.primary().db, g.id, where, args...)
	return found, g.primary().fail(doing, err, beforeCommit)
}

func readOrders(ctx context.Context, db querier, group shard.GroupID, where string, args ...any) ([]order.Order, error) {
	scan := func(row scanner) (order.Order, error) { return scanOrder(row, group) }
	return readAll(ctx, db, scan, `SELECT `+orderColumns+` FROM orders WHERE `+where, args...)
}

// readAll reads every row of a query.
func readAll[T any](ctx context.Context, db querier, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// freshWithin is how far behind the last acknowledged probe a replica may be to
// answer for the primary.
const freshWithin = 300 * time.Millisecond

// Find reads an order for display, never for a move. A replica is asked first when
// this process probes the group, and counts when it is fresh; it gets half of the
// time at most. That there is no such order is only said by the primary.
//
// With the primary out (down) the replicas are asked one after the other and any
// answer counts; the primary comes last, as it may still take reads.
func (g *Group) Find(ctx context.Context, no pay.OrderNo, down bool) (order.Order, error) {
	beat := g.beat.Load()
	replicas := g.replicas()
	ask := len(replicas)
	if !down {
		ask = min(ask, 1)
		if beat == nil {
			ask = 0
		}
	}
	first := int(g.turn.Add(1))
	var moved error // as a replica says
	for i := range ask {
		n := replicas[(first+i)%len(replicas)]
		o, fresh, err := g.findOn(ctx, n, no, beat)
		if err == nil && (fresh || down) {
			return o, nil
		}
		if errors.Is(err, order.ErrNotOwned) {
			moved = n.fail(fmt.Sprintf("read order %s", no), err, beforeCommit)
		}
	}
	if down && moved != nil {
		return order.Order{}, moved
	}
	return g.Read(ctx, no)
}

// readOrderSQL reads an order and, at the same moment, what the group says of its tag.
const readOrderSQL = `SELECT ` + orderColumns + `, ` + tagStateSQL + ` FROM orders WHERE order_no=?`

// Read reads an order on the primary. Of a tag that lives in another group by now it
// answers order.ErrNotOwned: the row here is a copy, or what stayed behind.
func (g *Group) Read(ctx context.Context, no pay.OrderNo) (order.Order, error) {
	n := g.primary()
	o, err := g.readOn(ctx, n, no)
	if errors.Is(err, sql.ErrNoRows) {
		// It may have come with its tag since. Once the tag is known to be here, what is
		// missing is nowhere.
		if err = n.has(ctx, no.Tag()); err == nil {
			o, err = g.readOn(ctx, n, no)
		}
	}
	if errors.Is(err, sql.ErrNoRows) {
		return order.Order{}, notFound(no, n.name)
	}
	return o, n.fail(fmt.Sprintf("read order %s", no), err, beforeCommit)
}

func (g *Group) readOn(ctx context.Context, n *node, no pay.OrderNo) (order.Order, error) {
	var state shard.TagState
	o, err := scanOrder(n.db.QueryRowContext(ctx, readOrderSQL, no.Tag(), no.String()), g.id, &state)
	if err == nil && state == shard.TagMoved {
		return order.Order{}, notOwned(no.Tag(), state)
	}
	return o, err
}

// findOn reads an order on a replica, and in the same statement how far the
// replica has come with this instance's probes.
func (g *Group) findOn(ctx context.Context, n *node, no pay.OrderNo, beat *lastBeat) (o order.Order, fresh bool, err error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	if beat == nil {
		beat = &lastBeat{slot: -1}
	}
	var at sql.NullInt64
	var state shard.TagState
	o, err = scanOrder(n.db.QueryRowContext(ctx, `SELECT `+orderColumns+`, (SELECT at_ms FROM instances WHERE slot=? AND holder=?), `+tagStateSQL+`
FROM orders WHERE order_no=?`, beat.slot, beat.holder, no.Tag(), no.String()), g.id, &at, &state)
	if err == nil && state == shard.TagMoved {
		return order.Order{}, false, notOwned(no.Tag(), state)
	}
	return o, at.Valid && beat.atMS-at.Int64 <= freshWithin.Milliseconds(), err
}
