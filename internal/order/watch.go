package order

import (
	"context"
	"errors"
	"time"

	"paytool/internal/shard"
)

// Times of the lease, see Options.LeaseFor. The high-water second is written that far
// ahead: a group that does not answer for longer gets no new numbers until it does.
const (
	highAhead      = 10 * time.Second
	prepareTimeout = 10 * time.Second // migrations may take a while
	releaseTimeout = time.Second
)

// followEvery is how often another primary is looked for while the one that is
// known does not do: engines follow a failover within a second.
const followEvery = 200 * time.Millisecond

// watch keeps one group: joins it when it can be joined, then probes it, which
// renews the lease as well. One probe is outstanding at any time.
func (e *Engine) watch(ctx context.Context, m *member) {
	for ctx.Err() == nil {
		start := e.env.Now()
		e.beat(ctx, m)
		if rest := e.opts.ProbeInterval - e.env.Now().Sub(start); rest > 0 {
			_ = e.env.Sleep(ctx, rest) // the loop looks at the context itself
		}
	}
	e.release(ctx, m)
}

func (e *Engine) beat(ctx context.Context, m *member) {
	answer := ProbeAnswer{}
	knew := e.fleet.Topology().Epoch
	if !m.hasJoined() {
		answer = e.join(ctx, m)
	}
	if answer.Err == nil {
		answer = e.probe(ctx, m)
	}
	if ctx.Err() != nil {
		return // an answer that we ourselves cut short says nothing
	}
	if (answer.Cause != "" || answer.Changed) && e.follow(ctx, m) {
		return // the next beat joins it
	}
	if answer.Changed {
		e.groupChanged(ctx, m, knew, answer.Err)
		return
	}
	if answer.Cause != "" {
		e.log.Debug("probe failed", logGroup, m.ID(), logCause, answer.Cause, logErr, answer.Err)
	}
	if e.opts.InlineProbe && !e.starting(m.ID()) {
		return
	}
	e.heard(e.fleet.Probed(m.ID(), e.env.Now(), answer.Cause))
}

// follow looks for another primary of the group, and reports whether there is one.
func (e *Engine) follow(ctx context.Context, m *member) (moved bool) {
	if e.env.Now().Sub(m.followed) < followEvery {
		return false
	}
	m.followed = e.env.Now()
	ctx, cancel := e.env.WithTimeout(ctx, e.opts.ProbeTimeout)
	defer cancel()
	moved, err := m.Follow(ctx)
	if err != nil {
		e.log.Warn("primary not known", logGroup, m.ID(), logErr, err)
	}
	if moved {
		m.leave()
	}
	return moved
}

// groupChanged follows a group that answered but not as expected. Mostly its epoch
// has risen above the one that was known when it was probed, and reading its rows is
// all it takes; else the lease is lost, or another server answers, and joining again
// says which. Neither is the group's fault, so it ejects nobody.
func (e *Engine) groupChanged(ctx context.Context, m *member, knew int64, why error) {
	ctx, cancel := e.env.WithTimeout(ctx, e.opts.ProbeTimeout)
	defer cancel()
	if info, err := m.Info(ctx); err == nil && info.Epoch > knew {
		m.setInfo(info)
		e.stale.Store(true) // the other groups' rows may have changed as well
		e.applyTopology()
		return
	}
	e.log.Info("group changed, joining it again", logGroup, m.ID(), logErr, why)
	m.leave()
}

func (e *Engine) starting(g shard.GroupID) bool {
	for _, s := range e.fleet.Snapshot() {
		if s.Group.ID == g {
			return s.Ejection != nil && !s.Ejection.ByCreates
		}
	}
	return false
}

// join prepares a group and takes a lease in it, on the node that all of its nodes
// together name as the primary: the config may be older than a failover, and so may
// be what the server says that it names. A group that is silent costs a probe's
// time, not the time of a migration.
func (e *Engine) join(ctx context.Context, m *member) ProbeAnswer {
	m.followed = time.Time{}
	e.follow(ctx, m)
	quick, cancel := e.env.WithTimeout(ctx, e.opts.ProbeTimeout)
	_, err := m.Info(quick)
	cancel()
	if cause := causeOf(err); cause.Silent() || cause == shard.StalePrimary {
		return ProbeAnswer{Cause: cause, Err: err}
	}
	slow, cancel := e.env.WithTimeout(ctx, prepareTimeout)
	defer cancel()
	birth := shard.Birth{State: shard.GroupActive, Weight: m.weight(), Epoch: 1}
	if err != nil { // it may have no rows yet
		if birth, err = e.birth(slow, m); err != nil {
			if !errors.Is(m.refused, shard.ErrNumberUsed) {
				e.log.Error("a new group is not taken", logGroup, m.ID(), logErr, err)
			}
			m.refused = err
			return failedJoin(err)
		}
	}
	if err := m.PrepareAs(slow, birth); err != nil {
		return failedJoin(err)
	}
	info, err := m.Info(slow)
	if err != nil {
		return failedJoin(err)
	}
	m.setInfo(info)
	e.applyTopology()
	e.readLedger(slow, m)
	now := e.env.Now()
	lease, err := m.Lease(slow, e.opts.Holder, e.opts.Name, e.preferredSlot(), now, now.Add(e.opts.LeaseFor))
	if err != nil {
		return failedJoin(err)
	}
	m.hold(lease)
	return ProbeAnswer{}
}

// birth asks all other groups how a new one begins.
func (e *Engine) birth(ctx context.Context, m *member) (shard.Birth, error) {
	others := make([]shard.Report, len(e.members))
	e.env.Gather(ctx, len(e.members), func(ctx context.Context, i int) {
		if e.members[i] == m {
			return
		}
		ctx, cancel := e.env.WithTimeout(ctx, e.opts.ProbeTimeout)
		defer cancel()
		if info, err := e.members[i].Info(ctx); err == nil {
			others[i] = info
		}
	})
	return shard.BirthOf(m.ID(), m.weight(), e.groupIDs(), others...)
}

func failedJoin(err error) ProbeAnswer {
	cause := causeOf(err)
	if cause == "" {
		cause = shard.Unknown
	}
	return ProbeAnswer{Cause: cause, Err: err}
}

// preferredSlot is the slot that this instance has in another group: equal digits
// everywhere are easier on people. Without one, it is drawn, so that instances
// that start together do not all want the same.
func (e *Engine) preferredSlot() int {
	for _, m := range e.members {
		if l, ok := m.currentLease(); ok {
			return l.Slot
		}
	}
	return int(e.draw() % 100)
}

func (e *Engine) probe(ctx context.Context, m *member) ProbeAnswer {
	lease, _ := m.currentLease()
	now := e.env.Now()
	request := ProbeRequest{
		Lease: lease, At: now, High: now.Add(highAhead).Unix(), Until: now.Add(e.opts.LeaseFor),
		Epoch: e.fleet.Topology().Epoch, RequireSemisync: !e.opts.AsyncGroups[m.ID()],
	}
	pctx, cancel := e.env.WithTimeout(ctx, e.opts.ProbeTimeout)
	defer cancel()
	answer := m.Probe(pctx, request)
	if answer.Cause == "" && !answer.Changed {
		m.raiseHigh(request.High)
	}
	return answer
}

// release gives the lease back on a clean exit, so that the slot is free at once.
func (e *Engine) release(ctx context.Context, m *member) {
	lease, ok := m.lastLease()
	if !ok {
		return
	}
	m.leave()
	lease.High = max(lease.Floor, e.seq.last())
	rctx, cancel := e.env.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	if err := m.Release(rctx, lease); err != nil && !errors.Is(err, ErrLeaseLost) {
		e.log.Debug("lease not released, it runs out by itself", logGroup, m.ID(), logErr, err)
	}
}
