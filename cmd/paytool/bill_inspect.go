package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"paytool/internal/bill"
	"paytool/internal/pay"
)

func newBillInspectCmd(a *app) *cobra.Command {
	var f billFlags
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Say what a bill is, and prove its footer from its rows",
		Long: `Read a bill whole, from a file or from stdin (-), and say what it is: plain, in gzip
or in a zip. What it is, its bytes tell, never its name. Its footer is proven from its
rows; findings and rejected rows go to stderr.

Read are:
  WeChat Pay  trade bills ALL, SUCCESS, REFUND and RECHARGE_REFUND, of 27, 20 and 29
              columns and the old 24, 18 and 26, and fund bills (资金账单)
  Alipay      业务明细 and 账务明细 with their 汇总: the zip as it came (GBK), or its
              files, saved as UTF-8 too
  UnionPay    ZM files, alone or in the zip of the file transfer

Refused, with the reason: personal exports, files that a spreadsheet has saved, error
answers saved in place of a bill, packed files that are cut off or unpack too large.

Exit status: 0 the bill can be trusted, 1 it cannot (a bad footer, rejected rows,
another day or merchant than asked for) or is no bill, 2 wrong usage.`,
		Example: `  paytool bill inspect wechat_1900000109_2026-11-20_trade_all.csv
  paytool bill inspect --date 2026-11-20 --merchant 1900000109 bill.csv.gz -o json
  curl -s URL | paytool bill inspect -`,
		Args: oneBill,
		RunE: func(cmd *cobra.Command, args []string) error { return runBillInspect(cmd.Context(), a, args[0], f) },
	}
	f.add(cmd)
	return cmd
}

func runBillInspect(ctx context.Context, a *app, path string, f billFlags) error {
	opts, err := f.options()
	if err != nil {
		return err
	}
	opts.Progress = a.progress("reading "+path, 0)
	r, err := bill.Inspect(ctx, path, a.in, opts)
	a.err.Set("")
	if err != nil {
		return err
	}
	if err := a.show(r, func(w io.Writer) error { return writeInspected(w, r) }); err != nil {
		return err
	}
	return a.judge(path, r)
}

func fen(n int64) string { return pay.Fen(n).Yuan() }

func writeInspected(w io.Writer, r *bill.Report) error {
	footer := "proven from the rows"
	if !r.FooterOK {
		footer = "NOT proven; see the findings"
	}
	if _, err := fmt.Fprintf(w, "channel   %s\ntype      %s, %s layout, %d columns\nmerchant  %s\ndate      %s\nrows      %d, %d rejected\n",
		r.Channel, r.Type, r.Generation, r.Columns, r.Merchant, r.BillDate, r.Rows, r.RejectedRows); err != nil {
		return err
	}
	if err := writePerKind(w, r); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "fees      %s yuan\nfooter    %s\nsha1      %s\n", feeYuan(r.FeeE5), footer, r.SHA1)
	return err
}

// feeYuan writes 10^-5 yuan with its five decimals.
func feeYuan(fee bill.FeeE5) string {
	sign, n := "", int64(fee)
	if n < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s%d.%05d", sign, n/100_000, n%100_000)
}
