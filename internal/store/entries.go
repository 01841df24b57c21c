package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// A payment is found by its order number, which starts with the second of its
// creation. The channel's success time may lie days later, and a little before it
// where clocks differ.
const (
	latestSuccess = 48 * time.Hour
	clockSlack    = time.Hour
	numberSecond  = "20060102150405"
)

var (
	errFenced     = errors.New("is being moved to another group just now; try again in a moment")
	errTagsMoving = errors.New("tags were moved to or from the group while it was read; read it again")
)

// Entries yields payments by their success (orders without one by their creation),
// refunds by their acceptance (without one by their creation, so that none is
// hidden) and revokes that are done, each dated within [from, to).
//
// One node answers from beginning to end: the primary, or where it does not answer
// a replica that has applied all that it received. Only orders of tags that the
// group owns are its own; the answer is an error, after some were yielded, when that
// changes meanwhile: a tag would be read twice or not at all.
func (g *Group) Entries(ctx context.Context, from, to time.Time, yield func(pay.Entry) error) error {
	e := entryReader{group: g.id, from: from, to: to, yield: yield}
	err := e.choose(ctx, g.nodes())
	if err != nil {
		return err
	}
	read := []func(context.Context) error{e.payments}
	for _, r := range recordEntries {
		read = append(read, func(ctx context.Context) error { return e.records(ctx, r) })
	}
	for _, f := range read {
		if err := f(ctx); err != nil {
			return err
		}
	}
	claims, err := readClaims(ctx, e.node.scan)
	if err == nil && !maps.Equal(claims, e.claims) {
		err = errTagsMoving
	}
	return e.fail(err)
}

// entryReader reads the entries of one span of time on one node.
type entryReader struct {
	group    shard.GroupID
	from, to time.Time
	yield    func(pay.Entry) error
	node     *node
	claims   map[pay.Tag]shard.Claim
}

func (e *entryReader) fail(err error) error {
	return e.node.fail(fmt.Sprintf("read the entries from %s to %s", e.from.Format(time.RFC3339), e.to.Format(time.RFC3339)), err, beforeCommit)
}

// choose takes the first node that answers and is up to date.
func (e *entryReader) choose(ctx context.Context, nodes []*node) error {
	_, err := askInTurn(ctx, nodes, "read the tags", func(ctx context.Context, n *node) (_ struct{}, err error) {
		if n.role == RoleReplica {
			err = n.appliedAll(ctx)
		}
		if err == nil {
			e.node = n
			e.claims, err = readClaims(ctx, n.scan)
		}
		return struct{}{}, err
	})
	if err != nil {
		return err
	}
	for tag, c := range e.claims {
		if c.State == shard.TagFenced {
			return e.fail(fmt.Errorf("tag %d %w", tag, errFenced))
		}
	}
	return nil
}

func readClaims(ctx context.Context, db querier) (map[pay.Tag]shard.Claim, error) {
	all, err := readAll(ctx, db, func(row scanner) (c shard.Claim, err error) {
		return c, row.Scan(&c.Tag, &c.State, &c.Epoch)
	}, "SELECT tag, state, epoch FROM group_state")
	claims := map[pay.Tag]shard.Claim{}
	for _, c := range all {
		claims[c.Tag] = c
	}
	return claims, err
}

// owns reports whether an order is this group's. Legacy numbers have no tag and are
// never moved.
func (e *entryReader) owns(no pay.OrderNo) bool {
	return no.Legacy() || e.claims[no.Tag()].State == shard.TagOwned
}

func (e *entryReader) payments(ctx context.Context) error {
	after := e.from.Add(-latestSuccess - clockSlack).In(pay.Beijing).Format(numberSecond)
	before := e.to.Add(clockSlack).In(pay.Beijing).Format(numberSecond)
	for {
		page, err := readOrders(ctx, e.node.scan, e.group, "order_no>? AND order_no<? ORDER BY order_no LIMIT ?", after, before, pageSize)
		if err != nil {
			return e.fail(err)
		}
		for _, o := range page {
			at := o.PaidAt
			if at.IsZero() {
				at = o.Created
			}
			if o.Shadow || at.Before(e.from) || !at.Before(e.to) || !e.owns(o.No) {
				continue
			}
			if err := e.yield(paymentEntry(o, at)); err != nil {
				return err
			}
		}
		if len(page) < pageSize {
			return nil
		}
		after = page[pageSize-1].No.String()
	}
}

func paymentEntry(o order.Order, at time.Time) pay.Entry {
	return pay.Entry{
		Kind: pay.EntryPay, OrderNo: o.No.String(), MerchantID: o.Key.MerchantID, MerchantOrderNo: o.Key.MerchantOrderNo,
		TerminalID: o.TerminalID, Channel: o.Channel, Account: o.Account, ChannelTradeNo: o.ChannelTradeNo,
		Amount: o.Amount, State: string(o.State), Time: at,
	}
}

// recordKind says where the entries of a kind lie, and in which columns.
type recordKind struct {
	kind                                   pay.EntryKind
	table, number, channelNo, state, dated string
	where                                  string
}

var recordEntries = []recordKind{
	{pay.EntryRefund, "refunds", "r.refund_no", "r.channel_refund_no", "r.state", "r.accepted_ms", "r.accepted_ms>0"},
	{pay.EntryRefund, "refunds", "r.refund_no", "r.channel_refund_no", "r.state", "r.created_ms", "r.accepted_ms=0"},
	{pay.EntryRevoke, "revokes", "r.revoke_no", "''", "r.money", "r.done_ms", "r.state='done'"},
}

// query reads a page after a time and numbers.
func (k recordKind) query() string {
	return `SELECT r.order_no, ` + k.number + `, ` + k.channelNo + `, r.amount_fen, ` + k.state + `, ` + k.dated + `,
  o.merchant_id, o.merchant_order_no, o.terminal_id, o.channel, o.account, o.channel_trade_no
FROM ` + k.table + ` r JOIN orders o ON o.order_no=r.order_no
WHERE ` + k.dated + `>=? AND ` + k.dated + `<? AND ` + k.where + ` AND r.shadow=0
  AND (` + k.dated + `>? OR r.order_no>? OR (r.order_no=? AND ` + k.number + `>?))
ORDER BY ` + k.dated + `, r.order_no, ` + k.number + ` LIMIT ?`
}

func (k recordKind) scan(row scanner) (e pay.Entry, err error) {
	var at int64
	e.Kind = k.kind
	err = row.Scan(&e.OrderNo, &e.RefundNo, &e.ChannelRefundNo, &e.Amount, &e.State, &at,
		&e.MerchantID, &e.MerchantOrderNo, &e.TerminalID, &e.Channel, &e.Account, &e.ChannelTradeNo)
	e.Time = fromMS(at)
	return e, err
}

func (e *entryReader) records(ctx context.Context, k recordKind) error {
	last := pay.Entry{Time: e.from}
	for {
		at := toMS(last.Time)
		page, err := readAll(ctx, e.node.scan, k.scan, k.query(), at, toMS(e.to), at, last.OrderNo, last.OrderNo, last.RefundNo, pageSize)
		if err != nil {
			return e.fail(err)
		}
		for _, entry := range page {
			if err := e.record(entry); err != nil {
				return err
			}
		}
		if len(page) < pageSize {
			return nil
		}
		last = page[pageSize-1]
	}
}

func (e *entryReader) record(entry pay.Entry) error {
	no, err := pay.ParseOrderNo(entry.OrderNo)
	if err != nil {
		return e.fail(err)
	}
	if !e.owns(no) {
		return nil
	}
	if entry.Kind == pay.EntryRevoke {
		entry.RefundNo = "" // a revoke has none; the number was for the page
		entry.State = revokeState(pay.Money(entry.State))
	}
	return e.yield(entry)
}

func revokeState(m pay.Money) string {
	if m == pay.MoneyRefunded || m == pay.MoneyClosed {
		return pay.RevokeDone
	}
	return pay.RevokeUnknown
}
