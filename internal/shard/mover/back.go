package mover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"paytool/internal/shard/move"
)

// window copies what changed at the target back to the source, one round. The step
// ends when somebody has said which way to go: back, or on, once a comparison of
// everything has come out clean.
func (s *session) window(ctx context.Context) error {
	if err := s.round(ctx, s.back()); err != nil {
		return err
	}
	s.rounds++
	switch {
	case s.state.Reversing:
		return s.sound(ctx)
	case s.state.Consented:
		return s.prove(ctx)
	}
	return errOpen
}

// mostMends is how often differences are mended on the way back before a person is asked.
const mostMends = 3

// sound makes sure that the source is as the target is before it gets the tags back:
// what nobody wrote to since the switch was last compared before it. Rows that differ
// are copied again, as the target is the truth.
func (s *session) sound(ctx context.Context) error {
	said := s.said(move.Reverse)
	for n := 0; ; n++ {
		err := s.compare(ctx, s.back(), fmt.Sprintf("back/%d/%d", said, n))
		f := (*fruitless)(nil)
		switch {
		case !errors.As(err, &f):
			return err
		case n == mostMends:
			return fmt.Errorf("%w: group %d cannot be made like group %d: %s", errStuck, s.run.Source, s.run.Target, f.note)
		}
		s.tell(Event{Step: s.state.Step, Note: f.note + "; copied again"})
		if err := s.copyAll(ctx, s.back(), fmt.Sprintf("mend/%d/%d", said, n)); err != nil {
			return err
		}
	}
}

// discard deletes the copy of the tags that the target does not own.
func (s *session) discard(ctx context.Context) error { return s.deleteAt(ctx, s.forth()) }

// deleteAt deletes the tags' rows on the side that does not own them.
func (s *session) deleteAt(ctx context.Context, d sides) error {
	legs, err := s.legs(ctx, d)
	if err != nil {
		return err
	}
	for _, tag := range s.run.Tags {
		err := s.effect("delete", func() error {
			return s.r.carrier.Delete(ctx, legs[tag], d.to.ID(), func(ctx context.Context, p Progress) error {
				s.tell(Event{Step: s.state.Step, Tag: tag, Progress: p})
				return s.peek(ctx)
			})
		})
		if err != nil {
			return fmt.Errorf("delete tag %d at group %d: %w", tag, d.to.ID(), err)
		}
	}
	return nil
}

// refill gives the source back what drain took.
func (s *session) refill(ctx context.Context) error {
	if err := s.stopRecording(ctx, s.source); err != nil {
		return err
	}
	text, err := s.target.Checkpoint(ctx, s.run.ID, weightName)
	if err != nil || text == "" {
		return err
	}
	var was weightNote
	if err := json.Unmarshal([]byte(text), &was); err != nil {
		return fmt.Errorf("%w: the weight that group %d had is not readable: set it by hand: %w", errStuck, s.run.Source, err)
	}
	return s.setWeight(ctx, was.Weight, was.State)
}

// stopRecording ends the recording of changes at the group that owns the tags, and
// deletes the records of both.
func (s *session) stopRecording(ctx context.Context, owner Group) error {
	err := s.effect("stop recording", func() error { return owner.Record(ctx, s.r.opts.Holder, s.run.Tags, false) })
	if err != nil {
		return fmt.Errorf("stop recording changes at group %d: %w", owner.ID(), err)
	}
	for _, g := range []Group{s.source, s.target} {
		err := s.effect("forget all", func() error { return g.Forget(ctx, s.r.opts.Holder, s.run.Tags, 0) })
		if err != nil {
			return fmt.Errorf("forget changes at group %d: %w", g.ID(), err)
		}
	}
	return nil
}
