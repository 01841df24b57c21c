package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"paytool/internal/config"
	"paytool/internal/pay"
	"paytool/internal/recon/daily"
	"paytool/internal/recon/ledger"
	"paytool/internal/report"
)

func newReconStatusCmd(r *reconApp) *cobra.Command {
	days := 14
	cmd := &cobra.Command{
		Use:   "status",
		Short: "What is missing, different or overdue over the last days, and what to do next",
		Long: `Show where every account stands on each of the last days, up to yesterday: balanced,
explained (its differences have ended), open, overdue, missing (not reconciled yet), or
stale (an earlier day has changed: run it again).

Exit status: 0 nothing waits, 2 differences are open, 3 a day is missing or stale,
5 differences are open for too long; 3 comes before 5 and 2.`,
		Example: `  paytool recon status
  paytool recon status --ledger ledger --days 30 -o json`,
	}
	cmd.Flags().IntVar(&days, "days", days, "how many days back")
	return reconCommand(cmd, noArgs, func(ctx context.Context, _ []string) error {
		if days < 1 || days > maxDays {
			return usageError(fmt.Errorf("--days %d: want 1 to %d", days, maxDays))
		}
		return r.withLedger(ctx, func(l *ledger.Ledger, cfg *config.Config) error {
			s, err := newReconSurvey(ctx, l, cfg, days, time.Now())
			if err != nil {
				return err
			}
			if err := r.show(s, s.write); err != nil {
				return err
			}
			if s.Exit != 0 {
				return &statusError{status: s.Exit}
			}
			return nil
		})
	})
}

// reconSurvey is what `recon status` shows.
type reconSurvey struct {
	Days         []daily.SurveyDay `json:"days"`
	Ages         ledger.Buckets    `json:"ages"`
	Pending      int               `json:"pending"`      // proposals that wait for a second person
	Instructions int               `json:"instructions"` // approved, for the order engine
	Head         ledger.Head       `json:"ledger_head"`
	Exit         int               `json:"exit"`
}

func newReconSurvey(ctx context.Context, l *ledger.Ledger, cfg *config.Config, days int, now time.Time) (*reconSurvey, error) {
	day := func(back int) string { return now.In(pay.Beijing).AddDate(0, 0, -back).Format(time.DateOnly) }
	first, last := day(days), day(1)
	books, err := surveyBooks(ctx, l, cfg)
	if err != nil {
		return nil, err
	}
	runs, err := l.Runs(ctx, first, last)
	if err != nil {
		return nil, err
	}
	open, err := l.Differences(ctx, ledger.Query{States: []ledger.State{ledger.StateOpen, ledger.StateCarried}})
	if err != nil {
		return nil, err
	}
	overdue, err := l.Differences(ctx, ledger.Query{Overdue: true})
	if err != nil {
		return nil, err
	}
	s := &reconSurvey{Days: daily.Survey(books, runs, open, overdue, first, last)}
	if s.Days == nil {
		s.Days = []daily.SurveyDay{}
	}
	exits := make([]int, 0, len(s.Days)+1)
	for _, d := range s.Days {
		exits = append(exits, d.Standing.Exit())
	}
	switch { // also of days that are not shown
	case len(overdue) > 0:
		exits = append(exits, daily.ExitOverdue)
	case len(open) > 0:
		exits = append(exits, daily.ExitDifferences)
	}
	s.Exit = daily.Worst(exits...)
	return s, s.decisions(ctx, l)
}

// decisions counts what waits for persons and for the order engine.
func (s *reconSurvey) decisions(ctx context.Context, l *ledger.Ledger) error {
	proposed, err := l.Proposals(ctx, ledger.Proposed)
	if err != nil {
		return err
	}
	approved, err := l.Proposals(ctx, ledger.Approved)
	if err != nil {
		return err
	}
	s.Pending, s.Instructions = len(proposed), len(approved)
	ages, err := l.Ages(ctx, nil, 1)
	if err != nil {
		return err
	}
	if len(ages) > 0 {
		s.Ages = ages[len(ages)-1].Buckets
	}
	s.Head, err = l.Head(ctx)
	return err
}

// surveyBooks are the accounts of the config, and whatever else the ledger has.
func surveyBooks(ctx context.Context, l *ledger.Ledger, cfg *config.Config) ([]daily.SurveyBook, error) {
	var books []daily.SurveyBook
	known := map[ledger.Book]bool{}
	for _, a := range cfg.Accounts {
		book := ledger.Book{Channel: a.Channel, Account: a.Name}
		known[book] = true
		books = append(books, daily.SurveyBook{Book: book, Since: a.Recon.Since})
	}
	kept, err := l.Books(ctx)
	for _, book := range kept {
		if !known[book] {
			books = append(books, daily.SurveyBook{Book: book})
		}
	}
	return books, err
}

func (s *reconSurvey) write(w io.Writer) error {
	t := report.Table{
		Header: []string{"DAY", "CHANNEL", "ACCOUNT", "STANDING", "FOUND", "OPEN", "OPEN YUAN", "OVERDUE", "CARRIED"},
		Right:  map[string]bool{"FOUND": true, "OPEN": true, "OPEN YUAN": true, "OVERDUE": true, "CARRIED": true},
	}
	for _, d := range s.Days {
		if d.Standing == daily.Missing {
			t.Add(d.Date, d.Channel, d.Account, d.Standing, "", "", "", "", "")
			continue
		}
		t.Add(d.Date, d.Channel, d.Account, d.Standing, d.Differences, d.Open, d.OpenFen.Yuan(), d.Overdue, d.Carried)
	}
	if err := t.Write(w); err != nil {
		return err
	}
	a := s.Ages
	_, err := fmt.Fprintf(w, "\nopen by age: %d up to 1 day, %d up to 3, %d up to 7, %d older\n%d proposals wait for a second person, %d for the order engine\nledger head %d %s\n",
		a.UpTo1.Rows, a.UpTo3.Rows, a.UpTo7.Rows, a.Beyond.Rows, s.Pending, s.Instructions, s.Head.Seq, s.Head.Hash)
	for _, next := range s.next() {
		if err == nil {
			_, err = fmt.Fprintln(w, "next:", next)
		}
	}
	return err
}

// next says what to do, the most pressing first.
func (s *reconSurvey) next() (todo []string) {
	rerun := map[ledger.Book]string{} // the earliest day
	for _, d := range s.Days {
		if d.Standing == daily.Missing || d.Standing == daily.Stale {
			rerun[d.Book] = d.Date
		}
	}
	for _, d := range s.Days {
		if first := rerun[d.Book]; first == d.Date {
			account := ""
			if d.Account != "" {
				account = " --account " + d.Account
			}
			todo = append(todo, fmt.Sprintf("paytool recon run --channel %s%s --from %s", d.Channel, account, first))
		}
	}
	if s.Exit == daily.ExitOverdue {
		todo = append(todo, "paytool recon diffs --overdue")
	} else if s.Ages.UpTo1.Rows+s.Ages.UpTo3.Rows+s.Ages.UpTo7.Rows+s.Ages.Beyond.Rows > 0 {
		todo = append(todo, "paytool recon diffs")
	}
	if s.Pending > 0 {
		todo = append(todo, "paytool recon approve")
	}
	if s.Instructions > 0 {
		todo = append(todo, "paytool recon apply --dry-run")
	}
	return todo
}
