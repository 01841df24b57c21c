package shard

import (
	"container/list"
	"slices"
	"sync"
	"time"

	"paytool/internal/pay"
)

// Selection is the way a group is chosen for a new order.
type Selection string

// The ways to choose. Random is the published design, kept for comparison; it
// has no idempotency across groups.
const (
	Rendezvous Selection = "rendezvous"
	Random     Selection = "random"
)

// FleetOptions set up a Fleet.
type FleetOptions struct {
	Health    HealthOptions
	Selection Selection // Rendezvous if empty
	// RetryWindow is how long a client may retry a key, the expiry of CREATED
	// orders (15 min if zero). Where orders hopped, or weights changed, within this
	// window, earlier attempts may lie off their place.
	RetryWindow time.Duration
}

// Fleet is one engine instance's view of all groups: the topology, and for each
// group its health and the creates in flight. It decides; it never calls a group.
// Safe for concurrent use.
type Fleet struct {
	opts FleetOptions

	mu   sync.Mutex
	topo Topology
	past []past // what was in force before each change of weights that was seen
	// earlier are these and the weights of the groups' own records, seen or not: each
	// once, without those in force now.
	earlier []past
	// blind is the end of the time in which a key may lie in any group: weights were in
	// force of which there is no record.
	blind   time.Time
	members map[GroupID]*member

	landings landings
}

type member struct {
	health  *health
	flights inFlight
	lookups lookups
}

// NewFleet starts with every group out until its first good probe.
func NewFleet(opts FleetOptions, topo Topology, now time.Time) *Fleet {
	opts.Health = opts.Health.withDefaults()
	setDefault(&opts.Selection, Rendezvous)
	setDefault(&opts.RetryWindow, 15*time.Minute)
	f := &Fleet{opts: opts, topo: topo, members: map[GroupID]*member{}, landings: newLandings()}
	f.addMembers(now)
	f.recall(now)
	return f
}

func (f *Fleet) addMembers(now time.Time) {
	for _, g := range f.topo.Groups {
		if f.members[g.ID] == nil {
			f.members[g.ID] = &member{health: newHealth(f.opts.Health, now)}
		}
	}
}

// Topology is the topology in force.
func (f *Fleet) Topology() Topology {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.topo
}

// SetTopology puts a topology in force. An older one than the one in force is
// ignored.
func (f *Fleet) SetTopology(t Topology, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t.Epoch < f.topo.Epoch {
		return
	}
	f.past = slices.DeleteFunc(f.past, func(p past) bool { return now.Sub(p.at) >= f.opts.RetryWindow })
	if !t.sameWeights(f.topo) {
		f.past = append(f.past, past{topo: f.topo, at: now})
	}
	f.topo = t
	f.recall(now)
	f.addMembers(now)
}

// recall works out which weights were in force lately.
func (f *Fleet) recall(now time.Time) {
	told, known := f.topo.pasts(now.Add(-f.opts.RetryWindow))
	f.earlier = f.topo.others(slices.Concat(f.past, told))
	if until := f.topo.Changed.Add(f.opts.RetryWindow); !known && until.After(f.blind) {
		f.blind = until
	}
}

// Ticket is the right to try one create in one group. It is given back with
// Leave.
type Ticket struct {
	Group   GroupID
	started time.Time
	trial   bool
	place   *list.Element
}

// Enter asks for a place in a group. lastResort lets a create into a group that
// is ejected. It is refused when the group is stuck with its creates, is ejected,
// or has its trial create under way; the create then goes to the next group.
func (f *Fleet) Enter(g GroupID, now time.Time, lastResort bool) (Ticket, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.members[g]
	if m == nil || m.flights.full(now) {
		return Ticket{}, false
	}
	t := Ticket{Group: g, started: now}
	switch m.health.admission(now) {
	case open:
	case trialOnly:
		t.trial = true
		m.health.trial = true
	case shut:
		if !lastResort || m.health.ejected.Cause.Unsafe() {
			return Ticket{}, false
		}
	}
	t.place = m.flights.enter(now)
	return t, true
}

// Result is what a create tells about its group.
type Result struct {
	// Counts is false for what says nothing about the group: a duplicate key, a
	// bad field, a cancelled caller, a fence.
	Counts bool
	// Cause is why the group failed the create, "" for a committed one.
	Cause Cause
}

// Leave gives a ticket back with the result of the create.
func (f *Fleet) Leave(t Ticket, now time.Time, r Result) []Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.members[t.Group]
	m.flights.leave(t.place, now, r.Counts && r.Cause == "")
	if t.trial {
		m.health.trial = false
	}
	switch {
	case !r.Counts:
		return nil
	case r.Cause == "":
		return f.events(t.Group, false, m.health.created(now, t.started))
	}
	return f.events(t.Group, m.health.createFailed(now, r.Cause, t.trial), false)
}

// Probed records the answer of a probe: its cause, or "" for a good one.
func (f *Fleet) Probed(g GroupID, now time.Time, cause Cause) []Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	group, _ := f.topo.Group(g)
	ejected, readmitted := f.members[g].health.probed(now, cause, group.Record().Share > 0)
	return f.events(g, ejected, readmitted)
}

// Hopped records that an order went past a group, wherever it lands.
func (f *Fleet) Hopped(g GroupID, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hopped(g, at)
}

func (f *Fleet) hopped(g GroupID, at time.Time) {
	if m := f.members[g]; m != nil {
		m.health.hopped(at)
	}
}

// Event is an ejection or a readmission, for logs and metrics.
type Event struct {
	Group     GroupID
	Ejected   bool  // else readmitted
	Cause     Cause // of the ejection that begins or ends
	ByCreates bool
}

func (f *Fleet) events(g GroupID, ejected, readmitted bool) []Event {
	switch {
	case ejected:
		e := f.members[g].health.ejected
		return []Event{{Group: g, Ejected: true, Cause: e.Cause, ByCreates: e.ByCreates}}
	case readmitted:
		return []Event{{Group: g, Cause: f.members[g].health.was}}
	}
	return nil
}

// Admitted reports whether new orders go to the group.
func (f *Fleet) Admitted(g GroupID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.members[g]
	return m != nil && m.health.ejected == nil
}

// Down reports whether, and why, updates have nothing to expect of the group: its
// last probe failed, or it was never reached. A group that only creates fail in is not
// down, nor is one that answers again: new orders have others to go to and wait for more
// good probes, an update has not.
func (f *Fleet) Down(g GroupID) (Cause, bool) {
	cause, _, down := f.DownSince(g)
	return cause, down
}

// DownSince is Down, with the time of the first probe that failed since the last good one.
func (f *Fleet) DownSince(g GroupID) (cause Cause, since time.Time, down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.members[g]
	switch {
	case m == nil:
		return Unknown, time.Time{}, true
	case m.health.ejected == nil || m.health.silent.IsZero():
		return "", time.Time{}, false
	}
	return m.health.ejected.Cause, m.health.silent, true
}

// Status is one group as this instance sees it.
type Status struct {
	Group    Group
	Ejection *Ejection // nil while the group is admitted
	InFlight int       // creates under way, from this instance
	Tags     []pay.Tag
}

// Snapshot is the status of every group, sorted by number.
func (f *Fleet) Snapshot() []Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]Status, 0, len(f.topo.Groups))
	for _, g := range f.topo.Groups {
		m := f.members[g.ID]
		s := Status{Group: g, InFlight: m.flights.started.Len(), Tags: f.topo.TagsOf(g.ID)}
		if m.health.ejected != nil {
			e := *m.health.ejected
			s.Ejection = &e
		}
		all = append(all, s)
	}
	return all
}
