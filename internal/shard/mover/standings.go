package mover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"paytool/internal/shard"
	"paytool/internal/shard/move"
)

// SilentError names the groups that did not answer. What the others said is returned
// beside it: a run whose target is silent is not among it.
type SilentError struct {
	Groups []shard.GroupID
	Errs   []error // of the groups, in their order
}

func (e *SilentError) Error() string {
	texts := make([]string, len(e.Groups))
	for i, g := range e.Groups {
		texts[i] = fmt.Sprintf("group %d: %v", g, e.Errs[i])
	}
	return "moves of groups that do not answer are not known: " + strings.Join(texts, "; ")
}

// Unwrap lets callers ask for what the groups answered.
func (e *SilentError) Unwrap() []error { return e.Errs }

// Standings reads every run of every group, the oldest first. Where groups are silent
// it answers what it could read, and a *SilentError.
func (r *Runner) Standings(ctx context.Context) ([]Standing, error) {
	var all []Standing
	var silent SilentError
	for _, id := range r.ids() {
		of, err := r.standingsOf(ctx, r.groups[id])
		if errors.Is(err, move.ErrEntry) {
			return nil, err
		}
		if err != nil {
			silent.Groups, silent.Errs = append(silent.Groups, id), append(silent.Errs, err)
			continue
		}
		all = append(all, of...)
	}
	slices.SortStableFunc(all, func(a, b Standing) int {
		return cmp.Or(a.Run.Begun.Compare(b.Run.Begun), cmp.Compare(a.Run.ID, b.Run.ID))
	})
	if len(silent.Groups) > 0 {
		return all, &silent
	}
	return all, nil
}

func (r *Runner) standingsOf(ctx context.Context, g Group) ([]Standing, error) {
	runs, leases, err := g.Runs(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]Standing, 0, len(runs))
	for _, run := range runs {
		st := Standing{Run: run}
		if i := slices.IndexFunc(leases, func(l Lease) bool { return l.Run == run.ID }); i >= 0 {
			st.Lease = leases[i]
		}
		if st.Journal, err = g.Journal(ctx, run.ID); err != nil {
			return nil, err
		}
		if st.State, err = move.Fold(st.Journal); err != nil {
			return nil, fmt.Errorf("read the journal of move %s in group %d: %w", run.ID, g.ID(), err)
		}
		all = append(all, st)
	}
	return all, nil
}

// find reads one run, wherever its target is.
func (r *Runner) find(ctx context.Context, id string) (Standing, error) {
	all, err := r.Standings(ctx)
	if i := slices.IndexFunc(all, func(s Standing) bool { return s.Run.ID == id }); i >= 0 {
		return all[i], nil
	}
	if err != nil {
		return Standing{}, fmt.Errorf("find move %s: %w", id, err)
	}
	return Standing{}, fmt.Errorf("there is no move %s: see `shard history`", id)
}

func (r *Runner) ids() []shard.GroupID { return slices.Sorted(maps.Keys(r.groups)) }

// both looks up the two groups of a run.
func (r *Runner) both(run Run) (source, target Group, err error) {
	source, target = r.groups[run.Source], r.groups[run.Target]
	if source == nil || target == nil {
		return nil, nil, fmt.Errorf("move %s goes from group %d to group %d: the config must name both", run.ID, run.Source, run.Target)
	}
	return source, target, nil
}
