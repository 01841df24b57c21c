package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/report"
)

func newReconInternalCmd(r *reconApp) *cobra.Command {
	var date, from, to string
	var shadow bool
	cmd := &cobra.Command{
		Use:   "internal",
		Short: "Hold our own books against themselves: orders, moves, refunds, revokes, tasks",
		Long: `Hold our own books against themselves, before any bill is there: every order against
its moves, its refunds, its revokes and its tasks, over all groups. Two payable orders of
one merchant order, a payment that nobody carries on, a refund that does not add up: each
finding says what follows.

Every group has to answer. Exit status: 0 nothing found, 1 failed, 2 findings.`,
		Example: `  paytool recon internal --date yesterday
  paytool recon internal --from 2026-11-01 --to 2026-11-22 -o json`,
	}
	flags := cmd.Flags()
	flags.StringVar(&date, "date", "", "orders of this day, like 2026-11-20, or yesterday")
	flags.StringVar(&from, "from", "", "instead of --date: the first of several days")
	flags.StringVar(&to, "to", "", "the last of several days (default: yesterday)")
	flags.BoolVar(&shadow, "shadow", false, "shadow orders instead of real ones")
	return reconCommand(cmd, noArgs, func(ctx context.Context, _ []string) error {
		span := reconRunOptions{date: date, from: from, to: to}
		if date == "" && from == "" || date != "" && from+to != "" {
			return usageError(errors.New("give --date, or --from and --to"))
		}
		days, err := span.days(time.Now())
		if err != nil {
			return err
		}
		return r.internal(ctx, days, shadow)
	})
}

// maxFindings bounds what is kept of an audit; all are counted.
const maxFindings = 10_000

func (r *reconApp) internal(ctx context.Context, days []string, shadow bool) error {
	from, errFrom := time.ParseInLocation(time.DateOnly, days[0], pay.Beijing)
	to, errTo := time.ParseInLocation(time.DateOnly, days[len(days)-1], pay.Beijing)
	if err := errors.Join(errFrom, errTo); err != nil {
		return err
	}
	return r.withEngine(ctx, func(e *engine) error {
		e.Refresh(ctx)
		var found []order.Finding
		var audit order.AuditReport
		err := steady(func() (err error) {
			found = []order.Finding{}
			audit, err = e.Audit(ctx, order.DossierQuery{From: from, To: to.AddDate(0, 0, 1), Shadow: shadow}, func(f order.Finding) error {
				if len(found) < maxFindings {
					found = append(found, f)
				}
				return nil
			})
			return err
		})
		if err != nil {
			return err
		}
		slices.SortFunc(found, func(a, b order.Finding) int { return a.OrderNo.Compare(b.OrderNo) }) // groups answer in any order
		shown := struct {
			From   string            `json:"from"`
			To     string            `json:"to"`
			Audit  order.AuditReport `json:"audit"`
			Found  []order.Finding   `json:"findings"`
			Agrees bool              `json:"agrees"`
		}{days[0], days[len(days)-1], audit, found, len(found) == 0}
		if err := r.show(shown, func(w io.Writer) error { return writeInternal(w, audit, found) }); err != nil {
			return err
		}
		if len(found) > 0 {
			return &statusError{status: 2}
		}
		return nil
	})
}

func writeInternal(w io.Writer, audit order.AuditReport, found []order.Finding) error {
	if len(found) == 0 {
		return fprintf(w, "our books agree with themselves: %d orders, %d records\n", audit.Orders, audit.Records)
	}
	t := report.Table{Header: []string{"CHECK", "ORDER", "GROUP", "WHAT"}, Right: map[string]bool{"GROUP": true}}
	for _, f := range found[:min(len(found), topDifferences)] {
		t.Add(f.Check, f.OrderNo, f.Group, f.What)
	}
	errs := []error{t.Write(w), fprintf(w, "\n")}
	all := 0
	told := map[order.Check]bool{}
	for _, n := range audit.Findings {
		all += n
	}
	for _, f := range found {
		if !told[f.Check] {
			told[f.Check] = true
			errs = append(errs, fprintf(w, "%s (%d): %s\n", f.Check, audit.Findings[f.Check], f.Advice))
		}
	}
	return errors.Join(append(errs, fprintf(w, "%s\nnext: paytool order trace %s\n", fmt.Sprintf("%d findings in %d orders", all, audit.Orders), found[0].OrderNo))...)
}
