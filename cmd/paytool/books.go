package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"paytool/internal/channel/builtin"
	"paytool/internal/drill"
	"paytool/internal/order"
	"paytool/internal/pay"
)

// compareBooks holds what the built-in channel took and kept against our orders of
// a run, order by order. Every primary has to answer.
func (e *engine) compareBooks(ctx context.Context, run *drill.Run) (drill.Books, error) {
	var ours []drill.BookLine
	known := map[pay.OrderNo]bool{}
	topo := e.Fleet().Topology()
	for _, g := range e.groups {
		err := g.Nodes()[0].Rows(ctx, run.Merchant, run.Prefix, func(o order.Order) error {
			if owner, err := topo.Locate(o.No); err != nil || owner != g.ID() {
				return nil //nolint:nilerr // a copy of a row that has moved
			}
			known[o.No] = true
			line := drill.BookLine{OrderNo: o.No, State: string(o.State)}
			if o.State == pay.Paid {
				line.Kept = o.Amount - o.Refunded
			}
			ours = append(ours, line)
			return nil
		})
		if err != nil {
			return drill.Books{}, fmt.Errorf("compare books: %w", err)
		}
	}
	var theirs []drill.BookLine
	since := run.Started.Add(-time.Minute)
	err := e.channel.Positions(ctx, func(p builtin.Position) error {
		if !known[p.OrderNo] {
			if p.OrderNo.Second().Before(since) {
				return nil
			}
			if other, err := e.elsewhere(ctx, p.OrderNo, run); other || err != nil {
				return err
			}
		}
		theirs = append(theirs, drill.BookLine{OrderNo: p.OrderNo, State: p.State, Kept: p.Kept()})
		return nil
	})
	if err != nil {
		return drill.Books{}, fmt.Errorf("compare books: %w", err)
	}
	return drill.CompareBooks(ours, theirs), nil
}

// elsewhere reports whether an order belongs to another run. A group that does not
// answer is asked for a while, and then an error: it proves nothing.
func (e *engine) elsewhere(ctx context.Context, no pay.OrderNo, run *drill.Run) (bool, error) {
	giveUp := time.Now().Add(5 * time.Second)
	for {
		o, err := e.Get(ctx, no)
		var refused *order.Error
		switch {
		case err == nil:
			return o.Key.MerchantID != run.Merchant || !strings.HasPrefix(o.Key.MerchantOrderNo, run.Prefix), nil
		case errors.As(err, &refused) && refused.Code == order.CodeNotFound:
			return false, nil
		case time.Now().After(giveUp) || (order.System{}).Sleep(ctx, 100*time.Millisecond) != nil:
			return false, err
		}
	}
}

// writeBooks prints a comparison, at most the first differences.
func writeBooks(w io.Writer, b drill.Books) error {
	const most = 20
	var errs []error
	print := func(format string, args ...any) {
		_, err := fmt.Fprintf(w, format, args...)
		errs = append(errs, err)
	}
	print("\nbooks: %d orders, ours %s yuan, the channel's %s yuan, %d differences\n", b.Orders, b.OursFen.Yuan(), b.TheirsFen.Yuan(), len(b.Differences))
	for i, d := range b.Differences {
		if i == most {
			print("... and %d more\n", len(b.Differences)-most)
			break
		}
		print("%s: ours %s %d fen, theirs %s %d fen: %s\n", d.OrderNo, orDash(d.Ours), d.OursFen, orDash(d.Theirs), d.TheirsFen, d.Explanation)
	}
	return errors.Join(errs...)
}
