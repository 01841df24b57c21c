package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"paytool/internal/config"
	"paytool/internal/recon"
	"paytool/internal/recon/daily"
	"paytool/internal/recon/ledger"
	"paytool/internal/report/daybook"
	"paytool/internal/whole"
)

// reportFlags say which reports are written.
type reportFlags struct {
	xlsx, html, csv string
	dir             string // one of each for every day
	lang            string
}

// add adds the flags. several: there may be more than one day.
func (f *reportFlags) add(cmd *cobra.Command, several bool) {
	flags := cmd.Flags()
	flags.StringVar(&f.xlsx, "xlsx", "", "write the workbook here")
	flags.StringVar(&f.html, "html", "", "write the page here: it opens offline")
	flags.StringVar(&f.csv, "csv", "", "write the differences here")
	if several {
		flags.StringVar(&f.dir, "reports", "", "write a workbook and a page of each day into this folder")
	}
	flags.StringVar(&f.lang, "lang", string(daybook.Chinese), "language of reports: zh or en")
}

func (f *reportFlags) wanted() bool { return f.xlsx+f.html+f.csv+f.dir != "" }

func (f *reportFlags) check(days int) error {
	switch {
	case f.lang != string(daybook.Chinese) && f.lang != string(daybook.English):
		return usageError(fmt.Errorf("--lang %s: want zh or en", f.lang))
	case days > 1 && f.xlsx+f.html+f.csv != "":
		return usageError(errors.New("--xlsx, --html and --csv are one day's; for several give --reports DIR"))
	}
	return nil
}

// write writes the reports of a day, each whole or not at all.
func (f *reportFlags) write(ctx context.Context, day daybook.Day) error {
	xlsx, html := f.xlsx, f.html
	if f.dir != "" {
		if err := os.MkdirAll(f.dir, 0o750); err != nil {
			return fmt.Errorf("make the folder of the reports: %w", err)
		}
		base := filepath.Join(f.dir, fmt.Sprintf("recon_%s_%s_%s", day.Result.Channel, orDash(day.Result.Account), day.Result.Date))
		xlsx, html = base+".xlsx", base+".html"
	}
	lang := daybook.Lang(f.lang)
	var errs []error
	for _, out := range []struct {
		path  string
		write func(w io.Writer) error
	}{
		{xlsx, func(w io.Writer) error { return daybook.WriteWorkbook(ctx, w, day, lang) }},
		{html, func(w io.Writer) error { return daybook.WritePage(w, day, lang) }},
		{f.csv, func(w io.Writer) error { return daybook.WriteCSV(w, day.Result.Differences) }},
	} {
		if out.path != "" {
			errs = append(errs, whole.Write(out.path, out.write))
		}
	}
	return errors.Join(errs...)
}

// reportDays is how far back the ageing and the movements of a report go.
const reportDays = 14

// newDay gathers what a report tells. bills may be nil: the files are not at hand.
func newDay(ctx context.Context, result *recon.Result, l *ledger.Ledger, bills []recon.BillBook) (daybook.Day, error) {
	day := daybook.Day{Result: result, Made: time.Now(), Tool: "paytool " + buildVersion()}
	if bills != nil {
		day.Lines = func(ctx context.Context, yield func(*daybook.Line) error) error {
			return recon.Refunds(ctx, bills, result, func(line *recon.RefundLine) error { return yield(reportLine(line)) })
		}
	}
	if l == nil {
		return day, nil
	}
	book := ledger.Book{Channel: result.Channel, Account: result.Account}
	var part daybook.Ledger
	var err, errs error
	keep := func() { errs = errors.Join(errs, err) }
	part.Head, err = l.Head(ctx)
	keep()
	part.Entries, err = l.Differences(ctx, ledger.Query{Book: &book, States: []ledger.State{ledger.StateOpen, ledger.StateCarried}})
	keep()
	var own []ledger.Entry
	own, err = l.Differences(ctx, ledger.Query{Book: &book, From: result.Date, To: result.Date})
	keep()
	for i := range own {
		if own[i].State.Ended() {
			part.Entries = append(part.Entries, own[i])
		}
	}
	part.Ages, err = l.Ages(ctx, &book, reportDays)
	keep()
	part.Movements, err = l.Movements(ctx, &book, reportDays)
	keep()
	day.Ledger = &part
	return day, errs
}

// afterDay writes what was asked for of a day.
func (o *reconRunOptions) afterDay(ctx context.Context, r *reconApp, l *ledger.Ledger, job reconJob, out *daily.Outcome) error {
	if out.Result == nil {
		return nil
	}
	if o.carryOut != "" {
		if err := whole.Write(o.carryOut, func(w io.Writer) error { return writeCarried(w, out.Date, out.Result.Closing) }); err != nil {
			return err
		}
	}
	if !o.reports.wanted() {
		return nil
	}
	r.err.Set("writing the reports of " + dayName(out.Book, out.Date))
	defer r.err.Set("")
	var account daily.Account
	for _, a := range job.accounts {
		if a.Book == out.Book {
			account = a
		}
	}
	day, err := newDay(ctx, out.Result, l, account.Trade(out))
	if err != nil {
		return err
	}
	return o.reports.write(ctx, day)
}

func newReconReportCmd(r *reconApp) *cobra.Command {
	var book bookFlags
	var date string
	var reports reportFlags
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Write the reports of a recorded day again",
		Long: `Write the workbook, the page or the differences of a day that is in the ledger.
The sheets of single refunds and revokes come from the bill, and are left out where it
is no longer the file that the day was reconciled with.`,
		Example: `  paytool recon report --date 2026-11-20 --account shop --xlsx day.xlsx
  paytool recon report --date 2026-11-20 --channel wechat --html day.html --lang en`,
	}
	book.add(cmd)
	cmd.Flags().StringVar(&date, "date", "", "the day, like 2026-11-20 (required)")
	reports.add(cmd, false)
	return reconCommand(cmd, noArgs, func(ctx context.Context, _ []string) error {
		if date == "" || !reports.wanted() {
			return usageError(errors.New("--date and one of --xlsx, --html, --csv are needed; see `paytool recon report --help`"))
		}
		if err := reports.check(1); err != nil {
			return err
		}
		return r.withLedger(ctx, func(l *ledger.Ledger, cfg *config.Config) error {
			books, err := book.choose(ctx, l)
			if err != nil {
				return err
			}
			if len(books) != 1 {
				return usageError(fmt.Errorf("the ledger has several accounts: choose one of %v with --channel and --account", books))
			}
			return r.reportDay(ctx, l, cfg, books[0], date, &reports)
		})
	})
}

func (r *reconApp) reportDay(ctx context.Context, l *ledger.Ledger, cfg *config.Config, book ledger.Book, date string, reports *reportFlags) error {
	run, err := l.Run(ctx, book, date)
	if err != nil {
		return err
	}
	account := daily.Account{Book: book}
	if c, err := cfg.Account(book.Account); err == nil && book.Account != "" {
		account = dailyAccount(c)
	}
	bills, missing := account.Recorded(run.Result)
	if missing != "" {
		_, _ = fmt.Fprintf(r.err, "warning: %s: single refunds and revokes are left out\n", missing)
	}
	day, err := newDay(ctx, run.Result, l, bills)
	if err != nil {
		return err
	}
	return reports.write(ctx, day)
}

func reportLine(l *recon.RefundLine) *daybook.Line {
	return &daybook.Line{
		Kind: l.Kind, OrderNo: l.OrderNo, RefundNo: l.RefundNo, ChannelTradeNo: l.ChannelTradeNo, ChannelRefundNo: l.ChannelRefundNo,
		Amount: l.Amount, Settle: l.Settle, Fee: l.Fee, State: l.State, Time: l.Time, File: l.File, Line: l.Line,
		Fate: daybook.Fate(l.Fate), Difference: l.Difference, Reason: l.Reason,
	}
}
