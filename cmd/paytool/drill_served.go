package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"paytool/internal/api"
	"paytool/internal/api/client"
	"paytool/internal/drill/fault"
	"paytool/internal/drill/plan"
	"paytool/internal/drill/result"
	"paytool/internal/drill/rig"
	"paytool/internal/drill/scrape"
	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// servedDrill is engines of other processes, to which a drill's orders go or whose own
// orders it watches.
type servedDrill struct {
	*client.Client
	engines *scrape.Engines
}

// openServed connects to nothing yet. It returns nil where the plan names no engine.
func openServed(load plan.Load) (*servedDrill, error) {
	if len(load.URLs) == 0 {
		return nil, nil
	}
	opts := client.Options{URLs: load.URLs, Clock: order.System{}}
	if load.TokenFile != "" {
		var err error
		if opts.Token, err = api.FirstToken(load.TokenFile); err != nil {
			return nil, err
		}
	}
	c, err := client.New(opts)
	if err != nil {
		return nil, usageError(err)
	}
	return &servedDrill{c, scrape.Watch(c)}, nil
}

func (s *servedDrill) close() {
	if s != nil {
		s.Close()
	}
}

// reachable refuses a fault that acts in a proxy, where the orders go to engines that
// do not pass it.
func (d *drillRun) reachable() error {
	if len(d.plan.Load.URLs) == 0 {
		return nil
	}
	for _, f := range d.allFaults() {
		for _, n := range d.targets {
			g, err := d.site.Group(int(n))
			if err != nil {
				return err
			}
			if needsDoor([]fault.Fault{f}, g) {
				return fmt.Errorf("%w: %s acts in a proxy before group %d, and the engines at --url do not go through it; take a fault of the server or the process, or leave out --url", rig.ErrRefused, f, n)
			}
		}
	}
	return nil
}

// fleet is the groups as those see them who create the orders.
func (d *drillRun) fleet() []shard.Status {
	if d.served != nil {
		return d.served.engines.Fleet()
	}
	return d.engine.Fleet().Snapshot()
}

// servedWell waits until every served engine answers and sends orders to every group of
// the config, and nowhere else.
func (d *drillRun) servedWell(ctx context.Context) error {
	if d.served == nil {
		return nil
	}
	for {
		err := d.servedHealth(ctx)
		if err == nil {
			break
		}
		if (order.System{}).Sleep(ctx, 100*time.Millisecond) != nil {
			return fmt.Errorf("%w: %w", rig.ErrRefused, err)
		}
	}
	if d.plan.Load.Observe {
		return nil
	}
	return d.sameGroups(ctx)
}

func (d *drillRun) servedHealth(ctx context.Context) error {
	if _, err := d.served.engines.Look(ctx, time.Now()); err != nil {
		return err
	}
	var theirs, ours []shard.GroupID
	for _, s := range d.served.engines.Fleet() {
		if s.Ejection != nil {
			return fmt.Errorf("not every engine at --url sends orders to group %d", s.Group.ID)
		}
		theirs = append(theirs, s.Group.ID)
	}
	for _, s := range d.engine.Fleet().Snapshot() {
		ours = append(ours, s.Group.ID)
	}
	if !slices.Equal(theirs, ours) {
		return fmt.Errorf("the engines at --url have groups %v, and this config has %v", theirs, ours)
	}
	return nil
}

// sameGroups has each engine create an order and looks for it in the groups of the
// config: a drill must not judge one shop by the data of another.
func (d *drillRun) sameGroups(ctx context.Context) error {
	for i := range d.served.Instances() {
		o, err := d.served.Create(ctx, order.Request{
			Key:    pay.Key{MerchantID: pay.ShadowMerchant, MerchantOrderNo: fmt.Sprintf("gate-%s-%d", d.id, i)},
			Amount: 1, Subject: "drill gate", Shadow: true,
		})
		if err == nil {
			_, err = d.engine.Get(ctx, o.No)
		}
		if err != nil {
			return fmt.Errorf("%w: an order through --url is not in the groups of this config: %w", rig.ErrRefused, err)
		}
	}
	return nil
}

const (
	lookEvery  = 100 * time.Millisecond // a look takes a millisecond or two
	lookWithin = 2 * time.Second
)

// keepEngines watches the served engines until the returned function ends it.
func (d *drillRun) keepEngines(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	if d.served != nil {
		watching.Go(func() { d.watchEngines(ctx) })
	}
	return func() {
		cancel()
		watching.Wait()
	}
}

func (d *drillRun) watchEngines(ctx context.Context) {
	silent := false
	last := time.Now()
	for (order.System{}).Sleep(ctx, lookEvery) == nil {
		lctx, cancel := context.WithTimeout(ctx, lookWithin)
		seen, err := d.served.engines.Look(lctx, time.Now())
		cancel()
		if ctx.Err() != nil {
			return
		}
		switch {
		case err != nil && !silent:
			d.event(result.Event{At: seen.At, Kind: result.Remark, Detail: err.Error()})
		case err == nil && silent:
			d.event(result.Event{At: seen.At, Kind: result.Remark, Detail: "all engines tell their figures again"})
		}
		silent = err != nil
		d.heardEngines(seen, last)
		last = seen.At
	}
}

const (
	maxHops = 1_000_000 // that are read of one group
	// hopsBefore is how far the clocks of the engines, by which hops are dated, may be behind.
	hopsBefore = 10 * time.Second
)

// readHops reads which of the orders went past a group from the groups' own hop ledgers:
// the engines that wrote them are other processes.
func (d *drillRun) readHops(ctx context.Context) error {
	for _, g := range d.engine.groups {
		hops, err := g.HopsSince(ctx, d.loading.Add(-hopsBefore), maxHops)
		if err != nil {
			d.engine.log.Warn("hops not read", "group", g.ID(), "err", err)
			continue // the judge cannot read that primary either, and says so
		}
		d.mu.Lock()
		for _, h := range hops {
			if !strings.HasPrefix(h.Key.MerchantOrderNo, d.prefix) {
				continue // of somebody else
			}
			if d.past[h.OrderNo] == 0 {
				d.past[h.OrderNo] = h.Above
			}
			if h.Reason == order.Unknown.String() {
				d.unknown++
			}
		}
		d.mu.Unlock()
	}
	return ctx.Err()
}
