package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"paytool/internal/eventlog"
	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/report"
)

func newOrderTraceCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "trace NO",
		Short: "Show everything that happened to an order: attempts, hops, moves, channel answers",
		Long: `Show everything that happened to an order: all attempts of its key, the groups that
they went past, every move of state, refunds and revokes, from the groups; and the
tries, calls and answers that engines on this machine wrote down, which can be read
while the order's group is down. Groups that do not answer are named.`,
		Example: `  paytool order trace 2016091212154323221992`,
		Args:    oneArg("an order number"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runOrderTrace(cmd.Context(), a, args[0])
		},
	}
}

// traceShown is a trace with the events of this machine.
type traceShown struct {
	order.Trace
	events []eventlog.Event
}

// MarshalJSON adds the events to the trace's own keys.
func (t traceShown) MarshalJSON() ([]byte, error) {
	text, err := json.Marshal(t.Trace)
	if err != nil {
		return nil, err
	}
	keys := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &keys); err != nil {
		return nil, err
	}
	if keys["events"], err = json.Marshal(append([]eventlog.Event{}, t.events...)); err != nil {
		return nil, err
	}
	return json.Marshal(keys)
}

func runOrderTrace(ctx context.Context, a *app, arg string) error {
	no, err := parseOrderNo(arg)
	if err != nil {
		return err
	}
	return a.withEngine(ctx, func(e *engine) error {
		e.Refresh(ctx)
		shown := traceShown{}
		var groupErr error
		if shown.Trace, groupErr = e.Trace(ctx, no); groupErr != nil {
			shown.Trace = order.Trace{}
		}
		numbers := []string{no.String()}
		for _, o := range shown.Attempts {
			numbers = append(numbers, o.No.String())
		}
		if shown.events, err = eventlog.Read(e.eventDir(), numbers...); err != nil {
			return err
		}
		if groupErr != nil && len(shown.events) == 0 {
			return groupErr
		}
		if err := a.show(shown, func(w io.Writer) error { return writeTrace(w, shown) }); err != nil {
			return err
		}
		if groupErr != nil {
			return groupErr
		}
		if len(shown.Missing) > 0 {
			_, _ = fmt.Fprintf(a.err, "warning: groups %v did not answer, something may be missing here\n", shown.Missing)
			return errNo
		}
		return nil
	})
}

func writeTrace(w io.Writer, t traceShown) error {
	attempts := report.Table{Header: []string{"ORDER", "ATTEMPT", "STATE", "YUAN", "REFUNDED", "GROUP", "TWIN OF"}, Right: map[string]bool{"ATTEMPT": true, "YUAN": true, "REFUNDED": true, "GROUP": true}}
	for _, o := range t.Attempts {
		attempts.Add(o.No, o.Attempt, o.State, o.Amount.Yuan(), o.Refunded.Yuan(), o.Group, o.TwinOf)
	}
	if _, err := fmt.Fprintf(w, "merchant %s, order %s\n\n", t.Key.MerchantID, t.Key.MerchantOrderNo); err != nil {
		return err
	}
	if err := attempts.Write(w); err != nil {
		return err
	}
	type line struct {
		at   time.Time
		cols []any
	}
	var lines []line
	add := func(at time.Time, no, what, detail string) {
		lines = append(lines, line{at, []any{at.In(pay.Beijing).Format(listTime), no, what, detail}})
	}
	for _, m := range t.Moves {
		what := fmt.Sprintf("%s -> %s", orDash(string(m.From)), m.To)
		if m.From == m.To {
			what = string(m.By)
		}
		add(m.At, m.OrderNo.String(), what, fmt.Sprintf("by %s: %s", m.By, m.Detail))
	}
	for _, h := range t.Hops {
		add(h.Created, h.OrderNo.String(), "hop", fmt.Sprintf("past group %d (%s)", h.Above, h.Reason))
	}
	for _, e := range t.events {
		add(e.At, e.OrderNo, e.What, e.Detail)
	}
	slices.SortStableFunc(lines, func(a, b line) int { return a.at.Compare(b.at) })
	events := report.Table{Header: []string{"TIME", "ORDER", "WHAT", "DETAIL"}}
	for _, l := range lines {
		events.Add(l.cols...)
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return events.Write(w)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
