package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// NodeReader reads one node, and no other: what verification needs.
type NodeReader struct {
	node    *node
	primary *node
	group   shard.GroupID
}

// Nodes lists readers of the primary and then the replicas.
func (g *Group) Nodes() []*NodeReader {
	var readers []*NodeReader
	crew := g.crew.Load()
	for _, n := range crew.nodes() {
		readers = append(readers, &NodeReader{node: n, primary: crew.primary, group: g.id})
	}
	return readers
}

// Name is the node for people: "g1/primary 127.0.0.1:3306".
func (r *NodeReader) Name() string { return r.node.name }

// Primary reports whether the node is its group's primary.
func (r *NodeReader) Primary() bool { return r.node == r.primary }

// Group is the number of the node's group.
func (r *NodeReader) Group() shard.GroupID { return r.group }

const (
	gtidColumn = `COALESCE(/*M! @@global.gtid_binlog_pos, *//*!80000 @@global.gtid_executed, */ '', '')`
	gtidSQL    = `SELECT ` + gtidColumn
	// waitSQL answers 0 once the node has applied the position, and comes back
	// after half a second otherwise: a longer wait would look like a dead socket.
	waitSQL = `SELECT /*M! MASTER_GTID_WAIT *//*!80000 WAIT_FOR_EXECUTED_GTID_SET */ (?, 0.5)`
)

// CatchUp waits until the node has applied what its primary has committed by now.
// It ends with an error when the context does, or when either does not answer.
func (r *NodeReader) CatchUp(ctx context.Context) error {
	if r.Primary() {
		return nil
	}
	var position string
	if err := r.primary.scan.QueryRowContext(ctx, gtidSQL).Scan(&position); err != nil {
		return r.primary.fail("read the replication position", err, beforeCommit)
	}
	return r.node.reach(ctx, position)
}

// reach waits until a replica has applied a position of its primary's, or until the
// context ends.
func (n *node) reach(ctx context.Context, position string) error {
	for {
		var timedOut int
		if err := n.scan.QueryRowContext(ctx, waitSQL, position).Scan(&timedOut); err != nil {
			return n.fail("wait for replication", err, beforeCommit)
		}
		if timedOut == 0 {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return n.fail(fmt.Sprintf("wait for replication up to %s", position), err, beforeCommit)
		}
	}
}

// pageSize bounds the rows in memory. One key never has that many.
const pageSize = 2000

// Rows yields every row of a merchant whose own number starts with the prefix,
// VOID ones too, by that number. An error of yield ends it and is returned.
func (r *NodeReader) Rows(ctx context.Context, merchant, keyPrefix string, yield func(order.Order) error) error {
	doing := "read the orders of merchant " + merchant
	where, after := "merchant_order_no>=?", keyPrefix
	for {
		page, err := readOrders(ctx, r.node.scan, r.group, "merchant_id=? AND "+where+" ORDER BY merchant_order_no LIMIT ?", merchant, after, pageSize)
		if err != nil {
			return r.node.fail(doing, err, beforeCommit)
		}
		last := len(page) < pageSize
		if !last {
			// The rows of the last key may go on: they belong to the next page.
			cut := page[pageSize-1].Key
			for len(page) > 0 && page[len(page)-1].Key == cut {
				page = page[:len(page)-1]
			}
			if len(page) == 0 {
				return r.node.fail(doing, fmt.Errorf("key %s: %w", cut, errLongKey), beforeCommit)
			}
		}
		for _, o := range page {
			if !strings.HasPrefix(o.Key.MerchantOrderNo, keyPrefix) {
				return nil // numbers with one prefix lie beside each other
			}
			if err := yield(o); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
		where, after = "merchant_order_no>?", page[len(page)-1].Key.MerchantOrderNo
	}
}

// Numbered yields every row whose number was given in a span of time, VOID ones too, by
// number; to is not included, and numbers tell time in seconds. An error of yield ends
// it and is returned.
func (r *NodeReader) Numbered(ctx context.Context, from, to time.Time, yield func(order.Order) error) error {
	text := func(t time.Time) string { return t.In(pay.Beijing).Format("20060102150405") }
	where, after := "order_no>=?", text(from)
	for {
		page, err := readOrders(ctx, r.node.scan, r.group, where+" AND order_no<? ORDER BY order_no LIMIT ?", after, text(to), pageSize)
		if err != nil {
			return r.node.fail("read the orders numbered from "+text(from), err, beforeCommit)
		}
		for _, o := range page {
			if err := yield(o); err != nil {
				return err
			}
		}
		if len(page) < pageSize {
			return nil
		}
		where, after = "order_no>?", page[len(page)-1].No.String()
	}
}

var errLongKey = fmt.Errorf("has more than %d rows", pageSize-1)
