package sim

import (
	"math"
	"math/rand/v2"
	"time"
)

// forever is a time that never comes.
const forever = time.Duration(math.MaxInt64)

// clock is the virtual time of one run, the queue of what happens next, and the
// processes. Everything of a run happens on the goroutine that calls run, one
// event after the other; events of one instant come in an order that the seed
// draws. Times are durations since the start of the run.
type clock struct {
	now     time.Duration
	chance  *rand.Rand
	queue   []event
	seq     uint64
	procs   []*proc    // started and not yet ended
	idle    []*routine // of processes that have ended
	running *proc
	events  int
	// digest folds every event that happened: two runs with one digest took the
	// same steps.
	digest uint64
	// panicked is the first panic of a process, with its stack.
	panicked string
}

// event is a process to be woken, or a function to be called.
type event struct {
	at   time.Duration
	tie  uint64 // drawn, then by sequence: the order within one instant
	do   func()
	proc *proc
	park uint64 // of proc: an event meant for an earlier wait wakes nobody
}

func newClock(chance *rand.Rand) *clock { return &clock{chance: chance} }

// after calls do when d has passed.
func (c *clock) after(d time.Duration, do func()) {
	c.push(event{at: c.now + d, do: do})
}

func (c *clock) push(e event) {
	c.seq++
	e.tie = uint64(c.chance.Uint32())<<32 | c.seq&math.MaxUint32
	c.queue = append(c.queue, e)
	for i := len(c.queue) - 1; i > 0; {
		up := (i - 1) / 2
		if !c.queue[i].before(c.queue[up]) {
			break
		}
		c.queue[i], c.queue[up] = c.queue[up], c.queue[i]
		i = up
	}
}

func (c *clock) pop() event {
	q := c.queue
	first, last := q[0], len(q)-1
	q[0], q[last] = q[last], event{}
	q = q[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if q[child].before(q[least]) {
				least = child
			}
		}
		if least == i {
			break
		}
		q[i], q[least] = q[least], q[i]
		i = least
	}
	c.queue = q
	return first
}

func (e event) before(o event) bool { return e.at < o.at || (e.at == o.at && e.tie < o.tie) }

// run lets things happen until done says so, nothing is left to happen, or the
// limit of events is reached; it reports whether it was done.
func (c *clock) run(limit int, done func() bool) bool {
	for !done() {
		if len(c.queue) == 0 || c.events >= limit || c.panicked != "" {
			return false
		}
		e := c.pop()
		if e.proc != nil && (e.proc.ended || e.proc.parks != e.park) {
			continue
		}
		c.now = e.at
		c.events++
		c.digest = (c.digest^uint64(e.at)^e.tie)*0x9e3779b97f4a7c15 + 1 //nolint:gosec // folding bits, not counting
		if e.proc != nil {
			c.resume(e.proc)
		} else {
			e.do()
		}
	}
	return true
}
