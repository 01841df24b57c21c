package mover

import (
	"context"
	"fmt"
	"math"

	"paytool/internal/pay"
)

// copy copies every chunk of every tag, and goes on behind the last one that is kept.
func (s *session) copy(ctx context.Context) error {
	return s.eachTag(ctx, s.forth(), s.place(), func(l Legwork, name, from string) error {
		return s.r.carrier.Copy(ctx, l, from, func(ctx context.Context, checkpoint string, p Progress) error {
			return s.keep(ctx, l.Tag, name, checkpoint, p)
		})
	})
}

// verify compares every chunk. What changes meanwhile is followed before the fence.
func (s *session) verify(ctx context.Context) error {
	s.caught = false
	return s.compare(ctx, s.forth(), s.place())
}

// compare compares all rows of the run's tags that are not on record as changed, and
// keeps its checkpoints at a place.
func (s *session) compare(ctx context.Context, d sides, place string) error {
	// A record at Compared says no more than that its order was alike once. What changed
	// since has a record of its own.
	err := s.effect("forget compared", func() error {
		return d.from.Forget(ctx, s.r.opts.Holder, s.run.Tags, math.MaxInt64)
	})
	if err != nil {
		return fmt.Errorf("forget compared changes at group %d: %w", d.from.ID(), err)
	}
	var found int64
	var first Difference
	err = s.eachTag(ctx, d, place, func(l Legwork, name, from string) error {
		return s.r.carrier.Compare(ctx, l, from, func(ctx context.Context, checkpoint string, p Progress) error {
			if found > 0 {
				return s.peek(ctx) // whoever goes on must find them too
			}
			return s.keep(ctx, l.Tag, name, checkpoint, p)
		}, func(diff Difference) error {
			if found++; found == 1 {
				first = diff
			}
			return nil
		})
	})
	if err != nil || found == 0 {
		return err
	}
	return &fruitless{note: fmt.Sprintf("%d rows differ, the first: %s", found, first)}
}

// String is one line for a person.
func (d Difference) String() string {
	text := fmt.Sprintf("%s %s of %s (tag %d) in group %d and group %d", d.Table, d.Key, d.OrderNo, d.Tag, d.Source, d.Target)
	if d.Fate != "" {
		text += ": " + d.Fate
	}
	if d.Text != "" {
		text += ", " + d.Text
	}
	return text
}

// eachTag takes a step tag by tag, each from its checkpoint at a place of the run's.
func (s *session) eachTag(ctx context.Context, d sides, place string, f func(l Legwork, name, from string) error) error {
	legs, err := s.legs(ctx, d)
	if err != nil {
		return err
	}
	for _, tag := range s.run.Tags {
		name := fmt.Sprintf("%s/%d", place, tag)
		from, err := s.target.Checkpoint(ctx, s.run.ID, name)
		if err != nil {
			return fmt.Errorf("read how far %s of tag %d is: %w", s.state.Step, tag, err)
		}
		if err := f(legs[tag], name, from); err != nil {
			return fmt.Errorf("%s tag %d: %w", s.state.Step, tag, err)
		}
	}
	return nil
}

// keep keeps a checkpoint after a chunk, and looks whether to go on. While a brake
// holds there is nothing new to keep.
func (s *session) keep(ctx context.Context, tag pay.Tag, name, checkpoint string, p Progress) error {
	if p.Held != "" {
		s.tell(Event{Step: s.state.Step, Tag: tag, Progress: p})
		return s.peek(ctx)
	}
	err := s.effect("save "+name, func() error {
		return s.target.SaveCheckpoint(ctx, s.run.ID, s.r.opts.Holder, name, checkpoint)
	})
	if err != nil {
		return fmt.Errorf("keep checkpoint %s: %w", name, err)
	}
	s.tell(Event{Step: s.state.Step, Tag: tag, Progress: p})
	return s.peek(ctx)
}
