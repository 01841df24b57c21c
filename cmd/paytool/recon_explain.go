package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"paytool/internal/config"
	"paytool/internal/pay"
	"paytool/internal/recon"
	"paytool/internal/recon/daily"
	"paytool/internal/recon/ledger"
	"paytool/internal/report"
)

func newReconExplainCmd(r *reconApp) *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use:   "explain NUMBER",
		Short: "One order's whole story: every row of every file, each difference and what was done",
		Long: `Tell the story of an order, refund, trade or difference: its rows in our entries, the
trade bill and the fund bill over the recorded days, its differences, and who has done
what about them. What the order engine knows of it, paytool order trace tells.

By default the days of its differences are looked through, the day that an order number
names, and the two after it; other days with --from and --to.`,
		Example: `  paytool recon explain 2016091212154323221992
  paytool recon explain D-3K7Q2M4XN5PZTABC
  paytool recon explain 4200000000202611201234567890 --from 2026-11-18 --to 2026-11-22`,
	}
	cmd.Flags().StringVar(&from, "from", "", "look through the files of this day and later")
	cmd.Flags().StringVar(&to, "to", "", "look through the files of this day and earlier")
	return reconCommand(cmd, oneArg("an order, refund or trade number, or the id of a difference"), func(ctx context.Context, args []string) error {
		return r.withLedger(ctx, func(l *ledger.Ledger, cfg *config.Config) error {
			s, err := r.story(ctx, l, cfg, args[0], from, to)
			if err != nil {
				return err
			}
			return r.show(s, s.write)
		})
	})
}

// story is what `recon explain` tells.
type story struct {
	Number      string           `json:"number"`
	Rows        []daily.Sighting `json:"rows"`
	Differences []storyDiff      `json:"differences"`
	Days        []string         `json:"days"` // that were looked through
	Missing     []string         `json:"missing_files"`
}

type storyDiff struct {
	ledger.Entry
	Events []ledger.Event `json:"events"`
}

func (r *reconApp) story(ctx context.Context, l *ledger.Ledger, cfg *config.Config, number, from, to string) (*story, error) {
	s := &story{Number: number, Rows: []daily.Sighting{}, Differences: []storyDiff{}, Days: []string{}, Missing: []string{}}
	found, err := l.Differences(ctx, ledger.Query{Text: number})
	if err != nil {
		return nil, err
	}
	days := map[string]bool{}
	for _, e := range found {
		events, err := l.History(ctx, e.ID)
		if err != nil {
			return nil, err
		}
		s.Differences = append(s.Differences, storyDiff{e, events})
		days[e.Date] = true
		if e.ID == recon.ID(number) { // its rows have the order's number
			if s.Number = e.OrderNo; s.Number == "" {
				s.Number = e.ChannelTradeNo
			}
		}
	}
	if no, err := pay.ParseOrderNo(s.Number); err == nil {
		for i := range 3 {
			days[no.Second().AddDate(0, 0, i).Format(time.DateOnly)] = true
		}
	}
	if from == "" && to == "" && len(days) == 0 {
		return nil, usageError(errors.New("the ledger has no difference of it: say with --from and --to which days are to be looked through"))
	}
	runs, err := l.Runs(ctx, from, to)
	if err != nil {
		return nil, err
	}
	return s, r.sightings(ctx, cfg, s, slices.DeleteFunc(runs, func(run ledger.RunRecord) bool { return from+to == "" && !days[run.Date] }))
}

func (r *reconApp) sightings(ctx context.Context, cfg *config.Config, s *story, runs []ledger.RunRecord) error {
	defer r.err.Set("")
	for _, run := range runs {
		r.err.Set("looking through the files of " + dayName(run.Book, run.Date))
		account := daily.Account{Book: run.Book}
		if c, err := cfg.Account(run.Account); err == nil && run.Account != "" {
			account = dailyAccount(c)
		}
		rows, missing, err := account.Sightings(ctx, run.Result, s.Number)
		if err != nil {
			return err
		}
		s.Rows, s.Missing = append(s.Rows, rows...), append(s.Missing, missing...)
		s.Days = append(s.Days, dayName(run.Book, run.Date))
	}
	slices.SortStableFunc(s.Rows, func(a, b daily.Sighting) int { return a.Time.Compare(b.Time) })
	return nil
}

func (s *story) write(w io.Writer) error {
	t := report.Table{Header: []string{"TIME", "FILE OF", "WHOSE", "KIND", "REFUND", "YUAN", "STATE", "ROW"}, Right: map[string]bool{"YUAN": true}}
	for _, row := range s.Rows {
		t.Add(row.Time.In(pay.Beijing).Format(time.DateTime), row.Date, row.Role, row.Kind, row.RefundNo, row.Amount.Yuan(), row.State, fmt.Sprintf("%s:%d", filepath.Base(row.File), row.Line))
	}
	errs := []error{fprintf(w, "%s\n\n", s.Number)}
	if len(s.Rows) > 0 {
		errs = append(errs, t.Write(w))
	} else {
		errs = append(errs, fprintf(w, "no row in the files of %v\n", s.Days))
	}
	for _, f := range s.Missing {
		errs = append(errs, fprintf(w, "%s is not there any more, or has changed: it was not looked through\n", f))
	}
	if len(s.Differences) == 0 {
		errs = append(errs, fprintf(w, "\nthe ledger has no difference of it\n"))
	}
	for i := range s.Differences {
		errs = append(errs, s.Differences[i].write(w))
	}
	return errors.Join(errs...)
}

func fprintf(w io.Writer, format string, args ...any) error {
	_, err := fmt.Fprintf(w, format, args...)
	return err
}

func (d *storyDiff) write(w io.Writer) error {
	errs := []error{
		fprintf(w, "\n%s  %s %s of %s: ours %s, theirs %s, difference %s yuan\n", d.ID, d.Class, d.Kind, dayName(d.Book, d.Date), d.OursFen.Yuan(), d.TheirsFen.Yuan(), d.DifferenceFen.Yuan()),
		fprintf(w, "  %s\n  %s\n  now: %s\n", d.Detail, d.Advice, stateOf(&d.Entry)),
	}
	for _, e := range d.Events {
		errs = append(errs, fprintf(w, "  %s  %s by %s  %s\n", e.At.In(pay.Beijing).Format(time.DateTime), e.Type, e.Actor, e.Words()))
	}
	return errors.Join(errs...)
}
