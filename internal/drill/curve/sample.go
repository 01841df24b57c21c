package curve

import (
	"math"
	"slices"
	"time"

	"paytool/internal/drill"
	"paytool/internal/shard"
)

// Dropped is the answer of an order that was due and never sent.
const Dropped drill.Answer = "dropped"

// Sample is one order of a load. Times count from the start of the load.
type Sample struct {
	Due, Done time.Duration // Done is not read of a dropped one
	Answer    drill.Answer
	Group     shard.GroupID // that took it, if it was acknowledged
	Past      shard.GroupID // the first group that it went past; 0 if it landed at once
}

// end is when the sample counts: where nothing was sent, when it was due.
func (s Sample) end() time.Duration {
	if s.Answer == Dropped {
		return s.Due
	}
	return s.Done
}

// waited reports whether the wait says something: one that was turned away at the door
// is quick and would flatter the rest, as in drill.LoadResult.
func (s Sample) waited() bool { return s.Answer != Dropped && s.Answer != drill.Rejected }

// Phases are the times of a drill, from the start of the load.
type Phases struct {
	Injected time.Duration // the first fault
	Restored time.Duration // the last one was gone
	End      time.Duration // the last order was due
}

// Stats are the orders of a part of the load. Waits are milliseconds from the moment
// an order was due, over those that were tried.
type Stats struct {
	Attempted int     `json:"attempted"`
	Acked     int     `json:"acked"`
	Failed    int     `json:"failed"`
	Unknown   int     `json:"unknown"`
	Rejected  int     `json:"rejected"`
	Dropped   int     `json:"dropped"`
	P50Ms     float64 `json:"p50_ms"`
	P99Ms     float64 `json:"p99_ms"`
	MaxMs     float64 `json:"max_ms"`
	Rate      float64 `json:"rate"` // acknowledged orders a second
	Hops      int     `json:"hops"` // acknowledged orders that went past a group
}

// Unserved is how many orders had no answer that is an order.
func (s Stats) Unserved() int { return s.Attempted - s.Acked }

// stats adds up a part of the load that took so long.
func stats(samples []Sample, took time.Duration) Stats {
	var s Stats
	var waits []time.Duration
	for _, o := range samples {
		s.Attempted++
		if o.waited() {
			waits = append(waits, o.Done-o.Due)
		}
		switch o.Answer {
		case drill.Acked:
			s.Acked++
			if o.Past != 0 {
				s.Hops++
			}
		case drill.Failed:
			s.Failed++
		case drill.Unknown:
			s.Unknown++
		case drill.Rejected:
			s.Rejected++
		case Dropped:
			s.Dropped++
		}
	}
	slices.Sort(waits)
	s.P50Ms, s.P99Ms, s.MaxMs = ms(quantile(waits, 50)), ms(quantile(waits, 99)), ms(quantile(waits, 100))
	if took > 0 {
		s.Rate = round(float64(s.Acked) / took.Seconds())
	}
	return s
}

// quantile is the smallest of the sorted waits that percent of them do not exceed.
func quantile(sorted []time.Duration, percent int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(0, (len(sorted)*percent+99)/100-1)]
}

func ms(d time.Duration) float64 { return round(float64(d) / float64(time.Millisecond)) }

// round keeps three decimals.
func round(x float64) float64 { return math.Round(x*1000) / 1000 }
