package curve

import (
	"maps"
	"slices"
	"time"

	"paytool/internal/drill"
	"paytool/internal/shard"
)

// Series is a load bin by bin. All columns are of one length.
type Series struct {
	// StartMs is the start of the first bin, from that of the load, and not after it;
	// WidthMs is that of every bin.
	StartMs float64 `json:"start_ms"`
	WidthMs float64 `json:"width_ms"`

	Acked    []int `json:"acked"`    // by the time they were done
	Unserved []int `json:"unserved"` // by the time they were done: failed, unknown, rejected or dropped
	Hopped   []int `json:"hopped"`   // acknowledged past a group, by the time they were done
	// The waits are those of the orders that fell due in the bin; 0 where there are none.
	P50Ms     []float64 `json:"p50_ms"`
	P99Ms     []float64 `json:"p99_ms"`
	ControlMs []float64 `json:"control_p99_ms"` // of the control group

	Groups []GroupSeries `json:"groups"` // sorted
}

// GroupSeries is the acknowledged orders of one group.
type GroupSeries struct {
	Group shard.GroupID `json:"group"`
	Acked []int         `json:"acked"`
}

// newSeries cuts the load into bins, from its start to its last answer.
func newSeries(samples []Sample, p Phases, width time.Duration, targets []shard.GroupID) Series {
	last := p.End
	for _, s := range samples {
		last = max(last, s.end()+1)
	}
	start := p.Injected%width - width
	if start == -width {
		start = 0
	}
	n := max(0, int((last-start+width-1)/width))
	s := Series{
		StartMs: ms(start), WidthMs: ms(width),
		Acked: make([]int, n), Unserved: make([]int, n), Hopped: make([]int, n),
		P50Ms: make([]float64, n), P99Ms: make([]float64, n), ControlMs: make([]float64, n),
	}
	groups := map[shard.GroupID][]int{}
	waits, controls := make([][]time.Duration, n), make([][]time.Duration, n)
	for _, o := range samples {
		due, done := bin(o.Due, start, width, n), bin(o.end(), start, width, n)
		if o.waited() {
			waits[due] = append(waits[due], o.Done-o.Due)
		}
		if inControl(o, targets) {
			controls[due] = append(controls[due], o.Done-o.Due)
		}
		if o.Answer != drill.Acked {
			s.Unserved[done]++
			continue
		}
		s.Acked[done]++
		if o.Past != 0 {
			s.Hopped[done]++
		}
		if groups[o.Group] == nil {
			groups[o.Group] = make([]int, n)
		}
		groups[o.Group][done]++
	}
	for i := range n {
		slices.Sort(waits[i])
		slices.Sort(controls[i])
		s.P50Ms[i], s.P99Ms[i], s.ControlMs[i] = ms(quantile(waits[i], 50)), ms(quantile(waits[i], 99)), ms(quantile(controls[i], 99))
	}
	for _, g := range slices.Sorted(maps.Keys(groups)) {
		s.Groups = append(s.Groups, GroupSeries{Group: g, Acked: groups[g]})
	}
	return s
}

// bin is where a time falls; what lies outside falls into the nearest.
func bin(at, start, width time.Duration, n int) int {
	return max(0, min(int((at-start)/width), n-1))
}
