package order

import (
	"maps"
	"sync"
)

// counts are the engine's counters by name, for people and for metrics. Safe for
// concurrent use.
type counts struct {
	mu sync.Mutex
	n  map[string]int64
}

func (c *counts) add(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int64{}
	}
	c.n[name]++
}

func (e *Engine) count(name string) { e.counts.add(name) }

// Counts is a copy of the engine's counters: alarms by kind, refused and unknown
// moves, channel answers by verdict.
func (e *Engine) Counts() map[string]int64 {
	e.counts.mu.Lock()
	defer e.counts.mu.Unlock()
	return maps.Clone(e.counts.n)
}
