package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// dossierPage is how many orders, with all that belongs to them, are in memory.
const dossierPage = 500

// Dossiers yields all that the group has about the orders whose numbers were given
// within [From, To), by number, read in one snapshot of one node. Records without
// their order are yielded too; the page that ends the span holds those behind the
// last order.
func (g *Group) Dossiers(ctx context.Context, q order.DossierQuery, yield func(order.Dossier) error) (order.Source, error) {
	s, err := g.snapshot(ctx)
	if err != nil {
		return order.Source{Group: g.id}, err
	}
	defer s.close()
	after, before := q.From.In(pay.Beijing).Format(numberSecond), q.To.In(pay.Beijing).Format(numberSecond)
	for last := false; !last; {
		var page []order.Dossier
		page, after, last, err = s.dossiers(ctx, after, before, q.Shadow)
		if err != nil {
			return s.source(), s.node.fail(fmt.Sprintf("read the orders from %s to %s", q.From.Format(time.RFC3339), q.To.Format(time.RFC3339)), err, beforeCommit)
		}
		for _, d := range page {
			if !s.owns(d.No) {
				continue
			}
			if err := yield(d); err != nil {
				return s.source(), err
			}
		}
	}
	return s.source(), nil
}

// dossiers reads the page of numbers after one and before another.
func (s *snapshot) dossiers(ctx context.Context, after, before string, shadow bool) (page []order.Dossier, end string, last bool, err error) {
	orders, err := readOrders(ctx, s.conn, s.group, "order_no>? AND order_no<? AND shadow=? ORDER BY order_no LIMIT ?", after, before, shadow, dossierPage)
	if err != nil {
		return nil, "", false, err
	}
	end, last = before, len(orders) < dossierPage
	if !last {
		end = orders[dossierPage-1].No.String()
	}
	p := pageOf{s: s, byNo: map[pay.OrderNo]*order.Dossier{}}
	for _, o := range orders {
		p.of(o.No).Order = o
	}
	where := " WHERE order_no>? AND order_no<=? AND "
	merchant := "merchant_id<>?" // moves have no column of their own for it
	if shadow {
		merchant = "merchant_id=?"
	}
	addAll(ctx, &p, scanMove, "SELECT "+moveWords+" FROM outbox"+where+merchant+" ORDER BY order_no, version, id", []any{after, end, pay.ShadowMerchant},
		func(m order.Move) { d := p.of(m.OrderNo); d.Moves = append(d.Moves, m) })
	rest := []any{after, end, shadow}
	addAll(ctx, &p, scanRefund, "SELECT "+refundColumns+" FROM refunds"+where+"shadow=? ORDER BY order_no, created_ms, refund_no", rest,
		func(r order.Refund) { d := p.of(r.OrderNo); d.Refunds = append(d.Refunds, r) })
	addAll(ctx, &p, scanRevoke, "SELECT "+revokeColumns+" FROM revokes"+where+"shadow=? ORDER BY order_no, created_ms, revoke_no", rest,
		func(r order.Revoke) { d := p.of(r.OrderNo); d.Revokes = append(d.Revokes, r) })
	addAll(ctx, &p, scanTask, "SELECT "+taskColumns+" FROM tasks"+where+"shadow=? ORDER BY order_no, id", rest,
		func(t order.Task) { d := p.of(t.OrderNo); d.Tasks = append(d.Tasks, t) })
	return p.sorted(), end, last, p.err
}

// pageOf is a page of dossiers while it is filled.
type pageOf struct {
	s    *snapshot
	byNo map[pay.OrderNo]*order.Dossier
	err  error // the first one; nothing is read after it
}

func (p *pageOf) of(no pay.OrderNo) *order.Dossier {
	d := p.byNo[no]
	if d == nil {
		d = &order.Dossier{No: no, Group: p.s.group}
		p.byNo[no] = d
	}
	return d
}

func (p *pageOf) sorted() []order.Dossier {
	all := make([]order.Dossier, 0, len(p.byNo))
	for _, d := range p.byNo {
		all = append(all, *d)
	}
	slices.SortFunc(all, func(a, b order.Dossier) int { return a.No.Compare(b.No) })
	return all
}

func addAll[T any](ctx context.Context, p *pageOf, scan func(scanner) (T, error), query string, args []any, add func(T)) {
	if p.err != nil {
		return
	}
	rows, err := readAll(ctx, p.s.conn, scan, query, args...)
	p.err = err
	for _, row := range rows {
		add(row)
	}
}
