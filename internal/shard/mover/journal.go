package mover

import (
	"context"
	"errors"
	"fmt"
	"time"

	"paytool/internal/shard/move"
)

// pause is how long a call that failed waits before it is repeated.
const pause = 100 * time.Millisecond

// put appends an entry and finds out whether it is there, however often the answer is
// lost. ErrSeq means that another entry has its number.
func (r *Runner) put(ctx context.Context, target Group, run, holder string, e move.Entry) error {
	for {
		err := target.Append(ctx, run, holder, e)
		if errors.Is(err, ErrSeq) {
			var journal []move.Entry
			if journal, err = target.Journal(ctx, run); err == nil {
				if e.Seq <= int64(len(journal)) && alike(journal[e.Seq-1], e) {
					return nil
				}
				return ErrSeq
			}
		}
		if err == nil || errors.Is(err, ErrHeld) || ctx.Err() != nil {
			return err
		}
		r.follow(ctx, target)
		if r.opts.Sleep(ctx, pause) != nil {
			return err
		}
	}
}

func alike(a, b move.Entry) bool {
	return a.Seq == b.Seq && a.At.Equal(b.At) && a.Who == b.Who && a.Step == b.Step && a.Mark == b.Mark && a.Note == b.Note
}

// follow looks for a group's primary after a call failed.
func (r *Runner) follow(ctx context.Context, g Group) {
	if _, err := g.Follow(ctx); err != nil && ctx.Err() == nil {
		r.opts.Log.WarnContext(ctx, "look for the primary", "group", g.ID(), "err", err)
	}
}

// reload reads the journal.
func (s *session) reload(ctx context.Context) error {
	journal, err := s.target.Journal(ctx, s.run.ID)
	if err != nil {
		return fmt.Errorf("read the journal of move %s: %w", s.run.ID, err)
	}
	state, err := move.Fold(journal)
	if err != nil {
		return fmt.Errorf("read the journal of move %s in group %d: %w", s.run.ID, s.run.Target, err)
	}
	s.journal, s.state, s.stale = journal, state, false
	return nil
}

// write appends an entry of this session's.
func (s *session) write(ctx context.Context, step move.Step, mark move.Mark, note string) error {
	e := move.Entry{Seq: s.state.Seq + 1, At: s.r.stamp(), Who: s.r.opts.Who, Step: step, Mark: mark, Note: note}
	next, err := s.state.With(e)
	if err != nil {
		return err
	}
	s.stale = true
	err = s.effect(fmt.Sprintf("write %s of %s", mark, step), func() error {
		return s.r.put(ctx, s.target, s.run.ID, s.r.opts.Holder, e)
	})
	if err != nil {
		return fmt.Errorf("write %s of %s: %w", mark, step, err)
	}
	s.journal, s.state, s.stale = append(s.journal, e), next, false
	s.tell(Event{Step: step, Mark: mark, Note: note})
	return nil
}

// peek ends a step that is under way when somebody else wrote into the journal, or who
// drives it wants to stop. What was done so far is kept.
func (s *session) peek(ctx context.Context) error {
	if s.stopping() {
		return errStopped
	}
	journal, err := s.target.Journal(ctx, s.run.ID)
	if err == nil && int64(len(journal)) > s.state.Seq {
		return ErrSeq
	}
	return nil // a journal that cannot be read now is read before the next entry
}

// began is the number of the intent with which the step under way was first taken.
func (s *session) began() (first int64) {
	step := s.state.Step
	for _, e := range s.journal {
		switch {
		case e.Mark == move.Done || e.Mark == move.Again || e.Mark == move.Intent && e.Step != step:
			first = 0
		case e.Mark == move.Intent && first == 0:
			first = e.Seq
		}
	}
	return first
}

// place is where a step keeps its checkpoints, e.g. "copy/12". A step that is taken
// anew begins anew.
func (s *session) place() string { return fmt.Sprintf("%s/%d", s.state.Step, s.began()) }
