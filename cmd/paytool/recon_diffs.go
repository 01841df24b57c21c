package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"paytool/internal/config"
	"paytool/internal/recon"
	"paytool/internal/recon/ledger"
	"paytool/internal/report"
	"paytool/internal/report/daybook"
)

type reconDiffsOptions struct {
	book   bookFlags
	query  ledger.Query
	states []string
	class  string
	all    bool
}

func newReconDiffsCmd(r *reconApp) *cobra.Command {
	var o reconDiffsOptions
	cmd := &cobra.Command{
		Use:   "diffs",
		Short: "List the differences of the ledger, the most pressing first",
		Long: `List the differences of the ledger, the most pressing first: by default those that
wait for somebody. Money that the channel has and we do not comes before all else.`,
		Example: `  paytool recon diffs
  paytool recon diffs --overdue -o csv > overdue.csv
  paytool recon diffs --all --order 2016091212154323221992`,
		Annotations: map[string]string{csvOutput: "yes"},
	}
	o.book.add(cmd)
	flags := cmd.Flags()
	flags.StringSliceVar(&o.states, "state", nil, "in these states: open, carried, resolved, reissued, written_off")
	flags.BoolVar(&o.all, "all", false, "those that have ended as well")
	flags.StringVar(&o.class, "class", "", "only this class, such as missing_in_ours")
	flags.StringVar(&o.query.From, "from", "", "of this day or later, like 2026-11-20")
	flags.StringVar(&o.query.To, "to", "", "of this day or earlier")
	flags.StringVar(&o.query.Text, "order", "", "only of this order, refund, trade number or id")
	flags.BoolVar(&o.query.Overdue, "overdue", false, "only those that are open for too long")
	flags.BoolVar(&o.query.Pending, "pending", false, "only those that wait for a second person or for the order engine")
	flags.IntVar(&o.query.Limit, "limit", 200, "at most that many; 0: all")
	return reconCommand(cmd, noArgs, func(ctx context.Context, _ []string) error {
		return r.withLedger(ctx, func(l *ledger.Ledger, _ *config.Config) error { return runReconDiffs(ctx, r, l, o) })
	})
}

func runReconDiffs(ctx context.Context, r *reconApp, l *ledger.Ledger, o reconDiffsOptions) error {
	q := o.query
	if q.Class = recon.Class(o.class); q.Class != "" && !slices.Contains(recon.Classes(), q.Class) {
		return usageError(fmt.Errorf("--class %q: want one of %v", o.class, recon.Classes()))
	}
	for _, s := range o.states {
		state := ledger.State(s)
		if !slices.Contains(ledger.States(), state) {
			return usageError(fmt.Errorf("--state %q: want one of %v", s, ledger.States()))
		}
		q.States = append(q.States, state)
	}
	if q.States == nil && !o.all {
		q.States = []ledger.State{ledger.StateOpen, ledger.StateCarried}
	}
	books, err := o.book.choose(ctx, l)
	if err != nil {
		return err
	}
	var found []ledger.Entry
	limit := q.Limit
	if limit > 0 {
		q.Limit++ // to know whether there are more
	}
	if o.book == (bookFlags{}) {
		found, err = l.Differences(ctx, q)
	} else {
		for i := range books {
			q.Book = &books[i]
			more, e := l.Differences(ctx, q)
			if found, err = append(found, more...), e; err != nil {
				break
			}
		}
	}
	if err != nil {
		return err
	}
	more := limit > 0 && len(found) > limit
	if more {
		found = found[:limit]
	}
	return r.showDiffs(found, more)
}

func (r *reconApp) showDiffs(found []ledger.Entry, more bool) error {
	if r.output == outputCSV {
		return daybook.WriteEntriesCSV(r.out, found)
	}
	shown := struct {
		Differences []ledger.Entry `json:"differences"`
		More        bool           `json:"more"`
	}{append([]ledger.Entry{}, found...), more}
	return r.show(shown, func(w io.Writer) error { return writeEntries(w, found, more) })
}

func writeEntries(w io.Writer, found []ledger.Entry, more bool) error {
	if len(found) == 0 {
		_, err := fmt.Fprintln(w, "none")
		return err
	}
	t := report.Table{
		Header: []string{"ID", "DAY", "ACCOUNT", "CLASS", "KIND", "ORDER", "OURS", "THEIRS", "DIFFERENCE", "STATE"},
		Right:  map[string]bool{"OURS": true, "THEIRS": true, "DIFFERENCE": true},
	}
	for i := range found {
		e := &found[i]
		t.Add(e.ID, e.Date, e.Book, e.Class, e.Kind, orderOf(e), e.OursFen.Yuan(), e.TheirsFen.Yuan(), e.DifferenceFen.Yuan(), stateOf(e))
	}
	if err := t.Write(w); err != nil {
		return err
	}
	if more {
		if _, err := fmt.Fprintln(w, "and more; see --limit"); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "\nnext: paytool recon explain %s\n", found[0].ID)
	return err
}

// orderOf is the number that a person would look for.
func orderOf(e *ledger.Entry) string {
	no := e.OrderNo
	if no == "" {
		no = e.ChannelTradeNo
	}
	if e.RefundNo != "" {
		no += " / " + e.RefundNo
	}
	return no
}

// stateOf is where a difference stands, with what it waits for.
func stateOf(e *ledger.Entry) string {
	words := []string{string(e.State)}
	if e.State == ledger.StateCarried {
		words = append(words, "until "+e.Until)
	}
	if p := e.Pending; p != nil {
		by := p.By
		if p.DecidedBy != "" {
			by = p.DecidedBy
		}
		words = append(words, fmt.Sprintf("(%s %s by %s)", p.Action, p.Stage, by))
	}
	return strings.Join(words, " ")
}
