package store

import (
	"context"
	"fmt"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// A payment is found by its order number, which starts with the second of its
// creation. The channel's success time may lie days later, and a little before it
// where clocks differ.
const (
	latestSuccess = 48 * time.Hour
	clockSlack    = time.Hour
	numberSecond  = "20060102150405"
)

// Entries yields payments by their success (orders without one by their creation),
// refunds by their acceptance (without one by their creation, so that none is
// hidden) and revokes that are done, each dated within [From, To).
//
// All of it is read in one snapshot of one node, so that a payment and its refunds
// and revokes are of one moment however many pages they fill; the pages only bound
// the memory. Only orders of tags that the group owns are its own; whether a tag
// moved while several groups were read shows in their sources together.
func (g *Group) Entries(ctx context.Context, q order.EntryQuery, yield func(pay.Entry) error) (order.Source, error) {
	s, err := g.snapshot(ctx)
	if err != nil {
		return order.Source{Group: g.id}, err
	}
	defer s.close()
	e := entryReader{snapshot: s, q: q, yield: yield}
	if err := e.payments(ctx); err != nil {
		return s.source(), err
	}
	for _, r := range recordEntries {
		if err := e.records(ctx, r); err != nil {
			return s.source(), err
		}
	}
	return s.source(), nil
}

// entryReader reads the entries of one span of time in one snapshot.
type entryReader struct {
	*snapshot
	q     order.EntryQuery
	yield func(pay.Entry) error
}

func (e *entryReader) fail(err error) error {
	return e.node.fail(fmt.Sprintf("read the entries from %s to %s", e.q.From.Format(time.RFC3339), e.q.To.Format(time.RFC3339)), err, beforeCommit)
}

// wanted narrows a query to a channel and an account. An order that was never sent
// may have neither, and belongs to all of them.
func (e *entryReader) wanted() (where string, args []any) {
	if e.q.Channel != "" {
		where, args = where+" AND o.channel IN (?, '')", append(args, e.q.Channel)
	}
	if e.q.Account != "" {
		where, args = where+" AND o.account IN (?, '')", append(args, e.q.Account)
	}
	return where, args
}

// paymentsSQL reads a page by the primary key; what is dated outside the span stays
// on the server.
const paymentsSQL = `SELECT o.order_no, o.merchant_id, o.merchant_order_no, o.terminal_id, o.channel, o.account, o.channel_trade_no,
  o.amount_fen, o.state, CASE WHEN o.paid_ms>0 THEN o.paid_ms ELSE o.created_ms END
FROM orders o
WHERE o.order_no>? AND o.order_no<? AND o.shadow=0
  AND ((o.paid_ms>=? AND o.paid_ms<? AND o.paid_ms>0) OR (o.paid_ms=0 AND o.created_ms>=? AND o.created_ms<?))`

func scanPayment(row scanner) (e pay.Entry, err error) {
	var at int64
	e.Kind = pay.EntryPay
	err = row.Scan(&e.OrderNo, &e.MerchantID, &e.MerchantOrderNo, &e.TerminalID, &e.Channel, &e.Account, &e.ChannelTradeNo,
		&e.Amount, &e.State, &at)
	e.Time = fromMS(at)
	return e, err
}

func (e *entryReader) payments(ctx context.Context) error {
	after := e.q.From.Add(-latestSuccess - clockSlack).In(pay.Beijing).Format(numberSecond)
	before := e.q.To.Add(clockSlack).In(pay.Beijing).Format(numberSecond)
	from, to := toMS(e.q.From), toMS(e.q.To)
	where, wanted := e.wanted()
	query := paymentsSQL + where + " ORDER BY o.order_no LIMIT ?"
	for {
		args := append([]any{after, before, from, to, from, to}, wanted...)
		page, err := readAll(ctx, e.conn, scanPayment, query, append(args, pageSize)...)
		if err != nil {
			return e.fail(err)
		}
		for _, entry := range page {
			if err := e.own(entry); err != nil {
				return err
			}
		}
		if len(page) < pageSize {
			return nil
		}
		after = page[pageSize-1].OrderNo
	}
}

// own yields an entry of a tag that the group owns.
func (e *entryReader) own(entry pay.Entry) error {
	no, err := pay.ParseOrderNo(entry.OrderNo)
	if err != nil {
		return e.fail(err)
	}
	if !e.owns(no) {
		return nil
	}
	return e.yield(entry)
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
func (k recordKind) query(wanted string) string {
	return `SELECT r.order_no, ` + k.number + `, ` + k.channelNo + `, r.amount_fen, ` + k.state + `, ` + k.dated + `,
  o.merchant_id, o.merchant_order_no, o.terminal_id, o.channel, o.account, o.channel_trade_no
FROM ` + k.table + ` r JOIN orders o ON o.order_no=r.order_no
WHERE ` + k.dated + `>=? AND ` + k.dated + `<? AND ` + k.where + ` AND r.shadow=0
  AND (` + k.dated + `>? OR r.order_no>? OR (r.order_no=? AND ` + k.number + `>?))` + wanted + `
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
	last := pay.Entry{Time: e.q.From}
	where, wanted := e.wanted()
	query := k.query(where)
	for {
		at := toMS(last.Time)
		args := append([]any{at, toMS(e.q.To), at, last.OrderNo, last.OrderNo, last.RefundNo}, wanted...)
		page, err := readAll(ctx, e.conn, k.scan, query, append(args, pageSize)...)
		if err != nil {
			return e.fail(err)
		}
		for _, entry := range page {
			if entry.Kind == pay.EntryRevoke {
				entry.RefundNo = "" // a revoke has none; the number was for the page
				entry.State = revokeState(pay.Money(entry.State))
			}
			if err := e.own(entry); err != nil {
				return err
			}
		}
		if len(page) < pageSize {
			return nil
		}
		last = page[pageSize-1]
	}
}

func revokeState(m pay.Money) string {
	if m == pay.MoneyRefunded || m == pay.MoneyClosed {
		return pay.RevokeDone
	}
	return pay.RevokeUnknown
}
