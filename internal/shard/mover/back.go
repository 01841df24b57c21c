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

// sound makes sure that both sides are alike before the source gets the tags back: what
// nobody wrote to since the switch was last compared before it. Which side is right
// where they differ is not for a program to say: the one lost or changed a row behind
// its back, and to copy it would make that the truth.
func (s *session) sound(ctx context.Context) error {
	err := s.compare(ctx, s.back(), fmt.Sprintf("back/%d", s.said(move.Reverse)))
	if f := (*fruitless)(nil); errors.As(err, &f) {
		return fmt.Errorf("%w: group %d would count again, and is not like group %d: %s: mend what is wrong there, then `shard continue`",
			errStuck, s.run.Source, s.run.Target, f.note)
	}
	return err
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
