package order

import (
	"errors"
	"fmt"

	"paytool/internal/shard"
)

// Outcome is what became of a transaction.
type Outcome int

// The three outcomes (hop design, rule 1). There is no fourth: what is not known
// is Unknown, never failed and never done.
const (
	Committed Outcome = iota + 1
	NotCommitted
	Unknown
)

func (o Outcome) String() string {
	switch o {
	case Committed:
		return "committed"
	case NotCommitted:
		return "not_committed"
	case Unknown:
		return "unknown"
	}
	return fmt.Sprintf("outcome(%d)", int(o))
}

// Fault is what a group answered instead of doing what it was asked. Every error
// of a Group or Tx is one, or one of the sentinels below wrapped.
type Fault struct {
	Outcome Outcome // NotCommitted or Unknown
	// Cause is what the fault says about the group's health, "" for nothing (a
	// deadlock, a lock wait, a cancelled caller).
	Cause shard.Cause
	Err   error
}

func (f *Fault) Error() string {
	if f.Cause == "" {
		return fmt.Sprintf("%s: %v", f.Outcome, f.Err)
	}
	return fmt.Sprintf("%s (%s): %v", f.Outcome, f.Cause, f.Err)
}

func (f *Fault) Unwrap() error { return f.Err }

// Business errors: the group is well and says no. They never count against it,
// and nothing was committed.
var (
	// ErrDuplicateNo: the order number is taken. Take the next one.
	ErrDuplicateNo = errors.New("order number is taken")
	// ErrDuplicateKey: a live row has this key and attempt.
	ErrDuplicateKey = errors.New("key is taken")
	// ErrRefusedValue: a value does not fit its column, or is null.
	ErrRefusedValue = errors.New("value does not fit")
	// ErrNotFound: no such row.
	ErrNotFound = errors.New("no such order")
	// ErrNotOwned: the group does not own the order's tag (any more), or takes no writes
	// for it now. It comes in a Fault that says NotCommitted. Read the topology and ask
	// again.
	ErrNotOwned = errors.New("the group does not own the tag now")
	// ErrLeaseLost: the instance's row belongs to somebody else now.
	ErrLeaseLost = errors.New("lease is lost")
)

// outcomeOf reads the outcome of a transaction from its error.
func outcomeOf(err error) Outcome {
	if err == nil {
		return Committed
	}
	var f *Fault
	if errors.As(err, &f) {
		return f.Outcome
	}
	for _, business := range []error{ErrDuplicateNo, ErrDuplicateKey, ErrRefusedValue, ErrNotFound, ErrLeaseLost} {
		if errors.Is(err, business) {
			return NotCommitted
		}
	}
	return Unknown
}

// causeOf is what an error says about the group's health, "" for nothing.
func causeOf(err error) shard.Cause {
	var f *Fault
	if errors.As(err, &f) {
		return f.Cause
	}
	return ""
}
