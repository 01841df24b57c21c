package result

import (
	"cmp"
	"math"
	"slices"
	"time"

	"paytool/internal/drill"
	"paytool/internal/drill/curve"
	"paytool/internal/drill/plan"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// Input is what a drill has seen.
type Input struct {
	ID      string
	Plan    plan.Plan
	Targets []shard.GroupID // that Plan.Targets has chosen

	By, Host, Tool string
	Started, Ended time.Time

	Refused    string   // the guard's word, if it said no; then nothing else is read
	Stopped    string   // what ended the drill early, if anything did
	Effectless []string // the faults that were not really there, and where

	LoadStarted time.Time
	Samples     []curve.Sample
	Events      []Event

	Verify  *drill.Verify // nil: the data was not looked at
	Settled int           // orders without an answer that were decided later
	Restore Restore       // OK also where nothing was injected

	Affected Affected
	MTTR     *time.Duration // of a promotion
}

// Build works out the result.
func Build(in Input) Result {
	events := slices.Clone(in.Events)
	slices.SortStableFunc(events, func(a, b Event) int { return a.At.Compare(b.At) })
	b := builder{Input: in, events: events}
	b.phases()
	r := Result{
		Format: Format, Title: in.Plan.Title, Environment: in.Plan.Environment,
		By: in.By, Host: in.Host, Tool: in.Tool, Started: stamp(in.Started), Ended: stamp(in.Ended),
		Settled: in.Settled, LoadStarted: stamp(in.LoadStarted),
		InjectedMs: ms(b.at.Injected), RestoredMs: ms(b.at.Restored), LoadMs: ms(b.at.End),
		Curve: curve.Measure(in.Samples, b.at, in.Targets), Timeline: []Event{},
	}
	if in.Plan.Load.Observe {
		r.Curve.DropControl()
	}
	if text, err := in.Plan.Text(); err == nil { // a plan always has one
		r.Plan = string(text)
	}
	for _, e := range events {
		e.At = stamp(e.At)
		r.Timeline = append(r.Timeline, e)
	}
	r.Summary = b.summary(&r.Curve)
	r.Checks = b.checks(&r)
	r.Reasons = b.reasons(&r)
	for _, reason := range r.Reasons {
		r.Verdict = Worst(r.Verdict, reason.Verdict)
	}
	r.Exit = r.Verdict.Exit()
	return r
}

// builder is a Build on its way.
type builder struct {
	Input
	events   []Event // by time
	at       curve.Phases
	injected bool
}

// phases finds the times of the drill. Without an injection all of the load is
// baseline.
func (b *builder) phases() {
	b.at.End = b.since(b.Ended)
	if n := len(b.Samples); n > 0 {
		b.at.End = slices.MaxFunc(b.Samples, func(x, y curve.Sample) int { return cmp.Compare(x.Due, y.Due) }).Due
		if n > 1 { // the load ends one arrival after the last one
			b.at.End += b.at.End / time.Duration(n-1)
		}
	}
	b.at.Injected, b.at.Restored = b.at.End, b.at.End
	for _, e := range b.events {
		switch {
		case e.Kind == Injected && !b.injected:
			b.injected, b.at.Injected = true, b.since(e.At)
		case e.Kind == Recovered:
			b.at.Restored = b.since(e.At)
		}
	}
	b.at.End = max(b.at.End, 0)
	b.at.Injected = min(b.at.Injected, b.at.End)
	b.at.Restored = max(b.at.Injected, min(b.at.Restored, b.at.End))
}

// since is a time from the start of the load.
func (b *builder) since(t time.Time) time.Duration {
	if b.LoadStarted.IsZero() {
		return 0
	}
	return max(0, t.Sub(b.LoadStarted))
}

func (b *builder) summary(c *curve.Curve) Summary {
	d := &c.During
	s := Summary{
		ID: b.ID, Verdict: Held, Fault: b.Plan.FaultText(), Groups: b.Targets,
		Baseline: Baseline{P50Ms: c.Baseline.P50Ms, P99Ms: c.Baseline.P99Ms, Rate: c.Baseline.Rate},
		During: During{
			Attempted: d.Attempted, Acked: d.Acked, Failed: d.Failed, Unknown: d.Unknown, Dropped: d.Dropped, Rejected: d.Rejected,
			P50Ms: d.P50Ms, P99Ms: d.P99Ms, MaxMs: d.MaxMs, Hops: d.Hops,
		},
		Affected: b.Affected, LongestGapMs: c.LongestGapMs, Restore: b.Restore,
		TimeToEjectMs: b.slowest(b.ejectTime), TimeToReadmitMs: b.slowest(b.readmitTime),
		Verify: drill.Verify{Problems: []drill.Problem{}},
	}
	if s.Groups == nil {
		s.Groups = []shard.GroupID{}
	}
	if b.MTTR != nil {
		s.MTTRMs = new(ms(*b.MTTR))
	}
	if b.Verify != nil {
		s.Verify = *b.Verify
	}
	return s
}

// slowest is the longest time over all targets; nil where one of them has none.
func (b *builder) slowest(of func(shard.GroupID) (time.Duration, bool)) *float64 {
	var longest *float64
	for _, g := range b.Targets {
		d, ok := of(g)
		if !ok {
			return nil
		}
		if longest == nil || ms(d) > *longest {
			longest = new(ms(d))
		}
	}
	return longest
}

// first is the first event of a kind in a group, from some time on. Injections and
// recoveries may be told of all groups at once.
func (b *builder) first(kind EventKind, g shard.GroupID, from time.Time) (time.Time, bool) {
	for _, e := range b.events {
		if e.Kind == kind && (e.Group == g || e.Group == 0) && !e.At.Before(from) {
			return e.At, true
		}
	}
	return time.Time{}, false
}

func (b *builder) ejectTime(g shard.GroupID) (time.Duration, bool) {
	injected, ok := b.first(Injected, g, time.Time{})
	if !ok {
		return 0, false
	}
	ejected, ok := b.first(Ejected, g, injected)
	return ejected.Sub(injected), ok
}

// readmitTime counts from the last recovery: with several faults the group has to come
// back from all of them. Where another node was promoted it counts from there: the old
// primary comes back later, and nobody waits for it.
func (b *builder) readmitTime(g shard.GroupID) (time.Duration, bool) {
	var recovered time.Time
	promoted, was := b.first(Promoted, g, time.Time{})
	for _, e := range b.events {
		if e.Kind == Recovered && (e.Group == g || e.Group == 0) {
			recovered = e.At
		}
	}
	if was {
		recovered = promoted
	}
	if _, was := b.ejectTime(g); !was || recovered.IsZero() {
		return 0, false
	}
	if !b.outAt(g, recovered) {
		return 0, true // the engine was faster than the proof
	}
	readmitted, ok := b.first(Readmitted, g, recovered)
	return readmitted.Sub(recovered), ok
}

// outAt reports whether new orders avoided a group at a time.
func (b *builder) outAt(g shard.GroupID, at time.Time) (out bool) {
	for _, e := range b.events {
		if e.Group == g && e.At.Before(at) && (e.Kind == Ejected || e.Kind == Readmitted) {
			out = e.Kind == Ejected
		}
	}
	return out
}

// stamp is a time as results have it: Beijing time, in milliseconds.
func stamp(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.In(pay.Beijing).Truncate(time.Millisecond)
}

func ms(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Millisecond)*1000) / 1000
}
