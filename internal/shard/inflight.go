package shard

import (
	"container/list"
	"time"
)

// Limits of creates under way in one group (rule 11): once the oldest is older
// than slowAfter, at most slowCap are in flight, so that a hang cannot use up the
// connections. Without the cap a third of simulated runs missed their p99.
const (
	slowAfter = 50 * time.Millisecond
	slowCap   = 8
)

// inFlight counts the creates under way in one group, oldest first.
type inFlight struct{ started list.List }

func (f *inFlight) full(now time.Time) bool {
	oldest := f.started.Front()
	return oldest != nil && f.started.Len() >= slowCap && now.Sub(oldest.Value.(time.Time)) > slowAfter
}

func (f *inFlight) enter(now time.Time) *list.Element { return f.started.PushBack(now) }

func (f *inFlight) leave(e *list.Element) { f.started.Remove(e) }
