package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/spf13/cobra"

	"paytool/internal/bill/generate"
	"paytool/internal/channel/builtin"
	"paytool/internal/pay"
	"paytool/internal/whole"
)

func newChannelBillCmd(a *app) *cobra.Command {
	var date, out, fund, account string
	cmd := &cobra.Command{
		Use:   "bill",
		Short: "Write the bill of a day of the built-in channel, as WeChat Pay would",
		Long: `Write what the built-in channel has in its books of a day: a trade bill in WeChat Pay's
form, and the fund bill that goes with it. So a day of demos, loads and drills can be
reconciled like a real one.`,
		Example: `  paytool channel bill --dir demo --date 2026-11-22 --out bill.csv --fund fund.csv
  paytool recon run --dir demo --channel wechat --our-channel builtin --date 2026-11-22 --bill bill.csv --fund fund.csv --ours db`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if date == "" || out == "" {
				return usageError(errors.New("--date and --out are needed; see `paytool channel bill --help`"))
			}
			return a.withEngine(cmd.Context(), func(e *engine) error {
				made, err := e.writeBill(cmd.Context(), date, account, out, fund)
				if err != nil {
					return err
				}
				return a.show(made, func(w io.Writer) error {
					return fprintf(w, "%s: %d rows: %d payments %s yuan, %d refunds %s yuan, %d revokes %s yuan\n", out, made.Rows,
						made.Kinds.Pay, fen(made.AmountFen.Pay), made.Kinds.Refund, fen(made.AmountFen.Refund), made.Kinds.Revoke, fen(made.AmountFen.Revoke))
				})
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&date, "date", "", "the day in Beijing, like 2026-11-22 (required)")
	flags.StringVar(&out, "out", "", "write the trade bill here (required)")
	flags.StringVar(&fund, "fund", "", "write the fund bill here")
	flags.StringVar(&account, "account", builtin.DefaultAccount, "the account of the built-in channel")
	return cmd
}

// writeBill writes each file whole or not at all.
func (e *engine) writeBill(ctx context.Context, date, account, out, fund string) (made generate.Made, err error) {
	day, err := time.ParseInLocation(time.DateOnly, date, pay.Beijing)
	if err != nil {
		return made, usageError(fmt.Errorf("--date %q: want a day like 2026-11-22", date))
	}
	opts := generate.Options{Date: date}
	trades := e.trades(ctx, account, day)
	err = whole.Write(out, func(w io.Writer) error {
		if fund == "" {
			made, err = generate.Trades(opts, trades, generate.Outputs{Bill: w})
			return err
		}
		return whole.Write(fund, func(f io.Writer) error {
			made, err = generate.Trades(opts, trades, generate.Outputs{Bill: w, Fund: f})
			return err
		})
	})
	return made, err
}

// trades are the built-in channel's of a day.
func (e *engine) trades(ctx context.Context, account string, day time.Time) iter.Seq2[generate.Trade, error] {
	return func(yield func(generate.Trade, error) bool) {
		stopped := errors.New("enough")
		err := e.channel.Trades(ctx, account, day, day.AddDate(0, 0, 1), func(t builtin.Trade) error {
			if !yield(generate.Trade{
				Kind: t.Kind, OrderNo: t.OrderNo, TradeNo: t.TradeNo, RefundNo: t.RefundNo, RefundID: t.RefundID, Amount: t.Amount, Time: t.At,
			}, nil) {
				return stopped
			}
			return nil
		})
		if err != nil && !errors.Is(err, stopped) {
			yield(generate.Trade{}, err)
		}
	}
}
