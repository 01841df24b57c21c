package main

import (
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/store"
)

// canaryLimits are what a group that joins may take.
type canaryLimits struct {
	maxP99 time.Duration // of creates; 0: any
	maxLag time.Duration // of its replicas
}

// canaryGroup is what is asked of the group besides orders.
type canaryGroup interface {
	Lag(ctx context.Context) (behind time.Duration, known bool)
}

// canary watches a group that takes on weight: it creates shadow orders in it, and
// looks at what the engine of this process makes of the group.
type canary struct {
	group    shard.GroupID
	limits   canaryLimits
	lag      func(ctx context.Context) (time.Duration, bool)
	topology func() shard.Topology
	status   func() []shard.Status
	create   func(ctx context.Context, r order.Request) (order.Order, error)
	semisync func(ctx context.Context) (string, error) // nil where the group needs none
	draw     func() uint64

	mu    sync.Mutex
	times []time.Duration // of creates since the last step
}

func newCanary(e *engine, id shard.GroupID, g canaryGroup, limits canaryLimits) *canary {
	c := &canary{
		group: id, limits: limits, lag: g.Lag, draw: mathrand.Uint64,
		topology: e.Fleet().Topology, status: e.Fleet().Snapshot, create: e.Create,
	}
	for i, cfg := range e.cfg.Groups {
		if shard.GroupID(cfg.Group) == id && e.cfg.Engine.SemisyncFor(cfg) {
			c.semisync = e.groups[i].Semisync
		}
	}
	return c
}

// reset begins anew with the times of creates: another weight, another load.
func (c *canary) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.times = nil
}

// check answers what speaks against the group, "" for nothing.
func (c *canary) check(ctx context.Context) string {
	if reason := c.ejected(); reason != "" {
		return reason
	}
	if c.semisync != nil {
		if word, err := c.semisync(ctx); err != nil || word != store.SemisyncOn {
			return fmt.Sprintf("semi-sync of group %d is %s%s", c.group, word, because(err))
		}
	}
	if behind, known := c.lag(ctx); !known || behind > c.limits.maxLag {
		return fmt.Sprintf("a replica of group %d is %s behind, at most %s is allowed%s", c.group, behind, c.limits.maxLag, because(unknownLag(known)))
	}
	return c.tryOrder(ctx)
}

func unknownLag(known bool) error {
	if known {
		return nil
	}
	return errors.New("or does not say how far")
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

func (c *canary) ejected() string {
	for _, s := range c.status() {
		if s.Group.ID == c.group {
			if s.Ejection != nil {
				return fmt.Sprintf("group %d is out: %s", c.group, s.Ejection.Cause)
			}
			return ""
		}
	}
	return fmt.Sprintf("the topology does not have group %d", c.group)
}

// tryOrder creates a shadow order whose key is at home in the group. A group that takes
// no shadow orders is nobody's home; one with pilots has their merchant among them.
func (c *canary) tryOrder(ctx context.Context) string {
	key, ok := c.key()
	if !ok {
		return ""
	}
	start := time.Now()
	o, err := c.create(ctx, order.Request{Key: key, Amount: 1, Subject: "canary of an expansion", Shadow: true})
	took := time.Since(start)
	switch {
	case err != nil:
		return fmt.Sprintf("a shadow order failed: %v", err)
	case o.Group != c.group:
		return fmt.Sprintf("shadow order %s went past group %d to group %d", o.No, c.group, o.Group)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.times = append(c.times, took)
	if slow := p99(slices.Clone(c.times)); c.limits.maxP99 > 0 && slow > c.limits.maxP99 {
		return fmt.Sprintf("one in a hundred shadow orders takes %s, at most %s is allowed", slow.Round(time.Millisecond), c.limits.maxP99)
	}
	return ""
}

// keyTries bounds the search for a key: with one part in 256 of the weight, one in some
// hundreds is at home in the group.
const keyTries = 100_000

func (c *canary) key() (pay.Key, bool) {
	t := c.topology()
	if g, ok := t.Group(c.group); !ok || g.ShareFor(pay.ShadowMerchant) <= 0 {
		return pay.Key{}, false
	}
	for range keyTries {
		key := pay.Key{MerchantID: pay.ShadowMerchant, MerchantOrderNo: fmt.Sprintf("expand-%016x", c.draw())}
		if t.Rank(key)[0] == c.group {
			return key, true
		}
	}
	return pay.Key{}, false
}
