package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"paytool/internal/config"
	"paytool/internal/drill/mttr"
	"paytool/internal/drill/result"
	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/shard/promote"
	"paytool/internal/store"
)

// promotePatience bounds a promotion in a drill.
const promotePatience = 30 * time.Second

// promoteDrilled fails over within a group whose primary a drill has killed. cfg is
// the file's, without the drill's proxies; the file's primary changes with it.
func promoteDrilled(ctx context.Context, cfg *config.Config, g shard.GroupID, log *slog.Logger) (promote.Plan, error) {
	i := slices.IndexFunc(cfg.Groups, func(c config.Group) bool { return c.Group == int(g) })
	if i < 0 {
		return promote.Plan{}, fmt.Errorf("promote in group %d: the config has no such group", g)
	}
	group := cfg.Groups[i]
	ctx, cancel := context.WithTimeout(ctx, promotePatience)
	defer cancel()
	r, err := setPrimary(ctx, cfg, group, promote.Wish{Group: g, Promote: true, Semisync: cfg.Engine.SemisyncFor(group)}, log)
	return r.Plan, err
}

// failover is what the promotions of a drill came to.
type failover struct {
	affected result.Affected
	longest  time.Duration // that old orders of a group could not be updated
	open     bool          // in a group they still could not when the drill had restored it
	measured bool
}

// watchFailover watches the targets' old orders while held runs, which breaks the groups,
// promotes and puts them right. It takes in who waited and for how long.
func (d *drillRun) watchFailover(ctx context.Context, held func() error) error {
	watches := make([]*outageWatch, len(d.targets))
	for i, g := range d.targets {
		w, err := d.engine.watchOutage(ctx, g, d.id, d.site.sandbox())
		if err != nil {
			return err
		}
		watches[i] = w
	}
	wctx, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	outages := make([]mttr.Outage, len(watches))
	var watching sync.WaitGroup
	for i, w := range watches {
		watching.Go(func() { outages[i] = w.run(wctx) })
	}
	d.waiting = watches
	err := held()
	end()
	watching.Wait()
	f := &d.failover
	f.measured = true
	for _, o := range outages {
		length, over := o.Length()
		f.longest = max(f.longest, length)
		f.open = f.open || !over
	}
	return err
}

// promote fails over in each target, once its primary is dead, and counts who waits
// for it.
func (d *drillRun) promote(ctx context.Context) error {
	for i, g := range d.targets {
		if n, err := d.waiting[i].affected(ctx); err == nil { // a count that nobody gives ends no drill
			d.failover.affected.OrdersWaiting += n.OrdersWaiting
			d.failover.affected.Merchants += n.Merchants
			d.failover.affected.Terminals += n.Terminals
		}
		p, err := promoteDrilled(ctx, d.site.cfg, g, d.engine.log)
		if err != nil {
			return err
		}
		d.event(result.Event{At: time.Now(), Kind: result.Promoted, Group: g, Detail: p.Name})
	}
	return nil
}

// into writes what was measured into the drill's result.
func (f *failover) into(in *result.Input) {
	if !f.measured {
		return
	}
	in.Affected = f.affected
	if !f.open {
		in.MTTR = new(f.longest)
	}
}

// outageWatch measures one group's outage for its old orders.
type outageWatch struct {
	engine *engine
	group  *store.Group
	order  pay.OrderNo // shadow, of that group, from before the fault
	shadow bool        // the orders that wait are shadow orders: a sandbox has no others
}

// errNoOldOrder means that no order landed in the group to be measured.
var errNoOldOrder = errors.New("no shadow order landed in the group: is it ejected?")

// watchOutage prepares the measurement while the group is well: it creates shadow
// orders until one lies in the group. prefix keeps their numbers apart from others'.
func (e *engine) watchOutage(ctx context.Context, g shard.GroupID, prefix string, shadow bool) (*outageWatch, error) {
	at := slices.IndexFunc(e.groups, func(sg *store.Group) bool { return sg.ID() == g })
	if at < 0 {
		return nil, fmt.Errorf("measure group %d: the config has no such group", g)
	}
	const tries = 1000 // a group has its share of them, unless it takes no orders
	for i := range tries {
		o, err := e.Create(ctx, order.Request{
			Key: pay.Key{MerchantID: pay.ShadowMerchant, MerchantOrderNo: fmt.Sprintf("%s-mttr-%d-%d", prefix, g, i)}, Amount: 1, Shadow: true,
		})
		if err != nil {
			return nil, fmt.Errorf("measure group %d: %w", g, err)
		}
		if o.Group == g {
			return &outageWatch{engine: e, group: e.groups[at], order: o.No, shadow: shadow}, nil
		}
	}
	return nil, fmt.Errorf("measure group %d: %w", g, errNoOldOrder)
}

// run updates the old order again and again until the context ends.
func (w *outageWatch) run(ctx context.Context) mttr.Outage {
	return mttr.Watch(ctx, mttr.Every, time.Now, w.update)
}

// update is refused where a merchant's would be: while the engine has ejected the
// group.
func (w *outageWatch) update(ctx context.Context) error {
	if cause, down := w.engine.Fleet().Down(w.group.ID()); down {
		return fmt.Errorf("group %d is out (%s)", w.group.ID(), cause)
	}
	return w.group.Touch(ctx, w.order, time.Now())
}

// affected counts who waits for the group. It asks replicas where the primary is
// down.
func (w *outageWatch) affected(ctx context.Context) (result.Affected, error) {
	n, err := w.group.Waiting(ctx, w.shadow)
	return result.Affected{OrdersWaiting: n.Orders, Merchants: n.Merchants, Terminals: n.Terminals}, err
}
