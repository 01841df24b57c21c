package order

import (
	"context"
	"errors"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// sweepHops asks one group for twins of the orders that hopped past it into the
// holder, and returns what is left open. A hop is asked when the group is
// back, and once more when no client can retry the key any longer: until then an
// instance that did not know of the hop may still create a twin.
//
// Who is asked is the group that has the orders created above, by now.
func (e *Engine) sweepHops(ctx context.Context, holder *member, above shard.GroupID, due time.Time) (open Open) {
	var after pay.OrderNo
	for ctx.Err() == nil {
		hops, err := holder.Hops(ctx, above, due, after, settleBatch)
		if err != nil {
			e.log.Warn("hops not read", logGroup, holder.ID(), logErr, err)
			open.Failed++
			return open
		}
		if len(hops) == 0 {
			return open
		}
		heir, ok := e.heir(above)
		if !ok || e.out(heir) {
			open.Waiting += len(hops)
			return open
		}
		left, err := e.sweepBatch(ctx, holder, heir, above, hops)
		if err != nil {
			e.notYet("sweep stopped", err, logGroup, above)
			open.Failed += len(hops)
			return open
		}
		open.Failed += left
		if len(hops) < settleBatch {
			return open
		}
		after = hops[len(hops)-1].OrderNo
	}
	open.Failed++
	return open
}

// sweepBatch asks for the keys of one batch in one statement and settles the
// twins that it finds.
func (e *Engine) sweepBatch(ctx context.Context, holder, heir *member, above shard.GroupID, hops []Hop) (left int, err error) {
	ctx, cancel := e.env.WithTimeout(ctx, settleTimeout)
	defer cancel()
	keys := make([]pay.Key, len(hops))
	for i, h := range hops {
		keys[i] = h.Key
	}
	rows, err := heir.FindKeys(ctx, keys)
	if err != nil {
		return 0, err
	}
	twins := map[pay.Key][]Order{}
	for _, o := range rows {
		twins[o.Key] = append(twins[o.Key], o)
	}
	var last, again []pay.OrderNo
	over := e.env.Now().Add(-e.opts.Expiry)
	for _, h := range hops {
		if err := e.sweepOne(ctx, h, twins[h.Key]); err != nil {
			left++
			e.notYet("twin not settled yet", err, logOrder, h.OrderNo, logKey, h.Key)
			continue
		}
		if h.Created.After(over) {
			again = append(again, h.OrderNo)
		} else {
			last = append(last, h.OrderNo)
		}
	}
	if err := e.asked(ctx, holder, above, last, time.Time{}); err != nil {
		return 0, err
	}
	return left, e.asked(ctx, holder, above, again, e.env.Now().Add(e.opts.Expiry))
}

func (e *Engine) asked(ctx context.Context, holder *member, above shard.GroupID, orders []pay.OrderNo, next time.Time) error {
	if len(orders) == 0 {
		return nil
	}
	return holder.AskedHops(ctx, above, orders, next)
}

// sweepOne settles the twins of one hopped order.
func (e *Engine) sweepOne(ctx context.Context, h Hop, rows []Order) error {
	for _, twin := range rows {
		if twin.No == h.OrderNo || twin.Attempt != h.Attempt {
			continue
		}
		// The look may have met a copy that its owner has gone on without.
		twin, err := e.readPrimary(ctx, twin.No)
		if errors.Is(err, ErrNotFound) || (err == nil && twin.State == pay.Void) {
			continue
		}
		if err != nil {
			return err
		}
		hopped, err := e.livingTwin(ctx, h.OrderNo)
		if err != nil {
			return err
		}
		if hopped.No == twin.No {
			continue
		}
		if _, err := e.settleTwins(ctx, hopped, twin, pay.BySweep); err != nil {
			return err
		}
		e.log.Info("twins settled", logKey, h.Key, logOrder, h.OrderNo, "twin", twin.No)
	}
	return nil
}
