package shard

import (
	"container/list"
	"time"
)

// A look-up is an extra, so it must never cost more than it is worth: it is
// skipped where another one has waited for lookupSlow, and for lookupRest after
// one had no answer. Without this, a group that hangs would delay every order
// that asks it until it is ejected.
const (
	lookupSlow = 20 * time.Millisecond
	lookupRest = 500 * time.Millisecond
)

type lookups struct {
	started list.List
	rest    time.Time
}

// EnterLookup asks whether a group may be asked for a key now. The returned
// function is called with the end of the look-up and whether the group answered.
func (f *Fleet) EnterLookup(g GroupID, now time.Time) (leave func(now time.Time, answered bool), ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.members[g]
	if m == nil || now.Before(m.lookups.rest) {
		return nil, false
	}
	if oldest := m.lookups.started.Front(); oldest != nil && now.Sub(oldest.Value.(time.Time)) > lookupSlow {
		return nil, false
	}
	place := m.lookups.started.PushBack(now)
	return func(now time.Time, answered bool) {
		f.mu.Lock()
		defer f.mu.Unlock()
		m.lookups.started.Remove(place)
		if !answered {
			m.lookups.rest = now.Add(lookupRest)
		}
	}, true
}
