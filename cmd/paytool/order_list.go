package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/report"
)

type listOptions struct {
	query           order.ListQuery
	from, to, state string
	after           string
}

func newOrderListCmd(a *app) *cobra.Command {
	var o listOptions
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List a merchant's orders over all groups, the newest first",
		Long: `List a merchant's orders over all groups, the newest first. Void twins are left
out unless --state void asks for them. "next" is the cursor of the next page; orders
that arrive while you page are not on later pages, so none shows twice. Groups that do
not answer are named; then the exit status is 1.`,
		Example: `  paytool order list --merchant m1 --limit 20
  paytool order list --merchant m1 --from 2026-11-01 --to 2026-11-02 --state paid -o csv
  paytool order list --merchant m1 --after CURSOR -o json`,
		Args:        noArgs,
		Annotations: map[string]string{csvOutput: "yes"},
		RunE:        func(cmd *cobra.Command, _ []string) error { return runOrderList(cmd.Context(), a, o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.query.Merchant, "merchant", "", "merchant (required, but with --shadow)")
	flags.StringVar(&o.from, "from", "", "created at this time or later: 2006-01-02 (Beijing) or RFC 3339")
	flags.StringVar(&o.to, "to", "", "created before this time")
	flags.StringVar(&o.state, "state", "", "only orders in this state")
	flags.IntVar(&o.query.Limit, "limit", 50, fmt.Sprintf("orders on a page, at most %d", order.MaxPage))
	flags.StringVar(&o.after, "after", "", "the cursor of the page before")
	flags.BoolVar(&o.query.Shadow, "shadow", false, "shadow orders instead of real ones")
	return cmd
}

func runOrderList(ctx context.Context, a *app, o listOptions) (err error) {
	q := o.query
	if q.Merchant == "" && q.Shadow {
		q.Merchant = pay.ShadowMerchant
	}
	if q.Merchant == "" {
		return usageError(errors.New("--merchant is missing; see `paytool order list --help`"))
	}
	q.State = pay.State(o.state)
	if q.From, err = parseWhen("--from", o.from); err != nil {
		return err
	}
	if q.To, err = parseWhen("--to", o.to); err != nil {
		return err
	}
	if q.After, err = order.ParseCursor(o.after); err != nil {
		return err
	}
	return a.withEngine(ctx, func(e *engine) error {
		e.Refresh(ctx)
		page, err := e.List(ctx, q)
		if err != nil {
			return err
		}
		if err := a.showPage(page); err != nil {
			return err
		}
		if len(page.Missing) > 0 {
			_, _ = fmt.Fprintf(a.err, "warning: groups %v did not answer, their orders are missing here\n", page.Missing)
			return errNo
		}
		return nil
	})
}

// parseWhen reads a date (its beginning in Beijing) or an instant.
func parseWhen(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, text, pay.Beijing); err == nil {
		return t, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, usageError(fmt.Errorf("%s %q: want a date like 2026-11-22 or an instant like 2026-11-22T08:00:00+08:00", flag, text))
	}
	return t, nil
}

const listTime = "2006-01-02 15:04:05.000"

func (a *app) showPage(p order.Page) error {
	if a.output == outputCSV {
		return writePageCSV(a.out, p)
	}
	return a.show(p, func(w io.Writer) error {
		t := report.Table{
			Header: []string{"CREATED", "ORDER", "MERCHANT ORDER", "STATE", "YUAN", "REFUNDED", "CHANNEL", "GROUP"},
			Right:  map[string]bool{"YUAN": true, "REFUNDED": true, "GROUP": true},
		}
		for _, o := range p.Orders {
			t.Add(o.Created.In(pay.Beijing).Format(listTime), o.No, o.Key.MerchantOrderNo, o.State, o.Amount.Yuan(), o.Refunded.Yuan(), o.Channel, o.Group)
		}
		if err := t.Write(w); err != nil {
			return err
		}
		if p.Next.IsZero() {
			return nil
		}
		_, err := fmt.Fprintf(w, "\nnext page: --after %s\n", p.Next)
		return err
	})
}

func writePageCSV(w io.Writer, p order.Page) error {
	out := csv.NewWriter(w)
	rows := [][]string{{"created", "order_no", "merchant_order_no", "attempt", "state", "amount_fen", "refunded_fen", "channel", "channel_trade_no", "group"}}
	for _, o := range p.Orders {
		rows = append(rows, []string{
			o.Created.In(pay.Beijing).Format(time.RFC3339Nano), o.No.String(), o.Key.MerchantOrderNo, fmt.Sprint(o.Attempt), string(o.State),
			fmt.Sprint(int64(o.Amount)), fmt.Sprint(int64(o.Refunded)), o.Channel, o.ChannelTradeNo, fmt.Sprint(o.Group),
		})
	}
	if err := out.WriteAll(rows); err != nil {
		return fmt.Errorf("write the list: %w", err)
	}
	return nil
}
