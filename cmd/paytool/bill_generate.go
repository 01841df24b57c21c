package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"paytool/internal/bill/generate"
)

type billGenerateOptions struct {
	day       generate.Options
	paths     generate.Paths
	overwrite bool
}

func newBillGenerateCmd(a *app) *cobra.Command {
	var o billGenerateOptions
	cmd := &cobra.Command{
		Use:   "generate",
		Short: "Make the bill of a day that never was, with its fund bill and our entries",
		Long: `Make a bill that passes every check of a real one, with the fund bill and our entries
that go with it. The same options make the same bytes. With --plant some rows differ
between the bill and our entries, and --truth says which.

WeChat's bills are CSV, in gzip if the name ends in .gz; Alipay's are zip files. Without
--out the bill alone goes to stdout; with it files appear once all of them are complete.`,
		Example: `  paytool bill generate --rows 1000 --seed 7 > bill.csv
  paytool bill generate --rows 1000000 --out bill.csv --fund fund.csv --ours ours.csv
  paytool bill generate --channel alipay --out bill.zip --ours ours.csv --plant 12 --truth truth.json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runBillGenerate(cmd.Context(), a, o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.day.Channel, "channel", "wechat", "wechat or alipay")
	flags.StringVar(&o.day.Date, "date", "2026-11-20", "the day in Beijing")
	flags.StringVar(&o.day.Merchant, "merchant", "", "the account's number (default: 1900000109, Alipay 2088000000000001)")
	flags.IntVar(&o.day.Rows, "rows", 1000, "rows of the bill")
	flags.Uint64Var(&o.day.Seed, "seed", 0, "makes the day another one")
	flags.Float64Var(&o.day.Refunds, "refunds", 0.05, "share of the rows that are refunds, 0 to 0.4")
	flags.Float64Var(&o.day.Revokes, "revokes", 0.01, "share of the rows that are revokes, 0 to 0.4")
	flags.IntVar(&o.day.Plant, "plant", 0, "differences between the bill and our entries, at most a tenth of the rows")
	flags.StringVar(&o.paths.Bill, "out", "", "write the bill here instead of to stdout")
	flags.StringVar(&o.paths.Fund, "fund", "", "write the fund bill here")
	flags.StringVar(&o.paths.Ours, "ours", "", "write our entries here, as \"paytool order export\" does")
	flags.StringVar(&o.paths.Truth, "truth", "", "write the planted differences here, as JSON")
	flags.BoolVar(&o.overwrite, "overwrite", false, "replace files that exist")
	return cmd
}

func runBillGenerate(ctx context.Context, a *app, o billGenerateOptions) error {
	if o.day.Rows < 1 {
		return usageError(fmt.Errorf("--rows %d: a bill has at least one row", o.day.Rows))
	}
	o.day.Progress = a.progress("making the bill", int64(o.day.Rows))
	defer a.err.Set("")
	if o.paths.Bill == "" {
		if o.paths != (generate.Paths{}) {
			return usageError(errors.New("--out is missing: the bill goes to stdout only where it is the only file"))
		}
		if isTerminal(a.out) {
			return usageError(errors.New("a bill is no reading matter: name a file with --out, or send stdout elsewhere"))
		}
		_, err := generate.Day(ctx, o.day, generate.Outputs{Bill: a.out})
		return err
	}
	made, err := generate.Files(ctx, o.day, o.paths, o.overwrite)
	a.err.Set("")
	if err != nil {
		return err
	}
	return a.show(made, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s: %d rows, payments %s yuan, refunds %s yuan, revokes %s yuan; %d differences planted\n", o.paths.Bill,
			made.Rows, fen(made.AmountFen.Pay), fen(made.AmountFen.Refund), fen(made.AmountFen.Revoke), made.Differences)
		return err
	})
}
