package order

import (
	"context"
	"slices"
	"time"

	"paytool/internal/shard"
)

const (
	reloadEvery = time.Second
	ledgerEvery = 250 * time.Millisecond // while orders hop
)

// followTopology reads the groups' rows every second, and soon after a group
// refused a write, and while orders hop the ledgers more often. It does so here and not
// in a create's path: a group that hangs would cost the create its time.
func (e *Engine) followTopology(ctx context.Context) {
	last := e.env.Now()
	ledgers := last
	for ctx.Err() == nil {
		_ = e.env.Sleep(ctx, e.opts.ProbeInterval) // the loop looks at the context itself
		now := e.env.Now()
		switch {
		case ctx.Err() != nil:
		case now.Sub(last) >= reloadEvery || e.stale.Swap(false):
			e.reload(ctx)
			last = e.env.Now()
			ledgers = last
		case now.Sub(ledgers) >= ledgerEvery && e.fleet.Unrest(now):
			e.readLedgers(ctx)
			ledgers = e.env.Now()
		}
	}
}

// readLedgers reads those of the groups that answered a moment ago.
func (e *Engine) readLedgers(ctx context.Context) {
	e.env.Gather(ctx, len(e.members), func(ctx context.Context, i int) {
		m := e.members[i]
		if !m.primaryAnswers() {
			return
		}
		ctx, cancel := e.env.WithTimeout(ctx, e.opts.ProbeTimeout)
		defer cancel()
		e.readLedger(ctx, m)
	})
}

// Refresh reads the topology once, and where a group's primary does not answer looks
// for the one that was promoted in its place. An engine that only reads needs no Run.
func (e *Engine) Refresh(ctx context.Context) {
	e.reload(ctx)
	found := make([]bool, len(e.members))
	e.env.Gather(ctx, len(e.members), func(ctx context.Context, i int) {
		m := e.members[i]
		if m.primaryAnswers() {
			return
		}
		ctx, cancel := e.env.WithTimeout(ctx, e.opts.ProbeTimeout)
		defer cancel()
		moved, err := m.Follow(ctx)
		if err != nil {
			e.log.Debug("primary not known", logGroup, m.ID(), logErr, err)
		}
		found[i] = moved
	})
	if slices.Contains(found, true) {
		e.reload(ctx)
	}
}

// reload reads the topology from every group that answers and keeps what the
// others said last. One reload runs at a time; a second caller goes on without.
func (e *Engine) reload(ctx context.Context) {
	if !e.reloading.TryLock() {
		return
	}
	defer e.reloading.Unlock()
	e.env.Gather(ctx, len(e.members), func(ctx context.Context, i int) {
		m := e.members[i]
		ctx, cancel := e.env.WithTimeout(ctx, e.opts.ProbeTimeout)
		defer cancel()
		info, err := m.Info(ctx)
		m.setAnswers(err == nil)
		if err == nil {
			m.setInfo(info)
			e.readLedger(ctx, m)
		}
	})
	e.applyTopology()
}

// Reading of hop ledgers: in batches, and each time a little further back than
// needed, since a hop is committed after it was dated, on another clock.
const (
	ledgerBatch   = 5000
	ledgerOverlap = 5 * time.Second
)

// readLedger tells the fleet which keys lately hopped into the group. If it fails
// the fleet notices that the ledger was not read.
func (e *Engine) readLedger(ctx context.Context, m *member) {
	now := e.env.Now()
	since := m.ledgerSince(now.Add(-e.opts.Expiry))
	var told []shard.Landing
	for {
		hops, err := m.HopsSince(ctx, since, ledgerBatch)
		if err != nil {
			e.log.Debug("hop ledger not read", logGroup, m.ID(), logErr, err)
			return
		}
		for _, h := range hops {
			told = append(told, shard.Landing{Key: h.Key, Group: m.ID(), Above: h.Above, At: h.Created, Busy: h.Reason == reasonBusy})
		}
		if len(hops) < ledgerBatch {
			break
		}
		since = nextPage(hops)
	}
	e.fleet.LedgerRead(m.ID(), now, told)
	m.setLedger(now)
}

// nextPage is where the page after a full one starts: at the last row's time, as
// more rows may have it, and past it only where the whole page has that one time.
func nextPage(hops []Hop) time.Time {
	last := hops[len(hops)-1].Created
	if hops[0].Created.Equal(last) {
		return last.Add(time.Millisecond)
	}
	return last
}

func (e *Engine) applyTopology() {
	reports := make([]shard.Report, 0, len(e.members))
	for _, m := range e.members {
		reports = append(reports, m.lastInfo())
	}
	e.fleet.SetTopology(shard.NewTopology(e.opts.LegacyGroup, reports...), e.env.Now())
}
