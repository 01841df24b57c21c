package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"paytool/internal/report"
	"paytool/internal/shard"
	"paytool/internal/shard/move"
)

type planOptions struct {
	request move.Request
	remove  []int
	dryRun  bool
}

// errNoMove is what a plan without --dry-run says for now.
var errNoMove = usageError(errors.New("this version plans moves and cannot carry them out yet: add --dry-run to see the plan"))

func newShardShrinkCmd(a *app) *cobra.Command {
	opts := planOptions{request: move.Request{Kind: move.Shrink}}
	cmd := &cobra.Command{
		Use:   "shrink",
		Short: "Plan to have fewer groups: who takes over whose orders, and what forbids it",
		Long: `Work out how groups leave: the tags of group g go to number g mod M of the M groups
that are left (residue 0 is the last of them), all tags of a group together. The
plan counts rows, estimates bytes and time, looks for attempts that are live in two
groups, and gives all reasons that forbid the move at once.

--dry-run only reads: every order of a leaving group is looked up once in its heir.
Moves are not carried out by this version.

Exit status: 0 nothing forbids the move, 1 something does, 2 wrong usage,
130 interrupted.`,
		Example: `  paytool shard shrink --to 3 --dry-run
  paytool shard shrink --remove 2 --dry-run -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("to") == cmd.Flags().Changed("remove") {
				return usageError(errors.New("say --to N or --remove GROUP, one of the two"))
			}
			return runShardPlan(cmd.Context(), a, opts)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&opts.request.To, "to", 0, "groups that are to be left; those with the highest numbers go")
	flags.IntSliceVar(&opts.remove, "remove", nil, "group that is to go; may be repeated")
	flags.BoolVar(&opts.dryRun, "dry-run", false, "show the plan and change nothing")
	return cmd
}

func newShardExpandCmd(a *app) *cobra.Command {
	opts := planOptions{request: move.Request{Kind: move.Expand}}
	cmd := &cobra.Command{
		Use:   "expand",
		Short: "Plan to have more groups: their numbers, and what forbids it",
		Long: `Work out how groups join. A new group's number is its tag, one above the highest
that was ever given out: the number of a retired group stays on its orders. No old
order moves. Add the new groups to the config first, under these numbers.

--dry-run only reads. Groups do not join by this command in this version.

Exit status: 0 nothing forbids it, 1 something does, 2 wrong usage, 130 interrupted.`,
		Example: `  paytool shard expand --dry-run
  paytool shard expand --add 2 --dry-run -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runShardPlan(cmd.Context(), a, opts) },
	}
	flags := cmd.Flags()
	flags.IntVar(&opts.request.Add, "add", 1, "groups that are to join")
	flags.BoolVar(&opts.dryRun, "dry-run", false, "show the plan and change nothing")
	return cmd
}

func runShardPlan(ctx context.Context, a *app, opts planOptions) error {
	if !opts.dryRun {
		return errNoMove
	}
	for _, g := range opts.remove {
		opts.request.Remove = append(opts.request.Remove, shard.GroupID(g))
	}
	return a.withEngine(ctx, func(e *engine) error {
		plan, err := e.plan(ctx, a.dir != "", opts.request)
		if err != nil {
			return err
		}
		if err := a.show(plan, func(w io.Writer) error { return writePlan(w, plan) }); err != nil {
			return err
		}
		if !plan.OK() {
			return errNo
		}
		return nil
	})
}

func writePlan(w io.Writer, plan *move.Plan) error {
	p := printer{w: w}
	p.printf("plan %s: %s from groups %s to %s (epoch %d)\n", plan.Hash, plan.Kind, groupList(plan.Groups), groupList(plan.After), plan.Epoch)
	if len(plan.Joining) > 0 {
		p.printf("joining: %s; order numbers end in %d digits of tag; no old order moves\n", groupList(plan.Joining), plan.TagWidth)
	}
	if len(plan.Moves) > 0 && p.err == nil {
		p.printf("\n")
		t := report.Table{Header: []string{"TAG", "FROM", "TO", "ORDERS", "ROWS", "MIB", "DUPLICATES"}, Right: map[string]bool{}}
		for _, name := range t.Header {
			t.Right[name] = true
		}
		for _, m := range plan.Moves {
			t.Add(m.Tag, m.From, m.To, ordersOf(m), m.Rows, m.Bytes>>20, len(m.Duplicates))
		}
		p.err = errors.Join(p.err, t.Write(w))
		p.printf("\n%d rows, about %d MiB; about %s to copy and verify\n", plan.Rows, plan.Bytes>>20, plan.Takes().Round(time.Second))
	}
	for _, m := range plan.Moves {
		for _, d := range m.Duplicates {
			p.printf("live in both groups: merchant %s, %q, attempt %d: orders %s and %s\n", d.MerchantID, d.MerchantOrderNo, d.Attempt, d.Source, d.Target)
		}
	}
	writeReasons(&p, "warnings", plan.Warnings)
	writeReasons(&p, "refused", plan.Refusals)
	return p.err
}

func ordersOf(m move.Move) int64 {
	for _, t := range m.Tables {
		if t.Table == "orders" {
			return t.Rows
		}
	}
	return 0
}

func writeReasons(p *printer, title string, reasons []move.Reason) {
	if len(reasons) == 0 {
		return
	}
	p.printf("\n%s:\n", title)
	for _, r := range reasons {
		p.printf("  %s: %s\n", r.Code, r.Text)
	}
}

func groupList(groups []shard.GroupID) string { return strings.Trim(fmt.Sprint(groups), "[]") }
