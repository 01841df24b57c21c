package sim

import (
	"context"
	"errors"
	"slices"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// client is one payment's caller: it asks for an order, and asks again with the
// same key when it hears nothing, at the same instance or at another one.
type client struct {
	world *world
	home  int // index of the instance that it mostly asks
	req   order.Request
	order order.Order // what it holds in the end
	idle  bool        // it asks for an order, and that is all
}

// run is the client's process.
func (c *client) run() {
	w := c.world
	w.truth.stats.Keys++
	w.truth.amounts[c.req.Key] = c.req.Amount
	for range 1 + w.chance.IntN(4) {
		if o, ok := c.ask(c.req); ok {
			c.order = o
			if w.chance.IntN(8) > 0 { // some ask again though they know
				break
			}
		}
		w.sleep(within(w.chance, 900*time.Millisecond))
	}
	if c.order.No.IsZero() || c.idle {
		return
	}
	switch w.chance.IntN(10) {
	case 0:
		c.askOtherAmount()
	case 1, 2:
		c.get()
	case 3:
		w.sleep(within(w.chance, expiry/2))
		_, _ = c.ask(c.req) // judged as it comes in; the client knows already
	case 4:
		w.sleep(within(w.chance, 2*time.Second))
		p := &payer{client: c, no: c.order.No}
		p.cancel()
		if o, ok := c.askFurther(); ok && w.chance.IntN(2) == 0 {
			p.no = o.No
			p.work()
		}
	case 5, 6, 7, 8:
		w.sleep(within(w.chance, 2*time.Second))
		c.pay()
	}
}

// pick chooses an instance that runs, nil when it finds none.
func (c *client) pick() *instance {
	w := c.world
	for range 5 {
		in := w.instances[c.home]
		if w.chance.IntN(4) == 0 {
			in = w.instances[w.chance.IntN(len(w.instances))]
		}
		if in.up {
			return in
		}
	}
	return nil
}

// patience is how long a client waits for an answer; some retry while their
// first request is still under way.
func (w *world) patience() time.Duration {
	if w.chance.IntN(8) == 0 {
		return 5*time.Millisecond + within(w.chance, 100*time.Millisecond)
	}
	return 300*time.Millisecond + within(w.chance, 1500*time.Millisecond)
}

// ask sends a request and judges the answer.
func (c *client) ask(r order.Request) (order.Order, bool) {
	w, in := c.world, c.pick()
	if in == nil {
		return order.Order{}, false
	}
	began, good := w.clock.now, in.good()
	if in.admitted() == 0 {
		w.truth.saw("panic")
	}
	known := w.truth.keyKnown(r.Key)
	a := c.send(in, r)
	switch {
	case !a.arrived:
		w.truth.stats.Unknown++
		return order.Order{}, false
	case a.err == nil:
		if known {
			w.truth.saw("replayed")
		}
		w.truth.acknowledged(r, a.order)
		return a.order, true
	}
	c.judge(in, r, a.err, began, good)
	return order.Order{}, false
}

// answer is what a client hears.
type answer struct {
	order   order.Order
	err     error
	arrived bool // before the client lost patience
}

// send runs a create at an instance and waits for its answer as long as the
// client's patience lasts. The instance may work on it for longer, and of some
// clients it hears when they hang up.
func (c *client) send(in *instance, r order.Request) answer {
	w := c.world
	w.truth.stats.Requests++
	engine, a := in.engine, &answer{}
	a.arrived = c.call(in, w.patience(), func(ctx context.Context) { a.order, a.err = engine.Create(ctx, r) })
	return *a
}

// call runs something at an instance and reports whether it ended within the
// patience. What is reported as not ended may still write its answer later.
func (c *client) call(in *instance, patience time.Duration, f func(ctx context.Context)) (ended bool) {
	w := c.world
	until, ctx, me := w.clock.now+patience, in.ctx, w.clock.running
	if w.chance.IntN(2) == 0 {
		ctx = in.env.withCancel(in.ctx)
		ctx.deadline = until
	}
	in.spawn(func() {
		w.calls++
		defer func() { w.calls-- }() // one that is killed has ended, too
		f(ctx)
		ended = true
		w.clock.wake(me, w.clock.now)
	})
	for !ended && w.clock.now < until {
		_ = w.clock.pause(w.ctx, until) // the world's context outlives its clients
	}
	return ended
}

// good lists the ways to groups where nothing is wrong, which this instance knows
// to take orders.
func (in *instance) good() (links []*link) {
	topo := in.engine.Fleet().Topology()
	for _, l := range in.links {
		g, _ := topo.Group(l.srv.id)
		if l.good(in.world.clock.now) && in.engine.Fleet().Admitted(l.srv.id) && g.State == shard.GroupActive && g.Weight > 0 {
			links = append(links, l)
		}
	}
	return links
}

// good reports whether nothing has been wrong since a time with the group or the
// way to it.
func (l *link) good(since time.Duration) bool {
	return !l.cut && l.mended <= since && l.srv.healthy(since) && l.srv.takesOrders()
}

// judge looks at a create that was refused: while a group was good from its
// beginning to its end, it should not have been for the lack of a group. An earlier
// try of the same key whose connection is not missed yet holds a lock on it, also
// in a good group.
func (c *client) judge(in *instance, r order.Request, err error, began time.Duration, good []*link) {
	t := c.world.truth
	var e *order.Error
	if !errors.As(err, &e) {
		t.violated(otherAnswer, "create answered with an error of another type: %v", err)
		return
	}
	t.note("key %s refused: %s: %v", r.Key, e.Code, err)
	t.saw("code_" + e.Code)
	if e.Outcome == order.Unknown {
		t.stats.Unknown++
		return
	}
	t.stats.Failed++
	still := func(l *link) bool { return l.good(began) && in.engine.Fleet().Admitted(l.srv.id) }
	if at, waited := t.waitedAt[r.Key]; waited && at >= began {
		return
	}
	if !slices.ContainsFunc(good, still) || (e.Code != order.CodeNoGroup && e.Code != order.CodeOverloaded) {
		return
	}
	t.stats.FailedWhileHealthy++
	if e.Code == order.CodeNoGroup {
		t.violated(noGroupForNone, "key %s heard: %v", r.Key, err)
	}
}

// askOtherAmount asks for the same key with another amount, which is refused
// wherever the order can be seen. Instances hear of each other's hops within a
// second or so.
func (c *client) askOtherAmount() {
	w := c.world
	w.sleep(2500*time.Millisecond + within(w.chance, 2*time.Second))
	in := c.pick()
	if in == nil {
		return
	}
	holder := in.links[int(w.truth.holder(w.truth.follow(c.order.No).No).id)-1]
	if !holder.good(w.clock.now) {
		return // nobody could notice
	}
	w.truth.suspects[c.req.Key] = &suspect{holder: holder}
	other := c.req
	other.Amount++
	a := c.send(in, other)
	var e *order.Error
	switch {
	case !a.arrived:
	case a.err == nil:
		w.truth.acknowledged(other, a.order)
	case errors.As(a.err, &e) && e.Code == order.CodeAmountMismatch:
		w.truth.saw("other_amount_refused")
	}
}

// get reads the order back. That it is not there must never be said of an
// acknowledged one.
func (c *client) get() {
	w, in := c.world, c.pick()
	w.sleep(within(w.chance, 2*time.Second))
	if in == nil || !in.up {
		return
	}
	engine, ctx := in.engine, in.ctx
	in.spawn(func() {
		o, err := engine.Get(ctx, c.order.No)
		var e *order.Error
		switch {
		case err == nil && (o.Key != c.req.Key || o.Amount != c.req.Amount):
			w.truth.violated(otherAnswer, "get %s answered with %s", c.order.No, describe(o))
		case err == nil:
			w.truth.saw("got")
		case errors.As(err, &e) && (e.Code == order.CodeNotFound || e.Code == pay.CodeUnknownTag):
			w.truth.violated(ackedVanished, "get %s: %v", c.order.No, err)
		default:
			w.refused("get", err)
		}
	})
}

// askFurther asks for a further attempt after the order has ended.
func (c *client) askFurther() (order.Order, bool) {
	w, r := c.world, c.req
	r.NewAttempt = true
	o, ok := c.ask(r)
	switch {
	case !ok:
	case o.Attempt <= c.order.Attempt:
		w.truth.violated(otherAnswer, "asked for an attempt after %s, answered with %s", describe(c.order), describe(o))
	default:
		w.truth.saw("further_attempt")
	}
	return o, ok
}
