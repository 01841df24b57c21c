package order

import (
	"context"
	"sync"
	"time"
)

// Env is time and concurrency, handed in so that the engine runs under virtual
// time as well.
type Env interface {
	Now() time.Time
	// Sleep waits, or returns the context's error when that ends first.
	Sleep(ctx context.Context, d time.Duration) error
	// WithTimeout is context.WithTimeout on this clock.
	WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc)
	// Gather runs f for 0 to n-1 concurrently and returns when all have ended.
	Gather(ctx context.Context, n int, f func(ctx context.Context, i int))
}

// System is the Env of production: the machine's clock and goroutines.
type System struct{}

// Now is the wall clock with the monotonic reading.
func (System) Now() time.Time { return time.Now() }

// Sleep waits on a timer.
func (System) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// WithTimeout is context.WithTimeout.
func (System) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}

// Gather runs f in n goroutines and awaits them.
func (System) Gather(ctx context.Context, n int, f func(ctx context.Context, i int)) {
	if n == 1 {
		f(ctx, 0)
		return
	}
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(ctx, i) })
	}
	wg.Wait()
}
