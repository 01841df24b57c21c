package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/shard/mover"
	"paytool/internal/store/chunk"
)

// throttleOptions say what holds copying and comparing back for the sake of payments.
type throttleOptions struct {
	maxLag     time.Duration
	maxP99     time.Duration // of writes of one row and their commit; 0: any
	maxThreads int           // 0: any
	holdFile   string
	window     string // "02:00-06:00", Beijing time; "" is always
}

func (o *throttleOptions) flags(f *pflag.FlagSet) {
	f.DurationVar(&o.maxLag, "max-lag", time.Second, "copying waits while a replica of the target is further behind")
	f.DurationVar(&o.maxP99, "max-p99", 200*time.Millisecond, "copying waits while one in a hundred of this process's probes, each a write and its commit, takes longer; 0: never")
	f.IntVar(&o.maxThreads, "max-threads", 0, "copying waits while a primary runs more statements at a time; 0: never")
	f.StringVar(&o.holdFile, "hold-file", "", "copying waits while this file exists")
	f.StringVar(&o.window, "window", "", "copying waits outside this time of day, such as 02:00-06:00, Beijing time")
}

func (o *throttleOptions) check() error {
	switch {
	case o.maxLag < 0 || o.maxP99 < 0 || o.maxThreads < 0:
		return errors.New("--max-lag, --max-p99 and --max-threads are 0 or more")
	case o.window == "":
		return nil
	}
	_, _, err := parseWindow(o.window)
	return err
}

// parseWindow reads "02:00-06:00" as offsets from midnight. One that ends before it
// begins goes over midnight.
func parseWindow(text string) (from, to time.Duration, err error) {
	var h1, m1, h2, m2 int
	n, err := fmt.Sscanf(text, "%d:%d-%d:%d", &h1, &m1, &h2, &m2)
	from, to = time.Duration(h1)*time.Hour+time.Duration(m1)*time.Minute, time.Duration(h2)*time.Hour+time.Duration(m2)*time.Minute
	in := func(h, m int) bool { return h >= 0 && h < 24 && m >= 0 && m < 60 }
	if err != nil || n != 4 || !in(h1, m1) || !in(h2, m2) || from == to || fmt.Sprintf("%02d:%02d-%02d:%02d", h1, m1, h2, m2) != text {
		return 0, 0, fmt.Errorf("--window %q: write two times of day, such as 02:00-06:00", text)
	}
	return from, to, nil
}

// throttle is all brakes of a process. They are pulled once it is known which groups
// rows move between. Safe for concurrent use.
type throttle struct {
	mu     sync.Mutex
	brakes []mover.Brake
}

func (t *throttle) set(brakes []mover.Brake) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.brakes = brakes
}

// Hold answers with the first brake that holds.
func (t *throttle) Hold(ctx context.Context) (string, error) {
	t.mu.Lock()
	brakes := t.brakes
	t.mu.Unlock()
	for _, b := range brakes {
		if reason, err := b.Hold(ctx); reason != "" || err != nil {
			return reason, err
		}
	}
	return "", nil
}

// Ease is that of the brake that is nearest to holding.
func (t *throttle) Ease() (near float64) {
	t.mu.Lock()
	brakes := t.brakes
	t.mu.Unlock()
	for _, b := range brakes {
		if e, ok := b.(chunk.Easer); ok {
			near = max(near, e.Ease())
		}
	}
	return near
}

// writesBrake holds while a few writes are slow, and slows copying down while most of
// them are.
type writesBrake struct {
	chunk.Lag
	lately func() time.Duration
}

// slowMedian is the part of the bound on the slowest writes at which the median is as
// bad as can be: a quarter.
const slowMedian = 4

// Ease goes by the median of the last second, which follows at once what copying does.
// Before the first probe nothing is known, and copying begins as if all were slow.
func (b writesBrake) Ease() float64 {
	median := b.lately()
	if median == 0 {
		return 1
	}
	return slowMedian * float64(median) / float64(b.Most)
}

// brake sets the throttle for some runs: the cheapest brake is asked first.
func (e *engine) brake(ctx context.Context, t *throttle, o throttleOptions, groups []mover.Group, runs []mover.Run) error {
	brakes := o.local()
	for _, g := range groups {
		target := slices.ContainsFunc(runs, func(r mover.Run) bool { return r.Target == g.ID() })
		if !target && !slices.ContainsFunc(runs, func(r mover.Run) bool { return r.Source == g.ID() }) {
			continue
		}
		if o.maxP99 > 0 {
			brakes = append(brakes, writesBrake{chunk.Lag{
				What: fmt.Sprintf("the slowest in a hundred of writes to group %d takes", g.ID()), Most: o.maxP99,
				Ask: func(context.Context) (time.Duration, error) { return e.probed.p99(g.ID()), nil },
			}, func() time.Duration { return e.probed.lately(g.ID()) }})
		}
		brakes = append(brakes, lagBrake{g, o.maxLag}) // of the source too: changes are copied back to it
		if o.maxThreads > 0 {
			side, err := e.side(ctx, g.ID())
			if err != nil {
				return err
			}
			brakes = append(brakes, chunk.Threads{Side: side, Most: o.maxThreads})
		}
	}
	t.set(brakes)
	return nil
}

// local are the brakes that ask no group.
func (o *throttleOptions) local() (brakes []mover.Brake) {
	if o.holdFile != "" {
		brakes = append(brakes, chunk.FlagFile(o.holdFile))
	}
	if o.window != "" {
		from, to, err := parseWindow(o.window)
		if err != nil {
			panic(err) // check has read it
		}
		brakes = append(brakes, chunk.Window{From: from, To: to, Now: func() time.Time { return time.Now().In(pay.Beijing) }})
	}
	return brakes
}

// lagBrake holds while a group's replicas are behind, or do not say how far.
type lagBrake struct {
	group interface {
		ID() shard.GroupID
		Lag(ctx context.Context) (behind time.Duration, known bool)
	}
	most time.Duration
}

// Hold asks the group.
func (b lagBrake) Hold(ctx context.Context) (string, error) {
	switch behind, known := b.group.Lag(ctx); {
	case !known:
		return fmt.Sprintf("a replica of group %d does not say how far it is behind", b.group.ID()), nil
	case behind > b.most:
		return fmt.Sprintf("a replica of group %d is %s behind, at most %s is allowed while rows move", b.group.ID(), behind, b.most), nil
	}
	return "", nil
}
