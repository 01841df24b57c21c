package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// rollbackTimeout bounds a ROLLBACK. A connection that does not answer by then is
// closed, which rolls back as well.
const rollbackTimeout = 100 * time.Millisecond

// tx is one write transaction on a connection of its own. It is not *sql.Tx: that
// one sends COMMIT without the caller's deadline, and a primary that froze would
// hold the order for as long as the socket's timeout.
type tx struct {
	node  *node
	group shard.GroupID
	conn  *sql.Conn // nil once the transaction has ended
	tag   pay.Tag   // locked by LockTag or InsertOwned
	// locked are all tags that they locked, tag the last of them.
	locked []pay.Tag
	// recorded are the tags among them whose changes are recorded for a move.
	recorded []pay.Tag
	// broken: an error came up after which the connection is not used again.
	broken bool
	// touched are the orders that this transaction changed, in any of their tables.
	touched []pay.OrderNo
}

// touch notes orders that the transaction changes. Where their tag is recorded for a
// move, Commit writes them down.
func (t *tx) touch(numbers ...pay.OrderNo) { t.touched = append(t.touched, numbers...) }

// record writes down the touched orders where their tag is recorded. A number of
// another tag than those is that of a task about a try in another group, which lies
// and moves with the tag that is locked.
func (t *tx) record(ctx context.Context) error {
	if len(t.recorded) == 0 {
		return nil
	}
	const columns = 3
	var args []any
	seen := map[pay.OrderNo]bool{}
	for _, no := range t.touched {
		tag := t.tag
		if slices.Contains(t.locked, no.Tag()) {
			tag = no.Tag()
		}
		if !seen[no] && slices.Contains(t.recorded, tag) {
			args = append(args, tag, no.String(), 0)
		}
		seen[no] = true
	}
	if len(args) == 0 {
		return nil
	}
	rows := len(args) / columns
	_, err := t.exec(ctx, fmt.Sprintf("record the change of %d orders", rows),
		"INSERT INTO changed (tag, order_no, stage) VALUES "+tuples(rows, columns), args...)
	return err
}

// Begin starts a transaction on the primary. The caller ends it with Commit or
// Rollback; one goroutine uses it at a time.
func (g *Group) Begin(ctx context.Context) (order.Tx, error) {
	t, err := g.begin(ctx)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// inTx runs f in a transaction of the store's own and commits it.
func (g *Group) inTx(ctx context.Context, f func(t *tx) error) error {
	t, err := g.begin(ctx)
	if err != nil {
		return err
	}
	defer t.Rollback()
	if err := f(t); err != nil {
		return err
	}
	return t.Commit(ctx)
}

const beginning = "begin a transaction"

// begin asks the server nothing: on a connection of this pool the first statement
// begins the transaction.
func (g *Group) begin(ctx context.Context) (*tx, error) {
	n := g.primary()
	conn, err := n.tx.Conn(ctx)
	if err != nil {
		return nil, n.fail(beginning, err, beforeCommit)
	}
	return &tx{node: n, group: g.id, conn: conn}, nil
}

// beginOn starts a transaction in a pool in which statements commit by themselves.
func (g *Group) beginOn(ctx context.Context, n *node, pool *sql.DB) (*tx, error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, n.fail(beginning, err, beforeCommit)
	}
	if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
		discard(conn)
		return nil, n.fail(beginning, err, beforeCommit)
	}
	return &tx{node: n, group: g.id, conn: conn}, nil
}

// fail classifies an error of a statement before COMMIT and remembers what it
// means for the connection.
func (t *tx) fail(doing string, err error) error {
	if err == nil {
		return nil
	}
	err = t.node.fail(doing, err, beforeCommit)
	var fault *order.Fault
	t.broken = t.broken || errors.As(err, &fault)
	return err
}

func (t *tx) exec(ctx context.Context, doing, query string, args ...any) (int64, error) {
	n, err := affected(t.conn.ExecContext(ctx, query, args...))
	return n, t.fail(doing, err)
}

const lockTagSQL = `SELECT s.state, s.epoch, s.recording, ` + selfCommits + `,
  (SELECT MAX(o.attempt) FROM orders o WHERE o.merchant_id=? AND o.merchant_order_no=? AND o.live=1)
FROM group_state s WHERE s.tag=? /*! LOCK IN SHARE MODE */`

// LockTag is the fence, see the package comment, and the look for an earlier
// attempt of the key, in one round trip.
func (t *tx) LockTag(ctx context.Context, tag pay.Tag, key pay.Key) (claim shard.Claim, lastAttempt int, err error) {
	var last sql.NullInt64
	var recorded, alone bool
	err = t.conn.QueryRowContext(ctx, lockTagSQL, key.MerchantID, key.MerchantOrderNo, tag).
		Scan(&claim.State, &claim.Epoch, &recorded, &alone, &last)
	if errors.Is(err, sql.ErrNoRows) {
		return shard.Claim{}, 0, nil
	}
	if err != nil {
		return shard.Claim{}, 0, t.fail(fmt.Sprintf("lock tag %d", tag), err)
	}
	if alone {
		return shard.Claim{}, 0, t.fail(fmt.Sprintf("lock tag %d", tag), errSelfCommits)
	}
	claim.Tag, claim.Group, t.tag = tag, t.group, tag
	t.locked = append(t.locked, tag)
	if recorded {
		t.recorded = append(t.recorded, tag)
	}
	return claim, int(last.Int64), nil
}

var errSelfCommits = errors.New("the session commits each statement by itself though it was set not to; point the dsn at the server, not at a proxy that shares its sessions")

const (
	orderValues    = `?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?`
	insertOrderSQL = `INSERT INTO orders (` + orderColumns + `, tag, live) VALUES (` + orderValues + `)`

	// insertOwnedSQL holds the tag's row as LockTag does: its lock is what makes a
	// fence wait, its conditions alone would not. recording=0 stays true under the lock.
	insertOwnedSQL = `INSERT INTO orders (` + orderColumns + `, tag, live) SELECT ` + orderValues + ` FROM group_state s
WHERE s.tag=? AND s.state='owned' AND s.recording=0 AND ` + selfCommits + `=0
  AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.merchant_id=? AND o.merchant_order_no=? AND o.live=1) /*! LOCK IN SHARE MODE */`
)

// InsertOwned is what nearly every create comes down to: the fence, the look for an
// earlier attempt and the order in one round trip, and its outbox row in another.
func (t *tx) InsertOwned(ctx context.Context, o order.Order) (done bool, err error) {
	args := append(orderArgs(o), o.No.Tag(), o.Key.MerchantID, o.Key.MerchantOrderNo)
	n, err := t.exec(ctx, fmt.Sprintf("insert order %s", o.No), insertOwnedSQL, args...)
	if err != nil || n == 0 {
		return false, err
	}
	t.tag, t.locked = o.No.Tag(), append(t.locked, o.No.Tag())
	err = t.recordInsert(ctx, o)
	return err == nil, err
}

// InsertOrder writes the order, live unless it is VOID, and its outbox row.
func (t *tx) InsertOrder(ctx context.Context, o order.Order) error {
	t.touch(o.No)
	if _, err := t.exec(ctx, fmt.Sprintf("insert order %s", o.No), insertOrderSQL, orderArgs(o)...); err != nil {
		return err
	}
	return t.recordInsert(ctx, o)
}

// orderArgs are orderValues.
func orderArgs(o order.Order) []any {
	return []any{
		o.No.String(), o.Key.MerchantID, o.Key.MerchantOrderNo, o.Attempt, o.State, o.Amount, o.Refunded,
		o.Channel, o.Account, o.ChannelTradeNo, o.TerminalID, o.Subject,
		toMS(o.Created), toMS(o.PaidAt), toMS(o.Updated), o.TwinOf.String(), o.Shadow, o.Version, o.OpID,
		o.RiskDouble, toMS(o.SendBy), toMS(o.Due), o.Tries,
		o.No.Tag(), live(o.State),
	}
}

// recordInsert writes the outbox row of an order that is new.
func (t *tx) recordInsert(ctx context.Context, o order.Order) error {
	by := pay.ByCreate
	if o.State == pay.Void { // a tombstone
		by = pay.ByResolver
	}
	return t.recordMove(ctx, o.Key.MerchantID, order.Move{
		OrderNo: o.No, Version: o.Version, To: o.State, By: by, OpID: o.OpID, At: o.Updated,
	})
}

// live is the column that makes a key and attempt unique among rows that are not
// VOID.
func live(s pay.State) any {
	if s == pay.Void {
		return nil
	}
	return 1
}

// InsertHops records which groups an order went past.
func (t *tx) InsertHops(ctx context.Context, hops []order.Hop) error {
	if len(hops) == 0 {
		return nil
	}
	const columns = 10
	args := make([]any, 0, columns*len(hops))
	for _, h := range hops {
		t.touch(h.OrderNo)
		args = append(args, h.OrderNo.String(), h.Above, h.OrderNo.Tag(), h.Key.MerchantID, h.Key.MerchantOrderNo, h.Attempt,
			h.Reason, toMS(h.Created), toMS(h.Due), h.Due.IsZero())
	}
	_, err := t.exec(ctx, fmt.Sprintf("record the hops of order %s", hops[0].OrderNo),
		`INSERT INTO hops (order_no, above_group, tag, merchant_id, merchant_order_no, attempt, reason, created_ms, due_ms, closed)
VALUES `+tuples(len(hops), columns), args...)
	return err
}

// InsertDoubts records tries whose outcome is unknown. One that is recorded
// already beside the same winner answers ErrDuplicateNo.
func (t *tx) InsertDoubts(ctx context.Context, doubts []order.Doubt) error {
	if len(doubts) == 0 {
		return nil
	}
	const columns = 12
	args := make([]any, 0, columns*len(doubts))
	for _, d := range doubts {
		t.touch(d.Winner) // a doubt belongs to it
		args = append(args, d.OrderNo.String(), d.Winner.Tag(), d.OldGroup, d.Key.MerchantID, d.Key.MerchantOrderNo, d.Attempt,
			d.Amount, d.Shadow, d.Winner.String(), toMS(d.Created), 0, "")
	}
	_, err := t.exec(ctx, fmt.Sprintf("record the doubt about order %s", doubts[0].OrderNo),
		`INSERT INTO doubts (order_no, tag, old_group, merchant_id, merchant_order_no, attempt, amount_fen, shadow, winner, created_ms, settled_ms, settlement)
VALUES `+tuples(len(doubts), columns), args...)
	return err
}

// tuples is "(?, ?), (?, ?)" for two rows of two columns.
func tuples(rows, columns int) string {
	row := "(" + strings.Repeat("?, ", columns-1) + "?)"
	return strings.Repeat(row+", ", rows-1) + row
}

// forUpdate ends a SELECT whose rows are to be locked. SQLite, where it is a
// comment, has one writer anyway.
const forUpdate = ` /*! FOR UPDATE */`

const lockOrderSQL = `SELECT ` + orderColumns + ` FROM orders WHERE order_no=?` + forUpdate

// LockOrder reads an order and locks its row until the transaction ends. A row
// whose commit waits for a replica is invisible to a plain read; this one waits
// for it.
func (t *tx) LockOrder(ctx context.Context, no pay.OrderNo) (order.Order, error) {
	o, err := scanOrder(t.conn.QueryRowContext(ctx, lockOrderSQL, no.String()), t.group)
	if errors.Is(err, sql.ErrNoRows) {
		return order.Order{}, notFound(no, t.node.name)
	}
	return o, t.fail(fmt.Sprintf("lock order %s", no), err)
}

// Commit sends nothing when the context has ended already, or when the record of the
// changes could not be written: that is NotCommitted.
func (t *tx) Commit(ctx context.Context) error {
	const doing = "commit"
	if err := t.record(ctx); err != nil {
		t.Rollback()
		return err
	}
	if err := ctx.Err(); err != nil {
		t.Rollback()
		return t.node.fail(doing, err, beforeCommit)
	}
	conn := t.conn
	t.conn = nil
	if _, err := conn.ExecContext(ctx, "COMMIT"); err != nil {
		discard(conn)
		return t.node.fail(doing, err, atCommit)
	}
	_ = conn.Close() // it only goes back to the pool
	return nil
}

// Rollback has no context: it also runs when the caller's has ended.
func (t *tx) Rollback() {
	if t.conn == nil {
		return
	}
	conn := t.conn
	t.conn = nil
	if !t.broken {
		ctx, cancel := context.WithTimeout(context.Background(), rollbackTimeout)
		defer cancel()
		if _, err := conn.ExecContext(ctx, "ROLLBACK"); err == nil {
			_ = conn.Close() // it only goes back to the pool
			return
		}
	}
	discard(conn)
}
