package limit

import (
	"slices"
	"time"
)

// AdaptiveOptions set up an Adaptive. Zero values mean the defaults in the comments.
type AdaptiveOptions struct {
	// Target is the median latency above which the limit shrinks (15 ms): well above
	// that of a group at ease, well below the time limit of a try.
	Target time.Duration
	// The limit starts at Start (64) and stays between Min (8) and Max (1024).
	Start, Min, Max int
	// Window is how long latencies are gathered before the limit moves (100 ms).
	Window time.Duration
}

func (o AdaptiveOptions) withDefaults() AdaptiveOptions {
	setDefault(&o.Target, 15*time.Millisecond)
	setDefault(&o.Start, 64)
	setDefault(&o.Min, 8)
	setDefault(&o.Max, 1024)
	setDefault(&o.Window, 100*time.Millisecond)
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

const (
	// leastSamples keep a window open: a median of two says nothing.
	leastSamples = 8
	// mostSamples bound the memory of a window.
	mostSamples = 4096
	step        = 2   // the limit grows by this a window
	shrink      = 0.9 // and shrinks to this part of itself
)

// Adaptive finds out how much work may be under way before it only gets slower. The
// limit grows by a fixed step while it is used up and the median latency is below the
// target, and shrinks by a tenth while it is above. Without that much to do there is no
// telling what more would do, so it only comes back to where it started: a limit that a
// bad moment had left low would have no room for creates that wait for a group that hangs.
//
// The median, not a mean or a high percentile: while one group of several hangs, a
// minority of the requests is slow, and turning others away would not help them.
// Not safe for concurrent use; the Gate locks.
type Adaptive struct {
	opts    AdaptiveOptions
	limit   float64
	since   time.Time // start of the window; zero before the first sample
	samples []time.Duration
	busiest int // most under way in the window
}

// NewAdaptive starts at opts.Start.
func NewAdaptive(opts AdaptiveOptions) *Adaptive {
	opts = opts.withDefaults()
	return &Adaptive{opts: opts, limit: float64(opts.Start)}
}

// Limit is how many requests may be under way.
func (a *Adaptive) Limit() int { return int(a.limit) }

// Done tells of a request that has ended: how long it took, and how many were under
// way, itself included.
func (a *Adaptive) Done(now time.Time, took time.Duration, underWay int) {
	if a.since.IsZero() {
		a.since = now
	}
	if len(a.samples) < mostSamples {
		a.samples = append(a.samples, took)
	}
	a.busiest = max(a.busiest, underWay)
	if now.Sub(a.since) < a.opts.Window || len(a.samples) < leastSamples {
		return
	}
	slices.Sort(a.samples)
	switch median := a.samples[len(a.samples)/2]; {
	case median > a.opts.Target:
		a.limit *= shrink
	case a.busiest >= int(a.limit*0.8), a.limit < float64(a.opts.Start):
		a.limit += step
	}
	a.limit = min(max(a.limit, float64(a.opts.Min)), float64(a.opts.Max))
	a.since, a.samples, a.busiest = now, a.samples[:0], 0
}
