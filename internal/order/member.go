package order

import (
	"sync"
	"time"

	"paytool/internal/shard"
)

// member is one group with this instance's lease in it.
type member struct {
	Group
	mu      sync.Mutex
	lease   Lease // zero High: no numbers may be issued
	left    Lease // the one held before the group was left; it may still be on record
	joined  bool
	info    shard.Report // the last one read, or the default until then
	answers bool         // the primary gave that info when it was last asked
	ledger  time.Time    // when the hop ledger was last read
	back    time.Time    // since when the group takes orders; zero while it does not
	ahead   int          // instances that go first, when it was last asked

	refused  error     // why the group was not taken as a new one; of the watch loop alone
	followed time.Time // when another primary was last looked for; of the watch loop alone
}

func (m *member) hasJoined() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.joined
}

func (m *member) hold(l Lease) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l.High = 0 // nothing may be issued before a probe has written a high-water second
	m.lease, m.left, m.joined = l, Lease{}, true
}

func (m *member) leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.joined {
		m.left = m.lease
	}
	m.joined, m.lease = false, Lease{}
}

// lastLease is the lease that is held or, where the group was left and not joined
// again, the one that was.
func (m *member) lastLease() (l Lease, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.joined {
		return m.lease, true
	}
	return m.left, m.left != Lease{}
}

func (m *member) setAhead(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ahead = n
}

func (m *member) aheadOfUs() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ahead
}

func (m *member) raiseHigh(high int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lease.High = max(m.lease.High, high)
}

func (m *member) currentLease() (Lease, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lease, m.joined
}

func (m *member) setInfo(info shard.Report) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.info = info
}

func (m *member) setAnswers(yes bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answers = yes
}

// primaryAnswers reports whether the primary answered when it was last asked for
// its rows. A primary that takes no writes may well answer reads.
func (m *member) primaryAnswers() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.answers
}

func (m *member) lastInfo() shard.Report {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.info
}

func (m *member) ledgerSince(first time.Time) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ledger.IsZero() {
		return first
	}
	return m.ledger.Add(-ledgerOverlap)
}

func (m *member) setLedger(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ledger = at
}

func (m *member) setBack(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.back = at
}

// backFor is how long the group has taken orders without a break.
func (m *member) backFor(now time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.back.IsZero() {
		return 0
	}
	return now.Sub(m.back)
}

func (m *member) weight() int { return m.lastInfo().Weight }
