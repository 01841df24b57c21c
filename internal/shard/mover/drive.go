package mover

import (
	"context"
	"errors"
	"fmt"
	"time"

	"paytool/internal/shard/move"
)

// tries is how often a step, a comparison or a fence is taken again in one session
// before a person is asked.
const tries = 20

var (
	// errStopped: whoever drives the run wants to stop.
	errStopped = errors.New("the move was told to stop here")
	// errOpen: a round is done and the step stays open.
	errOpen = errors.New("the step stays open")
	// errStuck: nothing but a person helps.
	errStuck = errors.New("the move waits for a person")
)

// fruitless ends a step without its result; the journal says why.
type fruitless struct{ note string }

func (f *fruitless) Error() string { return f.note }

// Drive takes the lease of a run and goes on with it, from wherever it stands, until
// it has come as far as asked, is paused, or needs a person's word. When the context
// ends it ends its chunk, lifts a fence that is up, gives the lease back, and answers
// the context's error. ErrHeld means that another process drives the run.
func (r *Runner) Drive(ctx context.Context, id string, until Until) (Standing, error) {
	s, err := r.session(ctx, id)
	if err != nil {
		return Standing{}, err
	}
	if err := r.hold(ctx, s.run); err != nil {
		return s.standing(), err
	}
	work, end := outlive(ctx)
	defer end(nil)
	stop := s.renew(work, end)
	defer stop()
	err = s.drive(work, until)
	if c := (crashed{}); !errors.As(err, &c) {
		defer s.drop(ctx)
	}
	if errors.Is(err, errStopped) {
		err = context.Cause(ctx)
	}
	if err != nil {
		return s.standing(), fmt.Errorf("move %s at %s: %w", id, s.state.Step, err)
	}
	return s.standing(), nil
}

// drive takes step after step.
func (s *session) drive(ctx context.Context, until Until) error {
	if err := s.admit(ctx); err != nil {
		return err
	}
	for {
		err := s.onward(ctx, until)
		if errors.Is(err, errDone) {
			return nil
		}
		if err = s.weigh(ctx, err); err != nil {
			return err
		}
	}
}

var errDone = errors.New("as far as asked")

// onward takes one step, or says that there is none to take.
func (s *session) onward(ctx context.Context, until Until) error {
	if s.stale {
		if err := s.reload(ctx); err != nil {
			return err
		}
	}
	step := s.next()
	switch {
	case s.state.Fenced:
	case step == move.Stop || until.reached(s):
		return errDone
	case s.stopping():
		return errStopped
	case s.lifted > tries:
		return fmt.Errorf("%w: %d fences were lifted in vain: see the notes in `shard history`, and go on when fewer orders change", errStuck, s.lifted)
	case s.vain > tries:
		return fmt.Errorf("%w: %d comparisons found rows that differ although they were copied again: see `shard history`", errStuck, s.vain)
	}
	err := s.prepared(ctx, step)
	if err == nil {
		err = s.take(ctx, step)
	}
	if errors.Is(err, errOpen) && !until.reached(s) && !s.stopping() {
		return s.r.opts.Sleep(ctx, time.Second)
	}
	return err
}

// prepared makes sure that a fence will be short, and that nothing waits for the
// journal while one that took too long comes down.
func (s *session) prepared(ctx context.Context, step move.Step) error {
	switch {
	case (step == move.Fence || step == move.FenceBack) && !s.caught:
		return s.catchUp(ctx, s.now())
	case step == move.Unfence && !s.fenced.IsZero() && !s.judged:
		return s.lift(ctx)
	}
	return nil
}

// next is the step to take. A fence that this session did not put up is lifted, as is
// one that took too long; a switch that was intended is finished.
func (s *session) next() move.Step {
	if s.fenced.IsZero() || s.late() || s.stopping() {
		return s.state.Recover()
	}
	return s.state.Next()
}

func (s *session) late() bool { return s.r.opts.Now().Sub(s.fenced) >= s.r.opts.Fence }

// reached reports whether a run is as far as it was to be driven.
func (u Until) reached(s *session) bool {
	r := s.state
	switch u {
	case UntilDrained:
		return r.Drained && (r.Step != move.Drain || !r.Open) && !r.Reversing
	case UntilSwitched:
		return r.Step == move.ReverseWindow && s.rounds > 0 && !r.Reversing && !r.Consented
	case UntilEnded:
	}
	return r.Ended
}

// weigh decides what an error means: to go on (nil) or to end the session.
func (s *session) weigh(ctx context.Context, err error) error {
	crash := crashed{}
	switch {
	case err == nil, errors.Is(err, errOpen):
		s.failed = 0
		return nil
	case errors.As(err, &crash), errors.Is(err, ErrHeld):
		return err
	}
	s.stale = true
	if !s.fenced.IsZero() && !s.judged {
		// Updates wait. That the fence is down is written afterwards: whoever reads the
		// journal before that lifts it once more.
		if err := s.lift(ctx); errors.As(err, &crash) || errors.Is(err, ErrHeld) {
			return err
		} else if err != nil {
			s.r.opts.Log.WarnContext(ctx, "lift the fence of a move", "run", s.run.ID, "err", err)
		}
	}
	switch {
	case errors.Is(err, ErrSeq), errors.Is(err, move.ErrEntry):
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	case errors.Is(err, errStuck), errors.Is(err, errStopped) && !s.state.Fenced:
		return err
	}
	s.failed++
	if s.failed > tries && !s.state.Fenced {
		return err
	}
	s.tell(Event{Step: s.state.Step, Note: err.Error()})
	s.r.follow(ctx, s.source)
	s.r.follow(ctx, s.target)
	return s.r.opts.Sleep(ctx, s.backoff())
}

// longest is the longest pause between two tries, which come to most of a minute: a
// primary is replaced meanwhile, and the sweep settles an order that is live in both
// groups after one of them was out.
const longest = 3 * time.Second

func (s *session) backoff() time.Duration {
	if s.state.Fenced {
		return pause // updates wait
	}
	return min(pause<<min(s.failed, 10), longest)
}

// take takes a step: its intent, its effects, its end.
func (s *session) take(ctx context.Context, step move.Step) error {
	ctx, cancel := s.budgeted(ctx, step)
	defer cancel()
	open := s.state.Open && s.state.Step == step
	if !open || !s.intent && step != move.ReverseWindow {
		if err := s.intend(ctx, step); err != nil {
			return err
		}
	}
	err := s.effects(ctx, step)
	if f := (*fruitless)(nil); errors.As(err, &f) {
		s.intent = false
		s.vain++
		return s.write(ctx, step, move.Again, f.note)
	}
	if err != nil {
		return err
	}
	s.intent = false
	if err := s.write(ctx, step, move.Done, ""); err != nil {
		return err
	}
	if step == move.Unfence {
		s.lifted++
	}
	if !s.state.Fenced {
		s.fenced, s.judged = time.Time{}, false
	}
	return nil
}

func (s *session) intend(ctx context.Context, step move.Step) error {
	switch step {
	case move.Fence, move.FenceBack:
		s.fenced, s.judged = s.r.opts.Now(), false
	case move.Switch, move.SwitchBack:
		s.judged = true
	default:
	}
	if err := s.write(ctx, step, move.Intent, ""); err != nil {
		return err
	}
	s.intent = true
	return nil
}
