package move

import (
	"errors"
	"fmt"
	"time"
)

// Mark is what an entry of a run's journal says.
type Mark string

// The marks.
const (
	Intent  Mark = "intent"  // the step is about to be taken
	Done    Mark = "done"    // it was taken
	Again   Mark = "again"   // it ended without its result: differences were found, or time ran out
	Reverse Mark = "reverse" // somebody wants to go back
	Consent Mark = "consent" // somebody consents to Retire, having named the plan's hash
	Pause   Mark = "pause"   // somebody wants it to wait
	Resume  Mark = "resume"  // and to go on
)

// Entry is one line of a run's journal. Seq counts from 1 without a gap: an entry is
// stored only if no other has its number, so of two who run the same move one is
// refused, and reads again.
type Entry struct {
	Seq  int64     `json:"seq"`
	At   time.Time `json:"at"`
	Who  string    `json:"who"`
	Step Step      `json:"step"` // Stop for what a person says
	Mark Mark      `json:"mark"`
	Note string    `json:"note"`
}

// Run is where a run stands: its journal, folded. It is a value; the zero value is a
// run that has not begun.
type Run struct {
	Seq  int64 `json:"seq"`  // of the last entry
	Step Step  `json:"step"` // the last that was intended
	Open bool  `json:"open"` // its end is not known

	// What may be in force: set with the intent, cleared when its reverse is done.
	Drained  bool `json:"drained"`
	Copied   bool `json:"copied"`
	Fenced   bool `json:"fenced"`
	Switched bool `json:"switched"`
	// Verified: a comparison of everything came out clean, and what changed since it
	// began is on record. Proven: so did the one under the fence that is up.
	Verified bool `json:"verified"`
	Proven   bool `json:"proven"`

	Lift      bool `json:"lift"` // the fence was up in vain and comes down next
	Reversing bool `json:"reversing"`
	Consented bool `json:"consented"`
	Paused    bool `json:"paused"`
	Ended     bool `json:"ended"` // retired, or back where it began
}

// ErrEntry means that an entry does not fit the journal so far: another process went
// on with the run. Read the journal again.
var ErrEntry = errors.New("the entry does not fit the journal of the move")

// Fold reads a journal.
func Fold(journal []Entry) (Run, error) {
	var r Run
	for _, e := range journal {
		next, err := r.With(e)
		if err != nil {
			return r, err
		}
		r = next
	}
	return r, nil
}

// Next is the step to take: the open one again, or the one that follows. Stop means
// that a person has the word: the run is paused, or has ended.
func (r Run) Next() Step {
	switch {
	case r.Ended, r.Paused && !r.Fenced:
		return Stop
	case r.Open && (!r.Reversing || !r.Step.abandoned()):
		return r.Step
	case r.Lift:
		return Unfence
	case r.Reversing:
		return r.back()
	}
	return r.onward()
}

// onward is the step after the last one on the way to the switch.
func (r Run) onward() Step {
	switch r.Step {
	case Stop:
		return Drain
	case Unfence:
		return Follow
	case Follow:
		if r.Verified {
			return Fence
		}
		return Verify
	case ReverseWindow:
		if !r.Consented {
			return ReverseWindow // changes go on being copied
		}
		return Retire
	case Drain, Copy, Verify, Fence, LastChanges, VerifyChanged, Switch:
		return after(r.Step)
	case Retire, FenceBack, LastBack, VerifyBack, SwitchBack, Discard, Refill:
	}
	return Stop
}

// back is the next step of the way back: what may be in force is taken out of force,
// the last first.
func (r Run) back() Step {
	switch {
	case r.Switched:
		return r.switchBack()
	case r.Fenced:
		return Unfence
	case r.Copied:
		return Discard
	case r.Drained:
		return Refill
	}
	return Stop
}

func (r Run) switchBack() Step {
	switch r.Step {
	case Unfence:
		return ReverseWindow // the changes that were let through meanwhile
	case FenceBack:
		return LastBack
	case LastBack:
		return VerifyBack
	case VerifyBack:
		return SwitchBack
	case Stop, Drain, Copy, Follow, Verify, Fence, LastChanges, VerifyChanged, Switch, ReverseWindow, Retire, SwitchBack, Discard, Refill:
	}
	return FenceBack
}

// abandoned reports whether a step that is under way may be left for the way back.
// The switches may not: what they did is not known.
func (s Step) abandoned() bool {
	switch s {
	case Drain, Copy, Follow, Verify, Fence, LastChanges, VerifyChanged:
		return true
	case Stop, Switch, ReverseWindow, Retire, Unfence, FenceBack, LastBack, VerifyBack, SwitchBack, Discard, Refill:
	}
	return false
}

// Recover is Next for a process that finds a run which it did not begin. A fence that
// its maker left behind is lifted first, as updates wait at it for nobody knows how
// long, unless a switch was intended: that is finished.
func (r Run) Recover() Step {
	committing := r.Open && (r.Step == Switch || r.Step == SwitchBack)
	if r.Fenced && !committing {
		return Unfence
	}
	return r.Next()
}

// With adds an entry. An entry that cannot follow is refused with ErrEntry.
func (r Run) With(e Entry) (Run, error) {
	if e.Seq != r.Seq+1 {
		return r, fmt.Errorf("%w: it has number %d after %d", ErrEntry, e.Seq, r.Seq)
	}
	r.Seq = e.Seq
	switch e.Mark {
	case Intent:
		return r.intend(e.Step)
	case Done, Again:
		if !r.Open || e.Step != r.Step {
			return r, fmt.Errorf("%w: %s of %s, which is not under way", ErrEntry, e.Mark, e.Step)
		}
		r.Open = false
		if e.Mark == Again {
			return r.again()
		}
		return r.done(), nil
	case Reverse, Consent, Pause, Resume:
		return r.said(e.Mark)
	}
	return r, fmt.Errorf("%w: no mark is called %q", ErrEntry, e.Mark)
}

// intend allows what Next or Recover names and nothing else, and looks once more
// before a switch: whatever way led there, both comparisons must have come out clean.
func (r Run) intend(s Step) (Run, error) {
	if s == Stop || (s != r.Next() && s != r.Recover()) {
		return r, fmt.Errorf("%w: %s is not what follows %q", ErrEntry, s, r.Step)
	}
	switches := s == Switch && !r.Verified || s == Switch && !r.Proven || s == SwitchBack && !r.Proven
	if again := r.Open && r.Step == s; switches && !again {
		return r, fmt.Errorf("%w: %s without a clean comparison", ErrEntry, s)
	}
	r.Step, r.Open = s, true
	switch s {
	case Drain:
		r.Drained = true
	case Copy:
		r.Copied, r.Verified = true, false
	case Verify:
		r.Verified = false
	case Fence, FenceBack:
		r.Fenced, r.Proven = true, false
	case LastChanges, VerifyChanged, LastBack, VerifyBack:
		r.Proven = false
	case Switch:
		r.Switched = true
	case Stop, Follow, ReverseWindow, Retire, Unfence, SwitchBack, Discard, Refill:
	}
	return r, nil
}

func (r Run) done() Run {
	switch r.Step {
	case Verify:
		r.Verified = true
	case VerifyChanged, VerifyBack:
		r.Proven = true
	case Switch, Unfence:
		r.Fenced, r.Proven, r.Lift = false, false, false
	case SwitchBack:
		r.Fenced, r.Proven, r.Switched, r.Verified = false, false, false, false
	case Discard:
		r.Copied, r.Verified = false, false
	case Refill:
		r.Drained, r.Ended = false, true
	case Retire:
		r.Ended = true
	case Stop, Drain, Copy, Follow, Fence, LastChanges, ReverseWindow, FenceBack, LastBack:
	}
	return r
}

// again says where a step without result leads. Under a fence the answer is always to
// lift it; the run tries once more from outside.
func (r Run) again() (Run, error) {
	switch r.Step {
	case Copy, Follow, Verify:
		// Copying again mends what a comparison found, as the source is the truth.
		r.Step, r.Verified = Drain, false
	case Fence, LastChanges, FenceBack, LastBack, VerifyBack:
		r.Lift, r.Proven = true, false
	case VerifyChanged:
		// An order that differs although it was followed puts all others in question.
		r.Lift, r.Proven, r.Verified = true, false, false
	case Stop, Drain, Switch, ReverseWindow, Retire, Unfence, SwitchBack, Discard, Refill:
		return r, fmt.Errorf("%w: %s ends only when it is done", ErrEntry, r.Step)
	}
	return r, nil
}

func (r Run) said(m Mark) (Run, error) {
	switch {
	case r.Ended:
		return r, fmt.Errorf("%w: the move has ended", ErrEntry)
	case m == Pause:
		r.Paused = true
	case m == Resume:
		r.Paused = false
	case r.Step == Retire:
		return r, fmt.Errorf("%w: the source is being retired, nothing changes that", ErrEntry)
	case m == Reverse:
		r.Reversing, r.Consented, r.Paused = true, false, false
		r.Ended = r.Step == Stop // nothing was begun
	case r.Reversing || r.Step != ReverseWindow:
		return r, fmt.Errorf("%w: only the reverse window of a switched move can be ended by retiring its source", ErrEntry)
	default:
		r.Consented = true
	}
	return r, nil
}
