package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"paytool/internal/shard/move"
	"paytool/internal/shard/mover"
)

// wordOptions are what is said about moves that are under way.
type wordOptions struct {
	plan     string // hash; "" for all that are open
	note     string
	throttle throttleOptions
	yes      bool
	dryRun   bool
}

func newShardPauseCmd(a *app) *cobra.Command {
	var o wordOptions
	cmd := &cobra.Command{
		Use:   "pause",
		Short: "Let moves wait, whoever carries them out",
		Long: `Let moves that are under way wait: the process that carries one out ends after its
chunk, and a fence that is up is lifted or finished first. What changed meanwhile is
on record and is copied later. "shard continue" goes on.`,
		Example: `  paytool shard pause --note "sale until midnight"`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runShardWord(cmd.Context(), a, o, func(ctx context.Context, m *moves, open []mover.Standing) ([]mover.Standing, error) {
				return m.say(ctx, open, move.Pause, o.note)
			})
		},
	}
	cmd.Flags().StringVar(&o.plan, "plan", "", "hash of a plan (default: all that are open)")
	cmd.Flags().StringVar(&o.note, "note", "", "why, for \"shard history\"")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "show which moves it is about and change nothing")
	return cmd
}

func newShardContinueCmd(a *app) *cobra.Command {
	var o wordOptions
	cmd := &cobra.Command{
		Use:   "continue",
		Short: "Go on with all moves that are open, after a pause, a crash or Ctrl-C",
		Long: `Go on with all moves that are open, wherever their last process stopped: to the switch,
or to the end of what was reversed or is being retired. A move that is switched has its
old group brought up to date.

Exit status: 0 they are there, or nothing is open, 1 not done, 2 wrong usage,
130 interrupted.`,
		Example: `  paytool shard continue
  paytool shard continue --max-lag 500ms`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runShardWord(cmd.Context(), a, o, func(ctx context.Context, m *moves, open []mover.Standing) ([]mover.Standing, error) {
				return m.resume(ctx, open)
			})
		},
	}
	cmd.Flags().StringVar(&o.plan, "plan", "", "hash of a plan (default: all that are open)")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "show which moves it is about and change nothing")
	o.throttle.flags(cmd.Flags())
	return cmd
}

func newShardReverseCmd(a *app) *cobra.Command {
	var o wordOptions
	cmd := &cobra.Command{
		Use:   "reverse [--plan HASH] --yes",
		Short: "Take moves back, before or after the switch",
		Long: `Take moves back. Before the switch the copy is deleted and the old group takes orders
again. After it, what was written since is in the old group already or is copied now;
then updates are held once more for less than a second, what changed is compared, and
the old group has its tags again. Nothing that was accepted is lost either way. Once
the old group is being retired there is no way back.

Exit status: 0 taken back, 1 not done, 2 wrong usage, 130 interrupted.`,
		Example: `  paytool shard reverse --dry-run
  paytool shard reverse --plan 405beae20e6a2544 --yes`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.consent("takes moves back"); err != nil {
				return err
			}
			return runShardWord(cmd.Context(), a, o, func(ctx context.Context, m *moves, open []mover.Standing) ([]mover.Standing, error) {
				return m.reverse(ctx, open, o)
			})
		},
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&o.note, "note", "", "why, for \"shard history\"")
	return cmd
}

func newShardRetireCmd(a *app) *cobra.Command {
	var o wordOptions
	cmd := &cobra.Command{
		Use:   "retire --plan HASH --yes",
		Short: "End a move for good: delete the rows that were left in the old group",
		Long: `End a move that is switched: both groups are compared once more, and then the rows that
were left behind are deleted from the old group. This is the one step without a way
back, so it names the plan and nothing is guessed. The group's number is never given out
again, and its hardware is free afterwards.

Exit status: 0 retired, 1 not done, 2 wrong usage, 130 interrupted.`,
		Example: `  paytool shard retire --plan 405beae20e6a2544 --dry-run
  paytool shard retire --plan 405beae20e6a2544 --yes`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.plan == "" {
				return usageError(errors.New("--plan is missing: name the plan's hash, as `paytool shard history` shows it"))
			}
			if err := o.consent("deletes rows for good"); err != nil {
				return err
			}
			return runShardWord(cmd.Context(), a, o, func(ctx context.Context, m *moves, open []mover.Standing) ([]mover.Standing, error) {
				return m.retire(ctx, open)
			})
		},
	}
	o.flags(cmd)
	return cmd
}

func (o *wordOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.plan, "plan", "", "hash of the plan, as \"paytool shard history\" shows it")
	f.BoolVar(&o.yes, "yes", false, "do it")
	f.BoolVar(&o.dryRun, "dry-run", false, "show which moves it is about and change nothing")
	o.throttle.flags(f)
}

func (o *wordOptions) consent(what string) error {
	if !o.yes && !o.dryRun {
		return usageError(fmt.Errorf("this %s: say --yes, or --dry-run to see which", what))
	}
	if err := errBoth(o.yes, o.dryRun); err != nil {
		return usageError(err)
	}
	return nil
}

// runShardWord does something with the moves that are open, and shows them.
func runShardWord(ctx context.Context, a *app, o wordOptions, do func(ctx context.Context, m *moves, open []mover.Standing) ([]mover.Standing, error)) error {
	return a.withMoves(ctx, o.throttle, func(e *engine, m *moves) error {
		open, err := m.open(ctx, o.plan)
		if err != nil {
			return err
		}
		if !o.dryRun && len(open) > 0 {
			e.run(ctx)
			if open, err = do(ctx, m, open); err != nil {
				return err
			}
		}
		return a.showRuns(open)
	})
}

func (a *app) showRuns(list []mover.Standing) error {
	shown := struct {
		Runs []runResult `json:"runs"`
	}{runResults(list)}
	return a.show(shown, func(w io.Writer) error {
		if len(shown.Runs) == 0 {
			_, err := io.WriteString(w, "no move is open\n")
			return err
		}
		return writeRuns(w, shown.Runs)
	})
}

// open lists the runs that have not ended, of one plan or of all. Here a silent group
// is an error: a run that nobody sees would be left half done.
func (m *moves) open(ctx context.Context, plan string) ([]mover.Standing, error) {
	all, err := m.runner.Standings(ctx)
	if err != nil {
		return nil, err
	}
	of := slices.DeleteFunc(slices.Clone(all), func(s mover.Standing) bool { return plan != "" && s.Run.Plan.Hash != plan })
	if plan != "" && len(of) == 0 {
		return nil, fmt.Errorf("no move has the plan %s: see `paytool shard history`", plan)
	}
	open := slices.DeleteFunc(of, func(s mover.Standing) bool { return s.State.Ended })
	if plan != "" && len(open) == 0 {
		return nil, fmt.Errorf("every move of plan %s has ended: see `paytool shard history`", plan)
	}
	return open, nil
}

// say writes one word to several runs.
func (m *moves) say(ctx context.Context, to []mover.Standing, mark move.Mark, note string) ([]mover.Standing, error) {
	said := make([]mover.Standing, len(to))
	for i, s := range to {
		var err error
		if said[i], err = m.runner.Say(ctx, s.Run.ID, mark, note); err != nil {
			return nil, fmt.Errorf("%s move %s: %w", mark, s.Run.ID, err)
		}
	}
	return said, nil
}

// resume goes on with runs, each as far as it was meant to go.
func (m *moves) resume(ctx context.Context, open []mover.Standing) ([]mover.Standing, error) {
	open, err := m.reverseWhole(ctx, open)
	if err != nil {
		return nil, err
	}
	paused := slices.DeleteFunc(slices.Clone(open), func(s mover.Standing) bool { return !s.State.Paused })
	if _, err := m.say(ctx, paused, move.Resume, ""); err != nil {
		return nil, err
	}
	var back, on []mover.Run
	for _, s := range open {
		if s.State.Reversing || s.State.Consented {
			back = append(back, s.Run)
		} else {
			on = append(on, s.Run)
		}
	}
	ended, err := m.drive(ctx, back, mover.UntilEnded)
	if err != nil {
		return nil, err
	}
	switched, err := m.drive(ctx, on, mover.UntilDrained, mover.UntilSwitched)
	return append(ended, switched...), err
}

// reverseWhole says the word to reverse to the open runs of plans of which a run has
// heard it: it was meant for the plan, and who said it may have died between two runs.
func (m *moves) reverseWhole(ctx context.Context, open []mover.Standing) ([]mover.Standing, error) {
	all, err := m.runner.Standings(ctx)
	if err != nil {
		return nil, err
	}
	back := map[string]bool{} // plans; a run that had not begun has ended with the word
	for _, s := range all {
		back[s.Run.Plan.Hash] = back[s.Run.Plan.Hash] || s.State.Reversing
	}
	heard := slices.Clone(open)
	for i, s := range heard {
		if !back[s.Run.Plan.Hash] || s.State.Reversing || s.State.Consented {
			continue
		}
		said, err := m.say(ctx, []mover.Standing{s}, move.Reverse, "as the other runs of its plan")
		if err != nil {
			return nil, err
		}
		heard[i] = said[0]
	}
	return heard, nil
}

// reverse takes runs of one plan back.
func (m *moves) reverse(ctx context.Context, open []mover.Standing, o wordOptions) ([]mover.Standing, error) {
	for _, s := range open {
		if s.Run.Plan.Hash != open[0].Run.Plan.Hash {
			return nil, usageError(fmt.Errorf("several plans are open: say which with --plan %s or --plan %s", open[0].Run.Plan.Hash, s.Run.Plan.Hash))
		}
	}
	going := slices.DeleteFunc(slices.Clone(open), func(s mover.Standing) bool { return s.State.Reversing })
	if _, err := m.say(ctx, going, move.Reverse, o.note); err != nil {
		return nil, err
	}
	return m.drive(ctx, runsOf(open), mover.UntilEnded)
}

// retire consents to what cannot be reversed, and does it. The note of the word is the
// hash that the operator named.
func (m *moves) retire(ctx context.Context, open []mover.Standing) ([]mover.Standing, error) {
	for _, s := range open {
		if !s.State.Switched || s.State.Reversing {
			return nil, fmt.Errorf("move %s is not switched, or on its way back: only the old group of a switched move is retired", s.Run.ID)
		}
	}
	asked := slices.DeleteFunc(slices.Clone(open), func(s mover.Standing) bool { return s.State.Consented })
	for _, s := range asked {
		if _, err := m.say(ctx, []mover.Standing{s}, move.Consent, s.Run.Plan.Hash); err != nil {
			return nil, err
		}
	}
	return m.drive(ctx, runsOf(open), mover.UntilEnded)
}

func runsOf(list []mover.Standing) []mover.Run {
	runs := make([]mover.Run, len(list))
	for i, s := range list {
		runs[i] = s.Run
	}
	return runs
}
