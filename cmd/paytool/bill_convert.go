package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"paytool/internal/bill"
	"paytool/internal/whole"
)

func newBillConvertCmd(a *app) *cobra.Command {
	var f billFlags
	var out string
	cmd := &cobra.Command{
		Use:   "convert FILE",
		Short: "Write a bill's rows as CSV in UTF-8, the same columns for every channel",
		Long: `Write the rows of a bill, from a file or from stdin (-), as CSV: amounts in fen and
positive, the kind tells the direction, fees in 10^-5 yuan, times with +08:00.

On stdout rows that can be read are written and the rejected ones are named on stderr.
With --out the file is there whole or not at all: a bill that cannot be trusted is not
converted.

Exit status: 0 done, 1 the bill cannot be trusted or read, 2 wrong usage.`,
		Example: `  paytool bill convert bill.zip -o csv > rows.csv
  paytool bill convert bill.csv --out rows.csv`,
		Args:        oneBill,
		Annotations: map[string]string{csvOutput: "yes"},
		RunE: func(cmd *cobra.Command, args []string) error {
			return runBillConvert(cmd.Context(), a, args[0], out, f)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&out, "out", "", "write here instead of to stdout")
	return cmd
}

func runBillConvert(ctx context.Context, a *app, path, out string, f billFlags) error {
	opts, err := f.options()
	if err != nil {
		return err
	}
	opts.Progress = a.progress("converting "+path, 0)
	defer a.err.Set("")
	if out == "" {
		if a.output == outputJSON {
			return usageError(errors.New("the rows are CSV: leave out -o json, or write them with --out FILE and have their figures as JSON"))
		}
		r, err := bill.Convert(ctx, a.out, path, a.in, opts)
		if err != nil {
			return err
		}
		return a.judge(path, r)
	}
	var r *bill.Report
	if err := whole.Write(out, func(w io.Writer) (err error) {
		if r, err = bill.Convert(ctx, w, path, a.in, opts); err != nil {
			return err
		}
		if a.judge(path, r) != nil {
			return fmt.Errorf("bill %s cannot be trusted, so nothing is written; without --out the rows that can be read go to stdout", path)
		}
		return nil
	}); err != nil || a.output == outputCSV {
		return err
	}
	return a.show(r, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s: %d rows of %s of %s\n", out, r.Rows, r.Type, r.BillDate)
		return err
	})
}
