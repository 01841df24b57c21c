package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"paytool/internal/config"
	"paytool/internal/pay"
	"paytool/internal/recon"
	"paytool/internal/recon/daily"
	"paytool/internal/recon/ledger"
	"paytool/internal/report"
)

// reconRunOptions are the flags of `recon run`.
type reconRunOptions struct {
	channel, account   string
	date, from, to     string
	bills, funds       []string
	billDir            string
	ours               string
	ourChannel         string
	ourAccount         string
	carry, carryOut    string
	merchant           string
	alipayPlain        bool
	cutWindow          time.Duration
	carryDays          int
	memoryMiB          int64
	supersede, metrics string
	reports            reportFlags
}

const ownDatabase = "db" // of --ours

func newReconRunCmd(r *reconApp) *cobra.Command {
	var o reconRunOptions
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Compare our entries with the channel's trade bill and fund bill, day by day",
		Long: `Compare our entries of a day with the channel's trade bill, and the trade bill with
the fund bill. Each difference comes with its cause and with what is to be done. The
bridge leads from our total to the channel's and leaves nothing unexplained.

Without --bill the accounts of the config are reconciled, one after the other: the
bills are fetched, and our entries are read from the groups. With --bill it is one
day of one account, from files; no config is needed.

With a ledger (--ledger, or the config's) each day starts from what the day before has
left, differences are kept until they end, and a recorded day is closed: the same files
change nothing, other files are refused without --supersede REASON.

Differences are signed by cash effect (payments +, refunds and revokes -), the channel
less ours: above 0 the channel holds more of our money than our books say (长款), below
0 less (短款). In the bridge ours plus all lines is theirs.

Exit status: 0 balanced, 1 failed or wrong usage, 2 differences, 3 the bill is not
ready yet, 4 an input cannot be trusted (its footer, date, merchant, digest), 5 the
ledger has differences that are open for too long. 1 comes before 4, 3, 5 and 2.`,
		Example: `  paytool recon run --date yesterday
  paytool recon run --from 2026-11-20 --to 2026-11-22 --account shop --reports reports
  paytool recon run --channel wechat --date 2026-11-20 --bill bill.csv --fund fund.csv \
      --ours ours.csv --ledger ledger --xlsx day.xlsx --html day.html
  paytool recon run --channel wechat --date 2026-11-20 --bill bill.csv --ours db -o json`,
	}
	flags := cmd.Flags()
	flags.StringVar(&o.channel, "channel", "", "wechat, alipay or unionpay (required with --bill, else all)")
	flags.StringVar(&o.account, "account", "", "the account, as the config names it (default: all of the config's)")
	flags.StringVar(&o.date, "date", "", "the day in Beijing, like 2026-11-20, or yesterday")
	flags.StringVar(&o.from, "from", "", "instead of --date: the first of several days")
	flags.StringVar(&o.to, "to", "", "the last of several days (default: yesterday)")
	flags.StringArrayVar(&o.bills, "bill", nil, "the trade bill; several times for a bill in parts")
	flags.StringArrayVar(&o.funds, "fund", nil, "the fund bill; without it the fund flow is left out")
	flags.StringVar(&o.billDir, "bills", "", "folder of fetched bills (default: the config's recon.bills)")
	flags.StringVar(&o.ours, "ours", "", "our entries: a file of `order export`, or db for the groups (default without --bill: db)")
	flags.StringVar(&o.ourChannel, "our-channel", "", "how our entries name the channel (default: as --channel does)")
	flags.StringVar(&o.ourAccount, "our-account", "", "how our entries name the account (default: as --account does)")
	flags.StringVar(&o.carry, "carry", "", "without a ledger: the rows that the run of the day before has left (its --carry-out)")
	flags.StringVar(&o.carryOut, "carry-out", "", "without a ledger: write the rows that wait for the next day here")
	flags.StringVar(&o.merchant, "merchant", "", "the account number that the bills have to be of (default: the config's)")
	flags.BoolVar(&o.alipayPlain, "alipay-no-revokes", false, "take every refund row of Alipay's for a refund, also one whose number is the trade's own")
	flags.DurationVar(&o.cutWindow, "cut-window", 0, "how long before midnight a row may stand in the other side's next day (default 30m)")
	flags.IntVar(&o.carryDays, "carry-days", 0, "for how many bill days a carried row is waited for (default 1)")
	flags.Int64Var(&o.memoryMiB, "memory", recon.DefaultMemory>>20, "MiB for matching; what is beyond it goes to temporary files")
	flags.StringVar(&o.supersede, "supersede", "", "replace a day that is recorded already, for this `REASON`")
	flags.StringVar(&o.metrics, "metrics", "", "write Prometheus metrics to this .prom file (default: the config's recon.metrics_file)")
	o.reports.add(cmd, true)
	return reconCommand(cmd, noArgs, func(ctx context.Context, _ []string) error { return runRecon(ctx, r, o) })
}

// reconJob is what a call of `recon run` comes to.
type reconJob struct {
	accounts []daily.Account
	dates    []string
	source   daily.Source
	single   bool // one day from files: its result is the whole answer
}

func runRecon(ctx context.Context, r *reconApp, o reconRunOptions) (err error) {
	cfg, err := r.reconConfig()
	if err != nil {
		return err
	}
	job, err := o.job(r, cfg)
	if err != nil {
		return err
	}
	runner := &daily.Runner{Source: job.source, Supersede: o.supersede, Memory: o.memoryMiB << 20, Seed: rand.Uint64, Log: r.logger(cfg.Log)}
	runner.Progress = r.readingProgress()
	if runner.Actor, err = r.who(); err != nil {
		return err
	}
	if r.ledgerDir != "" || !job.single {
		if runner.Ledger, err = r.openLedger(ctx, cfg, true); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, runner.Ledger.Close()) }()
	}
	if r.scratch, err = os.MkdirTemp("", "paytool-recon-"); err != nil {
		return fmt.Errorf("make a temporary folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.scratch)) }()
	runner.TempDir = r.scratch
	if o.carry != "" {
		if runner.Carried, err = readCarried(o.carry, job.dates[0]); err != nil {
			return err
		}
	}
	return r.runDays(ctx, runner, job, &o, cfg)
}

// readingProgress draws a line of how far a bill is read, once it takes long.
func (r *reconApp) readingProgress() func(path string, rows int64, part float64) {
	var mu sync.Mutex
	var path string
	var draw func(rows, total int64)
	return func(p string, rows int64, part float64) {
		mu.Lock()
		defer mu.Unlock()
		if p != path {
			path, draw = p, r.progressOf("reading "+filepath.Base(p))
		}
		total := int64(0)
		if part > 0 {
			total = int64(float64(rows) / part) // as long as its rows are as long as so far
		}
		draw(rows, total)
	}
}

// runDays reconciles, reports every day as soon as it is done, and tells at the end.
func (r *reconApp) runDays(ctx context.Context, runner *daily.Runner, job reconJob, o *reconRunOptions, cfg *config.Config) error {
	var days []daily.Outcome
	var exits []int
	var reportErr error
	err := runner.Run(ctx, job.accounts, job.dates, func(out daily.Outcome) error {
		r.err.Set("")
		r.warn(&out)
		if err := o.afterDay(ctx, r, runner.Ledger, job, &out); err != nil {
			reportErr = errors.Join(reportErr, err)
		}
		if out.Result != nil && !job.single && r.output != outputJSON {
			out.Result.Differences = out.Result.Differences[:min(len(out.Result.Differences), topDifferences)] // the rest is in the ledger
		}
		days, exits = append(days, out), append(exits, out.Status.Exit())
		return nil
	})
	if err != nil {
		return err
	}
	if err := r.tellDays(days, job.single, daily.Worst(exits...)); err != nil {
		return err
	}
	if err := o.writeMetrics(ctx, r, runner.Ledger, cfg, days); err != nil {
		reportErr = errors.Join(reportErr, err)
	}
	switch status := daily.Worst(exits...); {
	case reportErr != nil:
		return reportErr
	case job.single && days[0].Err != nil:
		return days[0].Err
	case status != 0:
		return &statusError{status: status}
	}
	return nil
}

// warn prints what a person has to know beside the result.
func (r *reconApp) warn(out *daily.Outcome) {
	name := dayName(out.Book, out.Date)
	warnings := slices.Clone(out.Warnings)
	if out.Result != nil {
		warnings = append(warnings, out.Result.Warnings...)
	}
	for _, w := range warnings {
		_, _ = fmt.Fprintf(r.err, "warning: %s: %s\n", name, w)
	}
	var gate *recon.GateError
	if errors.As(out.Err, &gate) {
		for _, f := range gate.Findings[1:] { // the error tells the first one
			_, _ = fmt.Fprintf(r.err, "%s: finding: %s\n", gate.File, f)
		}
	}
	switch rec := out.Recorded; {
	case rec == nil:
	case rec.Known:
		_, _ = fmt.Fprintf(r.err, "ledger: %s is recorded with the same inputs; nothing changed\n", name)
	default:
		_, _ = fmt.Fprintf(r.err, "ledger: %s recorded, %d differences opened, %d ended\n", name, rec.Opened, rec.Resolved)
		for _, later := range rec.Stale {
			_, _ = fmt.Fprintf(r.err, "warning: %s started from what this day had left before: run it again\n", dayName(out.Book, later))
		}
	}
}

func dayName(book ledger.Book, date string) string {
	if book.Account == "" {
		return book.Channel + " " + date
	}
	return book.Channel + " " + book.Account + " " + date
}

// tellDays prints the result: of one day from files the contract's object, else a list
// of outcomes.
func (r *reconApp) tellDays(days []daily.Outcome, single bool, exit int) error {
	if single {
		if days[0].Result == nil {
			return nil
		}
		return r.show(singleResult(&days[0]), func(w io.Writer) error { return writeRecon(w, &days[0]) })
	}
	all := struct {
		Days []daily.Outcome `json:"days"`
		Exit int             `json:"exit"`
	}{days, exit}
	return r.show(all, func(w io.Writer) error {
		for i := range days {
			if days[i].Result == nil || days[i].Result.Balanced {
				continue
			}
			if err := writeRecon(w, &days[i]); err != nil {
				return err
			}
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
		return writeDays(w, days)
	})
}

// oneResult is the contract of one day, with the head of the ledger that it is in.
type oneResult struct {
	*recon.Result
	LedgerHead *ledger.Head `json:"ledger_head"` // null without a ledger
}

func singleResult(out *daily.Outcome) oneResult {
	one := oneResult{Result: out.Result}
	if out.Recorded != nil {
		one.LedgerHead = &out.Recorded.Head
	}
	return one
}

// writeDays writes a line for every day.
func writeDays(w io.Writer, days []daily.Outcome) error {
	t := report.Table{
		Header: []string{"DAY", "CHANNEL", "ACCOUNT", "STATUS", "OURS YUAN", "THEIRS YUAN", "MATCHED", "DIFFERENCES", "CARRIED", "OVERDUE"},
		Right:  map[string]bool{"OURS YUAN": true, "THEIRS YUAN": true, "MATCHED": true, "DIFFERENCES": true, "CARRIED": true, "OVERDUE": true},
	}
	var notes []string
	for i := range days {
		d := &days[i]
		if d.Result == nil {
			t.Add(d.Date, d.Channel, d.Account, d.Status, "", "", "", "", "", "")
			notes = append(notes, dayName(d.Book, d.Date)+": "+d.Error+retryNote(d))
			continue
		}
		res := d.Result
		t.Add(d.Date, d.Channel, d.Account, d.Status, res.Ours.Amount.Yuan(), res.Theirs.Amount.Yuan(), res.Matched, daily.Found(res), res.Carried.Closing, d.Overdue)
	}
	if err := t.Write(w); err != nil {
		return err
	}
	for _, n := range notes {
		if _, err := fmt.Fprintln(w, n); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w, "\nnext: paytool recon status")
	return err
}

func retryNote(d *daily.Outcome) string {
	if d.RetryAt == nil {
		return ""
	}
	return "; ask again at " + d.RetryAt.In(pay.Beijing).Format("15:04")
}
