package shard

import (
	"container/list"
	"time"
)

// Limits of creates under way in one group (rule 11): while it is stuck, at most
// slowCap are in flight, so that a hang cannot use up the connections. Without the
// cap a third of simulated runs missed their p99. It is stuck once the oldest is
// older than slowAfter and none has got through quickly for as long.
const (
	slowAfter = 50 * time.Millisecond
	slowCap   = 8
)

// inFlight counts the creates under way in one group, oldest first.
type inFlight struct {
	started list.List
	quickAt time.Time // when a create last was committed within slowAfter
}

// full tells a group that is stuck, or slow, from one that is only busy: there some
// creates wait long as well, but others get through. To send these elsewhere would
// make every group busier by the records of the hops.
func (f *inFlight) full(now time.Time) bool {
	oldest := f.started.Front()
	return oldest != nil && f.started.Len() >= slowCap &&
		now.Sub(oldest.Value.(time.Time)) > slowAfter && now.Sub(f.quickAt) > slowAfter
}

func (f *inFlight) enter(now time.Time) *list.Element { return f.started.PushBack(now) }

func (f *inFlight) leave(e *list.Element, now time.Time, committed bool) {
	started, _ := f.started.Remove(e).(time.Time)
	if committed && now.Sub(started) <= slowAfter {
		f.quickAt = now
	}
}
