package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"paytool/internal/report"
	"paytool/internal/sim"
)

type simOptions struct {
	sim.Options
	trace bool
}

func newSimCmd(a *app) *cobra.Command {
	var o simOptions
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Run the engine under virtual time through many bad days",
		Long: `Run the engine under virtual time: the same code that serves orders, against
simulated groups that hang, crash, turn read-only, lose replies and stall their
replicas, with clients that retry, several engine instances, kill -9 and changed
weights. Each seed is one such day and replays exactly.

--sabotage breaks one rule on purpose, to show that the invariants notice:
  ` + strings.Join(sim.Sabotages(), "\n  ") + `

Exit status: 0 no invariant was violated, 1 one was; its seed is printed.`,
		Example: `  paytool sim --seeds 10000
  paytool sim --seed 42 --trace
  paytool sim --seeds 500 --sabotage select-fence   # must end with 1`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runSim(cmd.Context(), a, o) },
	}
	flags := cmd.Flags()
	flags.IntVar(&o.Seeds, "seeds", 200, "how many seeds to run")
	flags.Uint64Var(&o.Seed, "seed", 1, "the first seed")
	flags.IntVar(&o.Workers, "workers", 0, "seeds at a time (default: one a core)")
	flags.StringVar(&o.Sabotage, "sabotage", "", "break a rule on purpose")
	flags.BoolVar(&o.trace, "trace", false, "run --seed alone and write what happened, line by line")
	return cmd
}

func runSim(ctx context.Context, a *app, o simOptions) error {
	if o.Seeds < 1 {
		return usageError(errors.New("--seeds is at least 1"))
	}
	if o.Sabotage != "" && !slices.Contains(sim.Sabotages(), o.Sabotage) {
		return usageError(fmt.Errorf("--sabotage %s: choose one of %s", o.Sabotage, strings.Join(sim.Sabotages(), ", ")))
	}
	if o.trace {
		result, err := sim.Trace(o.Seed, o.Sabotage, a.out)
		if err != nil {
			return err
		}
		return simVerdict(result)
	}
	start := time.Now()
	o.Progress = func(done int) {
		eta := time.Duration(float64(time.Since(start)) / float64(done) * float64(o.Seeds-done))
		a.err.Set(fmt.Sprintf("%d of %d seeds, %s to go", done, o.Seeds, eta.Round(time.Second)))
	}
	result, err := sim.Run(ctx, o.Options)
	a.err.Set("")
	if err != nil {
		return err
	}
	if err := a.showSim(o, result, time.Since(start)); err != nil {
		return err
	}
	return simVerdict(result)
}

func simVerdict(r sim.Report) error {
	if len(r.Violations) > 0 {
		return errNo
	}
	return nil
}

func (a *app) showSim(o simOptions, r sim.Report, took time.Duration) error {
	return a.show(r, func(w io.Writer) error {
		s := r.Stats
		if _, err := fmt.Fprintf(w, "%d seeds from %d, %s of virtual time in %s\n%d keys, %d creates: %d acked, %d unknown, %d failed (%d while a group was well)\n\n",
			r.Seeds, o.Seed, s.Virtual.Round(time.Second), took.Round(100*time.Millisecond), s.Keys, s.Requests, s.Acked, s.Unknown, s.Failed, s.FailedWhileHealthy); err != nil {
			return err
		}
		t := report.Table{Header: []string{"HAPPENED", "TIMES"}, Right: map[string]bool{"TIMES": true}}
		for _, what := range slices.Sorted(maps.Keys(s.Sometimes)) {
			t.Add(what, s.Sometimes[what])
		}
		if err := t.Write(w); err != nil {
			return err
		}
		return writeViolations(w, o, r)
	})
}

func writeViolations(w io.Writer, o simOptions, r sim.Report) error {
	if len(r.Never) > 0 {
		if _, err := fmt.Fprintf(w, "\nnever happened: %s\n", strings.Join(r.Never, ", ")); err != nil {
			return err
		}
	}
	if len(r.Violations) == 0 {
		_, err := fmt.Fprintln(w, "\nok: no invariant was violated")
		return err
	}
	const most = 20
	for _, v := range r.Violations[:min(most, len(r.Violations))] {
		if _, err := fmt.Fprintf(w, "\nseed %d, %s: %s\n  %s\n", v.Seed, v.At, v.Invariant, v.Detail); err != nil {
			return err
		}
	}
	replay := fmt.Sprintf("paytool sim --trace --seed %d", r.Violations[0].Seed)
	if o.Sabotage != "" {
		replay += " --sabotage " + o.Sabotage
	}
	_, err := fmt.Fprintf(w, "\nNOT OK: %d violations; replay the first with: %s\n", len(r.Violations), replay)
	return err
}
