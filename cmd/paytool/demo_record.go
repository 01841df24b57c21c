package main

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"paytool/internal/drill"
	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// demoPhase is a part of the day: the creates that began in it.
type demoPhase struct {
	Name      string  `json:"name"`
	Attempted int     `json:"attempted"`
	Acked     int     `json:"acked"`
	Failed    int     `json:"failed"`
	Unknown   int     `json:"unknown"`
	P50Ms     float64 `json:"p50_ms"`
	P99Ms     float64 `json:"p99_ms"`
	MaxMs     float64 `json:"max_ms"`
}

// demoEvent is something that happened, with the time since the beginning.
type demoEvent struct {
	AtMs int64  `json:"at_ms"`
	Text string `json:"text"`
}

// recorder keeps the figures of a demo. Safe for concurrent use.
type recorder struct {
	mu       sync.Mutex
	began    time.Time
	spans    []span // the last one that has begun counts
	groups   map[shard.GroupID]int
	acks     []int // by half second
	happened []demoEvent
	hop      pay.OrderNo
	total    demoPhase
}

type span struct {
	from    time.Duration
	phase   demoPhase
	latency *hdrhistogram.Histogram // microseconds
}

func newRecorder() *recorder {
	return &recorder{began: time.Now(), groups: map[shard.GroupID]int{}}
}

// start begins the day with its script.
func (r *recorder) start(troubles []trouble) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.began = time.Now()
	r.spans = nil
	r.add(0, "all is well")
	for _, t := range troubles {
		r.add(t.from, t.name)
		r.add(t.to, "and is healed")
	}
}

// begin begins another part of the day now.
func (r *recorder) begin(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(time.Since(r.began), name)
}

func (r *recorder) add(from time.Duration, name string) {
	r.spans = append(r.spans, span{from: from, phase: demoPhase{Name: name}, latency: hdrhistogram.New(1, time.Hour.Microseconds(), 3)})
}

// recording is a creator whose answers are recorded.
type recording struct {
	drill.Creator
	rec *recorder
}

// Create creates and records.
func (c recording) Create(ctx context.Context, r order.Request) (order.Order, error) {
	from := time.Now()
	o, err := c.Creator.Create(ctx, r)
	c.rec.created(from, o, err)
	return o, err
}

func (r *recorder) created(from time.Time, o order.Order, err error) {
	took := time.Since(from)
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.spans[0]
	for i := range r.spans {
		if from.Sub(r.began) >= r.spans[i].from {
			s = &r.spans[i]
		}
	}
	_ = s.latency.RecordValue(min(took, time.Hour).Microseconds()) // in range by min
	answer, _ := drill.AnswerOf(err)
	for _, p := range []*demoPhase{&s.phase, &r.total} {
		p.Attempted++
		switch answer {
		case drill.Acked:
			p.Acked++
		case drill.Unknown:
			p.Unknown++
		case drill.Failed, drill.Rejected:
			p.Failed++
		}
	}
	s.phase.MaxMs = math.Max(s.phase.MaxMs, float64(took.Microseconds())/1000)
	if err != nil {
		return
	}
	r.groups[o.Group]++
	slot := int(time.Since(r.began) / (500 * time.Millisecond))
	for len(r.acks) <= slot {
		r.acks = append(r.acks, 0)
	}
	r.acks[slot]++
	if took > 100*time.Millisecond && r.hop.IsZero() {
		r.hop = o.No
	}
}

func (r *recorder) hopped() pay.OrderNo {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hop
}

func (r *recorder) event(text string) demoEvent {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := demoEvent{AtMs: time.Since(r.began).Milliseconds(), Text: text}
	r.happened = append(r.happened, e)
	return e
}

func (r *recorder) events() []demoEvent {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]demoEvent{}, r.happened...)
}

func (r *recorder) phases() []demoPhase {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]demoPhase, 0, len(r.spans))
	for _, s := range r.spans {
		p := s.phase
		p.P50Ms = float64(s.latency.ValueAtPercentile(50)) / 1000
		p.P99Ms = math.Min(float64(s.latency.ValueAtPercentile(99))/1000, p.MaxMs)
		all = append(all, p)
	}
	return all
}

// snapshot is what the live view draws.
type snapshot struct {
	since  time.Duration
	total  demoPhase
	groups map[shard.GroupID]int
	acks   []int // by half second, the last one still counting
	events []demoEvent
	till   drill.TillResult
	status []shard.Status
}

func (r *recorder) snapshot() snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := snapshot{since: time.Since(r.began), total: r.total, groups: map[shard.GroupID]int{}, acks: append([]int{}, r.acks...), events: append([]demoEvent{}, r.happened...)}
	for g, n := range r.groups {
		s.groups[g] = n
	}
	return s
}
