package mover

import (
	"context"
	"errors"
	"fmt"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/shard/move"
)

// crashed ends a session like the death of its process, for tests.
type crashed struct{ error }

func (c crashed) Unwrap() error { return c.error }

// session is one process at work on one run, which it holds.
type session struct {
	r              *Runner
	run            Run
	source, target Group
	stopping       func() bool

	journal []move.Entry
	state   move.Run
	stale   bool // the journal may have gone on
	intent  bool // the open step was intended by this session

	fenced time.Time // when this session put up the fence; zero: it did not
	judged bool      // it asked for the switch: the fence is no longer its own to lift
	epoch  int64     // the highest of all groups when that was last asked
	caught bool      // few changes were left a moment ago
	rounds int       // of the reverse window
	lifted int       // fences that were up in vain
	vain   int       // comparisons that found differences
	failed int       // calls in a row
}

func (r *Runner) session(ctx context.Context, id string) (*session, error) {
	st, err := r.find(ctx, id)
	if err != nil {
		return nil, err
	}
	source, target, err := r.both(st.Run)
	if err != nil {
		return nil, err
	}
	return &session{
		r: r, run: st.Run, source: source, target: target, journal: st.Journal, state: st.State, stale: true,
		stopping: func() bool { return ctx.Err() != nil },
	}, nil
}

func (s *session) standing() Standing {
	return Standing{Run: s.run, State: s.state, Journal: s.journal}
}

// effects carries a step out. Each can be repeated.
func (s *session) effects(ctx context.Context, step move.Step) error {
	forth, back := s.forth(), s.back()
	switch step {
	case move.Drain:
		return s.drain(ctx)
	case move.Copy:
		return s.copy(ctx)
	case move.Follow:
		return s.catchUp(ctx, forth)
	case move.Verify:
		return s.verify(ctx)
	case move.Fence:
		return s.fence(ctx, forth)
	case move.FenceBack:
		return s.fence(ctx, back)
	case move.LastChanges:
		return s.lastChanges(ctx, forth)
	case move.LastBack:
		return s.lastChanges(ctx, back)
	case move.VerifyChanged:
		return s.verifyChanged(ctx, forth)
	case move.VerifyBack:
		return s.verifyChanged(ctx, back)
	case move.Switch:
		return s.doSwitch(ctx, forth)
	case move.SwitchBack:
		return s.doSwitch(ctx, back)
	case move.ReverseWindow:
		return s.window(ctx)
	case move.Retire:
		return s.retire(ctx)
	case move.Unfence:
		return s.lift(ctx)
	case move.Discard:
		return s.discard(ctx)
	case move.Refill:
		return s.refill(ctx)
	case move.Stop:
	}
	return fmt.Errorf("%w: no step is called %q", errStuck, step)
}

// effect is one thing that is done to a group, with the points at which a test lets
// the process die.
func (s *session) effect(name string, f func() error) error {
	if err := s.point("before " + name); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	return s.point("after " + name)
}

func (s *session) point(name string) error {
	if s.r.opts.Crash == nil {
		return nil
	}
	if err := s.r.opts.Crash(name); err != nil {
		return crashed{err}
	}
	return nil
}

// again repeats an effect that fails or whose outcome is unknown, on whatever server
// is the primary then: done twice it is the same as done once.
func (s *session) again(ctx context.Context, g Group, name string, f func() error) error {
	for {
		err := s.effect(name, f)
		crash := crashed{}
		switch {
		case err == nil, errors.As(err, &crash), errors.Is(err, ErrHeld), errors.Is(err, ErrOldEpoch), ctx.Err() != nil:
			return err
		}
		s.tell(Event{Step: s.state.Step, Note: err.Error()})
		s.r.follow(ctx, g)
		if s.r.opts.Sleep(ctx, pause) != nil {
			return err
		}
	}
}

func (s *session) tell(e Event) {
	if s.r.opts.OnEvent == nil {
		return
	}
	e.At, e.Run = s.r.opts.Now(), s.run.ID
	s.r.opts.OnEvent(e)
}

// sides are the group that owns the tags and the one that holds their copy.
type sides struct{ from, to Group }

func (s *session) forth() sides { return sides{s.source, s.target} }
func (s *session) back() sides  { return sides{s.target, s.source} }

// now are the sides as they are: a run that has switched is followed backwards.
func (s *session) now() sides {
	if s.state.Switched {
		return s.back()
	}
	return s.forth()
}

// claims reads what a group says of the run's tags, and its epoch.
func (s *session) claims(ctx context.Context, g Group) (map[pay.Tag]shard.Claim, int64, error) {
	report, err := g.Info(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("ask group %d for its claims: %w", g.ID(), err)
	}
	claims, epoch := map[pay.Tag]shard.Claim{}, report.Epoch
	for _, c := range report.Claims {
		epoch = max(epoch, c.Epoch)
		claims[c.Tag] = c
	}
	return claims, epoch, nil
}

// legs are the run's tags between two groups.
func (s *session) legs(ctx context.Context, d sides) (map[pay.Tag]Legwork, error) {
	claims, _, err := s.claims(ctx, d.from)
	if err != nil {
		return nil, err
	}
	legs := map[pay.Tag]Legwork{}
	for _, tag := range s.run.Tags {
		legs[tag] = Legwork{
			Tag: tag, From: d.from.ID(), To: d.to.ID(), Holder: s.r.opts.Holder, Epoch: claims[tag].Epoch, Brakes: s.r.opts.Brakes,
		}
	}
	return legs, nil
}
