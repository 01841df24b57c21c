package sim

import (
	"context"
	"time"
)

// start is when every run begins, by a clock that is right.
var start = time.Date(2026, 3, 2, 2, 0, 0, 0, time.UTC)

// venv is order.Env on the virtual clock, as one host sees it: its clock is off
// by skew.
type venv struct {
	clock *clock
	skew  time.Duration
}

// Now is the time by the host's clock.
func (e *venv) Now() time.Time { return start.Add(e.clock.now + e.skew) }

// Sleep waits in virtual time.
func (e *venv) Sleep(ctx context.Context, d time.Duration) error {
	until := e.clock.now + d
	for {
		if err := e.clock.pause(ctx, until); err != nil {
			return err
		}
		if e.clock.now >= until {
			return nil
		}
	}
}

// WithTimeout is a context that ends in virtual time. Its Done is nil, for
// nothing can be selected on: a process waits in Env and in groups only.
func (e *venv) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	v := e.withCancel(ctx)
	v.deadline = min(v.deadline, e.clock.now+d)
	return v, v.cancel
}

func (e *venv) withCancel(ctx context.Context) *vctx {
	v := &vctx{Context: ctx, env: e, up: nearest(ctx), deadline: forever}
	if _, limited := ctx.Deadline(); limited && v.up != nil {
		v.deadline = v.up.deadline
	}
	return v
}

// Gather runs f in n processes of the caller's life and waits for them.
func (e *venv) Gather(ctx context.Context, n int, f func(ctx context.Context, i int)) {
	parent, left := e.clock.running, n
	for i := range n {
		e.clock.spawn(parent.life, func() {
			defer func() {
				if left--; left == 0 {
					e.clock.wake(parent, e.clock.now)
				}
			}()
			f(ctx, i)
		})
	}
	for left > 0 {
		e.clock.park()
	}
}

// vctx is a context on the virtual clock.
type vctx struct {
	context.Context // the parent
	env             *venv
	up              *vctx // the nearest ancestor of this kind
	deadline        time.Duration
	err             error
	waiting         int // processes whose wait this context can end
}

type vctxKey struct{}

// nearest finds the virtual context in or above ctx, nil for none.
func nearest(ctx context.Context) *vctx {
	if v, ok := ctx.(*vctx); ok {
		return v
	}
	v, _ := ctx.Value(vctxKey{}).(*vctx)
	return v
}

func (v *vctx) Deadline() (time.Time, bool) {
	if v.deadline == forever {
		return time.Time{}, false
	}
	return start.Add(v.deadline + v.env.skew), true
}

func (v *vctx) Done() <-chan struct{} { return nil }

func (v *vctx) Err() error {
	if v.err == nil {
		v.err = v.Context.Err()
	}
	if v.err == nil && v.env.clock.now >= v.deadline {
		v.err = context.DeadlineExceeded
	}
	return v.err
}

func (v *vctx) Value(key any) any {
	if _, ok := key.(vctxKey); ok {
		return v
	}
	return v.Context.Value(key)
}

// cancel ends the context and wakes those who wait with it or with a child.
func (v *vctx) cancel() {
	if v.Err() != nil {
		return
	}
	v.err = context.Canceled
	if v.waiting == 0 {
		return
	}
	c := v.env.clock
	for _, p := range c.procs {
		for up := p.wakes; up != nil; up = up.up {
			if up == v {
				c.wake(p, c.now)
				break
			}
		}
	}
}

// pause waits until the time comes, somebody wakes the process, or the context
// ends; only the last is an error.
func (c *clock) pause(ctx context.Context, until time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p, v := c.running, nearest(ctx)
	if _, limited := ctx.Deadline(); limited && v != nil {
		until = min(until, v.deadline)
	}
	c.wake(p, until)
	p.wakes = v
	for up := v; up != nil; up = up.up {
		up.waiting++
	}
	defer func() {
		p.wakes = nil
		for up := v; up != nil; up = up.up {
			up.waiting--
		}
	}()
	c.park()
	return ctx.Err()
}
