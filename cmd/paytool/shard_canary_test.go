package main

import (
	"context"
	"errors"
	mathrand "math/rand/v2"
	"strings"
	"testing"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// newTestCanary watches group 3 of three, which has a little of its weight.
func newTestCanary(weight int, state shard.GroupState, pilots ...string) (*canary, *[]order.Request) {
	var made []order.Request
	topology := shard.NewTopology(0,
		shard.Report{Group: 1, State: shard.GroupActive, Weight: 100}, shard.Report{Group: 2, State: shard.GroupActive, Weight: 100},
		shard.Report{Group: 3, State: state, Weight: weight, Pilots: pilots})
	c := &canary{
		group: 3, limits: canaryLimits{maxP99: time.Minute, maxLag: time.Second},
		lag:      func(context.Context) (time.Duration, bool) { return 0, true },
		topology: func() shard.Topology { return topology },
		status:   func() []shard.Status { return []shard.Status{{Group: shard.Group{ID: 3}}} },
		create: func(_ context.Context, r order.Request) (order.Order, error) {
			made = append(made, r)
			return order.Order{Group: 3}, nil
		},
		semisync: func(context.Context) (string, error) { return "on", nil },
		draw:     mathrand.New(mathrand.NewPCG(1, 2)).Uint64,
	}
	return c, &made
}

// TestCanaryGoesHome: its orders are shadow orders, and have the new group as their home
// as any order of that key would.
func TestCanaryGoesHome(t *testing.T) {
	t.Parallel()
	c, made := newTestCanary(1, shard.GroupActive)
	for range 5 {
		if reason := c.check(t.Context()); reason != "" {
			t.Fatal(reason)
		}
	}
	if len(*made) != 5 {
		t.Fatalf("%d orders", len(*made))
	}
	for _, r := range *made {
		if !r.Shadow || r.Key.MerchantID != pay.ShadowMerchant || c.topology().Rank(r.Key)[0] != 3 {
			t.Errorf("%+v", r)
		}
	}
	c, made = newTestCanary(100, shard.GroupJoining, "m1", pay.ShadowMerchant)
	if reason := c.check(t.Context()); reason != "" || len(*made) != 1 {
		t.Errorf("%d orders for a group with pilots: %q", len(*made), reason)
	}
	for _, none := range []*canary{first(newTestCanary(100, shard.GroupJoining, "m1")), first(newTestCanary(0, shard.GroupJoining)), first(newTestCanary(5, shard.GroupJoining)), first(newTestCanary(0, shard.GroupActive))} {
		none.create = func(context.Context, order.Request) (order.Order, error) {
			return order.Order{}, errors.New("an order for a group that takes none")
		}
		if reason := none.check(t.Context()); reason != "" {
			t.Error(reason)
		}
	}
}

func first(c *canary, _ *[]order.Request) *canary { return c }

func TestCanaryStops(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		spoil func(c *canary)
		want  string
	}{
		{"ejected", func(c *canary) {
			c.status = func() []shard.Status {
				return []shard.Status{{Group: shard.Group{ID: 3}, Ejection: &shard.Ejection{Cause: shard.Hang}}}
			}
		}, "group 3 is out: " + string(shard.Hang)},
		{"gone", func(c *canary) { c.status = func() []shard.Status { return nil } }, "does not have group 3"},
		{"semi-sync off", func(c *canary) { c.semisync = func(context.Context) (string, error) { return "off", nil } }, "semi-sync of group 3 is off"},
		{"semi-sync not known", func(c *canary) {
			c.semisync = func(context.Context) (string, error) { return "unknown", errBroken }
		}, "unknown: broken"},
		{"lag", func(c *canary) { c.lag = func(context.Context) (time.Duration, bool) { return 2 * time.Second, true } }, "2s behind"},
		{"lag not known", func(c *canary) { c.lag = func(context.Context) (time.Duration, bool) { return 0, false } }, "does not say"},
		{"create fails", func(c *canary) {
			c.create = func(context.Context, order.Request) (order.Order, error) { return order.Order{}, errBroken }
		}, "a shadow order failed: broken"},
		{"create hops", func(c *canary) {
			c.create = func(context.Context, order.Request) (order.Order, error) { return order.Order{Group: 2}, nil }
		}, "went past group 3 to group 2"},
		{"creates are slow", func(c *canary) {
			c.limits.maxP99 = time.Second
			for range fewProbes {
				c.times = append(c.times, 2*time.Second)
			}
		}, "one in a hundred shadow orders takes 2s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			one, _ := newTestCanary(50, shard.GroupActive)
			c.spoil(one)
			if reason := one.check(t.Context()); !strings.Contains(reason, c.want) {
				t.Errorf("got %q, want %q", reason, c.want)
			}
		})
	}
	// Another weight, another load: the times begin anew.
	one, _ := newTestCanary(50, shard.GroupActive)
	one.limits.maxP99 = time.Second
	for range fewProbes {
		one.times = append(one.times, 2*time.Second)
	}
	one.reset()
	if reason := one.check(t.Context()); reason != "" {
		t.Error(reason)
	}
}
