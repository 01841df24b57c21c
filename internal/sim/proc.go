package sim

import (
	"fmt"
	"iter"
	"runtime/debug"
	"slices"
	"time"
)

// life is what processes share that die together.
type life struct{ ended bool }

// proc is one process: a line of execution that hands control back whenever it
// waits.
type proc struct {
	clock   *clock
	life    *life
	f       func()
	routine *routine // nil before it has begun
	parks   uint64   // counts waits, so that an old alarm does not end a new wait
	wakes   *vctx    // whose end wakes the process early
	killed  bool
	ended   bool
}

// routine is a coroutine that runs one process after the other: a run has tens of
// thousands of short ones.
type routine struct {
	proc  *proc
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
}

func (c *clock) newRoutine() *routine {
	r := &routine{}
	r.next, r.stop = iter.Pull(func(yield func(struct{}) bool) {
		r.yield = yield
		for going := true; going; going = yield(struct{}{}) {
			r.proc.run()
			c.idle = append(c.idle, r)
		}
	})
	return r
}

// killedProc unwinds a process that was killed while it waited.
type killedProc struct{}

// spawn starts a process of a life at the present instant. A life that has ended
// starts none.
func (c *clock) spawn(l *life, f func()) {
	if l.ended {
		return
	}
	p := &proc{clock: c, life: l, f: f}
	c.procs = append(c.procs, p)
	c.wake(p, c.now)
}

func (p *proc) run() {
	defer p.end()
	p.f()
}

func (p *proc) end() {
	r := recover()
	if _, killed := r.(killedProc); r != nil && !killed && p.clock.panicked == "" {
		p.clock.panicked = fmt.Sprintf("%v\n%s", r, debug.Stack())
	}
	p.leave()
}

func (p *proc) leave() {
	p.ended = true
	if i := slices.Index(p.clock.procs, p); i >= 0 {
		p.clock.procs = slices.Delete(p.clock.procs, i, i+1)
	}
}

// resume runs a process until its next wait or its end.
func (c *clock) resume(p *proc) {
	if p.routine == nil {
		if last := len(c.idle) - 1; last >= 0 {
			p.routine, c.idle = c.idle[last], c.idle[:last]
		} else {
			p.routine = c.newRoutine()
		}
		p.routine.proc = p
	}
	before := c.running
	c.running = p
	p.routine.next()
	c.running = before
}

// wake ends the present wait of a process at a time. A wait may end early, so
// whoever waits looks again at what it waits for.
func (c *clock) wake(p *proc, at time.Duration) {
	if p != nil && !p.ended && at != forever {
		c.push(event{at: at, proc: p, park: p.parks})
	}
}

// park waits until somebody wakes the running process. A killed process never
// comes back from here.
func (c *clock) park() {
	p := c.running
	if p.killed || !p.routine.yield(struct{}{}) || p.killed {
		panic(killedProc{})
	}
	p.parks++
}

// kill ends every process of a life at its present wait, as kill -9 does. Their
// deferred calls run, on memory that nobody sees any more; a wait in them ends
// the process at once.
func (c *clock) kill(l *life) {
	l.ended = true
	for _, p := range slices.Clone(c.procs) {
		if p.life == l {
			c.killProc(p)
		}
	}
}

// killAll ends what is left of a run, and says how many processes that were.
func (c *clock) killAll() int {
	left := slices.Clone(c.procs)
	for _, p := range left {
		c.killProc(p)
	}
	for _, r := range c.idle {
		r.stop()
	}
	c.idle = nil
	return len(left)
}

func (c *clock) killProc(p *proc) {
	if p.ended {
		return
	}
	p.killed = true
	if p.routine == nil {
		p.leave() // it had not begun
		return
	}
	c.resume(p)
}
