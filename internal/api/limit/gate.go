package limit

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"
)

// Class is what kind of work a request is.
type Class int

// The classes. Updates (pay, revoke, refund) have a bound of their own: they wait
// seconds for a channel, and money under way is carried on however many creates come.
const (
	Create Class = iota
	Read
	Update
	classes
)

func (c Class) String() string {
	switch c {
	case Create:
		return "create"
	case Read:
		return "read"
	case Update:
		return "update"
	case classes:
	}
	return fmt.Sprintf("class(%d)", int(c))
}

// Classes lists all classes.
func Classes() []Class { return []Class{Create, Read, Update} }

// Reason says why a request was rejected. It is a metric's label.
type Reason string

// The reasons.
const (
	QueueFull Reason = "queue_full" // too much under way, and too many wait already
	Waited    Reason = "waited"     // no place came free in time
	OverRule  Reason = "over_rule"  // a merchant, terminal or channel has had its share
)

// Rejected turns a request away before anything was done for it.
type Rejected struct {
	Reason     Reason
	RetryAfter time.Duration
	Subject    Subject // whose rule it was, where the reason is OverRule
}

func (r *Rejected) Error() string {
	if r.Reason == OverRule {
		return fmt.Sprintf("%s has had its share of new orders for now", r.Subject)
	}
	return "too many requests are under way"
}

// GateOptions set up a Gate. Zero values mean the defaults in the comments.
type GateOptions struct {
	Adaptive AdaptiveOptions
	// Patience is how long a request waits for a place (250 ms, a create's own time
	// limit). The queue is short enough that this only happens when everything stands
	// still.
	Patience time.Duration
	// Rush is how many creates may wait beyond the short queue before that is called
	// too much to do (64): as many as arrive while a disk stalls or a group hangs, so
	// that neither costs an order.
	Rush    int
	Updates int // most updates under way (512)
	Now     func() time.Time
}

// retryLater is what a rejected caller is told: a second is what the limit needs to
// follow a change.
const retryLater = time.Second

// Gate lets requests in up to a limit and keeps a short queue of those that have to
// wait. Creates go first: a read is let in only while no create waits, and reads hold
// at most half of the places. It is safe for concurrent use.
//
// The queue is first come, first served, and half as long as the limit: whoever is
// queued waits for about half the time of a create, and whoever is not is told so at
// once. Only a rush after a calm may be longer. A queue that serves the newest first
// would make the others wait only to be rejected.
type Gate struct {
	opts GateOptions

	mu       sync.Mutex
	adaptive *Adaptive
	underWay [classes]int
	waiting  [classes]list.List // of *waiter, the first to come in front
	rush     int                // creates that may still wait beyond the short queue
	pressed  time.Time          // when a create last had to wait
}

type waiter struct{ granted chan struct{} }

// NewGate opens a gate.
func NewGate(opts GateOptions) *Gate {
	setDefault(&opts.Patience, 250*time.Millisecond)
	setDefault(&opts.Rush, 64)
	setDefault(&opts.Updates, 512)
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Gate{opts: opts, adaptive: NewAdaptive(opts.Adaptive)}
}

// Pass is a place in the gate. It is given back once, with Leave.
type Pass struct {
	gate  *Gate
	class Class
	since time.Time
}

// Enter asks for a place. An error is a *Rejected, or that of ctx when the caller has
// gone while it waited.
func (g *Gate) Enter(ctx context.Context, c Class) (Pass, error) {
	g.mu.Lock()
	if g.waiting[c].Len() == 0 && g.room(c) {
		g.underWay[c]++
		g.mu.Unlock()
		return Pass{g, c, g.opts.Now()}, nil
	}
	err := g.full(c)
	if err != nil {
		g.mu.Unlock()
		return Pass{}, err
	}
	if g.waiting[c].Len() >= g.places(c) {
		g.rush--
	}
	w := &waiter{granted: make(chan struct{})}
	place := g.waiting[c].PushBack(w)
	g.mu.Unlock()
	return g.wait(ctx, c, w, place)
}

// Full rejects a request that Enter would find no place for in the queue, before it is
// even read: the cheaper a rejection, the more is left for those who are let in.
func (g *Gate) Full(c Class) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting[c].Len() == 0 && g.room(c) {
		return nil
	}
	return g.full(c)
}

// full notes that a create has to wait, and rejects a request where the queue is full.
func (g *Gate) full(c Class) error {
	if c == Create {
		now := g.opts.Now()
		if now.Sub(g.pressed) > calm {
			g.rush = g.opts.Rush
		}
		g.pressed = now
	}
	if g.waiting[c].Len() < g.places(c) || (c == Create && g.rush > 0) {
		return nil
	}
	return &Rejected{Reason: QueueFull, RetryAfter: retryLater}
}

// calm is how long no create may have waited before the next rush is one.
const calm = time.Second

func (g *Gate) wait(ctx context.Context, c Class, w *waiter, place *list.Element) (Pass, error) {
	timer := time.NewTimer(g.opts.Patience)
	defer timer.Stop()
	var err error
	select {
	case <-w.granted:
	case <-timer.C:
		err = &Rejected{Reason: Waited, RetryAfter: retryLater}
	case <-ctx.Done():
		err = ctx.Err()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil {
		select {
		case <-w.granted: // at the last moment: it is used, or would be lost
		default:
			g.waiting[c].Remove(place)
			g.grant() // reads may have waited for this create
			return Pass{}, err
		}
	}
	return Pass{g, c, g.opts.Now()}, nil
}

// places is how many of a class may wait. Updates do not: a cashier asks again.
func (g *Gate) places(c Class) int {
	if c == Update {
		return 0
	}
	return max(8, g.adaptive.Limit()/2)
}

// room reports whether one more of a class may go to work.
func (g *Gate) room(c Class) bool {
	if c == Update {
		return g.underWay[Update] < g.opts.Updates
	}
	limit := g.adaptive.Limit()
	if g.underWay[Create]+g.underWay[Read] >= limit {
		return false
	}
	return c == Create || (g.waiting[Create].Len() == 0 && g.underWay[Read] < max(1, limit/2))
}

// grant lets in whoever waits and finds room, creates first.
func (g *Gate) grant() {
	for _, c := range Classes() {
		for g.waiting[c].Len() > 0 && g.room(c) {
			w, _ := g.waiting[c].Remove(g.waiting[c].Front()).(*waiter)
			g.underWay[c]++
			close(w.granted)
		}
	}
}

// Leave gives the place back. done says that the work was done: only then does its
// time tell how busy the groups are.
func (p Pass) Leave(done bool) {
	g, now := p.gate, p.gate.opts.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.class == Create && done {
		g.adaptive.Done(now, now.Sub(p.since), g.underWay[Create]+g.underWay[Read])
	}
	g.underWay[p.class]--
	g.grant()
}

// GateStatus is a gate at one moment.
type GateStatus struct {
	Limit    int // of creates and reads together
	UnderWay map[Class]int
	Waiting  map[Class]int
}

// Status is how full the gate is now.
func (g *Gate) Status() GateStatus {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := GateStatus{Limit: g.adaptive.Limit(), UnderWay: map[Class]int{}, Waiting: map[Class]int{}}
	for _, c := range Classes() {
		s.UnderWay[c], s.Waiting[c] = g.underWay[c], g.waiting[c].Len()
	}
	return s
}
