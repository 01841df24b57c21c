package main

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"paytool/internal/bill"
)

func newBillCmd(a *app) *cobra.Command {
	return group("bill", "Fetch, inspect, convert, compare and make the channels' bill files",
		newBillFetchCmd(a), newBillInspectCmd(a), newBillConvertCmd(a), newBillDiffCmd(a), newBillGenerateCmd(a))
}

// billFlags are what a bill is held against, for every command that reads one.
type billFlags struct {
	opts        bill.Options
	billType    string
	alipayPlain bool
}

func (f *billFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.opts.Merchant, "merchant", "", "the account that the bill has to be of")
	flags.StringVar(&f.opts.Date, "date", "", "the day (2026-11-20) or month (2026-10) that the bill has to be of")
	flags.StringVar(&f.opts.SHA1, "sha1", "", "the SHA-1 of the unpacked bytes, as the channel announced it")
	flags.StringVar(&f.billType, "type", "", "the type that the bill has to be of, as inspect prints it")
	flags.BoolVar(&f.alipayPlain, "alipay-no-revokes", false, "take every refund row of Alipay's for a refund, also one whose number is the trade's own")
}

// billTypes are the names that --type takes.
var billTypes = []bill.Type{
	bill.TradeAll, bill.TradeSuccess, bill.TradeRefund, bill.TradeRechargeRefund, bill.Fundflow,
	bill.AlipayTrade, bill.AlipayTradeSummary, bill.AlipayAccount, bill.AlipayAccountSummary, bill.UnionpayZM,
}

func (f *billFlags) options() (bill.Options, error) {
	opts := f.opts
	opts.Type = bill.Type(f.billType)
	if opts.Type != "" && !slices.Contains(billTypes, opts.Type) {
		return opts, usageError(fmt.Errorf("--type %q: want one of %v", f.billType, billTypes))
	}
	if f.alipayPlain {
		opts.AlipayRevoke = bill.RevokeNever
	}
	return opts, nil
}

// oneBill wants the argument FILE.
var oneBill = oneArg("a bill file, or - for standard input")

// judge prints what a bill is not trusted for and makes it the command's "no".
// Advice is printed too, and changes nothing.
func (a *app) judge(name string, r *bill.Report) error {
	for _, f := range r.Findings {
		level := "finding"
		if f.Advisory {
			level = "advice"
		}
		if _, err := fmt.Fprintf(a.err, "%s: %s: %s\n", name, level, f); err != nil {
			return err
		}
	}
	for _, rejected := range r.Rejected {
		if _, err := fmt.Fprintf(a.err, "%s: line %d: rejected: %s\n", name, rejected.Line, rejected.Reason); err != nil {
			return err
		}
	}
	if more := r.RejectedRows - int64(len(r.Rejected)); more > 0 {
		_, _ = fmt.Fprintf(a.err, "%s: and %d more rejected rows\n", name, more) // the exit status tells as well
	}
	if !r.OK() {
		return errNo
	}
	return nil
}

// writePerKind writes the kinds that a bill has, one line each.
func writePerKind(w io.Writer, r *bill.Report) error {
	var errs []error
	for _, k := range []struct {
		name                 string
		rows, amount, settle int64
	}{
		{"pay", r.Kinds.Pay, r.AmountFen.Pay, r.SettleFen.Pay},
		{"refund", r.Kinds.Refund, r.AmountFen.Refund, r.SettleFen.Refund},
		{"revoke", r.Kinds.Revoke, r.AmountFen.Revoke, r.SettleFen.Revoke},
		{"in", r.Kinds.In, r.AmountFen.In, r.SettleFen.In},
		{"out", r.Kinds.Out, r.AmountFen.Out, r.SettleFen.Out},
	} {
		if k.rows > 0 {
			_, err := fmt.Fprintf(w, "%-9s %d rows, %s yuan, settled %s\n", k.name, k.rows, fen(k.amount), fen(k.settle))
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
