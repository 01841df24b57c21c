package mover

import (
	"context"
	"fmt"
	"time"

	"paytool/internal/shard"
	"paytool/internal/shard/move"
)

// budgeted bounds a step that is taken while updates wait, the switches and the
// lifting apart: those must end, however long it takes.
func (s *session) budgeted(ctx context.Context, step move.Step) (context.Context, context.CancelFunc) {
	switch step {
	case move.Fence, move.FenceBack:
		return context.WithTimeout(ctx, s.r.opts.Fence)
	case move.LastChanges, move.VerifyChanged, move.LastBack, move.VerifyBack:
		return context.WithTimeout(ctx, s.r.opts.Fence-s.r.opts.Now().Sub(s.fenced))
	default:
		return context.WithCancel(ctx)
	}
}

// fence holds updates of the run's tags. When it returns, every change that was ever
// acknowledged is committed and on record.
func (s *session) fence(ctx context.Context, d sides) error {
	s.epoch++ // also where the answer is lost: what lifts the fence must be newer
	err := s.effect("fence", func() error {
		return d.from.SetClaims(ctx, s.r.opts.Holder, Claims{Tags: s.run.Tags, State: shard.TagFenced, Epoch: s.epoch})
	})
	if err != nil {
		return fmt.Errorf("fence %d tags at group %d: %w", len(s.run.Tags), d.from.ID(), err)
	}
	return nil
}

// lastChanges copies what changed until the fence was up.
func (s *session) lastChanges(ctx context.Context, d sides) error {
	legs, err := s.legs(ctx, d)
	if err != nil {
		return err
	}
	for !s.late() {
		n, err := s.copyBatch(ctx, d, legs)
		if err != nil || n == 0 {
			return err
		}
	}
	return s.tooLate()
}

// verifyChanged compares every order that changed and was not compared since.
func (s *session) verifyChanged(ctx context.Context, d sides) error {
	legs, err := s.legs(ctx, d)
	if err != nil {
		return err
	}
	for !s.late() {
		records, err := d.from.Changes(ctx, s.run.Tags, Compared, s.r.opts.Batch)
		if err != nil {
			return fmt.Errorf("read the changes at group %d: %w", d.from.ID(), err)
		}
		if len(records) == 0 {
			return nil
		}
		differ, first, err := s.differing(ctx, legs, records)
		if err != nil {
			return err
		}
		if len(differ) > 0 {
			return &fruitless{note: fmt.Sprintf("%d followed orders differ, the first: %s", len(differ), first)}
		}
		if err := s.advance(ctx, d, records, Compared); err != nil {
			return err
		}
	}
	return s.tooLate()
}

func (s *session) tooLate() error {
	return fmt.Errorf("the fence is up for %v, it may take %v", s.r.opts.Now().Sub(s.fenced), s.r.opts.Fence)
}

// lift lets updates of the run's tags go on where they were. It writes a newer epoch
// than any fence that was asked for, also where none is seen: one whose answer was lost
// is refused if it comes late.
func (s *session) lift(ctx context.Context) error {
	if s.epoch == 0 {
		if err := s.askEpoch(ctx); err != nil {
			return err
		}
	}
	g := s.now().from
	s.epoch += 2
	err := s.again(ctx, g, "lift", func() error {
		return g.SetClaims(ctx, s.r.opts.Holder, Claims{Tags: s.run.Tags, State: shard.TagOwned, Epoch: s.epoch})
	})
	if err != nil {
		return fmt.Errorf("lift the fence of %d tags at group %d: %w", len(s.run.Tags), g.ID(), err)
	}
	s.fenced, s.caught = time.Time{}, false
	return nil
}
