package mover

import (
	"context"
	"errors"
	"fmt"
	"time"

	"paytool/internal/shard/move"
)

// abandoned is how long a fence stays up without a word in the journal before another
// process takes it for left behind. Its maker gives itself a second.
const abandoned = 1500 * time.Millisecond

// sighting is a fence as it was first seen.
type sighting struct {
	seq int64 // of the journal
	at  time.Time
}

// Pump does what no person waits for; an engine calls it once a second. Of a run that
// has switched it copies what changed at the target back to the source, for as long as
// somebody may want to go back. A fence that its maker left behind is lifted, or its
// switch finished. It drives nothing else, and leaves a run alone that another process
// holds, or a person has had a word on.
//
// Of several engines one keeps the lease, and the others find it held.
func (r *Runner) Pump(ctx context.Context) error {
	all, err := r.Standings(ctx)
	errs := []error{err}
	for _, st := range all {
		if err := r.pump(ctx, st); err != nil && !errors.Is(err, ErrHeld) && ctx.Err() == nil {
			errs = append(errs, fmt.Errorf("move %s: %w", st.Run.ID, err))
		}
	}
	return errors.Join(errs...)
}

func (r *Runner) pump(ctx context.Context, st Standing) error {
	id := st.Run.ID
	if !r.abandonedFence(st) && !windowed(st.State) {
		if r.kept[id] {
			delete(r.kept, id)
			return r.groups[st.Run.Target].Drop(ctx, id, r.opts.Holder)
		}
		return nil
	}
	now := r.opts.Now()
	if st.Lease.Holder != "" && st.Lease.Holder != r.opts.Holder && now.Before(st.Lease.Until) {
		return nil
	}
	source, target, err := r.both(st.Run)
	if err != nil {
		return err
	}
	// No longer than the lease, which nothing renews here.
	ctx, cancel := context.WithTimeout(ctx, r.opts.Lease)
	defer cancel()
	if err := target.Hold(ctx, id, r.opts.Holder, now, now.Add(r.opts.Lease)); err != nil {
		return err
	}
	s := &session{r: r, run: st.Run, source: source, target: target, stopping: func() bool { return ctx.Err() != nil }}
	if !r.kept[id] || st.Lease.Holder != r.opts.Holder {
		if err := s.admit(ctx); err != nil {
			return err
		}
		r.kept[id] = true
	}
	err = s.pump(ctx)
	if errors.Is(err, ErrHeld) {
		delete(r.kept, id)
	}
	return err
}

// pump recovers a fence, or does one round.
func (s *session) pump(ctx context.Context) error {
	if err := s.reload(ctx); err != nil {
		return err
	}
	for s.state.Fenced {
		err := s.onward(ctx, UntilSwitched)
		if err = s.weigh(ctx, err); err != nil {
			return err
		}
	}
	if !windowed(s.state) {
		return nil
	}
	err := s.take(ctx, move.ReverseWindow)
	if errors.Is(err, errOpen) || errors.Is(err, ErrSeq) || errors.Is(err, errStopped) {
		return nil
	}
	return err
}

// windowed reports whether a run is switched and nobody has said where it goes.
func windowed(r move.Run) bool {
	return r.Next() == move.ReverseWindow && !r.Reversing && !r.Consented
}

// abandonedFence reports whether a fence is up about which the journal has said
// nothing for a while, by this process's own clock.
func (r *Runner) abandonedFence(st Standing) bool {
	if !st.State.Fenced {
		delete(r.fences, st.Run.ID)
		return false
	}
	seen, ok := r.fences[st.Run.ID]
	if !ok || seen.seq != st.State.Seq {
		seen = sighting{seq: st.State.Seq, at: r.opts.Now()}
		r.fences[st.Run.ID] = seen
	}
	return r.opts.Now().Sub(seen.at) >= abandoned
}
