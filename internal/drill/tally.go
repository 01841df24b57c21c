package drill

import (
	"math"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// LoadResult is what became of the orders of a load, as `paytool load -o json`
// prints it: Attempted is the sum of the five counts after it. Latencies are
// milliseconds from the moment an order was due to its answer, over what was
// tried: rejected orders are quick and would flatter them, dropped ones have none.
type LoadResult struct {
	Attempted int     `json:"attempted"` // arrivals that fell due
	Acked     int     `json:"acked"`     // an order came back
	Failed    int     `json:"failed"`    // surely not committed
	Unknown   int     `json:"unknown"`   // an order may exist
	Dropped   int     `json:"dropped"`   // never sent: no place under way, or no ledger to hold them
	Rejected  int     `json:"rejected"`  // refused before anything was tried
	P50Ms     float64 `json:"p50_ms"`
	P99Ms     float64 `json:"p99_ms"`
	MaxMs     float64 `json:"max_ms"`
	// RejectedP99Ms is how long the rejected ones took to hear so, from the moment they
	// were sent: that a busy machine sent them late is not the engine's doing.
	RejectedP99Ms float64 `json:"rejected_p99_ms"`
	// Rate is acked orders a second, up to the last answer.
	Rate float64 `json:"rate"`
}

// maxLatency bounds the histogram; a longer wait counts as this long.
const maxLatency = time.Hour

// tally counts what becomes of the orders of a load. Safe for concurrent use.
type tally struct {
	start time.Time

	mu      sync.Mutex
	counts  LoadResult              // its figures of time are filled in by result
	latency *hdrhistogram.Histogram // microseconds, of what was tried
	refusal *hdrhistogram.Histogram // of what was rejected
	longest time.Duration
	last    time.Time // of the last answer
}

func newTally(start time.Time) *tally {
	return &tally{start: start, last: start, latency: newHistogram(), refusal: newHistogram()}
}

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, maxLatency.Microseconds(), 3)
}

func (t *tally) arrived() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.Attempted++
}

func (t *tally) dropped() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.Dropped++
}

// answered counts what was due and sent at these times and answered at another one.
func (t *tally) answered(a Answer, due, sent, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at.After(t.last) {
		t.last = at
	}
	switch a {
	case Acked:
		t.counts.Acked++
	case Unknown:
		t.counts.Unknown++
	case Failed:
		t.counts.Failed++
	case Rejected:
		t.counts.Rejected++
		record(t.refusal, at.Sub(sent))
		return
	}
	took := at.Sub(due)
	t.longest = max(t.longest, took)
	record(t.latency, took)
}

func record(h *hdrhistogram.Histogram, took time.Duration) {
	_ = h.RecordValue(max(0, min(took, maxLatency)).Microseconds()) // in range by min
}

// result is the figures so far. sending says how long a number of arrivals takes:
// a run is never shorter than that, or its rate would come out too high.
func (t *tally) result(sending func(arrivals int) time.Duration) LoadResult {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.counts
	r.P50Ms = percentile(t.latency, 50)
	r.P99Ms = percentile(t.latency, 99)
	r.RejectedP99Ms = percentile(t.refusal, 99)
	r.MaxMs = inMs(t.longest)
	r.P99Ms = min(r.P99Ms, r.MaxMs) // the histogram rounds up
	r.P50Ms = min(r.P50Ms, r.MaxMs)
	if elapsed := max(t.last.Sub(t.start), sending(r.Attempted)); elapsed > 0 {
		r.Rate = round(float64(r.Acked) / elapsed.Seconds())
	}
	return r
}

func percentile(h *hdrhistogram.Histogram, p float64) float64 {
	return inMs(time.Duration(h.ValueAtPercentile(p)) * time.Microsecond)
}

func inMs(d time.Duration) float64 { return round(float64(d) / float64(time.Millisecond)) }

// round keeps three decimals.
func round(x float64) float64 { return math.Round(x*1000) / 1000 }
