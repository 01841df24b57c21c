package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// askInTurn reads on one node after the other until one answers. None of them but
// the last gets more than two fifths of the time that is left, so that a node
// that hangs leaves enough for the others.
func askInTurn[T any](ctx context.Context, nodes []*node, doing string, read func(ctx context.Context, n *node) (T, error)) (T, error) {
	var failed error
	for i, n := range nodes {
		share := min(1/float64(len(nodes)-i), 0.4)
		if i == len(nodes)-1 {
			share = 1
		}
		nctx, cancel := withShare(ctx, share)
		answer, err := read(nctx, n)
		cancel()
		if err == nil {
			return answer, nil
		}
		err = n.fail(doing, err, beforeCommit)
		if errors.Is(err, order.ErrNotOwned) { // a replica that has not heard of it would answer
			return answer, err
		}
		if failed != nil {
			err = fmt.Errorf("%w; %w", failed, err)
		}
		failed = err
	}
	var none T
	return none, failed
}

// withShare is the context with a part of the time that it has left.
func withShare(ctx context.Context, share float64) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Duration(share*float64(time.Until(deadline))))
}

// primaryShare is the primary's part of the guard's time.
const primaryShare = 0.6

// FindKeyFresh reads the live rows of a key for a decision about money, by
// attempt. What the primary acknowledged, at least one replica has received;
// which one is not known, so that the replicas answer for it only all together.
func (g *Group) FindKeyFresh(ctx context.Context, key pay.Key, down bool) ([]order.Order, error) {
	if len(g.replicas()) == 0 {
		return g.FindKey(ctx, key)
	}
	var primary error
	if !down {
		pctx, cancel := withShare(ctx, primaryShare)
		found, err := g.FindKey(pctx, key)
		cancel()
		if err == nil {
			return found, nil
		}
		primary = err
	}
	found, err := g.findKeyOnReplicas(ctx, key)
	if err != nil && primary != nil {
		err = fmt.Errorf("%w; %w", primary, err)
	}
	return found, err
}

func (g *Group) findKeyOnReplicas(ctx context.Context, key pay.Key) ([]order.Order, error) {
	replicas := g.replicas()
	answers, errs := make([][]order.Order, len(replicas)), make([]error, len(replicas))
	var wg sync.WaitGroup
	for i, n := range replicas {
		wg.Go(func() {
			errs[i] = n.appliedAll(ctx)
			if errs[i] == nil {
				answers[i], errs[i] = readOrders(ctx, n.db, g.id, keyRowsWhere, key.MerchantID, key.MerchantOrderNo)
			}
			errs[i] = n.fail(fmt.Sprintf("look up key %s", key), errs[i], beforeCommit)
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return mergeLive(answers), nil
}

// mergeLive takes the newest version of each row. VOID ones are left out last: a
// replica that is ahead has voided what another one shows as live.
func mergeLive(answers [][]order.Order) []order.Order {
	newest := map[pay.OrderNo]order.Order{}
	for _, o := range slices.Concat(answers...) {
		if known, ok := newest[o.No]; !ok || o.Version > known.Version {
			newest[o.No] = o
		}
	}
	var live []order.Order
	for _, o := range newest {
		if o.State != pay.Void {
			live = append(live, o)
		}
	}
	slices.SortFunc(live, func(a, b order.Order) int { return a.Attempt - b.Attempt })
	return live
}

var errNotApplied = errors.New("the replica has not applied all that it received")

// appliedAll answers nil if a replica has applied everything that it received, so
// that a read that follows shows all that the replica acknowledged.
func (n *node) appliedAll(ctx context.Context) error {
	r, err := readReplication(ctx, n.monitor)
	if err == nil && !r.appliedAll() {
		err = errNotApplied
	}
	return err
}
