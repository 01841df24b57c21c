package scrape

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"paytool/internal/shard"
)

// Source asks instances. Its calls are concurrent and end with their context.
type Source interface {
	Instances() []string
	// Metrics is the text of an instance's /metrics.
	Metrics(ctx context.Context, instance string) ([]byte, error)
}

// Engines is one view of several instances. It is used by one goroutine, but for Fleet.
type Engines struct {
	source Source
	last   map[string]figures // of each instance that has answered

	mu    sync.Mutex
	fleet map[shard.GroupID]*group
}

// group is a group as the instances see it.
type group struct {
	ejection *shard.Ejection // by any of them
	out      bool            // by all of them, and told
}

// Watch begins to watch; the first look sets the counters' start.
func Watch(source Source) *Engines {
	return &Engines{source: source, last: map[string]figures{}, fleet: map[shard.GroupID]*group{}}
}

// Seen is what has happened since the look before, over all instances.
type Seen struct {
	At time.Time
	// Events: Ejected once every instance has ejected the group, readmitted once all
	// send orders there again. What was over before a look could see it is not told.
	Events []shard.Event
	// Acked is by the group that took the order. A create that was asked for again
	// counts again.
	Acked map[shard.GroupID]int
	// Failed and Unknown are creates that no group took; requests that their callers
	// should not have made are in no count. Rejected is those for which there was no room.
	Failed, Unknown, Rejected int
	Hops                      []Hops
	// Waits of creates, by the bounds of the engines' histogram; the quickest first.
	Waits []Waits
}

// Hops counts orders that went past a group and landed in another.
type Hops struct {
	From, To shard.GroupID
	N        int
}

// Waits counts creates that took longer than Over and at most UpTo.
type Waits struct {
	Over, UpTo time.Duration
	N          int
}

// Look asks all instances at once. The error names those that did not answer; what
// the others say is in Seen all the same, and what they have missed comes with a later
// look.
func (e *Engines) Look(ctx context.Context, now time.Time) (Seen, error) {
	instances := e.source.Instances()
	fresh, errs := make([]figures, len(instances)), make([]error, len(instances))
	var asked sync.WaitGroup
	for i, instance := range instances {
		asked.Go(func() {
			text, err := e.source.Metrics(ctx, instance)
			if err == nil {
				fresh[i], err = parse(bytes.NewReader(text))
			}
			if err != nil {
				errs[i] = fmt.Errorf("the figures of %s: %w", instance, err)
			}
		})
	}
	asked.Wait()
	seen := Seen{At: now, Acked: map[shard.GroupID]int{}}
	grown := figures{}
	for i, instance := range instances {
		if fresh[i] == nil {
			continue
		}
		if before, known := e.last[instance]; known {
			for s, n := range fresh[i].since(before) {
				grown[s] += n
			}
		}
		e.last[instance] = fresh[i]
	}
	seen.count(grown)
	seen.Events = e.admissions(now, grown)
	return seen, errors.Join(errs...)
}

// count sorts what was counted.
func (s *Seen) count(grown figures) {
	for what, n := range grown {
		switch {
		case what.name == orders && what.b == "acked":
			s.Acked[groupOf(what.a)] += int(n)
		case what.name == orders && what.b == "failed":
			s.Failed += int(n)
		case what.name == orders && what.b == "unknown":
			s.Unknown += int(n)
		case what.name == rejected && what.a == "create" && (what.b == "queue_full" || what.b == "waited"):
			s.Rejected += int(n)
		case what.name == hopsTotal:
			s.Hops = append(s.Hops, Hops{From: groupOf(what.a), To: groupOf(what.b), N: int(n)})
		}
	}
	slices.SortFunc(s.Hops, func(a, b Hops) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
	s.Waits = waitsOf(grown)
}

// waitsOf takes the counts of a cumulative histogram apart. Those above its last bound
// count as twice that.
func waitsOf(grown figures) []Waits {
	var bounds []float64
	counts := map[float64]float64{}
	for what, n := range grown {
		if what.name != waits {
			continue
		}
		if bound, err := strconv.ParseFloat(what.a, 64); err == nil { // "+Inf" reads as well
			bounds = append(bounds, bound)
			counts[bound] = n
		}
	}
	slices.Sort(bounds)
	var all []Waits
	var over time.Duration
	var below float64
	for _, bound := range bounds {
		upTo := 2 * over
		if bound < 1e6 {
			upTo = time.Duration(bound * float64(time.Second))
		}
		if n := int(counts[bound] - below); n > 0 {
			all = append(all, Waits{Over: over, UpTo: upTo, N: n})
		}
		over, below = upTo, counts[bound]
	}
	return all
}

func groupOf(label string) shard.GroupID {
	n, _ := strconv.Atoi(label) // "none" is 0
	return shard.GroupID(n)
}

// admissions finds what has changed about the groups.
func (e *Engines) admissions(now time.Time, grown figures) (events []shard.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	in, out := map[shard.GroupID]int{}, map[shard.GroupID]int{}
	for _, f := range e.last {
		for what, n := range f {
			if what.name != admitted {
				continue
			}
			if n == 0 {
				out[groupOf(what.a)]++
			} else {
				in[groupOf(what.a)]++
			}
		}
	}
	for id := range in {
		e.know(id)
	}
	for id := range out {
		e.know(id)
	}
	for _, id := range slices.Sorted(maps.Keys(e.fleet)) {
		g := e.fleet[id]
		switch {
		case out[id] == 0:
			g.ejection = nil
		case g.ejection == nil:
			g.ejection = &shard.Ejection{Cause: causeOf(id, grown), Since: now}
		}
		switch {
		case !g.out && out[id] > 0 && in[id] == 0:
			g.out = true
			events = append(events, shard.Event{Group: id, Ejected: true, Cause: g.ejection.Cause})
		case g.out && out[id] == 0:
			g.out = false
			events = append(events, shard.Event{Group: id})
		}
	}
	return events
}

func (e *Engines) know(id shard.GroupID) {
	if e.fleet[id] == nil {
		e.fleet[id] = &group{}
	}
}

// causeOf is the cause of which most ejections were counted, Unknown if none was.
func causeOf(id shard.GroupID, grown figures) shard.Cause {
	cause, most := shard.Unknown, 0.0
	for what, n := range grown {
		if what.name == ejections && groupOf(what.a) == id && (n > most || n == most && shard.Cause(what.b) < cause) {
			cause, most = shard.Cause(what.b), n
		}
	}
	return cause
}

// Fleet is every group that an instance has told of, sorted; ejected where any instance
// has ejected it. It is safe for concurrent use.
func (e *Engines) Fleet() []shard.Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := make([]shard.Status, 0, len(e.fleet))
	for _, id := range slices.Sorted(maps.Keys(e.fleet)) {
		s := shard.Status{Group: shard.Group{ID: id}}
		if out := e.fleet[id].ejection; out != nil {
			s.Ejection = new(*out)
		}
		all = append(all, s)
	}
	return all
}
