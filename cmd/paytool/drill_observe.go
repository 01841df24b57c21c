package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"paytool/internal/drill"
	"paytool/internal/drill/curve"
	"paytool/internal/drill/result"
	"paytool/internal/drill/rig"
	"paytool/internal/drill/scrape"
	"paytool/internal/order"
	"paytool/internal/shard"
	"paytool/internal/store"
)

// ready refuses to break a group while the load shows already what would end the drill,
// or while nobody creates the orders that an observing drill is judged by.
func (d *drillRun) ready() error {
	now := time.Now()
	if d.plan.Load.Observe && d.eyes.Live(now).Acked == 0 {
		return fmt.Errorf("%w: nobody has created an order through the engines at --url in %s: there is nothing to observe", rig.ErrRefused, d.plan.Load.Baseline)
	}
	if why := d.eyes.Breach(now, d.states()); why != "" {
		return fmt.Errorf("%w: not well before any fault: %s", rig.ErrRefused, why)
	}
	return nil
}

// heardEngines takes in what served engines have done since the last look.
func (d *drillRun) heardEngines(seen scrape.Seen, last time.Time) {
	for _, e := range seen.Events {
		d.heardGroup(e)
	}
	for _, h := range seen.Hops {
		for range h.N {
			d.eyes.Hopped(h.From, h.To)
		}
	}
	d.mu.Lock()
	over := d.phase == result.PhaseSettle || d.phase == result.PhaseVerify
	d.mu.Unlock()
	if !d.plan.Load.Observe || over {
		return
	}
	samples := samplesOf(seen, last)
	for _, s := range samples {
		d.eyes.Told(s.Sample)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range samples {
		d.watched = append(d.watched, curve.Sample{
			Due: s.Due.Sub(d.loading), Done: s.Done.Sub(d.loading), Answer: s.Answer, Group: s.Order.Group, Past: s.past,
		})
	}
}

// watchedOrder is an order that was counted.
type watchedOrder struct {
	drill.Sample
	past shard.GroupID
}

// samplesOf makes samples of counters. Which order waited how long counters do not
// tell: waits are spread evenly within the bounds of the histogram, ends within the time
// since the last look, and a wait is anybody's.
func samplesOf(seen scrape.Seen, last time.Time) []watchedOrder {
	past := map[shard.GroupID][]shard.GroupID{}
	for _, h := range seen.Hops {
		past[h.To] = append(past[h.To], slices.Repeat([]shard.GroupID{h.From}, h.N)...)
	}
	var all []watchedOrder
	add := func(n int, answer drill.Answer, group shard.GroupID) {
		for i := range n {
			w := watchedOrder{Sample: drill.Sample{Answer: answer, Order: order.Order{Group: group}}}
			if i < len(past[group]) {
				w.past = past[group][i]
			}
			all = append(all, w)
		}
	}
	for g, n := range seen.Acked {
		add(n, drill.Acked, g)
	}
	add(seen.Failed, drill.Failed, 0)
	add(seen.Unknown, drill.Unknown, 0)
	waited := len(all)
	add(seen.Rejected, drill.Rejected, 0)
	for i := range all {
		all[i].Done = last.Add(seen.At.Sub(last) * time.Duration(i+1) / time.Duration(len(all)))
		all[i].Due = all[i].Done
	}
	next := 0
	for _, w := range seen.Waits {
		for i := range w.N {
			if next == waited { // refused for their callers' mistakes
				return all
			}
			all[next].Due = all[next].Done.Add(-w.Over - (w.UpTo-w.Over)*time.Duration(2*i+1)/time.Duration(2*w.N))
			next++
		}
	}
	return all
}

// census holds what all nodes have of a span of time against each other.
func (e *engine) census(ctx context.Context, from, to time.Time, merchants []string) (drill.Verify, error) {
	var nodes []drill.Node
	readers := make([][]*store.NodeReader, len(e.groups))
	for i, g := range e.groups {
		readers[i] = g.Nodes()
		for _, r := range readers[i] {
			nodes = append(nodes, drill.Node{Name: r.Name(), Group: g.ID(), Primary: r.Primary()})
		}
	}
	topo := e.Fleet().Topology()
	census := drill.NewCensus(nodes, topo.Locate)
	order.System{}.Gather(ctx, len(readers), func(ctx context.Context, i int) {
		for _, r := range readers[i] { // the primary first
			node := drill.Node{Name: r.Name(), Group: r.Group(), Primary: r.Primary()}
			if err := numbered(ctx, r, from, to, func(o order.Order) {
				named := len(merchants) == 0 || slices.Contains(merchants, o.Key.MerchantID)
				if named && !movedAway(topo, o.No.Tag(), node.Group) {
					census.Add(node, o)
				}
			}); err != nil {
				e.log.Warn("node not read", "node", node.Name, "err", err)
				census.Unread(node)
			}
		}
	})
	if err := ctx.Err(); err != nil {
		return drill.Verify{}, err
	}
	return census.Verdict(e.openDoubts(ctx)), nil
}

func numbered(ctx context.Context, r *store.NodeReader, from, to time.Time, add func(order.Order)) error {
	return caughtUp(ctx, r, func(ctx context.Context) error {
		return r.Numbered(ctx, from, to, func(o order.Order) error {
			add(o)
			return nil
		})
	})
}
