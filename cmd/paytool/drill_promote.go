package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"paytool/internal/config"
	"paytool/internal/drill/mttr"
	"paytool/internal/drill/result"
	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/sandbox"
	"paytool/internal/shard"
	"paytool/internal/shard/promote"
	"paytool/internal/store"
)

// promotePatience bounds a promotion in a drill.
const promotePatience = 30 * time.Second

// promoteDrilled fails over within a group whose primary a drill has killed. The
// config's primary changes with it.
func (e *engine) promoteDrilled(ctx context.Context, g shard.GroupID) (promote.Plan, error) {
	i := slices.IndexFunc(e.cfg.Groups, func(c config.Group) bool { return c.Group == int(g) })
	if i < 0 {
		return promote.Plan{}, fmt.Errorf("promote in group %d: the config has no such group", g)
	}
	group := e.cfg.Groups[i]
	ctx, cancel := context.WithTimeout(ctx, promotePatience)
	defer cancel()
	r, err := setPrimary(ctx, e.cfg, group, promote.Wish{Group: g, Promote: true, Semisync: e.cfg.Engine.SemisyncFor(group)}, e.log)
	return r.Plan, err
}

// rejoinDrilled brings the old primary back as a replica, in a sandbox.
func (e *engine) rejoinDrilled(ctx context.Context, g shard.GroupID) error {
	return sandbox.Rejoin(ctx, filepath.Dir(e.cfg.Path()), int(g))
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
	return mttr.Watch(ctx, mttr.Every, time.Now, func(ctx context.Context) error {
		if cause, down := w.engine.Fleet().Down(w.group.ID()); down {
			return fmt.Errorf("group %d is out (%s)", w.group.ID(), cause) // as a merchant's update is refused
		}
		return w.group.Touch(ctx, w.order, time.Now())
	})
}

// affected counts who waits for the group. It asks replicas where the primary is
// down.
func (w *outageWatch) affected(ctx context.Context) (result.Affected, error) {
	n, err := w.group.Waiting(ctx, w.shadow)
	return result.Affected{OrdersWaiting: n.Orders, Merchants: n.Merchants, Terminals: n.Terminals}, err
}
