package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/shard/move"
)

// moveOptions are what shrink and move are asked for.
type moveOptions struct {
	request  move.Request
	throttle throttleOptions
	yes      bool
	dryRun   bool
}

func (o *moveOptions) flags(f *pflag.FlagSet) {
	f.BoolVar(&o.yes, "yes", false, "carry the plan out, to the switch; nothing is deleted")
	f.BoolVar(&o.dryRun, "dry-run", false, "show the plan and change nothing")
	o.throttle.flags(f)
}

// howMoved is the part of the help that shrink and move share.
const howMoved = `
Then it is carried out with --yes while payments, refunds and queries go on: no new
orders for a group that leaves, copy, follow what changes, compare everything, hold
updates for less than a second, compare what changed, switch. It returns 0 after the
switch. The old group is kept current from then on, so that "shard reverse" can go back
without losing anything, until "shard retire" deletes its rows. Ctrl-C, or a process
that dies, leaves something that "shard continue" goes on with.

Copying waits while a replica lags, writes are slow, a file exists, or outside a window;
see the flags.

Exit status: 0 switched, or nothing forbids it with --dry-run, 1 refused or not done,
2 wrong usage, 130 interrupted.`

func newShardShrinkCmd(a *app) *cobra.Command {
	o := moveOptions{request: move.Request{Kind: move.Shrink}}
	var remove []int
	cmd := &cobra.Command{
		Use:   "shrink",
		Short: "Have fewer groups: others take over their orders while payments go on",
		Long: `Let groups leave: the tags of group g go to number g mod M of the M groups that are
left (residue 0 is the last of them), all tags of a group together. The plan is printed
first: rows, estimated bytes and time, attempts that are live in two groups, and all
reasons that forbid the move at once. To work it out only reads; every order of a
leaving group is looked up once in its heir.
` + howMoved,
		Example: `  paytool shard shrink --to 3 --dry-run
  paytool shard shrink --to 3 --yes
  paytool shard shrink --remove 2 --yes --window 02:00-06:00 --hold-file /run/paytool-hold`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("to") == cmd.Flags().Changed("remove") {
				return usageError(errors.New("say --to N or --remove GROUP, one of the two"))
			}
			for _, g := range remove {
				o.request.Remove = append(o.request.Remove, shard.GroupID(g))
			}
			return runShardMove(cmd.Context(), a, o)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&o.request.To, "to", 0, "groups that are to be left; those with the highest numbers go")
	flags.IntSliceVar(&remove, "remove", nil, "group that is to go; may be repeated")
	o.flags(flags)
	return cmd
}

func newShardMoveCmd(a *app) *cobra.Command {
	o := moveOptions{request: move.Request{Kind: move.One}}
	var tag, to int
	cmd := &cobra.Command{
		Use:   "move --tag T --to GROUP",
		Short: "Move one tag to another group, such as one on new hardware",
		Long: `Move the orders of one tag to another group, by the same steps as a shrink. The other
tags of its group stay. A group's own tag, in which its new orders end, is the last that
leaves it: with that the group leaves.
` + howMoved,
		Example: `  paytool shard move --tag 4 --to 6 --dry-run
  paytool shard move --tag 4 --to 6 --yes`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if tag < 1 || to < 1 {
				return usageError(errors.New("say which tag, and where to: --tag T --to GROUP"))
			}
			o.request.Tag, o.request.Target = pay.Tag(tag), shard.GroupID(to)
			return runShardMove(cmd.Context(), a, o)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&tag, "tag", 0, "tag whose orders move")
	flags.IntVar(&to, "to", 0, "group that takes them over; it is active or joining")
	o.flags(flags)
	return cmd
}

// runShardMove plans, and carries the plan out where that was asked for.
func runShardMove(ctx context.Context, a *app, o moveOptions) error {
	if err := errors.Join(errBoth(o.yes, o.dryRun), o.throttle.check()); err != nil {
		return usageError(err)
	}
	if !o.yes {
		return a.withEngine(ctx, func(e *engine) error {
			plan, err := e.plan(ctx, a.dir != "", o.request)
			if err != nil {
				return err
			}
			return a.showMovePlan(plan, o.dryRun)
		})
	}
	return a.withMoves(ctx, o.throttle, func(e *engine, m *moves) error {
		plan, err := e.plan(ctx, a.dir != "", o.request)
		if err != nil {
			return err
		}
		if !plan.OK() {
			return a.showMovePlan(plan, true)
		}
		if a.output == outputTable {
			if err := writePlan(a.out, plan); err != nil {
				return err
			}
		}
		e.run(ctx) // as an instance like any other: it settles what has to be settled before a fence
		return a.carryOut(ctx, m, plan)
	})
}

// carryOut begins a plan, drives it to the switch and shows what came of it.
func (a *app) carryOut(ctx context.Context, m *moves, plan *move.Plan) error {
	reached, err := m.begin(ctx, *plan)
	if err != nil {
		return err
	}
	result := moveResult{Plan: plan, Runs: runResults(reached)}
	return a.show(result, func(w io.Writer) error {
		p := printer{w: w}
		p.printf("\n")
		return errors.Join(p.err, writeRuns(w, result.Runs))
	})
}

// showMovePlan prints a plan that is not carried out. Only --dry-run asked for no more.
func (a *app) showMovePlan(plan *move.Plan, dryRun bool) error {
	if err := a.show(plan, func(w io.Writer) error { return writePlan(w, plan) }); err != nil {
		return err
	}
	switch {
	case !plan.OK():
		return errNo
	case !dryRun:
		return errors.New("nothing was changed: say --yes to carry the plan out, or --dry-run to see it alone")
	}
	return nil
}

// errBoth refuses the consent to what is only to be shown.
func errBoth(yes, dryRun bool) error {
	if yes && dryRun {
		return errors.New("--yes and --dry-run exclude each other")
	}
	return nil
}
