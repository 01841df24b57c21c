package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"paytool/internal/pay"
	"paytool/internal/report"
	"paytool/internal/shard"
	"paytool/internal/shard/move"
	"paytool/internal/shard/mover"
)

// begin writes the runs of a plan and drives them to the switch.
func (m *moves) begin(ctx context.Context, plan move.Plan) ([]mover.Standing, error) {
	runs, err := m.runner.Begin(ctx, plan)
	if err != nil {
		return nil, fmt.Errorf("begin the move: %w", err)
	}
	return m.drive(ctx, runs, mover.UntilDrained, mover.UntilSwitched)
}

// drive takes all runs as far as the first goal, then all to the next: no group is
// copied while another one of the same plan still takes orders.
func (m *moves) drive(ctx context.Context, runs []mover.Run, goals ...mover.Until) ([]mover.Standing, error) {
	if m.slow != nil {
		if err := m.slow(ctx, runs); err != nil {
			return nil, err
		}
	}
	for _, r := range runs {
		m.view.expect(r)
	}
	reached := make([]mover.Standing, len(runs))
	for _, until := range goals {
		for i, r := range runs {
			var err error
			reached[i], err = m.runner.Drive(ctx, r.ID, until)
			if err == nil || errors.Is(err, mover.ErrHeld) && keptCurrent(reached[i], until) {
				err = arrived(reached[i], until)
			}
			if err != nil {
				return nil, m.stopped(ctx, r, err)
			}
		}
	}
	return reached, nil
}

// keptCurrent reports whether a run that another process holds is where it was to go:
// engines that serve hold the switched ones, to copy changes back, until a person has
// said which way to go.
func keptCurrent(s mover.Standing, until mover.Until) bool {
	return until != mover.UntilEnded && s.State.Step == move.ReverseWindow && s.State.Switched && !s.State.Reversing && !s.State.Consented
}

// arrived says why a run that was driven without an error is not where it was to go.
func arrived(s mover.Standing, until mover.Until) error {
	switch state := s.State; {
	case until == mover.UntilEnded && state.Ended, until == mover.UntilSwitched && state.Switched && !state.Reversing, until == mover.UntilDrained && state.Drained && !state.Reversing:
		return nil
	case state.Paused:
		return errors.New("it is paused: `paytool shard continue` lets it go on")
	case state.Reversing:
		return errors.New("somebody reverses it: `paytool shard continue` goes on with that")
	}
	return fmt.Errorf("it stands at %q and does not go on by itself: see `paytool shard history`", s.State.Step)
}

// stopped says how to go on.
func (m *moves) stopped(ctx context.Context, r mover.Run, err error) error {
	m.view.close()
	name := "move " + r.ID + " (" + runName(r.Source, r.Target) + ")"
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s was stopped, nothing is lost: `paytool shard continue` goes on with it, `paytool shard reverse` takes it back", name)
	case errors.Is(err, mover.ErrHeld):
		return fmt.Errorf("%s: %w: `paytool shard status` shows who; if that process is gone, try again in some seconds", name, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// moveResult is the contract of `shard shrink|move -o json`: the plan, and what came of
// it.
type moveResult struct {
	*move.Plan
	Runs []runResult `json:"runs"`
}

// runResult is one run for programs.
type runResult struct {
	Run       string        `json:"run"`
	Plan      string        `json:"plan"` // its hash
	Source    shard.GroupID `json:"source"`
	Target    shard.GroupID `json:"target"`
	Tags      []pay.Tag     `json:"tags"`
	Begun     string        `json:"begun"`
	By        string        `json:"by"`
	Step      move.Step     `json:"step"` // the last that was begun
	Open      bool          `json:"open"` // that step has not ended
	Switched  bool          `json:"switched"`
	Reversing bool          `json:"reversing"`
	Paused    bool          `json:"paused"`
	Ended     bool          `json:"ended"`
	Holder    string        `json:"holder"` // of the lease; "" for nobody
	Rows      int64         `json:"rows"`   // that the plan counted
	FenceMS   int64         `json:"fence_ms"`
	Steps     []stepResult  `json:"steps"`
}

// stepResult is one step that was taken, or a person's word, which has no step.
type stepResult struct {
	Step  move.Step `json:"step"`
	Mark  move.Mark `json:"mark"`
	Who   string    `json:"who"`
	Began string    `json:"began"`
	MS    int64     `json:"ms"`
	Note  string    `json:"note"`
}

func newRunResult(s mover.Standing, now time.Time) runResult {
	r := runResult{
		Run: s.Run.ID, Plan: s.Run.Plan.Hash, Source: s.Run.Source, Target: s.Run.Target, Tags: append([]pay.Tag{}, s.Run.Tags...),
		Begun: moment(s.Run.Begun), By: s.Run.By, Step: s.State.Step, Open: s.State.Open, Switched: s.State.Switched,
		Reversing: s.State.Reversing, Paused: s.State.Paused, Ended: s.State.Ended,
		Rows: rowsOf(s.Run), FenceMS: move.Held(s.Journal).Milliseconds(), Steps: []stepResult{},
	}
	if s.Lease.Until.After(now) {
		r.Holder = s.Lease.Holder
	}
	for _, t := range move.Timeline(s.Journal) {
		r.Steps = append(r.Steps, stepResult{Step: t.Step, Mark: t.Mark, Who: t.Who, Began: moment(t.Began), MS: t.Took().Milliseconds(), Note: t.Note})
	}
	return r
}

func runResults(list []mover.Standing) []runResult {
	results := make([]runResult, len(list))
	for i, s := range list {
		results[i] = newRunResult(s, time.Now())
	}
	return results
}

// moment is a time as programs read it.
func moment(t time.Time) string { return t.In(pay.Beijing).Format("2006-01-02T15:04:05.000Z07:00") }

// word is where a run stands in a few words.
func (r runResult) word() string {
	state := stepWords(r.Step)
	switch {
	case r.Ended && r.Reversing:
		return "taken back"
	case r.Ended:
		return "retired"
	case r.Step == move.Stop:
		state = "begun"
	}
	if r.Reversing {
		state += ", on the way back"
	}
	if r.Paused {
		state += ", paused"
	}
	return state
}

// writeRuns tells where runs stand, and what comes next.
func writeRuns(w io.Writer, runs []runResult) error {
	t := report.Table{Header: []string{"MOVE", "FROM", "TO", "TAGS", "ROWS", "STANDS AT", "UPDATES WAITED MS"}, Right: map[string]bool{"FROM": true, "TO": true, "ROWS": true, "UPDATES WAITED MS": true}}
	for _, r := range runs {
		t.Add(r.Run, r.Source, r.Target, tagList(r.Tags), thousands(r.Rows), r.word(), r.FenceMS)
	}
	if err := t.Write(w); err != nil {
		return err
	}
	p := printer{w: w}
	for _, plan := range openPlans(runs) {
		p.printf("\nthe way back is open: `paytool shard reverse --plan %s --yes` takes it;\n`paytool shard retire --plan %s --yes` deletes the rows that were left behind\n", plan, plan)
	}
	return p.err
}

// openPlans are the hashes of plans that are switched and neither retired nor on the
// way back.
func openPlans(runs []runResult) (plans []string) {
	for _, r := range runs {
		if r.Switched && !r.Ended && !r.Reversing && !slices.Contains(plans, r.Plan) {
			plans = append(plans, r.Plan)
		}
	}
	return plans
}

func tagList(tags []pay.Tag) string {
	groups := make([]shard.GroupID, len(tags))
	for i, t := range tags {
		groups[i] = shard.GroupID(t)
	}
	return groupList(groups)
}
