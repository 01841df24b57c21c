package store

import (
	"context"
	"fmt"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// ofOwnTags leaves out the rows of tags that live in another group: what lies here is
// a copy on its way in, or what stayed behind. A fenced tag is still this group's, and
// legacy numbers have no tag. It names the tags to leave out, so that it is a look at
// a handful of rows for each row that the rest of a query finds, and never a reason to
// read another index.
const ofOwnTags = "tag NOT IN (SELECT tag FROM group_state WHERE state='moved')"

// countOrdersSQL counts the orders of own tags. Outside moves it costs what counting
// all rows costs.
const countOrdersSQL = `SELECT (SELECT COUNT(*) FROM orders)
  - (SELECT COUNT(*) FROM orders o JOIN group_state s ON s.tag=o.tag WHERE s.state='moved')`

// notOwned says what became of a tag that is not this group's (now).
func notOwned(tag pay.Tag, state shard.TagState) error {
	if state == "" {
		state = "not known"
	}
	return fmt.Errorf("tag %d is %s here: %w", tag, state, order.ErrNotOwned)
}

// own locks a tag and refuses one that takes no writes here.
func (t *tx) own(ctx context.Context, tag pay.Tag, doing string) error {
	claim, _, err := t.LockTag(ctx, tag, pay.Key{})
	if err == nil && claim.State != shard.TagOwned {
		err = t.node.fail(doing, notOwned(tag, claim.State), beforeCommit)
	}
	return err
}

// inTag runs f in a transaction of the store's own, under the tag's lock.
func (g *Group) inTag(ctx context.Context, tag pay.Tag, doing string, f func(t *tx) error) error {
	return g.inTx(ctx, func(t *tx) error {
		if err := t.own(ctx, tag, doing); err != nil {
			return err
		}
		return f(t)
	})
}

// tagStateSQL is a column with what the group says of a tag; one that never came here
// has no row, and is as good as owned: whether its orders exist is asked here.
const tagStateSQL = "COALESCE((SELECT state FROM group_state WHERE tag=?), '')"

// has refuses a tag that has moved, as the node says.
func (n *node) has(ctx context.Context, tag pay.Tag) error {
	var state shard.TagState
	err := n.db.QueryRowContext(ctx, "SELECT "+tagStateSQL, tag).Scan(&state)
	if err == nil && state == shard.TagMoved {
		err = notOwned(tag, state)
	}
	return err
}

// ofOrder reads records of an order on a node, after its claim: where that was not
// moved, what follows was true at that moment or later.
func ofOrder[T any](ctx context.Context, n *node, no pay.OrderNo, scan func(scanner) (T, error), query string) ([]T, error) {
	if err := n.has(ctx, no.Tag()); err != nil {
		return nil, err
	}
	return readAll(ctx, n.db, scan, query, no.String())
}
