package order

import (
	"context"
	"time"

	"paytool/internal/pay"
)

// sweepHops asks one group for twins of the orders that hopped past it into the
// holder, and returns what is left open. A hop is asked when the group is
// back, and once more when no client can retry the key any longer: until then an
// instance that did not know of the hop may still create a twin.
func (e *Engine) sweepHops(ctx context.Context, holder, above *member, due time.Time) (open Open) {
	var after pay.OrderNo
	for ctx.Err() == nil {
		hops, err := holder.Hops(ctx, above.ID(), due, after, settleBatch)
		if err != nil {
			e.log.Warn("hops not read", logGroup, holder.ID(), logErr, err)
			open.Failed++
			return open
		}
		if len(hops) == 0 {
			return open
		}
		if e.out(above) {
			open.Waiting += len(hops)
			return open
		}
		left, err := e.sweepBatch(ctx, holder, above, hops)
		if err != nil {
			e.log.Warn("sweep stopped", logGroup, above.ID(), logErr, err)
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
func (e *Engine) sweepBatch(ctx context.Context, holder, above *member, hops []Hop) (left int, err error) {
	ctx, cancel := e.env.WithTimeout(ctx, settleTimeout)
	defer cancel()
	keys := make([]pay.Key, len(hops))
	for i, h := range hops {
		keys[i] = h.Key
	}
	rows, err := above.FindKeys(ctx, keys)
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
			e.log.Warn("twin not settled yet", logOrder, h.OrderNo, logKey, h.Key, logErr, err)
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

func (e *Engine) asked(ctx context.Context, holder, above *member, orders []pay.OrderNo, next time.Time) error {
	if len(orders) == 0 {
		return nil
	}
	return holder.AskedHops(ctx, above.ID(), orders, next)
}

// sweepOne settles the twins of one hopped order.
func (e *Engine) sweepOne(ctx context.Context, h Hop, rows []Order) error {
	for _, twin := range rows {
		if twin.No == h.OrderNo || twin.Attempt != h.Attempt {
			continue
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
