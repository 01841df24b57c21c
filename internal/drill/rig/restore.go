package rig

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// restore takes everything back: what this process does itself, then the journal's
// steps, then it proves that all is gone and that each group takes orders.
func (r *Rig) restore(ctx context.Context, acts []*act, out *Outcome) error {
	out.Undoing = r.opts.Now()
	r.say(Undo, 0, "the faults are taken back")
	errs := []error{releaseAll(acts)}
	j, err := takeBack(ctx, r.opts.World, r.opts.Now, r.journal.Path, "drill")
	errs = append(errs, err)
	if j != nil && j.Clean != nil {
		out.Undone = j.Clean.Done
	}
	for _, a := range acts {
		errs = append(errs, a.proveGone(ctx))
	}
	err = errors.Join(errs...)
	if err == nil {
		out.Gone = r.opts.Now()
		r.say(Gone, 0, "the faults are gone")
		err = r.canaries(ctx)
	}
	r.dog.end(err == nil || j != nil && j.Clean != nil)
	if err != nil {
		var known *RestoreError
		if !errors.As(err, &known) {
			err = &RestoreError{Drill: r.opts.ID, Err: err}
		}
		return err
	}
	out.Restored, out.OK = r.opts.Now(), true
	r.say(Restored, 0, "the groups take orders")
	return nil
}

// releaseAll ends what this process does itself, the newest first.
func releaseAll(acts []*act) error {
	var errs []error
	for i := len(acts) - 1; i >= 0; i-- {
		if acts[i].release != nil {
			errs = append(errs, acts[i].release())
		}
	}
	return errors.Join(errs...)
}

// canaryTimeout is how long a group may take until it acknowledges an order: replicas
// redial their primary as their settings say.
const canaryTimeout = 90 * time.Second

func (r *Rig) canaries(ctx context.Context) error {
	if r.opts.Canary == nil {
		return nil
	}
	for _, g := range r.opts.Groups {
		if err := AwaitCanary(ctx, r.opts.Canary, g.Number); err != nil {
			return err
		}
		r.say(Canary, g.Number, "an order is acknowledged")
	}
	return nil
}

// AwaitCanary waits until a group acknowledges an order.
func AwaitCanary(ctx context.Context, canary func(ctx context.Context, group int) error, group int) error {
	ctx, cancel := context.WithTimeout(ctx, canaryTimeout)
	defer cancel()
	if err := until(ctx, func(ctx context.Context) error { return canary(ctx, group) }); err != nil {
		return fmt.Errorf("group %d acknowledges no order: %w", group, err)
	}
	return nil
}
