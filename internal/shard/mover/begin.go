package mover

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/shard/move"
)

// Begin writes the runs of a plan, one for each source, into their targets. It changes
// nothing else: Drive does. A plan with refusals is refused, and one that was made from
// an older topology. After an error some runs may be there; the same call again writes
// the others.
func (r *Runner) Begin(ctx context.Context, plan move.Plan) ([]Run, error) {
	if !plan.OK() {
		return nil, fmt.Errorf("begin the move: the plan has %d refusals, the first: %s", len(plan.Refusals), plan.Refusals[0].Text)
	}
	if err := r.current(ctx, plan); err != nil {
		return nil, err
	}
	standings, err := r.Standings(ctx)
	if err != nil {
		return nil, fmt.Errorf("begin the move: %w", err)
	}
	var ended []string
	for _, s := range standings {
		if s.State.Ended {
			ended = append(ended, s.Run.ID)
		}
	}
	runs := r.runsOf(plan)
	for _, run := range runs {
		if slices.Contains(ended, run.ID) {
			return nil, fmt.Errorf("begin move %s: it has ended: make a new plan", run.ID)
		}
		_, target, err := r.both(run)
		if err != nil {
			return nil, err
		}
		if err := target.Begin(ctx, run, ended); err != nil {
			return nil, fmt.Errorf("begin move %s in group %d: %w", run.ID, run.Target, err)
		}
	}
	return runs, nil
}

// current refuses a plan whose topology is not today's. Every group is asked: a silent
// one may be at a higher epoch.
func (r *Runner) current(ctx context.Context, plan move.Plan) error {
	var reports []shard.Report
	for _, id := range r.ids() {
		report, err := r.groups[id].Info(ctx)
		if err != nil {
			return fmt.Errorf("begin the move: group %d does not answer: %w", id, err)
		}
		reports = append(reports, report)
	}
	if t := shard.NewTopology(0, reports...); t.Epoch != plan.Epoch {
		return fmt.Errorf("begin the move: the plan is of epoch %d and the groups are at %d: make a new plan", plan.Epoch, t.Epoch)
	}
	return nil
}

func (r *Runner) runsOf(plan move.Plan) (runs []Run) {
	at := r.stamp()
	for _, m := range plan.Moves {
		i := slices.IndexFunc(runs, func(run Run) bool { return run.Source == m.From })
		if i < 0 {
			runs = append(runs, Run{
				ID: fmt.Sprintf("%s-%d", plan.Hash, m.From), Plan: plan,
				Source: m.From, Target: m.To, Tags: []pay.Tag{}, Begun: at, By: r.opts.Who,
			})
			i = len(runs) - 1
		}
		runs[i].Tags = append(runs[i].Tags, m.Tag)
	}
	return runs
}

// stamp is the time as a journal keeps it.
func (r *Runner) stamp() time.Time { return r.opts.Now().UTC().Truncate(time.Millisecond) }

// Say writes a person's word into a run's journal: Reverse, Consent, Pause or Resume.
// Consent is for good and names the plan's hash as its note. Whoever drives the run
// hears it at the next chunk; nobody needs to hold the run to say it.
func (r *Runner) Say(ctx context.Context, id string, mark move.Mark, note string) (Standing, error) {
	for {
		st, err := r.find(ctx, id)
		if err != nil {
			return Standing{}, err
		}
		if mark == move.Consent && note != st.Run.Plan.Hash {
			return st, fmt.Errorf("retire the source of move %s: consent names the hash of its plan, which is not %q", id, strings.TrimSpace(note))
		}
		e := move.Entry{Seq: st.State.Seq + 1, At: r.stamp(), Who: r.opts.Who, Mark: mark, Note: note}
		next, err := st.State.With(e)
		if err != nil {
			return st, fmt.Errorf("%s of move %s: %w", mark, id, err)
		}
		target := r.groups[st.Run.Target]
		switch err := r.put(ctx, target, id, "", e); {
		case errors.Is(err, ErrSeq):
			continue
		case err != nil:
			return st, fmt.Errorf("%s of move %s: %w", mark, id, err)
		}
		if next.Step == move.Stop && next.Ended {
			// The plan's hash is made of the epoch: the next one needs another.
			err = target.RaiseEpoch(ctx, st.Run.Plan.Epoch+1)
		}
		st.State, st.Journal = next, append(st.Journal, e)
		return st, err
	}
}
