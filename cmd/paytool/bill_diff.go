package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"paytool/internal/bill"
)

func newBillDiffCmd(a *app) *cobra.Command {
	var f billFlags
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "Name the rows added, removed and changed between two bills of a day",
		Long: `Compare the rows of two bills: one that was fetched again, or another layout of the
same day. Rows are compared as they were understood, so that encoding, layout and order
are no difference; a row that one bill has twice must be in the other twice.

Exit status: 0 the same rows, 1 others, or a bill that cannot be trusted, 2 wrong usage.`,
		Example: `  paytool bill diff bill.csv bill.fetched-again.csv
  paytool bill diff old.zip new.zip -o json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usageError(fmt.Errorf("%s wants two arguments: two bill files", cmd.CommandPath()))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return runBillDiff(cmd.Context(), a, args[0], args[1], f)
		},
	}
	f.add(cmd)
	return cmd
}

func runBillDiff(ctx context.Context, a *app, pathA, pathB string, f billFlags) error {
	opts, err := f.options()
	if err != nil {
		return err
	}
	if pathA == bill.Stdin || pathB == bill.Stdin {
		return usageError(errors.New("a bill is read twice to be compared, so that it cannot come from stdin; save it to a file"))
	}
	opts.Progress = a.progress("comparing", 0)
	changes, err := bill.Diff(ctx, pathA, pathB, opts)
	a.err.Set("")
	if err != nil {
		return err
	}
	if err := a.show(changes, func(w io.Writer) error { return writeChanges(w, changes) }); err != nil {
		return err
	}
	if err := errors.Join(a.judge(pathA, changes.A), a.judge(pathB, changes.B)); err != nil {
		return err
	}
	if !changes.Equal() {
		return errNo
	}
	return nil
}

func writeChanges(w io.Writer, c *bill.Changes) error {
	var errs []error
	line := func(format string, args ...any) {
		_, err := fmt.Fprintf(w, format+"\n", args...)
		errs = append(errs, err)
	}
	for _, row := range c.Removed {
		line("- %s", diffRow(row))
	}
	for _, row := range c.Added {
		line("+ %s", diffRow(row))
	}
	for _, change := range c.Changed {
		line("~ %s, there line %d", diffRow(change.A), change.B.Line)
		for _, field := range change.Fields {
			line("    %s: %q is %q", field.Field, field.A, field.B)
		}
	}
	line("%d rows the same, %d added, %d removed, %d changed", c.Same, len(c.Added), len(c.Removed), len(c.Changed))
	return errors.Join(errs...)
}

func diffRow(r bill.DiffRow) string {
	number := r.OrderNo
	if r.RefundNo != "" {
		number += " refund " + r.RefundNo
	}
	if r.FlowNo != "" {
		number += " flow " + r.FlowNo
	}
	return fmt.Sprintf("line %d: %s %s, %s yuan, %s, %s", r.Line, r.Kind, number, fen(r.AmountFen), r.State, r.Time)
}
