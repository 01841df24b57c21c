package sim

import (
	"slices"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// operator changes weights and fences tags, as a person with a tool does: again
// and again until the group has it.
type operator struct {
	world *world
	epoch int64
}

func (op *operator) link(group int) *link {
	return &link{srv: op.world.servers[group], life: op.world.life, who: "operator"}
}

// until repeats a write until it has happened.
func (op *operator) until(done func() bool, write func()) {
	for !done() {
		write()
		if !done() {
			op.world.sleep(100 * time.Millisecond)
		}
	}
}

// weigh gives a group another weight or state at a new epoch.
func (op *operator) weigh(p plannedWeight) {
	op.epoch++
	epoch, l := op.epoch, op.link(p.group)
	op.until(func() bool { return l.srv.report.Epoch >= epoch }, func() {
		ctx, cancel := op.world.env.WithTimeout(op.world.ctx, time.Second)
		defer cancel()
		_ = l.write(ctx, func(s *server) (func(), error) { // until looks for itself
			return func() {
				if !s.prepared || s.report.Epoch >= epoch {
					return
				}
				was := shard.GroupOf(s.report)
				s.report.Weight, s.report.State, s.report.Pilots, s.report.Epoch = p.weight, p.state, p.pilots, epoch
				if next := shard.GroupOf(s.report); !next.TakesAs(was) {
					s.weighed(was.Record(), next.Record())
				}
				s.since = s.clock.now
				s.truth.note("group %d: weight %d, %s, pilots %v, epoch %d", s.id, p.weight, p.state, p.pilots, epoch)
			}, nil
		})
	})
}

// weighed puts a change of the group's share on record.
func (s *server) weighed(before, next shard.Share) {
	s.report.Changed = start.Add(s.clock.now)
	if len(s.report.Shares) == 0 {
		s.report.Shares = []shard.Share{before}
	}
	next.Since = s.report.Changed
	s.report.Shares = append(slices.Clone(s.report.Shares), next)
}

// fence fences a group's tag for a while.
func (op *operator) fence(p plannedFence) {
	op.claim(p.group, shard.TagFenced)
	op.world.truth.saw("fenced")
	op.world.sleep(p.to - p.from)
	op.claim(p.group, shard.TagOwned)
}

// claim writes a tag's row: it waits for every transaction that holds the row in
// share mode, and keeps new ones out until its own commit.
func (op *operator) claim(group int, state shard.TagState) {
	op.epoch++
	op.claimTag(group, pay.Tag(op.world.servers[group].id), state, op.epoch)
}

func (op *operator) claimTag(group int, tag pay.Tag, state shard.TagState, epoch int64) {
	l := op.link(group)
	claim := shard.Claim{Tag: tag, Group: l.srv.id, State: state, Epoch: epoch}
	done := func() bool { return l.srv.tags[tag] != nil && l.srv.tags[tag].claim.Epoch >= claim.Epoch }
	op.until(done, func() {
		ctx, cancel := op.world.env.WithTimeout(op.world.ctx, 2*time.Second)
		defer cancel()
		_ = l.call(ctx, &request{kind: writing, wantsTag: tag, run: func(r *request) bool { return l.srv.setClaim(r, claim) }})
	})
}

func (s *server) setClaim(r *request, claim shard.Claim) (wait bool) {
	row := s.tags[claim.Tag]
	switch {
	case s.readOnly:
		r.answer(s.refuseWrite())
		return false
	case row == nil && claim.Tag == pay.Tag(s.id):
		r.answer(order.ErrNotFound)
		return false
	case row == nil: // another group's tag, which is to come here
		row = &tagRow{claim: shard.Claim{Tag: claim.Tag, Group: s.id, State: shard.TagMoved}}
		s.tags[claim.Tag] = row
	case row.shared > 0 || row.taken:
		return true
	}
	row.taken = true
	release := func() {
		row.taken = false
		s.unblock()
	}
	s.persist(&commit{undo: release, apply: func() {
		if row.claim.Epoch < claim.Epoch {
			row.claim = claim
			if claim.State == shard.TagOwned {
				s.truth.tookOver(s, claim.Tag)
			}
			s.since = s.clock.now
			s.truth.note("group %d: tag %d %s at epoch %d", s.id, claim.Tag, claim.State, claim.Epoch)
		}
		release()
		r.answer(nil)
	}})
	return false
}

// takesOrders reports whether the group's own word lets new orders of any merchant in,
// and no fence is awaited: new orders wait behind one that waits for older writers.
func (s *server) takesOrders() bool {
	tag := pay.Tag(s.id)
	row := s.tags[tag]
	return row != nil && !row.taken && !s.awaited(tag) && row.claim.State == shard.TagOwned && s.report.State == shard.GroupActive && s.report.Weight > 0
}
