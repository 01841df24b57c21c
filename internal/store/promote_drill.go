package store

import (
	"context"
	"fmt"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// What a promotion drill asks of a group.

// Touch writes to an old shadow order, with the locks of any other update and on the
// same connections, and changes nothing but the time of its last change: whether
// that works is whether old orders of the group can be updated.
func (g *Group) Touch(ctx context.Context, no pay.OrderNo, at time.Time) error {
	doing := fmt.Sprintf("touch shadow order %s", no)
	return g.inTx(ctx, func(t *tx) error {
		claim, _, err := t.LockTag(ctx, no.Tag(), pay.Key{})
		if err != nil {
			return err
		}
		if claim.State != shard.TagOwned {
			return fmt.Errorf("%s on %s: tag %d is %q there", doing, t.node.name, no.Tag(), claim.State)
		}
		t.touch(no)
		n, err := t.exec(ctx, doing, "UPDATE orders SET updated_ms=? WHERE order_no=? AND shadow=1", toMS(at), no.String())
		if err == nil && n != 1 {
			err = notFound(no, t.node.name)
		}
		return err
	})
}

// Waiting is who waits for a group: its orders that have not ended, and the merchants
// and terminals that they belong to.
type Waiting struct{ Orders, Merchants, Terminals int }

// Waiting counts shadow orders, or all others, on the primary or where that does not
// answer on a replica.
func (g *Group) Waiting(ctx context.Context, shadow bool) (Waiting, error) {
	return askInTurn(ctx, g.nodes(), "count the orders that wait", func(ctx context.Context, n *node) (w Waiting, err error) {
		err = n.scan.QueryRowContext(ctx, `SELECT COUNT(*), COUNT(DISTINCT merchant_id), COUNT(DISTINCT NULLIF(terminal_id, ''))
FROM orders WHERE shadow=? AND state IN (?, ?, ?)`, shadow, pay.Created, pay.Paying, pay.Revoking).Scan(&w.Orders, &w.Merchants, &w.Terminals)
		return w, err
	})
}
