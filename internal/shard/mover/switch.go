package mover

import (
	"context"
	"fmt"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// doSwitch gives the tags to the other side: there they become owned, which commits
// it, and then moved here. Between the two nobody writes here, as the fence stays up
// until the second. Each part is repeated until its outcome is known.
func (s *session) doSwitch(ctx context.Context, d sides) error {
	epoch, done, err := s.switchEpoch(ctx, d)
	if err != nil {
		return err
	}
	on, off := !s.backwards(d), false
	if !done {
		err := s.again(ctx, d.to, "own", func() error {
			return d.to.SetClaims(ctx, s.r.opts.Holder, Claims{Tags: s.run.Tags, State: shard.TagOwned, Epoch: epoch, Record: &on})
		})
		if err != nil {
			return fmt.Errorf("own %d tags at group %d: %w", len(s.run.Tags), d.to.ID(), err)
		}
	}
	err = s.again(ctx, d.from, "give", func() error {
		return d.from.SetClaims(ctx, s.r.opts.Holder, Claims{Tags: s.run.Tags, State: shard.TagMoved, Epoch: epoch, Record: &off})
	})
	if err != nil {
		return fmt.Errorf("give %d tags away at group %d: %w", len(s.run.Tags), d.from.ID(), err)
	}
	s.announce(ctx, epoch)
	return s.sourceState(ctx, d)
}

func (s *session) backwards(d sides) bool { return d.from.ID() == s.run.Target }

// switchEpoch is the epoch of a switch, the same however often it is repeated: one
// above the fence's. Done means that the other side owns the tags already.
func (s *session) switchEpoch(ctx context.Context, d sides) (epoch int64, done bool, err error) {
	here, _, err := s.claims(ctx, d.from)
	if err != nil {
		return 0, false, err
	}
	there, _, err := s.claims(ctx, d.to)
	if err != nil {
		return 0, false, err
	}
	tag := s.run.Tags[0] // all of a run have been written together since the fence
	switch h, t := here[tag], there[tag]; {
	case t.State == shard.TagOwned && t.Epoch >= h.Epoch:
		return t.Epoch, true, nil
	case h.State == shard.TagFenced:
		s.epoch = max(s.epoch, h.Epoch)
		return h.Epoch + 1, false, nil
	case h.State == shard.TagMoved:
		// The claim that made it so is not to be seen: its primary was replaced by one
		// that did not have it.
		return h.Epoch, false, nil
	}
	return 0, false, s.fenceAgain(ctx, d, here)
}

// fenceAgain puts a fence up that was lost with the server that had it, between the
// intent to switch and the switch, and copies what came through. The switch is then
// taken from its beginning.
func (s *session) fenceAgain(ctx context.Context, d sides, here map[pay.Tag]shard.Claim) error {
	if err := s.askEpoch(ctx); err != nil {
		return err
	}
	for _, c := range here {
		s.epoch = max(s.epoch, c.Epoch)
	}
	if err := s.fence(ctx, d); err != nil {
		return err
	}
	legs, err := s.legs(ctx, d)
	if err != nil {
		return err
	}
	for {
		n, err := s.copyBatch(ctx, d, legs)
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("the fence at group %d was lost and is up again", d.from.ID())
		}
	}
}

// announce raises the epoch of all other groups, so that an instance that is cut off
// from these two hears of the switch. One that cannot be told is no obstacle: the row
// in the group that gave the tags away refuses whoever does not know.
func (s *session) announce(ctx context.Context, epoch int64) {
	for _, id := range s.r.ids() {
		if id == s.run.Source || id == s.run.Target {
			continue
		}
		tell, cancel := context.WithTimeout(ctx, time.Second)
		if err := s.r.groups[id].RaiseEpoch(tell, epoch); err != nil {
			s.r.opts.Log.WarnContext(ctx, "tell a group of the switch", "group", id, "epoch", epoch, "err", err)
		}
		cancel()
	}
}

// sourceState writes what the source is after a switch: moved if nothing is left that
// it owns, draining again after the way back, until it is refilled.
func (s *session) sourceState(ctx context.Context, d sides) error {
	report, err := s.source.Info(ctx)
	if err != nil {
		return err
	}
	want := report.State
	switch {
	case s.backwards(d) && report.State == shard.GroupMoved:
		want = shard.GroupDraining
	case s.backwards(d):
	case s.leaves(report):
		want = shard.GroupMoved
	case report.State == shard.GroupDraining:
		want = shard.GroupActive // it goes on with its other tags, and gives no numbers out
	}
	if want == report.State {
		return nil
	}
	return s.setWeight(ctx, 0, want)
}
