// Package watch keeps an eye on a drill while it runs: the figures of the last moment,
// for the live view, and whether one of the plan's conditions ends the drill early.
//
// It is told what happens and asks nobody; times are handed in. What is to be done about
// a breach is for the caller.
package watch

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"paytool/internal/drill"
	"paytool/internal/drill/plan"
	"paytool/internal/shard"
)

const (
	// window is the moment that counts. Where fewer than enough answers came in it, it
	// reaches further back, to at most longest.
	window  = time.Second
	enough  = 10
	longest = 10 * time.Second
)

// Watch is told of the orders of a load. It is safe for concurrent use.
type Watch struct {
	stop    plan.Stop
	targets []shard.GroupID

	mu     sync.Mutex
	recent []drill.Sample // by their end, more or less, the newest last
	totals Totals
	groups map[shard.GroupID]*Group
	last   time.Time // answer
}

// Totals count the orders since the load began.
type Totals struct {
	Attempted, Acked, Failed, Unknown, Rejected, Dropped, Hops int
}

// Group is what a group did for the load.
type Group struct {
	ID      shard.GroupID
	Rate    float64 // acknowledged orders a second, of the last moment
	Acked   int     // since the load began
	In, Out int     // orders that came in from another group, and that went past this one
}

// Live is how things stand.
type Live struct {
	Totals
	Rate   float64       // acknowledged orders a second, of the last moment
	P99    time.Duration // of the last moment, from the moment an order was due
	Groups []Group       // sorted
}

// State is a group as the engine sees it.
type State struct {
	ID      shard.GroupID
	Ejected bool
	// Broken says what is wrong with its replication, "" where nothing is.
	Broken string
}

// New watches a load that begins now.
func New(stop plan.Stop, targets []shard.GroupID, now time.Time) *Watch {
	return &Watch{stop: stop, targets: targets, groups: map[shard.GroupID]*Group{}, last: now}
}

// Told takes in an order that has ended.
func (w *Watch) Told(s drill.Sample) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.recent = append(w.recent, s)
	w.totals.Attempted++
	if s.Dropped() {
		w.totals.Dropped++
		return
	}
	if s.Done.After(w.last) {
		w.last = s.Done
	}
	switch s.Answer {
	case drill.Acked:
		w.totals.Acked++
		w.group(s.Order.Group).Acked++
	case drill.Failed:
		w.totals.Failed++
	case drill.Unknown:
		w.totals.Unknown++
	case drill.Rejected:
		w.totals.Rejected++
	}
}

// Hopped takes in that an order went past one group and landed in another.
func (w *Watch) Hopped(past, to shard.GroupID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.totals.Hops++
	w.group(past).Out++
	w.group(to).In++
}

func (w *Watch) group(id shard.GroupID) *Group {
	if w.groups[id] == nil {
		w.groups[id] = &Group{ID: id}
	}
	return w.groups[id]
}

// moment is the orders that count now, and the time in which they ended.
func (w *Watch) moment(now time.Time) ([]drill.Sample, time.Duration) {
	w.recent = slices.DeleteFunc(w.recent, func(s drill.Sample) bool { return now.Sub(s.Done) > longest })
	from := len(w.recent)
	span := window
	for from > 0 && (len(w.recent)-from < enough || now.Sub(w.recent[from-1].Done) <= window) {
		from--
		span = max(span, now.Sub(w.recent[from].Done))
	}
	return w.recent[from:], span
}

// Live is how things stand now.
func (w *Watch) Live(now time.Time) Live {
	w.mu.Lock()
	defer w.mu.Unlock()
	orders, span := w.moment(now)
	l := Live{Totals: w.totals, P99: p99(orders)}
	acks := map[shard.GroupID]int{}
	for _, o := range orders {
		if o.Answer == drill.Acked {
			acks[o.Order.Group]++
			l.Rate++
		}
	}
	l.Rate /= span.Seconds()
	for _, id := range slices.Sorted(maps.Keys(w.groups)) {
		g := *w.groups[id]
		g.Rate = float64(acks[id]) / span.Seconds()
		l.Groups = append(l.Groups, g)
	}
	return l
}

// p99 is that of the waits of orders that were tried.
func p99(orders []drill.Sample) time.Duration {
	var waits []time.Duration
	for _, o := range orders {
		if !o.Dropped() && o.Answer != drill.Rejected {
			waits = append(waits, o.Done.Sub(o.Due))
		}
	}
	if len(waits) == 0 {
		return 0
	}
	slices.Sort(waits)
	return waits[(len(waits)*99+99)/100-1]
}

// Breach says which condition of the plan is not met now, "" if all are. Too few orders
// are no ground for a figure in percent.
func (w *Watch) Breach(now time.Time, groups []State) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return cmp.Or(w.ordersBreach(now), w.groupsBreach(groups))
}

func (w *Watch) ordersBreach(now time.Time) string {
	if silent := now.Sub(w.last); silent > w.stop.P99 { // those that hang have no wait to tell yet
		return fmt.Sprintf("no order was answered for %s", silent.Round(10*time.Millisecond))
	}
	orders, _ := w.moment(now)
	if len(orders) < enough {
		return ""
	}
	bad := 0
	for _, o := range orders {
		if o.Answer != drill.Acked {
			bad++
		}
	}
	if bad*100 > w.stop.FailedPercent*len(orders) {
		return fmt.Sprintf("%d of the last %d orders were not taken, more than %d %%", bad, len(orders), w.stop.FailedPercent)
	}
	if worst := p99(orders); worst > w.stop.P99 {
		return fmt.Sprintf("p99 is %s, more than %s", worst.Round(time.Millisecond), w.stop.P99)
	}
	return ""
}

func (w *Watch) groupsBreach(groups []State) string {
	var ejected []shard.GroupID
	for _, g := range groups {
		if slices.Contains(w.targets, g.ID) {
			continue
		}
		if g.Ejected {
			ejected = append(ejected, g.ID)
		}
		if w.stop.Replication && g.Broken != "" {
			return fmt.Sprintf("group %d, which nobody broke: %s", g.ID, g.Broken)
		}
	}
	if len(ejected) > w.stop.OthersEjected {
		return fmt.Sprintf("groups %v are ejected, which nobody broke", ejected)
	}
	return ""
}
