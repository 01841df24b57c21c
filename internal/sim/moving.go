package sim

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// A tag moves: the operator does with claims and copies what a mover does, while
// everything else goes on. What is wrong then shows in the invariants that hold anyway,
// and in one of its own.
const noRefusal = "nobody is refused because a tag moves"

// plannedMove gives the tag of one group to another.
type plannedMove struct {
	at       time.Duration
	from, to int           // groups, by index
	copied   time.Duration // from the first copy to the fence
	fenced   time.Duration // from the fence to the switch
	between  time.Duration // from the first half of the switch to the second
}

// drawTagMoves moves one tag, or two to one group, and breaks nothing: then no fence
// may be noticed.
func (p *plan) drawTagMoves(r *rand.Rand) {
	p.keys = 150 + r.IntN(100)
	from := r.IntN(p.groups)
	for range 1 + r.IntN(2) {
		m := plannedMove{at: 500*time.Millisecond + within(r, p.horizon/2), from: from, to: (from + 1) % p.groups,
			copied: within(r, 3*time.Second), fenced: within(r, 700*time.Millisecond), between: within(r, 500*time.Millisecond)}
		if len(p.moves) > 0 {
			m.from = (from + 2) % p.groups
		}
		p.moves = append(p.moves, m)
	}
	if r.IntN(2) == 0 {
		p.drawRestarts(r)
	}
}

// move is a whole move. It is given up where the tags have orders of one key's attempt
// that nobody settles.
func (op *operator) move(p plannedMove) {
	w := op.world
	source, target := w.servers[p.from], w.servers[p.to]
	tag := pay.Tag(source.id)
	w.wait(func() bool { return source.prepared && target.prepared })
	op.weigh(plannedWeight{group: p.from, state: shard.GroupDraining})
	op.claimTag(p.to, tag, shard.TagMoved, source.tags[tag].claim.Epoch)
	settled := func() bool { return source.settledWith(target) }
	for by := w.clock.now + 20*time.Second; ; {
		w.wait(func() bool { return settled() || w.clock.now > by })
		if w.clock.now > by {
			w.truth.saw("move_given_up")
			return
		}
		source.copyTo(target, tag)
		w.sleep(p.copied)
		op.claim(p.from, shard.TagFenced)
		if settled() {
			break
		}
		op.claim(p.from, shard.TagOwned)
	}
	w.sleep(p.fenced)
	source.copyTo(target, tag)
	op.epoch++
	epoch := op.epoch
	op.claimTag(p.to, tag, shard.TagOwned, epoch)
	w.truth.saw("tag_moved")
	w.sleep(p.between)
	op.claimTag(p.from, tag, shard.TagMoved, epoch)
}

// settledWith reports whether nothing is open between the orders of two groups, and no
// order of the one is a twin of another's.
func (s *server) settledWith(other *server) bool {
	for _, pair := range [][2]*server{{s, other}, {other, s}} {
		a, b := pair[0], pair[1]
		if slices.ContainsFunc(a.doubts, func(d *doubtRow) bool { return d.how == "" && d.OldGroup == b.id }) {
			return false
		}
	}
	for key, rows := range s.live {
		for _, o := range rows {
			if slices.ContainsFunc(other.live[key], func(twin *order.Order) bool { return twin.No != o.No && twin.Attempt == o.Attempt }) {
				return false
			}
		}
	}
	return len(s.unacked) == 0
}

// copyTo makes all rows of a tag at another group what they are here, at one moment.
func (s *server) copyTo(target *server, tag pay.Tag) {
	for _, no := range slices.SortedFunc(maps.Keys(s.orders), pay.OrderNo.Compare) {
		if no.Tag() != tag {
			continue
		}
		o := s.orders[no]
		row := *o
		row.Group = target.id
		target.orders[no] = &row
		target.live[o.Key] = slices.DeleteFunc(target.live[o.Key], func(have *order.Order) bool { return have.No == no })
		if row.State != pay.Void {
			target.live[o.Key] = append(target.live[o.Key], &row)
		}
		target.moves[no] = slices.Clone(s.moves[no])
		target.refunds[no], target.revokes[no] = cloned(s.refunds[no]), cloned(s.revokes[no])
	}
	for id, t := range s.tasks {
		if t.OrderNo.Tag() == tag {
			row := *t
			target.tasks[id] = &row
		}
	}
	ofTag := func(h *order.Hop) bool { return h.OrderNo.Tag() == tag }
	for _, above := range slices.Sorted(maps.Keys(s.hops)) {
		mine := slices.DeleteFunc(cloned(s.hops[above]), func(h *order.Hop) bool { return !ofTag(h) })
		target.hops[above] = append(slices.DeleteFunc(target.hops[above], ofTag), mine...)
	}
	target.ledger = slices.DeleteFunc(target.ledger, func(h order.Hop) bool { return ofTag(&h) })
	for _, h := range s.ledger {
		if ofTag(&h) {
			target.ledger = append(target.ledger, h)
		}
	}
	target.doubts = slices.DeleteFunc(target.doubts, func(d *doubtRow) bool { return d.Winner.Tag() == tag })
	for _, d := range s.doubts {
		if d.Winner.Tag() == tag {
			row := *d
			target.doubts = append(target.doubts, &row)
		}
	}
	s.truth.note("group %d: rows of tag %d copied to group %d", s.id, tag, target.id)
}

func cloned[T any](rows []*T) []*T {
	all := make([]*T, len(rows))
	for i, row := range rows {
		one := *row
		all[i] = &one
	}
	return all
}

// tookOver sees a tag change hands: its orders are the new owner's.
func (t *truth) tookOver(s *server, tag pay.Tag) {
	for no, from := range t.numbers {
		if no.Tag() != tag || from == s {
			continue
		}
		t.numbers[no] = s
		if was, is := from.orders[no], s.orders[no]; is == nil || is.Version != was.Version || is.State != was.State {
			t.violated(ackedVanished, "group %d took tag %d over without %s", s.id, tag, describe(*was))
		}
	}
}

// refused judges an answer to somebody who reads or changes an order.
func (w *world) refused(what string, err error) {
	if errors.Is(err, order.ErrNotOwned) && len(w.plan.moves) > 0 && len(w.plan.faults)+len(w.plan.fences)+len(w.plan.cuts) == 0 {
		w.truth.violated(noRefusal, "%s: %v", what, err)
	}
}
