package order

import (
	"context"
	"math"
	"time"

	"paytool/internal/shard"
)

// Backlog is what one group says of the work that lies in it and that any instance can
// do.
type Backlog struct {
	// Doubts and Hops tell which groups the open doubts and due hops that lie here are
	// about, and since when the oldest waits. What belongs to tags that have moved may be
	// among it.
	Doubts, Hops map[shard.GroupID]time.Time
	// Ahead are the instances with a live lease in the group and a lower slot.
	Ahead int
}

// BacklogQuery asks a group for its Backlog.
type BacklogQuery struct {
	About []shard.GroupID // nothing is said of others
	Slot  int             // of the instance that asks
	Now   time.Time       // leases that end later are live
	Due   time.Time       // hops that are due later do not count
}

// Whichever instance comes first settles and carries on, and the others lose the
// compare-and-set. So that they do not all come at once, which costs a busy group several
// times the work, the one with the lowest slot in the group goes first, and each of the
// others waits for what is left. Nobody counts on a turn: an instance that is dead, or
// cut off from where the work leads, is made up for by the next.
const (
	turn        = 2 * time.Second
	longestWait = 3 * turn
)

// wait is how long work has to lie before an instance takes it that has others ahead.
func wait(ahead int) time.Duration { return min(time.Duration(ahead)*turn, longestWait) }

// backlog asks the holder what lies there and remembers how many instances are ahead.
func (e *Engine) backlog(ctx context.Context, holder *member, due time.Time) (Backlog, error) {
	slot := math.MaxInt32
	if lease, ok := holder.currentLease(); ok {
		slot = lease.Slot
	}
	ctx, cancel := e.env.WithTimeout(ctx, settleTimeout)
	defer cancel()
	b, err := holder.Backlog(ctx, BacklogQuery{About: e.everyGroup(), Slot: slot, Now: e.env.Now(), Due: due})
	if err == nil {
		holder.setAhead(b.Ahead)
	}
	return b, err
}

// dueSince is the time by which something must have been due for this instance to take
// it from the member.
func (e *Engine) dueSince(m *member) time.Time { return e.env.Now().Add(-wait(m.aheadOfUs())) }
