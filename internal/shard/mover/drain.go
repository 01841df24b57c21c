package mover

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// drain has the source record its changes, and takes its weight away if it can give no
// more numbers out. It is done when no create can be under way there.
func (s *session) drain(ctx context.Context) error {
	if err := s.claimAtTarget(ctx); err != nil {
		return err
	}
	err := s.effect("record at source", func() error {
		return s.source.Record(ctx, s.r.opts.Holder, s.run.Tags, true)
	})
	if err != nil {
		return fmt.Errorf("record changes at group %d: %w", s.run.Source, err)
	}
	report, err := s.source.Info(ctx)
	if err != nil {
		return err
	}
	heard := int64(1) // 0 is an instance of a version that records no changes
	if s.leaves(report) || s.ownTagLeaves() {
		if err := s.takeWeight(ctx, report); err != nil {
			return err
		}
		if _, heard, err = s.claims(ctx, s.source); err != nil {
			return err
		}
	}
	if err := s.everyoneKnows(ctx, s.source, heard); err != nil {
		return err
	}
	return s.everyoneKnows(ctx, s.target, 1)
}

// claimAtTarget gives the target a row for each tag, as moved at the source's epoch.
func (s *session) claimAtTarget(ctx context.Context) error {
	at, _, err := s.claims(ctx, s.source)
	if err != nil {
		return err
	}
	there, _, err := s.claims(ctx, s.target)
	if err != nil {
		return err
	}
	for _, tag := range s.run.Tags {
		if c, ok := there[tag]; ok && c.Epoch >= at[tag].Epoch {
			continue
		}
		err := s.effect(fmt.Sprintf("claim %d at target", tag), func() error {
			return s.target.SetClaims(ctx, s.r.opts.Holder, Claims{Tags: []pay.Tag{tag}, State: shard.TagMoved, Epoch: at[tag].Epoch})
		})
		if err != nil {
			return fmt.Errorf("claim tag %d at group %d: %w", tag, s.run.Target, err)
		}
	}
	return nil
}

// weightNote is what a source had before it was drained.
type weightNote struct {
	Weight int              `json:"weight"`
	State  shard.GroupState `json:"state"`
}

const weightName = "weight"

func (s *session) takeWeight(ctx context.Context, report shard.Report) error {
	kept, err := s.target.Checkpoint(ctx, s.run.ID, weightName)
	if err != nil {
		return err
	}
	if kept == "" {
		text, err := json.Marshal(weightNote{Weight: report.Weight, State: report.State})
		if err != nil {
			return err
		}
		err = s.effect("keep weight", func() error {
			return s.target.SaveCheckpoint(ctx, s.run.ID, s.r.opts.Holder, weightName, string(text))
		})
		if err != nil {
			return fmt.Errorf("keep the weight of group %d: %w", s.run.Source, err)
		}
	}
	if report.State == shard.GroupDraining && report.Weight == 0 {
		return nil
	}
	return s.setWeight(ctx, 0, shard.GroupDraining)
}

// setWeight writes the source's weight and state at an epoch of its own.
func (s *session) setWeight(ctx context.Context, weight int, state shard.GroupState) error {
	if err := s.askEpoch(ctx); err != nil {
		return err
	}
	err := s.effect(fmt.Sprintf("weight %s", state), func() error {
		return s.source.SetWeight(ctx, weight, state, s.epoch+1, s.r.opts.Now())
	})
	if err != nil {
		return fmt.Errorf("set group %d to %s with weight %d: %w", s.run.Source, state, weight, err)
	}
	return nil
}

// askEpoch finds the highest epoch of all groups that answer.
func (s *session) askEpoch(ctx context.Context) error {
	for _, id := range s.r.ids() {
		ask, cancel := context.WithTimeout(ctx, time.Second)
		_, epoch, err := s.claims(ask, s.r.groups[id])
		cancel()
		if err != nil && (id == s.run.Source || id == s.run.Target) {
			return err
		}
		s.epoch = max(s.epoch, epoch)
	}
	return nil
}

// everyoneKnows waits until every live instance that writes to a group has heard of an
// epoch: creates that began before have ended then.
func (s *session) everyoneKnows(ctx context.Context, g Group, epoch int64) error {
	for {
		instances, err := g.Instances(ctx, s.r.opts.Now())
		if err != nil {
			return fmt.Errorf("ask which instances write to group %d: %w", g.ID(), err)
		}
		behind := ""
		for holder, at := range instances {
			if at < epoch && (behind == "" || holder < behind) {
				behind = holder
			}
		}
		if behind == "" {
			return nil
		}
		s.tell(Event{Step: s.state.Step, Progress: Progress{Held: fmt.Sprintf("instance %s has not heard of epoch %d of group %d, or is too old to record changes", behind, epoch, g.ID())}})
		if err := s.wait(ctx); err != nil {
			return err
		}
	}
}

// wait waits a moment for something that others do.
func (s *session) wait(ctx context.Context) error {
	if err := s.peek(ctx); err != nil {
		return err
	}
	return s.r.opts.Sleep(ctx, 2*pause)
}

// leaves reports whether the source owns nothing but the run's tags, if that.
func (s *session) leaves(source shard.Report) bool {
	return !slices.ContainsFunc(source.Claims, func(c shard.Claim) bool {
		return c.State != shard.TagMoved && !slices.Contains(s.run.Tags, c.Tag)
	})
}

// ownTagLeaves reports whether the source's new numbers would carry a tag of the run.
func (s *session) ownTagLeaves() bool { return slices.Contains(s.run.Tags, pay.Tag(s.run.Source)) }
