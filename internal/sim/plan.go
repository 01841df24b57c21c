package sim

import (
	"math/rand/v2"
	"time"

	"paytool/internal/shard"
)

// plan is what is drawn for a run before it begins: its size, its load, and the
// faults and other events of its course. Each seed draws from a few kinds of
// trouble only: runs with everything at once all look alike.
type plan struct {
	groups, instances int
	horizon           time.Duration // clients arrive until then
	keys              int
	probeEvery        time.Duration
	faults            []plannedFault
	cuts              []plannedCut
	restarts          []plannedRestart
	weights           []plannedWeight
	fences            []plannedFence
	moves             []plannedMove
}

// span is a stretch of time.
type span struct{ from, to time.Duration }

func (s span) meets(o span) bool { return s.from < o.to && o.from < s.to }

type plannedFault struct {
	span
	group int // index
	kind  faultKind
	// crash ends the fault with a crash of that length instead of healing it.
	crash time.Duration
}

type plannedCut struct {
	span
	instance, group int
}

type plannedRestart struct {
	span     // down from, up again to
	instance int
	clean    bool
}

type plannedWeight struct {
	at     time.Duration
	group  int
	weight int
	state  shard.GroupState
	pilots []string
}

type plannedFence struct {
	span
	group int
}

// drawPlan draws the plan of a run.
func drawPlan(r *rand.Rand) *plan {
	p := &plan{groups: 3 + r.IntN(4), instances: 1 + r.IntN(3), keys: 50 + r.IntN(150),
		horizon:    5*time.Second + within(r, 7*time.Second),
		probeEvery: time.Duration(100+50*r.IntN(3)) * time.Millisecond,
	}
	if r.IntN(8) == 0 {
		p.horizon += within(r, 18*time.Second)
	}
	switch r.IntN(10) {
	case 0:
		p.drawFailingInserts(r)
	case 1:
		p.drawMoves(r)
	case 2:
		p.drawTagMoves(r)
	default:
		p.drawTrouble(r)
	}
	return p
}

// drawFailingInserts lets the inserts of one group fail under much load, and
// nothing else: flapping would show.
func (p *plan) drawFailingInserts(r *rand.Rand) {
	p.instances, p.keys, p.horizon = 1, 250+r.IntN(50), 9*time.Second
	p.add(plannedFault{span: span{1500 * time.Millisecond, 8500 * time.Millisecond}, group: r.IntN(p.groups),
		kind: []faultKind{faultDiskFull, faultNoColumn}[r.IntN(2)]})
}

// drawMoves lets the operator work under load; some commits take long, and that
// is all.
func (p *plan) drawMoves(r *rand.Rand) {
	p.keys = 250 + r.IntN(50)
	for g := range p.groups {
		if r.IntN(2) == 0 {
			p.add(plannedFault{span: p.drawSpan(r, time.Second, 6*time.Second), group: g, kind: faultAckLag})
		}
	}
	p.drawFences(r, 8)
	p.drawWeights(r, 3)
	if r.IntN(2) == 0 {
		p.drawRestarts(r)
	}
}

// drawTrouble mixes everything.
func (p *plan) drawTrouble(r *rand.Rand) {
	p.drawFaults(r)
	if r.IntN(4) == 0 {
		p.drawOutage(r)
	}
	if r.IntN(3) == 0 {
		p.drawCuts(r)
	}
	if r.IntN(2) == 0 {
		p.drawRestarts(r)
	}
	if r.IntN(3) == 0 {
		p.drawWeights(r, 1+r.IntN(2))
	}
	if r.IntN(3) == 0 {
		p.drawFences(r, 1+r.IntN(2))
	}
}

func within(r *rand.Rand, d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }

// drawSpan is a stretch of time that begins before the clients are through.
func (p *plan) drawSpan(r *rand.Rand, shortest, longest time.Duration) span {
	from := 500*time.Millisecond + within(r, p.horizon-500*time.Millisecond)
	return span{from, from + shortest + within(r, longest-shortest)}
}

func (p *plan) drawFaults(r *rand.Rand) {
	kinds := make([]faultKind, 1+r.IntN(4))
	for i := range kinds {
		kinds[i] = faultKinds[r.IntN(len(faultKinds))]
	}
	for range 1 + r.IntN(2*p.groups) {
		f := plannedFault{span: p.drawSpan(r, 200*time.Millisecond, 5*time.Second), group: r.IntN(p.groups), kind: kinds[r.IntN(len(kinds))]}
		if r.IntN(8) == 0 {
			f.to += within(r, 7*time.Second)
		}
		if r.IntN(5) == 0 && f.kind != faultCrash {
			f.crash = 100*time.Millisecond + within(r, 2*time.Second)
		}
		p.add(f)
	}
}

// drawOutage breaks all groups at once.
func (p *plan) drawOutage(r *rand.Rand) {
	all := p.drawSpan(r, 200*time.Millisecond, 4*time.Second)
	kind := faultKinds[r.IntN(len(faultKinds))]
	for g := range p.groups {
		p.add(plannedFault{span: all, group: g, kind: kind})
	}
}

// add plans a fault unless its group has one at that time.
func (p *plan) add(f plannedFault) {
	for _, other := range p.faults {
		if other.group == f.group && f.whole().meets(other.whole()) {
			return
		}
	}
	p.faults = append(p.faults, f)
}

// whole is the time of a fault with the crash at its end.
func (f plannedFault) whole() span { return span{f.from, f.to + f.crash} }

func (p *plan) drawCuts(r *rand.Rand) {
	instance, group := r.IntN(p.instances), r.IntN(p.groups)
	for range 1 + r.IntN(2) {
		p.cuts = append(p.cuts, plannedCut{span: p.drawSpan(r, 300*time.Millisecond, 6*time.Second), instance: instance, group: group})
	}
}

func (p *plan) drawRestarts(r *rand.Rand) {
	for i := range p.instances {
		from := time.Second
		for range r.IntN(3) {
			from += within(r, p.horizon/2)
			down := 50*time.Millisecond + within(r, 3*time.Second)
			p.restarts = append(p.restarts, plannedRestart{span: span{from, from + down}, instance: i, clean: r.IntN(3) == 0})
			from += down + 500*time.Millisecond
		}
	}
}

func (p *plan) drawWeights(r *rand.Rand, n int) {
	group := r.IntN(p.groups) // one group alone, so that two groups at least keep taking orders
	at := p.drawSpan(r, 1, 2).from
	for range n {
		w := plannedWeight{at: at, group: group, weight: []int{0, 20, 100, 400}[r.IntN(4)], state: shard.GroupActive}
		switch {
		case w.weight == 0 && r.IntN(2) == 0:
			w.weight, w.state = 100, shard.GroupDraining
		case w.weight > 0 && r.IntN(2) == 0: // a share that all merchants hardly ever have, so that nothing else leads to its keys
			w.weight, w.state, w.pilots = 400, shard.GroupJoining, [][]string{{"m0"}, {"m0", "m2"}}[r.IntN(2)]
		}
		p.weights = append(p.weights, w)
		if at = p.drawSpan(r, 1, 2).from; r.IntN(3) == 0 {
			at = w.at + within(r, 1500*time.Millisecond) // before everybody has heard of the last one
		}
	}
}

func (p *plan) drawFences(r *rand.Rand, n int) {
	for range n {
		f := plannedFence{span: p.drawSpan(r, 200*time.Millisecond, 2*time.Second), group: r.IntN(p.groups)}
		clash := false
		for _, other := range p.fences {
			clash = clash || (other.group == f.group && f.meets(other.span))
		}
		if !clash {
			p.fences = append(p.fences, f)
		}
	}
}

// alone reports whether a fault is the only trouble of its time.
func (p *plan) alone(f plannedFault) bool {
	const margin = 3 * time.Second
	around := span{f.from - margin, f.to + margin}
	for _, other := range p.faults {
		if other != f && around.meets(other.whole()) {
			return false
		}
	}
	return len(p.cuts)+len(p.restarts)+len(p.weights)+len(p.fences)+len(p.moves) == 0
}
