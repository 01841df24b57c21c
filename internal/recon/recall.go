package recon

import (
	"context"
	"slices"

	"github.com/zeebo/xxh3"
	"golang.org/x/sync/errgroup"

	"paytool/internal/bill"
	"paytool/internal/entries"
	"paytool/internal/pay"
)

// group is the rows of one order, or the movements of one trade, whole.
type group[T any] struct{ ours, theirs []T }

// groups is by the texts, so that a fingerprint that two orders share is harmless.
type groups[T any] map[string]*group[T]

func (g groups[T]) at(key string) *group[T] {
	if g[key] == nil {
		g[key] = &group[T]{}
	}
	return g[key]
}

func (g groups[T]) sorted() []string {
	keys := make([]string, 0, len(g))
	for k := range g {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// fundKey is the fingerprint of the trade that a carried row of the fund flow
// belongs to.
func (r *run) fundKey(row *Row) uint64 {
	return xxh3.HashSeed([]byte(r.fundNumberOf(row)), r.opts.Seed)
}

// fundNumberOf is the number that both bills have for a movement, "" for none.
func (r *run) fundNumberOf(row *Row) string {
	if row.Side == Fund {
		return string(fundNumber([]byte(row.ChannelTradeNo), []byte(row.ChannelRefundNo)))
	}
	if r.opts.Channel == bill.Alipay || row.Kind == pay.EntryPay {
		return row.ChannelTradeNo
	}
	if noNumber([]byte(row.ChannelRefundNo)) {
		return ""
	}
	return row.ChannelRefundNo
}

// judge reads the odd rows again and judges them, order by order.
func (r *run) judge(ctx context.Context) error {
	orders, moves := groups[*item]{}, groups[*fundItem]{}
	looseFunds := r.looseFunds()
	found, err := r.recall(ctx, orders, moves, looseFunds)
	if err != nil {
		return err
	}
	// Only once all is known that is expected is it known where a movement belongs.
	for _, f := range append(found, r.addCarried(orders, moves)...) {
		g := moves.at(r.moveKey(f, moves))
		g.theirs = append(g.theirs, f)
	}
	var own []*item
	for _, g := range orders {
		own = append(own, g.ours...)
	}
	r.twice = findTwice(own)
	for _, key := range orders.sorted() {
		r.order(orders[key].ours, orders[key].theirs)
	}
	for _, key := range moves.sorted() {
		r.movements(moves[key].ours, moves[key].theirs)
	}
	return nil
}

// recall reads the rows of odd orders again, each book on a goroutine of its own. It
// returns those of the fund bill.
func (r *run) recall(ctx context.Context, orders groups[*item], moves groups[*fundItem], looseFunds []place) ([]*fundItem, error) {
	ourPlaces, tradePlaces, movePlaces, fundPlaces := r.places(looseFunds)
	var own, trade []*item
	var moved []*item
	var found []*fundItem
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return r.books.Ours.Recall(ctx, linesOf(ourPlaces, 0), func(row *entries.Row) error {
			own = append(own, &item{Row: ourRow(r.books.Ours.Name(), row)})
			return nil
		})
	})
	g.Go(func() error {
		all := slices.Concat(tradePlaces, movePlaces)
		for i, b := range r.books.Trade {
			forOrder, forMove := linesOf(tradePlaces, i), linesOf(movePlaces, i)
			err := b.Recall(ctx, linesOf(all, i), func(row *bill.Row) error {
				copied := tradeRow(b.Name(), row)
				if _, ok := slices.BinarySearch(forOrder, row.Line); ok {
					trade = append(trade, &item{Row: copied})
				}
				if _, ok := slices.BinarySearch(forMove, row.Line); ok {
					moved = append(moved, &item{Row: copied})
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	g.Go(func() error {
		for i, b := range r.books.Fund {
			err := b.Recall(ctx, linesOf(fundPlaces, i), func(row *bill.Row) error {
				f := &fundItem{item: item{Row: fundRow(b.Name(), row)}, net: effect(row.Kind, row.Amount)}
				kind := kindOfFund(r.opts.Channel, row)
				f.fee, f.returned = kind == fundFee, kind == fundReturned
				found = append(found, f)
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for _, i := range own {
		g := orders.at(orderOf(&i.Row))
		g.ours = append(g.ours, i)
	}
	for _, i := range trade {
		g := orders.at(orderOf(&i.Row))
		g.theirs = append(g.theirs, i)
	}
	for _, i := range moved {
		r.expectMoves(moves, i)
	}
	return found, nil
}

// looseKey groups movements that only their amount connects.
const looseKey = "amount "

// expectMoves adds what a row of the trade bill makes expected.
func (r *run) expectMoves(moves groups[*fundItem], i *item) {
	key := r.fundNumberOf(&i.Row)
	net := netOf(r.opts.Channel, i.Kind, i.Settle, i.Fee)
	if key == "" {
		key = looseKey + net.Yuan()
	}
	g := moves.at(key)
	if net != 0 {
		g.ours = append(g.ours, &fundItem{item: *i, net: net})
	}
	if fee := feeFen(i.Fee); r.opts.Channel != bill.Alipay && i.Kind == pay.EntryPay && fee != 0 {
		g.ours = append(g.ours, &fundItem{item: *i, net: -fee, fee: true})
	}
}

// moveKey is the group of a movement: that of its trade, or of the revokes without a
// number that have its amount.
func (r *run) moveKey(f *fundItem, moves groups[*fundItem]) string {
	key := r.fundNumberOf(&f.Row)
	if loose := looseKey + f.net.Yuan(); moves[key] == nil && f.ChannelRefundNo != "" && moves[loose] != nil {
		return loose
	}
	return key
}

// addCarried adds the rows of earlier days, and returns those of the fund bill.
func (r *run) addCarried(orders groups[*item], moves groups[*fundItem]) (found []*fundItem) {
	for n := range r.books.Carried {
		c := &r.books.Carried[n]
		i := &item{Row: c.Row, carry: c, implied: c.Implied}
		if c.Flow == FundFlow {
			if len(r.books.Fund) == 0 {
				continue
			}
			f := &fundItem{item: *i, net: c.Net, fee: c.Fee}
			if c.Row.Side == Fund {
				found = append(found, f)
				continue
			}
			key := r.fundNumberOf(&c.Row)
			if key == "" {
				key = looseKey + c.Net.Yuan()
			}
			g := moves.at(key)
			g.ours = append(g.ours, f)
			continue
		}
		g := orders.at(orderOf(&c.Row))
		if c.Row.Side == Ours {
			g.ours = append(g.ours, i)
		} else {
			g.theirs = append(g.theirs, i)
		}
	}
	return found
}

// looseFunds pairs refunds of the fund bill that no trade's number explains with the
// revokes that have no number, by amount. What is left of either is looked at whole.
func (r *run) looseFunds() []place {
	open := map[pay.Fen]int{}
	for _, l := range r.trades.loose {
		open[l.net]++
	}
	var all []looseMove
	for _, s := range r.fundSieves {
		all = append(all, s.refunds...)
	}
	for _, m := range all {
		open[m.net]--
	}
	for i := range r.books.Carried {
		if c := &r.books.Carried[i]; c.Flow == FundFlow && c.Row.Side == Trade && r.fundNumberOf(&c.Row) == "" {
			open[c.Net] += maxOdd // looked at whole
		}
	}
	var odd []place
	for _, m := range all {
		if open[m.net] != 0 {
			odd = append(odd, m.at)
		} else {
			r.rows[Fund].Matched++
		}
	}
	kept := r.trades.loose[:0]
	for _, l := range r.trades.loose {
		if open[l.net] != 0 {
			kept = append(kept, l)
		}
	}
	r.trades.loose = kept
	return odd
}

// places gathers what the sieves found odd.
func (r *run) places(looseFunds []place) (own, trade, moves, found []place) {
	for _, s := range r.sieves {
		own, trade = append(own, s.oursOdd...), append(trade, s.trades...)
	}
	for _, s := range r.fundSieves {
		moves, found = append(moves, s.trades...), append(found, s.funds...)
	}
	for _, l := range r.trades.loose {
		moves = append(moves, place{l.file, l.line})
	}
	return own, trade, moves, append(found, looseFunds...)
}

// linesOf are the lines of one file, sorted, each once.
func linesOf(places []place, file int) []int {
	var lines []int
	for _, p := range places {
		if p.file == file {
			lines = append(lines, p.line)
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}
