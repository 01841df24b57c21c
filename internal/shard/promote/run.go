package promote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Servers is a group's nodes as a promotion needs them.
type Servers interface {
	// Look asks every node at once. It fails in no part: see Reach.
	Look(ctx context.Context) []Node
	// Do takes one step. Every step can be taken again.
	Do(ctx context.Context, s Step) error
}

// undoTimeout bounds the steps back after a refusal: the caller's time may be over.
const undoTimeout = 5 * time.Second

// Run decides and does. It halts the replicas of a promotion first, lets them apply
// what they have, and decides once more, as only then their positions can be
// compared; if that says no, the replicas go on as before. told hears each step
// before it is taken. A *Refusal means that nothing has changed.
//
// An error later than that leaves a group that nobody writes to: calling it again
// goes on from there.
func Run(ctx context.Context, s Servers, w Wish, told func(Step)) (Plan, error) {
	p, err := Decide(w, s.Look(ctx), false)
	if err != nil || p.Already {
		return p, err
	}
	if w.Promote {
		if p, err = halt(ctx, s, w, p, told); err != nil {
			return p, err
		}
	}
	for _, step := range p.Steps {
		if step.preparatory() {
			continue
		}
		if err := do(ctx, s, step, told); err != nil {
			return p, fmt.Errorf("%w; nobody writes to group %d now: mend it and run the same command again", err, w.Group)
		}
	}
	return p, nil
}

// preparatory reports whether a step comes before the decision.
func (s Step) preparatory() bool { return s.Kind == CatchUp || s.Kind == Halt || s.Kind == Apply }

// halt takes the preparatory steps and decides again.
func halt(ctx context.Context, s Servers, w Wish, p Plan, told func(Step)) (Plan, error) {
	var halted []Step
	var err error
	for _, step := range p.Steps {
		if !step.preparatory() {
			continue
		}
		if step.Kind == Halt {
			halted = append(halted, Step{Kind: Resume, Node: step.Node})
		}
		if err = do(ctx, s, step, told); err != nil {
			break
		}
	}
	if err == nil {
		p, err = Decide(w, s.Look(ctx), true) // the most may be on another node by now
	}
	if err == nil {
		return p, nil
	}
	back, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	for _, step := range slices.Backward(halted) {
		err = errors.Join(err, do(back, s, step, told))
	}
	return p, err
}

func do(ctx context.Context, s Servers, step Step, told func(Step)) error {
	told(step)
	if err := s.Do(ctx, step); err != nil {
		return fmt.Errorf("%s on %s: %w", step.Kind, step.Node, err)
	}
	return nil
}
