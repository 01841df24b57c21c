package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"paytool/internal/order"
	"paytool/internal/shard"
)

// probeTimes are how long the last probes of each group took. A probe writes a row and
// waits for its commit, as a create does, so its time tells what creates wait for
// without any create being made for it. Safe for concurrent use.
type probeTimes struct {
	mu   sync.Mutex
	last map[shard.GroupID][]time.Duration // at most keptProbes, the oldest first
}

const (
	keptProbes = 100 // ten seconds of them
	fewProbes  = 20  // with fewer, one slow write at the start would be the quantile
	lastProbes = 10  // a second of them
)

func (p *probeTimes) add(g shard.GroupID, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last == nil {
		p.last = map[shard.GroupID][]time.Duration{}
	}
	kept := append(p.last[g], took)
	p.last[g] = kept[max(0, len(kept)-keptProbes):]
}

// p99 is 0 as long as too few probes were made.
func (p *probeTimes) p99(g shard.GroupID) time.Duration {
	p.mu.Lock()
	times := slices.Clone(p.last[g])
	p.mu.Unlock()
	return p99(times)
}

// lately is the median of the last second's probes, 0 with none.
func (p *probeTimes) lately(g shard.GroupID) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	times := p.last[g]
	times = slices.Clone(times[max(0, len(times)-lastProbes):])
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[len(times)/2]
}

func p99(times []time.Duration) time.Duration {
	if len(times) < fewProbes {
		return 0
	}
	slices.Sort(times)
	return times[(len(times)*99+99)/100-1]
}

// timedGroup tells how long its probes take.
type timedGroup struct {
	order.Group
	times *probeTimes
}

// Probe is the group's, timed.
func (g timedGroup) Probe(ctx context.Context, r order.ProbeRequest) order.ProbeAnswer {
	start := time.Now()
	answer := g.Group.Probe(ctx, r)
	g.times.add(g.ID(), time.Since(start))
	return answer
}
