package curve

import (
	"cmp"
	"slices"
	"time"

	"paytool/internal/drill"
	"paytool/internal/shard"
)

// Curve is all that the orders of a load say about a drill.
type Curve struct {
	// An order that was under way at the injection belongs to During; one that fell due
	// after the last recovery, to After.
	Baseline Stats   `json:"baseline"`
	During   Stats   `json:"during"`
	After    Stats   `json:"after"`
	Control  Control `json:"control"`

	// LongestGapMs is the longest time without an acknowledged order, from the injection
	// to the end of the load; GapAtMs is where it began, from the start of the load.
	LongestGapMs float64  `json:"longest_gap_ms"`
	GapAtMs      float64  `json:"gap_at_ms"`
	TimeToHopMs  *float64 `json:"time_to_hop_ms"` // null: no order went past a target
	HoppedShare  float64  `json:"hopped_share"`   // of the acknowledged orders of During, 0 to 1

	Second Figures  `json:"second"`
	Tenth  *Figures `json:"tenth"` // null where a tenth has too few orders to say anything

	Flows   []Flow `json:"flows"`
	Seconds Series `json:"seconds"`
	Tenths  Series `json:"tenths"`
}

// Control is the control group, in the same seconds as the rest.
type Control struct {
	Baseline Stats `json:"baseline"`
	During   Stats `json:"during"`
}

// DropControl takes the control group out, where nobody knows which order had which
// wait.
func (c *Curve) DropControl() {
	c.Control = Control{}
	clear(c.Seconds.ControlMs)
	clear(c.Tenths.ControlMs)
}

// Flow counts acknowledged orders that went past From, the first group that they did
// not land in, and landed in To. Those that went past nobody have From 0.
type Flow struct {
	From   shard.GroupID `json:"from"`
	To     shard.GroupID `json:"to"`
	Orders int           `json:"orders"`
}

// leastInBin is how many orders a bin needs, in the median, before its ups and downs
// are more than chance.
const leastInBin = 10

// Measure works out the curve of a load. targets are the groups that were broken. The
// samples may come in any order.
func Measure(samples []Sample, p Phases, targets []shard.GroupID) Curve {
	baseline, during, after := p.split(samples)
	var c Curve
	c.Baseline, c.During, c.After = stats(baseline, p.Injected), stats(during, p.Restored-p.Injected), stats(after, p.End-p.Restored)
	if c.During.Acked > 0 {
		c.HoppedShare = round(float64(c.During.Hops) / float64(c.During.Acked))
	}
	c.Control.Baseline = stats(control(baseline, targets), p.Injected)
	c.Control.During = stats(control(during, targets), p.Restored-p.Injected)

	acks := ackedAt(samples)
	c.gap(acks, p)
	c.TimeToHopMs = timeToHop(samples, p, targets)
	c.Flows = flows(samples)

	c.Seconds, c.Tenths = newSeries(samples, p, time.Second, targets), newSeries(samples, p, time.Second/10, targets)
	c.Second = figures(c.Seconds, p)
	if tenth := figures(c.Tenths, p); tenth.Median >= leastInBin {
		c.Tenth = &tenth
	}
	return c
}

// split tells the parts of a load.
func (p Phases) split(samples []Sample) (baseline, during, after []Sample) {
	for _, s := range samples {
		switch {
		case s.end() < p.Injected:
			baseline = append(baseline, s)
		case s.Due < p.Restored:
			during = append(during, s)
		default:
			after = append(after, s)
		}
	}
	return baseline, during, after
}

func control(samples []Sample, targets []shard.GroupID) []Sample {
	var in []Sample
	for _, s := range samples {
		if inControl(s, targets) {
			in = append(in, s)
		}
	}
	return in
}

func inControl(s Sample, targets []shard.GroupID) bool {
	return s.Answer == drill.Acked && s.Past == 0 && !slices.Contains(targets, s.Group)
}

// ackedAt is when orders were acknowledged, sorted.
func ackedAt(samples []Sample) []time.Duration {
	var at []time.Duration
	for _, s := range samples {
		if s.Answer == drill.Acked {
			at = append(at, s.Done)
		}
	}
	slices.Sort(at)
	return at
}

// gap finds the longest gap. The one under way at the injection began with it, and the
// end of the load ends the last one.
func (c *Curve) gap(acks []time.Duration, p Phases) {
	last := p.Injected
	longest, at := time.Duration(0), p.Injected
	for _, ack := range append(acks, p.End) {
		ack = min(ack, p.End)
		if ack-last > longest {
			longest, at = ack-last, last
		}
		last = max(last, ack)
	}
	c.LongestGapMs, c.GapAtMs = ms(longest), ms(at)
}

func timeToHop(samples []Sample, p Phases, targets []shard.GroupID) *float64 {
	var first *time.Duration
	for _, s := range samples {
		if s.Answer == drill.Acked && slices.Contains(targets, s.Past) && s.Done >= p.Injected && (first == nil || s.Done < *first) {
			first = new(s.Done)
		}
	}
	if first == nil {
		return nil
	}
	return new(ms(*first - p.Injected))
}

// flows is the hop matrix, sorted.
func flows(samples []Sample) []Flow {
	type way struct{ from, to shard.GroupID }
	counts := map[way]int{}
	for _, s := range samples {
		if s.Answer == drill.Acked {
			counts[way{s.Past, s.Group}]++
		}
	}
	all := make([]Flow, 0, len(counts))
	for w, n := range counts {
		all = append(all, Flow{From: w.from, To: w.to, Orders: n})
	}
	slices.SortFunc(all, func(a, b Flow) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
	return all
}
