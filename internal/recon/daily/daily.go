// Package daily carries an account's day from its files to the ledger: bills and our
// entries are got, reconciled from what the day before has left, and recorded.
//
// The words of this room:
//
//   - a source gets the inputs of a day, from files, the channel or the groups;
//   - an outcome is what became of a day, with the exit status that it calls for;
//   - a day waits if an earlier day of its account could not be reconciled: it would
//     start from what nobody knows.
//
// Matching lies in recon, the ledger in recon/ledger, fetching in bill/fetch.
package daily

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"paytool/internal/bill"
	"paytool/internal/pay"
	"paytool/internal/recon"
	"paytool/internal/recon/ledger"
)

// Account is whose day it is, and how its bills are read and compared. Zero values
// are recon's defaults.
type Account struct {
	ledger.Book
	Merchant     string // that the bills have to be of; "" is not checked
	AlipayRevoke bill.RevokeRule
	CutWindow    time.Duration
	CarryDays    int
	Rates        recon.Rates
	// OurChannel and OurAccount are how our entries name the book; "" is as Book does.
	OurChannel, OurAccount string
}

// Inputs are the files of a day.
type Inputs struct {
	Trade, Fund []string // the channel's bills: paths
	Ours        string   // our entries: a path
	// NoBill and NoFund: the channel's final word is that the day has none.
	NoBill, NoFund bool
	// RetryAt is when to ask again for a bill that is not ready; zero: all are here.
	RetryAt  time.Time
	Warnings []string
}

// Source gets the inputs of a day. recorded: the ledger has the day, so that the files
// that it was reconciled with are wanted where they are still there.
type Source interface {
	Inputs(ctx context.Context, a Account, date string, recorded bool) (Inputs, error)
}

// Runner reconciles days. Ledger may be nil: then nothing is recorded, and Carried is
// what every day starts from.
type Runner struct {
	Source  Source
	Ledger  *ledger.Ledger
	Carried []recon.Carried
	Actor   string
	// Supersede is the reason to replace a recorded day; "" refuses that.
	Supersede string
	Memory    int64  // bytes for matching
	TempDir   string // "" is the system's
	Seed      func() uint64
	Log       *slog.Logger
	// Progress is told how far a bill was read, in rows and in parts of 1 (0: not known);
	// nil: nobody looks. Called from several goroutines.
	Progress func(path string, rows int64, part float64)
}

// Run reconciles the days of every account, in order, and hands each outcome over.
// It returns early only when ctx ends or done fails.
func (r *Runner) Run(ctx context.Context, accounts []Account, dates []string, done func(Outcome) error) error {
	for _, a := range accounts {
		waitsFor := ""
		for _, date := range dates {
			out := Outcome{Book: a.Book, Date: date, Status: Waiting, Warnings: []string{}}
			if waitsFor == "" {
				out = r.Day(ctx, a, date)
			} else {
				out.Error = fmt.Sprintf("waits for %s, which could not be reconciled", waitsFor)
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if waitsFor == "" && out.Result == nil {
				waitsFor = date
			}
			if err := done(out); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxTries is how often a day starts again because other runs change what it starts
// from.
const maxTries = 3

// Day reconciles one day of an account.
func (r *Runner) Day(ctx context.Context, a Account, date string) Outcome {
	for try := 1; ; try++ {
		out := Outcome{Book: a.Book, Date: date, Warnings: []string{}}
		err := r.day(ctx, a, date, &out)
		var changed *ledger.OpeningChangedError
		if errors.As(err, &changed) && try < maxTries {
			continue
		}
		if err != nil {
			out.fail(err)
		}
		return out
	}
}

func (r *Runner) day(ctx context.Context, a Account, date string, out *Outcome) error {
	opening, recorded, err := r.opening(ctx, a.Book, date, out)
	if err != nil {
		return err
	}
	in, err := r.Source.Inputs(ctx, a, date, recorded && r.Supersede == "")
	if err != nil {
		return err
	}
	out.Inputs, out.Warnings = in, append(out.Warnings, in.Warnings...)
	if !in.RetryAt.IsZero() {
		out.RetryAt = &in.RetryAt
		return errNotReady
	}
	result, err := r.reconcile(ctx, a, date, in, opening)
	if err != nil {
		return err
	}
	if r.Ledger != nil {
		if err := r.record(ctx, a.Book, result, opening, out); err != nil {
			return err
		}
	}
	out.succeed(result)
	return nil
}

// opening is what the day starts from, and whether the ledger has the day.
func (r *Runner) opening(ctx context.Context, book ledger.Book, date string, out *Outcome) (ledger.Opening, bool, error) {
	if r.Ledger == nil {
		return ledger.Opening{Carried: r.Carried}, false, nil
	}
	opening, err := r.Ledger.Opening(ctx, book, date)
	if err != nil {
		return opening, false, err
	}
	if gap := gapBetween(opening.Date, date); gap != "" {
		out.Warnings = append(out.Warnings, fmt.Sprintf("%s not reconciled: what these days carried over is not known; run them first, then this day again", gap))
	}
	known, err := r.Ledger.Known(ctx, book, date)
	return opening, known != nil, err
}

// gapBetween names the days between two days that are not neighbours.
func gapBetween(before, date string) string {
	last, errLast := time.ParseInLocation(time.DateOnly, before, pay.Beijing)
	day, err := time.ParseInLocation(time.DateOnly, date, pay.Beijing)
	if errLast != nil || err != nil {
		return "" // the first day, or a date that recon refuses
	}
	from, to := last.AddDate(0, 0, 1), day.AddDate(0, 0, -1)
	switch {
	case from.After(to):
		return ""
	case from.Equal(to):
		return from.Format(time.DateOnly) + " was"
	default:
		return from.Format(time.DateOnly) + " to " + to.Format(time.DateOnly) + " were"
	}
}

func (r *Runner) reconcile(ctx context.Context, a Account, date string, in Inputs, opening ledger.Opening) (*recon.Result, error) {
	opts := recon.Options{
		Channel: a.Channel, OurChannel: a.OurChannel, OurAccount: a.OurAccount, Account: a.Account, Date: date, CutWindow: a.CutWindow, CarryDays: a.CarryDays, Rates: a.Rates,
		FundOpening: opening.Fund, Memory: r.Memory, TempDir: r.TempDir, Seed: r.Seed(),
	}
	books := a.books(date, in)
	r.watch(books.Trade)
	books.Ours, books.Carried = &recon.OurFile{Path: in.Ours}, opening.Carried
	result, err := recon.Run(ctx, opts, books)
	var refused *bill.RefusedError
	if errors.As(err, &refused) && refused.Code == bill.RefusedNoBill && len(books.Trade) == 1 {
		books.Trade, books.Fund, books.NoBill = nil, nil, true // the file is the channel's word that there is none
		result, err = recon.Run(ctx, opts, books)
	}
	if err == nil && in.NoFund && result.Theirs.Rows > 0 {
		return nil, &recon.GateError{File: "the day's fund bill", Findings: []bill.Finding{{
			Check: bill.CheckUnread, What: "the channel says that there is none", Want: fmt.Sprintf("the money of %d trades", result.Theirs.Rows), Got: "no bill",
		}}}
	}
	return result, err
}

// watch tells how far the trade bills, which are the largest files, are read.
func (r *Runner) watch(bills []recon.BillBook) {
	for _, b := range bills {
		file, ok := b.(*recon.BillFile)
		info, err := os.Stat(b.Name())
		if r.Progress == nil || !ok || err != nil {
			continue
		}
		file.Progress = func(rows, bytes int64) {
			r.Progress(file.Path, rows, max(0, float64(bytes)/float64(max(1, info.Size()))))
		}
	}
}

// books opens nothing yet. WeChat's fund bills do not name the account.
func (a *Account) books(date string, in Inputs) recon.Books {
	opts := bill.Options{Date: date, Merchant: a.Merchant, AlipayRevoke: a.AlipayRevoke}
	books := recon.Books{NoBill: in.NoBill}
	for _, path := range in.Trade {
		books.Trade = append(books.Trade, billFile(path, opts))
	}
	if a.Channel != bill.Alipay {
		opts.Merchant = ""
	}
	for _, path := range in.Fund {
		books.Fund = append(books.Fund, billFile(path, opts))
	}
	return books
}

// Trade are the trade bills of an outcome, to be read again.
func (a *Account) Trade(out *Outcome) []recon.BillBook { return a.books(out.Date, out.Inputs).Trade }

func (r *Runner) record(ctx context.Context, book ledger.Book, result *recon.Result, opening ledger.Opening, out *Outcome) error {
	recorded, err := r.Ledger.Record(ctx, ledger.Run{
		Account: book.Account, Result: result, Opening: opening, Actor: r.Actor, Supersede: r.Supersede,
	})
	if err != nil {
		return err
	}
	out.Recorded = &recorded
	overdue, err := r.Ledger.Differences(ctx, ledger.Query{Book: &book, Overdue: true})
	out.Overdue = len(overdue)
	return err
}
