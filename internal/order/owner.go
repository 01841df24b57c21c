package order

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// A tag lies in two groups while it moves, and which of them owns it changes in the
// middle of whatever is under way. What follows is how reads come to one answer.

// atOwner does something about an order in the group that owns it. Where that group
// says that it does not, or not now, the topology is read again and the new owner
// asked, as long as a fence may last. f bounds each of its tries.
func (e *Engine) atOwner(ctx context.Context, no pay.OrderNo, f func(ctx context.Context, m *member) error) error {
	giveUp := e.env.Now().Add(fencePatience)
	for {
		m, err := e.ownerOf(no)
		if err != nil {
			return errUnknownTag(no, err)
		}
		err = f(ctx, m)
		if !errors.Is(err, ErrNotOwned) {
			return err
		}
		if !e.waitForOwner(ctx, giveUp) {
			return errWaitedForOwner(ctx, m.ID(), no, err)
		}
	}
}

// waitForOwner reads the topology again after a group has refused, and reports whether
// to ask again.
func (e *Engine) waitForOwner(ctx context.Context, giveUp time.Time) bool {
	e.reload(ctx)
	return e.env.Now().Before(giveUp) && e.env.Sleep(ctx, fencePause) == nil
}

// errWaitedForOwner ends a wait for the owner of a tag: in vain, or because the caller
// has gone.
func errWaitedForOwner(ctx context.Context, g shard.GroupID, no pay.OrderNo, err error) error {
	return errGroupDown(g, no, cmp.Or(ctx.Err(), err))
}

// readAt reads something of an order, in one try at each group that is asked.
func readAt[T any](ctx context.Context, e *Engine, no pay.OrderNo, read func(ctx context.Context, m *member) (T, error)) (v T, err error) {
	err = e.atOwner(ctx, no, func(ctx context.Context, m *member) (err error) {
		ctx, cancel := e.env.WithTimeout(ctx, e.opts.CreateTimeout)
		defer cancel()
		v, err = read(ctx, m)
		var refused *Error
		switch {
		case err == nil, errors.As(err, &refused), errors.Is(err, ErrNotOwned):
			return err
		case errors.Is(err, ErrNotFound):
			return errNotFound(no, m.ID(), err)
		}
		return errGroupDown(m.ID(), no, err)
	})
	return v, err
}

func (e *Engine) refundsOf(ctx context.Context, no pay.OrderNo) ([]Refund, error) {
	return readAt(ctx, e, no, func(ctx context.Context, m *member) ([]Refund, error) { return m.ReadRefunds(ctx, no) })
}

func (e *Engine) revokesOf(ctx context.Context, no pay.OrderNo) ([]Revoke, error) {
	return readAt(ctx, e, no, func(ctx context.Context, m *member) ([]Revoke, error) { return m.ReadRevokes(ctx, no) })
}

// owned is the living ones of oneEach.
func (e *Engine) owned(ctx context.Context, rows []Order) (own []Order, silent []shard.GroupID) {
	own, silent = e.oneEach(ctx, rows)
	return slices.DeleteFunc(own, func(o Order) bool { return o.State == pay.Void }), silent
}

// oneEach keeps one row of each order that was found in several groups: the newer
// version is the order as it is. Neither group alone would do: of a tag that moves
// between the two reads each may leave it to the other. An order that only another
// group than its owner shows is read there: it may have been voided since it left.
// silent are owners that did not answer that.
func (e *Engine) oneEach(ctx context.Context, rows []Order) (own []Order, silent []shard.GroupID) {
	topo := e.fleet.Topology()
	var numbers []pay.OrderNo
	newest := map[pay.OrderNo]Order{}
	atHome := map[pay.OrderNo]bool{}
	for _, o := range rows {
		home, err := topo.Locate(o.No)
		if err != nil {
			continue // nobody ever claimed the tag
		}
		known, seen := newest[o.No]
		if !seen {
			numbers = append(numbers, o.No)
		}
		if !seen || o.Version > known.Version || (o.Version == known.Version && o.Group == home) {
			newest[o.No] = o
		}
		atHome[o.No] = atHome[o.No] || o.Group == home
	}
	for _, no := range numbers {
		o := newest[no]
		if !atHome[no] {
			var err error
			if o, err = readAt(ctx, e, no, func(ctx context.Context, m *member) (Order, error) { return m.Read(ctx, no) }); err != nil {
				if home, located := topo.Locate(no); located == nil && !errors.Is(err, ErrNotFound) {
					silent = append(silent, home)
				}
				continue
			}
		}
		own = append(own, o)
	}
	return own, silent
}

// withHeirs adds to groups that are asked for a key those in which the orders live now
// that were created in them.
func (e *Engine) withHeirs(groups []shard.GroupID) []shard.GroupID {
	all := slices.Clone(groups)
	for _, g := range groups {
		if m, ok := e.heir(g); ok && !slices.Contains(all, m.ID()) {
			all = append(all, m.ID())
		}
	}
	return all
}

// heir is the group that has the orders which were created in a group: that group
// itself, until its tag moves.
func (e *Engine) heir(g shard.GroupID) (*member, bool) {
	claim, ok := e.fleet.Topology().Owner(pay.Tag(g))
	if !ok {
		return nil, false
	}
	return e.member(claim.Group)
}

// everyGroup numbers all groups in which orders were ever created, those too that have
// left the config since.
func (e *Engine) everyGroup() []shard.GroupID {
	all := e.groupIDs()
	for _, tag := range e.fleet.Topology().Tags() {
		all = append(all, shard.GroupID(tag))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// part is what one group answered, and what it said of its tags at that moment.
type part[T any] struct {
	m     *member
	value T
	info  shard.Report
	told  bool // the primary said so after the answer; else info is what is remembered
}

// owns reports whether an order belongs to the group, as all groups together say.
func (p part[T]) owns(topo shard.Topology, no pay.OrderNo) bool {
	owner, err := topo.Locate(no)
	return err == nil && owner == p.m.ID()
}

// askOwners asks all groups for what belongs to tags that they own. The groups are not
// read at one moment: where one has other tags after its answer than it had before all
// were asked, everything is asked again. topo joins what they said: of two groups that
// both count a tag as theirs, between the two halves of a switch, it names one.
func askOwners[T any](ctx context.Context, e *Engine, ask func(ctx context.Context, m *member) (T, error)) (parts []part[T], missing []shard.GroupID, topo shard.Topology) {
	giveUp := e.env.Now().Add(fencePatience)
	for {
		before := map[shard.GroupID][]shard.Claim{}
		for _, m := range e.members {
			before[m.ID()] = m.lastInfo().Claims
		}
		parts, missing = askEach(ctx, e, func(ctx context.Context, m *member) (p part[T], err error) {
			p.m, p.info = m, m.lastInfo()
			if p.value, err = ask(ctx, m); err != nil || !m.primaryAnswers() {
				return p, err // no tag moves from or to a group whose primary is out
			}
			ctx, cancel := e.env.WithTimeout(ctx, e.opts.ProbeTimeout)
			defer cancel()
			if info, err := m.Info(ctx); err == nil {
				p.info, p.told = info, true
			}
			return p, nil
		})
		reports := make([]shard.Report, len(parts))
		moved := false
		for i, p := range parts {
			reports[i] = p.info
			if !slices.Equal(before[p.m.ID()], p.info.Claims) {
				moved = true
				p.m.setInfo(p.info)
			}
		}
		if !moved || !e.env.Now().Before(giveUp) || e.env.Sleep(ctx, fencePause) != nil {
			topo = shard.NewTopology(e.opts.LegacyGroup, reports...)
			return parts, withUntold(missing, parts, topo), topo
		}
		e.applyTopology()
	}
}

// withUntold adds the groups whose tags are not known to those that are missing, where
// one of them has to own a tag: every other group says that it has left.
func withUntold[T any](missing []shard.GroupID, parts []part[T], topo shard.Topology) []shard.GroupID {
	left := slices.ContainsFunc(topo.Tags(), func(tag pay.Tag) bool {
		claim, _ := topo.Owner(tag)
		return claim.State == shard.TagMoved
	})
	if !left {
		return missing
	}
	all := slices.Clone(missing)
	for _, p := range parts {
		if !p.told {
			all = append(all, p.m.ID())
		}
	}
	slices.Sort(all)
	return all
}
