package mover

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/shard/move"
)

// Options set up a Runner. Zero values mean the defaults in the comments.
type Options struct {
	Holder string // of leases; unique to this process
	Who    string // the person or instance, for the journal

	Lease time.Duration // how long a lease lasts without being renewed (1.5 s)
	// Fence is the time from the intent to fence to the switch, by Now (1 s). A fence
	// that takes longer is lifted.
	Fence time.Duration
	Batch int // orders of one batch of changes (200)
	// FewChanges is how many records below Compared may be left before a fence (200).
	FewChanges int64
	Brakes     []Brake

	Now   func() time.Time // monotonic (time.Now)
	Sleep func(ctx context.Context, d time.Duration) error
	Log   *slog.Logger
	// OnEvent hears what happens, for a live view and metrics; it must be fast.
	OnEvent func(Event)
	// Crash is for tests: called before and after each effect with its name, an error
	// ends the process's work there. Nil in production.
	Crash func(point string) error
}

// Event is something that happened to a run.
type Event struct {
	At       time.Time
	Run      string
	Step     move.Step
	Mark     move.Mark // "" for progress
	Note     string
	Tag      pay.Tag
	Progress Progress
	Changes  int64 // records below Compared, while they are followed
}

// Standing is where a run stands, for status and history.
type Standing struct {
	Run     Run
	Lease   Lease
	State   move.Run
	Journal []move.Entry
}

// Runner carries runs out. It is safe for use by one goroutine.
type Runner struct {
	opts    Options
	groups  map[shard.GroupID]Group
	carrier Carrier

	beat   func(context.Context) error // waits until a lease is to be renewed
	kept   map[string]bool             // runs that Pump holds and was admitted for
	fences map[string]sighting         // fences that Pump has seen, by run
	over   map[string]bool             // runs that Pump has seen the end of
}

// New makes a Runner over all groups of the config.
func New(opts Options, groups []Group, carrier Carrier) *Runner {
	r := &Runner{
		opts: opts.withDefaults(), groups: map[shard.GroupID]Group{}, carrier: carrier,
		kept: map[string]bool{}, fences: map[string]sighting{}, over: map[string]bool{},
	}
	for _, g := range groups {
		r.groups[g.ID()] = g
	}
	r.beat = func(ctx context.Context) error { return r.opts.Sleep(ctx, r.opts.Lease/3) }
	return r
}

func (o Options) withDefaults() Options {
	o.Lease = cmp.Or(o.Lease, 1500*time.Millisecond)
	o.Fence = cmp.Or(o.Fence, time.Second)
	o.Batch = cmp.Or(o.Batch, 200)
	o.FewChanges = cmp.Or(o.FewChanges, 200)
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	return o
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Until says how far Drive goes.
type Until int

// How far.
const (
	UntilDrained  Until = iota + 1 // Drain is done
	UntilSwitched                  // the reverse window is open and its first round done
	UntilEnded                     // retired, or back where it began
)
