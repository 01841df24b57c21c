package limit_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"paytool/internal/api/limit"
)

// one is a gate with a single place, which never adapts.
func one() *limit.Gate {
	return limit.NewGate(limit.GateOptions{Adaptive: limit.AdaptiveOptions{Start: 1, Min: 1, Max: 1}, Updates: 1, Rush: 4})
}

func enter(t *testing.T, g *limit.Gate, c limit.Class) limit.Pass {
	t.Helper()
	pass, err := g.Enter(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return pass
}

func rejected(t *testing.T, err error, reason limit.Reason) {
	t.Helper()
	var r *limit.Rejected
	if !errors.As(err, &r) || r.Reason != reason || r.RetryAfter <= 0 {
		t.Errorf("got %v, want a rejection for %s that says when to come again", err, reason)
	}
}

func TestGateServesCreatesFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := one()
		first := enter(t, g, limit.Create)
		var order []string
		var mu sync.Mutex
		var wg sync.WaitGroup
		for i, c := range []limit.Class{limit.Read, limit.Create, limit.Read, limit.Create} {
			wg.Go(func() {
				pass, err := g.Enter(t.Context(), c)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				order = append(order, fmt.Sprintf("%s%d", c, i))
				mu.Unlock()
				time.Sleep(time.Millisecond)
				pass.Leave(true)
			})
			synctest.Wait() // so that they queue in this order
		}
		if s := g.Status(); s.Waiting[limit.Create] != 2 || s.Waiting[limit.Read] != 2 || s.UnderWay[limit.Create] != 1 {
			t.Errorf("status %+v", s)
		}
		first.Leave(true)
		wg.Wait()
		if want := []string{"create1", "create3", "read0", "read2"}; !slices.Equal(order, want) {
			t.Errorf("served %v, want %v", order, want)
		}
	})
}

func TestGateRejects(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := one()
		pass := enter(t, g, limit.Create)
		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() {
				_, err := g.Enter(t.Context(), limit.Create)
				rejected(t, err, limit.Waited)
			})
		}
		synctest.Wait()
		at := time.Now()
		_, err := g.Enter(t.Context(), limit.Create)
		rejected(t, err, limit.QueueFull)
		rejected(t, g.Full(limit.Create), limit.QueueFull)
		if err := g.Full(limit.Update); err != nil {
			t.Errorf("updates are turned away: %v", err)
		}
		if took := time.Since(at); took != 0 {
			t.Errorf("a full queue took %s to say so", took)
		}
		wg.Wait()
		if took := time.Since(at); took != 250*time.Millisecond {
			t.Errorf("patience lasted %s", took)
		}
		pass.Leave(true)
		enter(t, g, limit.Create).Leave(true) // nobody is left over
		if s := g.Status(); s.Waiting[limit.Create] != 0 || s.UnderWay[limit.Create] != 0 {
			t.Errorf("status %+v", s)
		}
	})
}

// A rush may make the queue longer, once: what goes on is too much to do, until nobody
// had to wait for a while.
func TestGateTellsARushFromTooMuch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := one()
		pass := enter(t, g, limit.Create)
		waiting := func(c limit.Class) int { // how many get into the queue
			var wg sync.WaitGroup
			for range 30 {
				wg.Go(func() { _, _ = g.Enter(t.Context(), c) })
			}
			synctest.Wait()
			n := g.Status().Waiting[c]
			wg.Wait() // for a request's patience, 250 ms
			return n
		}
		seen := []int{waiting(limit.Create), waiting(limit.Create), waiting(limit.Create)}
		time.Sleep(1100 * time.Millisecond)
		seen = append(seen, waiting(limit.Read), waiting(limit.Create))
		if want := []int{12, 8, 8, 8, 12}; !slices.Equal(seen, want) {
			t.Errorf("%v could wait, want %v", seen, want)
		}
		pass.Leave(true)
	})
}

func TestGateForgetsCallersThatHaveGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := one()
		pass := enter(t, g, limit.Create)
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error)
		go func() {
			_, err := g.Enter(ctx, limit.Create)
			gone <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		pass.Leave(true)
		enter(t, g, limit.Create).Leave(true)
	})
}

// Updates neither wait nor take the place of a create.
func TestGateUpdates(t *testing.T) {
	t.Parallel()
	g := one()
	create, update := enter(t, g, limit.Create), enter(t, g, limit.Update)
	_, err := g.Enter(t.Context(), limit.Update)
	rejected(t, err, limit.QueueFull)
	update.Leave(true)
	enter(t, g, limit.Update).Leave(true)
	create.Leave(true)
}

// groups are databases that take 1,000 creates a second, in 4 ms each while they are
// not crowded: 4 at a time.
type groups struct{ places chan struct{} }

func (g *groups) create() {
	g.places <- struct{}{}
	time.Sleep(4 * time.Millisecond)
	<-g.places
}

// TestOverload sends four times what the groups can take, for half a minute of virtual
// time, and holds the gate to the goals: most of the capacity is used, who is taken on
// is served soon, and who is not knows at once.
func TestOverload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const capacity, arrivals, seconds = 1000, 4000, 30
		g := limit.NewGate(limit.GateOptions{})
		db := &groups{places: make(chan struct{}, 4)}
		var mu sync.Mutex
		var accepted, turnedAway []time.Duration
		var wg sync.WaitGroup
		for range arrivals * seconds {
			wg.Go(func() {
				start := time.Now()
				pass, err := g.Enter(t.Context(), limit.Create)
				if err == nil {
					db.create()
					pass.Leave(true)
				}
				took := time.Since(start)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					turnedAway = append(turnedAway, took)
				} else {
					accepted = append(accepted, took)
				}
			})
			time.Sleep(time.Second / arrivals)
		}
		wg.Wait()
		slices.Sort(accepted)
		slices.Sort(turnedAway)
		t.Logf("%d served, p50 %s, limit %d", len(accepted), accepted[len(accepted)/2], g.Status().Limit)
		p99 := func(all []time.Duration) time.Duration { return all[len(all)*99/100] }
		if got := len(accepted) / seconds; got < capacity*8/10 {
			t.Errorf("%d a second were served, capacity is %d", got, capacity)
		}
		if got := p99(accepted); got > 150*time.Millisecond {
			t.Errorf("p99 of those that were served is %s", got)
		}
		if got := p99(turnedAway); got > 10*time.Millisecond {
			t.Errorf("p99 of those that were turned away is %s", got)
		}
	})
}

// TestStall stops all groups for a quarter of a second under an everyday load, with the
// limit at its lowest: nobody is turned away.
func TestStall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const arrivals, seconds = 300, 4
		g := limit.NewGate(limit.GateOptions{Adaptive: limit.AdaptiveOptions{Start: 8}})
		from := time.Now().Add(2 * time.Second)
		to := from.Add(230 * time.Millisecond)
		var wg sync.WaitGroup
		for range arrivals * seconds {
			wg.Go(func() {
				pass, err := g.Enter(t.Context(), limit.Create)
				if err != nil {
					t.Error(err)
					return
				}
				time.Sleep(5 * time.Millisecond)
				if now := time.Now(); now.After(from) && now.Before(to) {
					time.Sleep(to.Sub(now)) // a commit that waits
				}
				pass.Leave(true)
			})
			time.Sleep(time.Second / arrivals)
		}
		wg.Wait()
	})
}
