package order

import (
	"errors"
	"sync"
	"time"

	"paytool/internal/pay"
)

// errClockBack means that the clock went back behind a second in which numbers
// were given out already.
var errClockBack = errors.New("the clock went back")

// errSequenceFull means that the numbers of this second are used up.
var errSequenceFull = errors.New("the sequence of this second is full")

// sequencer gives out blocks of sequence numbers, unique within a second of this
// instance. Safe for concurrent use.
type sequencer struct {
	mu     sync.Mutex
	second int64
	next   int
}

// block reserves n consecutive numbers of the second of now.
func (s *sequencer) block(now time.Time, n int) (numbers, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch second := now.Unix(); {
	case second < s.second:
		return numbers{}, errClockBack
	case second > s.second:
		s.second, s.next = second, 0
	}
	if s.next+n > pay.MaxSequence+1 {
		return numbers{}, errSequenceFull
	}
	s.next += n
	return numbers{second: s.second, low: s.next - n, next: s.next - 1}, nil
}

// last is the last second in which a number was given out, 0 for none.
func (s *sequencer) last() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.second
}

// numbers are the order numbers of one request. They go downwards: the number of
// a later try is lower than that of an earlier one, so the order that is
// acknowledged after a hop is the one that the rule of twins keeps ("the lower
// stays"), and the try in doubt is the one that goes.
type numbers struct {
	second    int64
	low, next int
}

// errNumbersUsed means that a request used up its block.
var errNumbersUsed = errors.New("the numbers of this request are used up")

// take gives the next number for a group in which the instance holds a lease.
func (n *numbers) take(l Lease, tag pay.Tag, width int) (pay.OrderNo, error) {
	if n.second <= l.Floor || n.second > l.High {
		return pay.OrderNo{}, errNoLease
	}
	if n.next < n.low {
		return pay.OrderNo{}, errNumbersUsed
	}
	n.next--
	return pay.NewOrderNo(time.Unix(n.second, 0), l.Slot, n.next+1, tag, width)
}

// errNoLease means that the instance may not issue numbers in the group now.
var errNoLease = errors.New("no lease for this second in the group")
