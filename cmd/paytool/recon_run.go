package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"github.com/spf13/cobra"

	"paytool/internal/bill"
	"paytool/internal/pay"
	"paytool/internal/recon"
)

type reconRunOptions struct {
	recon       recon.Options
	bills       []string
	funds       []string
	ours        string
	carry       string
	carryOut    string
	merchant    string
	alipayPlain bool
	memoryMiB   int64
}

func newReconRunCmd(a *app) *cobra.Command {
	var o reconRunOptions
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Compare our entries of a day with the channel's trade bill and fund bill",
		Long: `Compare our entries of a day with the channel's trade bill, and the trade bill with
the fund bill. Each difference comes with its cause and with what is to be done. The
bridge leads from our total to the channel's and leaves nothing unexplained.

Differences are signed by cash effect (payments +, refunds and revokes -), the channel
less ours: above 0 the channel holds more of our money than our books say (长款), below
0 less (短款). In the bridge ours plus all lines is theirs.

Rows of the last minutes before midnight that the other side lacks are carried: hand
them to the next day's run with --carry-out today and --carry tomorrow.

Exit status: 0 balanced, 1 failed or wrong usage, 2 differences, 3 the bill is not
ready yet, 4 an input cannot be trusted (its footer, date, merchant, digest).`,
		Example: `  paytool recon run --channel wechat --date 2026-11-20 --bill bill.csv --ours ours.csv
  paytool recon run --channel wechat --date 2026-11-20 --bill bill.csv.gz --fund fund.csv.gz \
      --ours ours.csv --carry 19.json --carry-out 20.json -o json
  paytool order export --date 2026-11-20 --channel wechat --file ours.csv`,
		Args: func(cmd *cobra.Command, args []string) error { return reconStatus(noArgs(cmd, args)) },
		RunE: func(cmd *cobra.Command, _ []string) error { return reconStatus(runRecon(cmd.Context(), a, o)) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.recon.Channel, "channel", "", "wechat, alipay or unionpay (required)")
	flags.StringVar(&o.recon.Date, "date", "", "the day in Beijing, like 2026-11-20 (required)")
	flags.StringArrayVar(&o.bills, "bill", nil, "the trade bill; several times for a bill in parts (required)")
	flags.StringArrayVar(&o.funds, "fund", nil, "the fund bill; without it the fund flow is left out")
	flags.StringVar(&o.ours, "ours", "", "our entries, as `paytool order export` writes them (required)")
	flags.StringVar(&o.carry, "carry", "", "the rows that the run of the day before has left (its --carry-out)")
	flags.StringVar(&o.carryOut, "carry-out", "", "write the rows that wait for the next day here")
	flags.StringVar(&o.merchant, "merchant", "", "the account that the bills have to be of")
	flags.BoolVar(&o.alipayPlain, "alipay-no-revokes", false, "take every refund row of Alipay's for a refund, also one whose number is the trade's own")
	flags.DurationVar(&o.recon.CutWindow, "cut-window", 30*time.Minute, "how long before midnight a row may stand in the other side's next day")
	flags.IntVar(&o.recon.CarryDays, "carry-days", 1, "for how many bill days a carried row is waited for")
	flags.Int64Var(&o.memoryMiB, "memory", 128, "MiB for matching; what is beyond it goes to temporary files")
	return cmd
}

func (o *reconRunOptions) check() error {
	for _, f := range []struct{ flag, value string }{{"--channel", o.recon.Channel}, {"--date", o.recon.Date}, {"--ours", o.ours}} {
		if f.value == "" {
			return usageError(fmt.Errorf("%s is missing; see `paytool recon run --help`", f.flag))
		}
	}
	switch {
	case len(o.bills) == 0:
		return usageError(errors.New("--bill is missing; `paytool bill fetch` gets it"))
	case o.memoryMiB < 1:
		return usageError(fmt.Errorf("--memory %d: at least 1 MiB", o.memoryMiB))
	case o.recon.CarryDays < 1:
		return usageError(fmt.Errorf("--carry-days %d: at least 1", o.recon.CarryDays))
	}
	o.recon.Memory = o.memoryMiB << 20
	return nil
}

func runRecon(ctx context.Context, a *app, o reconRunOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	books, err := o.books()
	if err != nil {
		return err
	}
	o.recon.Seed = rand.Uint64()
	result, err := recon.Run(ctx, o.recon, books)
	var refused *bill.RefusedError
	if errors.As(err, &refused) && refused.Code == bill.RefusedNoBill && len(books.Trade) == 1 {
		books.Trade, books.Fund, books.NoBill = nil, nil, true
		result, err = recon.Run(ctx, o.recon, books)
	}
	if err != nil {
		return o.explainGate(a, err)
	}
	if o.carryOut != "" {
		if err := writeWhole(o.carryOut, func(w io.Writer) error { return writeCarried(w, o.recon.Date, result.Closing) }); err != nil {
			return err
		}
	}
	for _, w := range result.Warnings {
		if _, err := fmt.Fprintln(a.err, "warning:", w); err != nil {
			return err
		}
	}
	if err := a.show(result, func(w io.Writer) error { return writeRecon(w, result) }); err != nil {
		return err
	}
	if !result.Balanced {
		return &statusError{status: reconDifferences}
	}
	return nil
}

// explainGate prints every finding of an input that was not accepted.
func (o *reconRunOptions) explainGate(a *app, err error) error {
	var gate *recon.GateError
	if errors.As(err, &gate) {
		for _, f := range gate.Findings[1:] {
			_, _ = fmt.Fprintf(a.err, "%s: finding: %s\n", gate.File, f) // the error tells the first one
		}
	}
	return err
}

func (o *reconRunOptions) books() (recon.Books, error) {
	opts := bill.Options{Date: o.recon.Date, Merchant: o.merchant}
	if o.alipayPlain {
		opts.AlipayRevoke = bill.RevokeNever
	}
	books := recon.Books{Ours: &recon.OurFile{Path: o.ours}}
	for _, path := range o.bills {
		books.Trade = append(books.Trade, &recon.BillFile{Path: path, Opts: opts})
	}
	for _, path := range o.funds {
		fund := opts
		fund.Merchant = "" // WeChat's fund bills do not name the account
		if o.recon.Channel == bill.Alipay {
			fund.Merchant = o.merchant
		}
		books.Fund = append(books.Fund, &recon.BillFile{Path: path, Opts: fund})
	}
	if o.carry == "" {
		return books, nil
	}
	var err error
	books.Carried, err = readCarried(o.carry, o.recon.Date)
	return books, err
}

// carryFile is the file of --carry-out and --carry.
type carryFile struct {
	Date    string          `json:"date"`
	Carried []recon.Carried `json:"carried"`
}

func writeCarried(w io.Writer, date string, rows []recon.Carried) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(carryFile{Date: date, Carried: append([]recon.Carried{}, rows...)})
}

// readCarried refuses the file of the day itself or of a later one: its rows would
// meet themselves.
func readCarried(path, date string) ([]recon.Carried, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the carried rows: %w", err)
	}
	var f carryFile
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("read the carried rows of %s: %w; want a file of --carry-out", path, err)
	}
	if _, err := time.ParseInLocation(time.DateOnly, f.Date, pay.Beijing); err != nil || f.Date >= date {
		return nil, usageError(fmt.Errorf("--carry %s: is of %q, want a day before %s", path, f.Date, date))
	}
	return f.Carried, nil
}
