package curve

import (
	"math"
	"slices"
	"time"
)

// Figures say how smooth a curve is at one width of bins, from the injection to the
// end of the load. Without a baseline all are zero.
type Figures struct {
	WidthMs  float64 `json:"width_ms"`
	Median   float64 `json:"median"`    // acknowledged orders of a bin of the baseline
	MAD      float64 `json:"mad"`       // their median absolute deviation, at least 2 % of the median
	DipDepth float64 `json:"dip_depth"` // goodput of the worst bin / median: 1 is no dip, 0 is nothing at all
	// DipArea is the orders that came late: what the bins below the band lack against
	// the median.
	DipArea float64 `json:"dip_area"`
	// RecoveryMs is from the injection until the goodput was back in the band, and
	// stayed there for a second: 0 if it never left, null if it did not come back.
	RecoveryMs *float64 `json:"recovery_ms"`
	Spike      float64  `json:"spike"` // goodput of the best bin / median
}

const (
	bandWidth   = 3    // MADs
	leastSpread = 0.02 // of the median
	// leastBand is the least width of the band, in orders: a wait that
	// crosses a boundary takes one from a bin, and by turns two.
	leastBand = 2
)

func figures(s Series, p Phases) Figures {
	f := Figures{WidthMs: s.WidthMs}
	width := time.Duration(s.WidthMs * float64(time.Millisecond))
	injected := int((p.Injected + width - 1) / width) // that many bins begin before it
	before := s.Acked[:min(injected, len(s.Acked))]
	if p.Injected%width != 0 && len(before) > 0 {
		before = before[1:] // begins before the load does
	}
	f.Median = median(before)
	if f.Median == 0 {
		return f
	}
	f.MAD = max(spread(before, f.Median), leastSpread*f.Median)
	whole := injected + int((p.End-p.Injected)/width)
	f.shape(s.Acked[min(injected, len(s.Acked)):min(whole, len(s.Acked))], width)
	f.MAD = round(f.MAD)
	return f
}

// shape judges the bins from the injection on.
func (f *Figures) shape(acked []int, width time.Duration) {
	if len(acked) == 0 {
		return
	}
	floor := f.Median - max(bandWidth*f.MAD, leastBand)
	f.DipDepth = round(float64(slices.Min(acked)) / f.Median)
	f.Spike = round(float64(slices.Max(acked)) / f.Median)
	for _, n := range acked {
		if float64(n) < floor {
			f.DipArea += f.Median - float64(n)
		}
	}
	f.DipArea = round(f.DipArea)
	if back, ok := recovered(acked, floor, int(time.Second/width)); ok {
		f.RecoveryMs = new(ms(time.Duration(back) * width))
	}
}

// recovered is the bin with which, after the first one below the floor, a steady run
// of bins at or above it begins.
func recovered(acked []int, floor float64, steady int) (bin int, ok bool) {
	first := slices.IndexFunc(acked, func(n int) bool { return float64(n) < floor })
	if first < 0 {
		return 0, true
	}
	run := 0
	for i := first; i < len(acked); i++ {
		run++
		if float64(acked[i]) < floor {
			run = 0
		}
		if run == steady {
			return i + 1 - steady, true
		}
	}
	return 0, false
}

// median is the middle of the values, 0 of none.
func median[T int | float64](values []T) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (float64(sorted[(n-1)/2]) + float64(sorted[n/2])) / 2
}

// spread is the median absolute deviation.
func spread(values []int, middle float64) float64 {
	off := make([]float64, len(values))
	for i, v := range values {
		off[i] = math.Abs(float64(v) - middle)
	}
	return median(off)
}
