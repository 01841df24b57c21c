package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// playing runs a process on a fresh clock until nothing is left to happen.
func playing(t *testing.T, seed uint64, f func(e *venv, ctx *vctx)) *clock {
	t.Helper()
	c := newClock(rand.New(rand.NewPCG(seed, 0)))
	e := &venv{clock: c}
	c.spawn(&life{}, func() { f(e, e.withCancel(context.Background())) })
	c.run(100_000, func() bool { return false })
	if left := c.killAll(); left > 0 {
		t.Errorf("%d processes wait for ever", left)
	}
	return c
}

func TestTimePassesInSleepsOnly(t *testing.T) {
	t.Parallel()
	var at []time.Duration
	playing(t, 1, func(e *venv, ctx *vctx) {
		for _, d := range []time.Duration{time.Hour, 0, time.Nanosecond} {
			if err := e.Sleep(ctx, d); err != nil {
				t.Error(err)
			}
			at = append(at, e.clock.now)
		}
	})
	if want := []time.Duration{time.Hour, time.Hour, time.Hour + 1}; !slices.Equal(at, want) {
		t.Errorf("woke at %v, want %v", at, want)
	}
}

func TestSeedDrawsTheOrderWithinAnInstant(t *testing.T) {
	t.Parallel()
	order := func(seed uint64) (order string) {
		playing(t, seed, func(e *venv, ctx *vctx) {
			e.Gather(ctx, 8, func(ctx context.Context, i int) {
				_ = e.Sleep(ctx, time.Second)
				order += fmt.Sprint(i)
			})
		})
		return order
	}
	orders := map[string]bool{}
	for seed := range uint64(10) {
		first := order(seed)
		orders[first] = true
		if again := order(seed); again != first {
			t.Errorf("seed %d does not repeat itself", seed)
		}
	}
	if len(orders) < 5 {
		t.Errorf("ten seeds drew %d orders only", len(orders))
	}
}

func TestGatherWaitsForAll(t *testing.T) {
	t.Parallel()
	playing(t, 1, func(e *venv, ctx *vctx) {
		ended := 0
		e.Gather(ctx, 5, func(ctx context.Context, i int) {
			_ = e.Sleep(ctx, time.Duration(i)*time.Second)
			ended++
		})
		if ended != 5 || e.clock.now != 4*time.Second {
			t.Errorf("%d of 5 had ended at %v", ended, e.clock.now)
		}
		e.Gather(ctx, 0, nil)
	})
}

type valueKey struct{}

func TestContexts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		ctx  func(e *venv, root *vctx) context.Context
		want error
		at   time.Duration
	}{
		{"no limit", func(_ *venv, root *vctx) context.Context { return root }, nil, time.Minute},
		{"a limit", func(e *venv, root *vctx) context.Context {
			ctx, _ := e.WithTimeout(root, time.Second)
			return ctx
		}, context.DeadlineExceeded, time.Second},
		{"the outer limit is shorter", func(e *venv, root *vctx) context.Context {
			outer, _ := e.WithTimeout(root, time.Second)
			ctx, _ := e.WithTimeout(context.WithValue(outer, valueKey{}, 1), time.Hour)
			return ctx
		}, context.DeadlineExceeded, time.Second},
		{"the inner limit is shorter", func(e *venv, root *vctx) context.Context {
			outer, _ := e.WithTimeout(root, time.Hour)
			ctx, _ := e.WithTimeout(outer, time.Second)
			return ctx
		}, context.DeadlineExceeded, time.Second},
		{"the parent is cancelled", func(e *venv, root *vctx) context.Context {
			outer := e.withCancel(root)
			e.clock.after(2*time.Second, outer.cancel)
			ctx, _ := e.WithTimeout(outer, time.Hour)
			return ctx
		}, context.Canceled, 2 * time.Second},
		{"cut off from a cancelled parent", func(e *venv, root *vctx) context.Context {
			outer, _ := e.WithTimeout(root, time.Second)
			e.clock.after(time.Second/2, outer.(*vctx).cancel)
			ctx, _ := e.WithTimeout(context.WithoutCancel(outer), 3*time.Second)
			return ctx
		}, context.DeadlineExceeded, 3 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			playing(t, 1, func(e *venv, root *vctx) {
				ctx := test.ctx(e, root)
				if err := e.Sleep(ctx, time.Minute); !errors.Is(err, test.want) || e.clock.now != test.at {
					t.Errorf("ended with %v at %v, want %v at %v", err, e.clock.now, test.want, test.at)
				}
			})
		})
	}
}

func TestDeadlineIsOnTheHostsClock(t *testing.T) {
	t.Parallel()
	playing(t, 1, func(e *venv, root *vctx) {
		e.skew = 150 * time.Millisecond
		ctx, cancel := e.WithTimeout(root, time.Second)
		defer cancel()
		if deadline, ok := ctx.Deadline(); !ok || deadline.Sub(e.Now()) != time.Second {
			t.Errorf("a second's limit ends at %v, and it is %v", deadline, e.Now())
		}
	})
}

func TestKilledProcessVanishesAtItsWait(t *testing.T) {
	t.Parallel()
	c := newClock(rand.New(rand.NewPCG(1, 0)))
	e, l := &venv{clock: c}, &life{}
	ctx := e.withCancel(context.Background())
	unwound, wentOn := false, false
	c.spawn(l, func() {
		e.Gather(ctx, 1, func(ctx context.Context, _ int) {
			defer func() {
				unwound = true
				_ = e.Sleep(ctx, time.Second) // a wait in a deferred call ends it too
				wentOn = true
			}()
			_ = e.Sleep(ctx, time.Hour)
			wentOn = true
		})
		wentOn = true
	})
	c.after(time.Minute, func() {
		c.spawn(l, func() { wentOn = true }) // killed before it begins
		c.kill(l)
		c.spawn(l, func() { wentOn = true }) // it has no life to begin with
	})
	c.run(1000, func() bool { return false })
	if !unwound || wentOn || len(c.procs) > 0 || c.panicked != "" {
		t.Errorf("unwound %t, went on %t, %d left, panicked %q", unwound, wentOn, len(c.procs), c.panicked)
	}
}

func TestPanicOfAProcessEndsTheRun(t *testing.T) {
	t.Parallel()
	c := newClock(rand.New(rand.NewPCG(1, 0)))
	c.spawn(&life{}, func() { panic("broken engine") })
	if c.run(1000, func() bool { return false }) || !strings.Contains(c.panicked, "broken engine") {
		t.Errorf("panicked: %q", c.panicked)
	}
}
