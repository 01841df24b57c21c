package chunk

import (
	"context"
	"time"

	"paytool/internal/order"
)

// Pace says how large chunks are and when the next may begin. Zero values mean the
// defaults in the comments.
type Pace struct {
	// Time is how long a chunk should take while no brake is near (500 ms). A target's
	// replicas apply it as one, so it is about what their lag grows by, and other commits
	// wait for its own: the nearer a brake, the finer, down to a fifth.
	Time time.Duration
	// Bytes bounds the values of a chunk that is copied (8 MiB).
	Bytes int64
	// First is the orders of the first chunk, finer near a brake as well (1,000), Most those
	// of any (100,000).
	First, Most int
	// Brakes are asked before each chunk; while one holds, nothing is read or written. Those
	// that are an Easer slow down before they hold.
	Brakes []Brake
	// Held is told why a chunk waits, once for each reason; nil for nobody.
	Held func(reason string)
	// Now is a monotonic clock (time.Now). Sleep waits, or returns the context's error.
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error
}

// Brake holds copying and comparing back for the sake of payments: replica lag,
// running threads, the latency of creates, an operator's file, a time of day.
type Brake interface {
	// Hold answers why the next chunk should wait, "" if it need not. An error means
	// that it could not tell; it holds as well.
	Hold(ctx context.Context) (reason string, err error)
}

// Easer is a Brake that can tell how near it is to holding, from 0 to 1. The nearer, the
// longer the pause after a chunk: payments have less of the work beside them before any
// bound is passed.
type Easer interface {
	Brake
	Ease() float64
}

// BrakeFunc is a function as a Brake.
type BrakeFunc func(ctx context.Context) (string, error)

// Hold calls the function.
func (f BrakeFunc) Hold(ctx context.Context) (string, error) { return f(ctx) }

const (
	lookAgain  = 100 * time.Millisecond // while a brake holds
	leastChunk = 50                     // orders; smaller ones cost more in round trips than they spare
	longRest   = 4.0                    // times that a chunk took, just before a brake holds
	finest     = 5                      // a chunk's time is divided by that, a fifth of the way to it
)

func (p Pace) withDefaults() Pace {
	if p.Time == 0 {
		p.Time = 500 * time.Millisecond
	}
	if p.Bytes == 0 {
		p.Bytes = 8 << 20
	}
	if p.First == 0 {
		p.First = 1000
	}
	if p.Most == 0 {
		p.Most = 100_000
	}
	if p.Now == nil {
		p.Now = time.Now
	}
	if p.Sleep == nil {
		p.Sleep = order.System{}.Sleep
	}
	return p
}

// wait returns when no brake holds.
func (p Pace) wait(ctx context.Context) error {
	said := ""
	for {
		reason := p.reason(ctx)
		if reason == "" || ctx.Err() != nil {
			return ctx.Err()
		}
		if reason != said && p.Held != nil {
			p.Held(reason)
		}
		said = reason
		if err := p.Sleep(ctx, lookAgain); err != nil {
			return err
		}
	}
}

// near is how near a brake is to holding, from 0 to 1.
func (p Pace) near() (near float64) {
	for _, b := range p.Brakes {
		if e, ok := b.(Easer); ok {
			near = max(near, min(e.Ease(), 1))
		}
	}
	return near
}

// finer is what the time of a chunk is divided by, so near to a brake.
func (p Pace) finer() float64 { return min(1+(finest-1)*finest*p.near(), finest) }

// first is the orders of the first chunk.
func (p Pace) first() int { return max(int(float64(p.First)/p.finer()), leastChunk) }

// rest waits after a chunk, for longer the more it took and the nearer a brake is to
// holding.
func (p Pace) rest(ctx context.Context, took time.Duration) error {
	if pause := time.Duration(longRest * p.near() * float64(took)); pause > 0 {
		return p.Sleep(ctx, pause)
	}
	return nil
}

func (p Pace) reason(ctx context.Context) string {
	for _, b := range p.Brakes {
		reason, err := b.Hold(ctx)
		if err != nil {
			return "a brake cannot tell: " + err.Error()
		}
		if reason != "" {
			return reason
		}
	}
	return ""
}

// next is the orders of the chunk after one of size orders that took a time and had
// as many bytes. It at most doubles and at most halves: one slow commit says little.
func (p Pace) next(size int, took time.Duration, bytes int64) int {
	factor := 2.0
	if took > 0 {
		factor = min(factor, float64(p.Time)/p.finer()/float64(took))
	}
	if bytes > 0 {
		factor = min(factor, float64(p.Bytes)/float64(bytes))
	}
	factor = max(factor, 0.5)
	return min(max(int(float64(size)*factor), leastChunk), p.Most)
}
