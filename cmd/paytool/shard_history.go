package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"paytool/internal/report"
	"paytool/internal/shard/move"
	"paytool/internal/shard/mover"
)

func newShardHistoryCmd(a *app) *cobra.Command {
	var plan string
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Show all moves: what was done when, by whom, and how long it took",
		Long: `Show all moves, also those that have ended: each step with when it began, who took it,
how long it took and what came of it, and what people said in between.

Exit status: 0 all groups answered, 1 one did not, so that moves may be missing,
2 wrong usage, 130 interrupted.`,
		Example: `  paytool shard history
  paytool shard history --plan 405beae20e6a2544 -o json
  paytool shard history -o csv > moves.csv`,
		Annotations: map[string]string{csvOutput: "yes"},
		Args:        noArgs,
		RunE:        func(cmd *cobra.Command, _ []string) error { return runShardHistory(cmd.Context(), a, plan) },
	}
	cmd.Flags().StringVar(&plan, "plan", "", "hash of a plan (default: all)")
	return cmd
}

func runShardHistory(ctx context.Context, a *app, plan string) error {
	return a.withMoves(ctx, throttleOptions{}, func(_ *engine, m *moves) error { return a.showHistory(ctx, m, plan) })
}

func (a *app) showHistory(ctx context.Context, m *moves, plan string) error {
	all, silent := m.runner.Standings(ctx)
	if silent != nil && len(all) == 0 {
		return silent
	}
	all = slices.DeleteFunc(slices.Clone(all), func(s mover.Standing) bool { return plan != "" && s.Run.Plan.Hash != plan })
	runs := runResults(all)
	err := a.show(struct {
		Runs []runResult `json:"runs"`
	}{runs}, func(w io.Writer) error {
		if a.output == outputCSV {
			return writeHistoryCSV(w, runs)
		}
		return writeHistory(w, runs)
	})
	return errors.Join(err, silent)
}

func writeHistory(w io.Writer, runs []runResult) error {
	p := printer{w: w}
	if len(runs) == 0 {
		p.printf("no group has moved yet\n")
		return p.err
	}
	for i, r := range runs {
		if i > 0 {
			p.printf("\n")
		}
		p.printf("%s: tags %s from group %d to group %d, begun %s by %s: %s\n", r.Run, tagList(r.Tags), r.Source, r.Target, r.Begun, r.By, r.word())
		t := report.Table{Header: []string{"BEGAN", "STEP", "CAME OF IT", "TOOK MS", "WHO", "NOTE"}, Right: map[string]bool{"TOOK MS": true}}
		for _, s := range r.Steps {
			t.Add(s.Began, stepWords(s.Step), s.word(), s.MS, s.Who, s.Note)
		}
		p.err = errors.Join(p.err, t.Write(w))
	}
	return p.err
}

// word is what came of a step, or what a person said.
func (s stepResult) word() string {
	switch {
	case s.Mark == "intent" && s.Step == move.ReverseWindow:
		return "open"
	case s.Mark == "intent":
		return "its end is not known"
	case s.Step == "":
		return "somebody said: " + string(s.Mark)
	}
	return string(s.Mark)
}

func writeHistoryCSV(w io.Writer, runs []runResult) error {
	rows := [][]string{{"run", "plan", "source", "target", "began", "step", "mark", "ms", "who", "note"}}
	for _, r := range runs {
		for _, s := range r.Steps {
			rows = append(rows, []string{r.Run, r.Plan, fmt.Sprint(r.Source), fmt.Sprint(r.Target), s.Began, string(s.Step), string(s.Mark), strconv.FormatInt(s.MS, 10), s.Who, s.Note})
		}
	}
	return csv.NewWriter(w).WriteAll(rows)
}

// moveStatus is one open move in `shard status -o json`.
type moveStatus struct {
	Run       string `json:"run"`
	Plan      string `json:"plan"`
	Source    int    `json:"source"`
	Target    int    `json:"target"`
	Tags      []int  `json:"tags"`
	Step      string `json:"step"`
	Since     string `json:"since"` // when that step was begun
	Switched  bool   `json:"switched"`
	Reversing bool   `json:"reversing"`
	Paused    bool   `json:"paused"`
	Holder    string `json:"holder"` // of the lease; "" for nobody
	word      string
}

// openMoveStatus lists the moves that are open. What silent groups know is missing.
func openMoveStatus(all []mover.Standing, now time.Time) []moveStatus {
	list := []moveStatus{}
	for _, s := range all {
		if s.State.Ended {
			continue
		}
		r := newRunResult(s, now)
		m := moveStatus{
			Run: r.Run, Plan: r.Plan, Source: int(r.Source), Target: int(r.Target), Tags: []int{}, Step: string(r.Step), Since: r.Begun,
			Switched: r.Switched, Reversing: r.Reversing, Paused: r.Paused, Holder: r.Holder, word: r.word(),
		}
		for _, tag := range r.Tags {
			m.Tags = append(m.Tags, int(tag))
		}
		for _, step := range r.Steps {
			if step.Step == r.Step && step.Step != "" {
				m.Since = step.Began
			}
		}
		list = append(list, m)
	}
	return list
}

func writeMoveStatus(w io.Writer, list []moveStatus) error {
	if len(list) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	t := report.Table{Header: []string{"MOVE", "FROM", "TO", "TAGS", "STANDS AT", "SINCE", "CARRIED OUT BY"}, Right: map[string]bool{"FROM": true, "TO": true}}
	for _, m := range list {
		holder := m.Holder
		if holder == "" {
			holder = "nobody"
		}
		t.Add(m.Run, m.Source, m.Target, strings.Trim(fmt.Sprint(m.Tags), "[]"), m.word, m.Since, holder)
	}
	return t.Write(w)
}
