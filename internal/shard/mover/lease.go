package mover

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// grace is how long a session that is to stop may go on, to end its chunk, lift its
// fence, or finish its switch.
const grace = 5 * time.Second

// hold takes the lease of a run. One that was left behind runs out meanwhile; one that
// is renewed ends it with ErrHeld.
func (r *Runner) hold(ctx context.Context, run Run) error {
	target := r.groups[run.Target]
	for until := r.opts.Now().Add(r.opts.Lease + time.Second); ; {
		now := r.opts.Now()
		err := target.Hold(ctx, run.ID, r.opts.Holder, now, now.Add(r.opts.Lease))
		if err == nil {
			return nil
		}
		if now.After(until) || ctx.Err() != nil {
			return fmt.Errorf("take move %s: %w", run.ID, err)
		}
		if !errors.Is(err, ErrHeld) {
			r.follow(ctx, target)
		}
		if err := r.opts.Sleep(ctx, 2*pause); err != nil {
			return err
		}
	}
}

// admit lets this process, and nobody else, change rows of the run at both groups.
func (s *session) admit(ctx context.Context) error {
	for _, g := range []Group{s.target, s.source} {
		err := s.again(ctx, g, fmt.Sprintf("admit at %d", g.ID()), func() error {
			return g.Admit(ctx, s.run.Tags, s.r.opts.Holder)
		})
		if err != nil {
			return fmt.Errorf("let %s in at group %d: %w", s.r.opts.Holder, g.ID(), err)
		}
	}
	return nil
}

// renew keeps the lease until the session ends, and ends the session's work once
// another process has it. Failures alone end nothing: what changes rows asks the group
// itself who holds the run.
func (s *session) renew(ctx context.Context, end context.CancelCauseFunc) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		for s.r.beat(ctx) == nil {
			now := s.r.opts.Now()
			err := s.target.Hold(ctx, s.run.ID, s.r.opts.Holder, now, now.Add(s.r.opts.Lease))
			if errors.Is(err, ErrHeld) {
				end(err)
				return
			}
			if err != nil && ctx.Err() == nil {
				s.r.opts.Log.WarnContext(ctx, "renew the lease of a move", "run", s.run.ID, "err", err)
			}
		}
	})
	return func() { cancel(); done.Wait() }
}

// drop gives the lease back, so that the next one need not wait.
func (s *session) drop(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := s.target.Drop(ctx, s.run.ID, s.r.opts.Holder); err != nil {
		s.r.opts.Log.WarnContext(ctx, "give a move back; its lease runs out", "run", s.run.ID, "err", err)
	}
}

// outlive is a context for work that may go on for a moment after its caller wants it
// to stop.
func outlive(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	var late *time.Timer
	var mu sync.Mutex
	stop := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		late = time.AfterFunc(grace, func() { cancel(context.Cause(ctx)) })
	})
	return work, func(cause error) {
		stop()
		mu.Lock()
		defer mu.Unlock()
		if late != nil {
			late.Stop()
		}
		cancel(cause)
	}
}
