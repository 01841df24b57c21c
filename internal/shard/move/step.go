package move

import "slices"

// Step is one step of a run. Each can be taken again after it was taken in part or
// whole, with the same end: whoever resumes a run begins with that.
type Step string

// The steps towards the switch, in their order.
const (
	// Drain takes the source's weight away and has the source record, from here on,
	// which orders change.
	Drain Step = "drain"
	// Copy copies every chunk. A chunk that is there already stays as it is.
	Copy Step = "copy"
	// Follow copies the orders that changed, until few are left.
	Follow Step = "follow"
	// Verify compares every chunk.
	Verify Step = "verify"
	// Fence holds updates of the moving tags. From here to the switch there is a bound
	// of time, after which Unfence is the next step.
	Fence Step = "fence"
	// LastChanges copies the orders that changed until the fence was up.
	LastChanges Step = "last_changes"
	// VerifyChanged compares every order that changed since Verify began.
	VerifyChanged Step = "verify_changed"
	// Switch writes the target's claim at a new epoch, which commits the move, and then
	// the source's. Held updates go on at the target, which records what changes.
	Switch Step = "switch"
	// ReverseWindow copies what changes at the target back to the source, until
	// somebody retires the source or reverses.
	ReverseWindow Step = "reverse_window"
	// Retire deletes the tags' rows at the source. It is the one step that nothing
	// reverses, and needs consent of its own.
	Retire Step = "retire"
)

// The steps that go back.
const (
	// Unfence lifts a fence without a switch: held updates go on where they were. It is
	// taken on the way to a switch too, when the bound of time is over.
	Unfence Step = "unfence"
	// FenceBack, LastBack, VerifyBack and SwitchBack are Fence to Switch with source
	// and target changed over.
	FenceBack  Step = "fence_back"
	LastBack   Step = "last_changes_back"
	VerifyBack Step = "verify_changed_back"
	SwitchBack Step = "switch_back"
	// Discard deletes the copy at the target, of tags that the target does not own.
	Discard Step = "discard"
	// Refill gives the source its weight back and ends the recording of changes.
	Refill Step = "refill"
)

// Stop is no step: there is nothing to do but to wait for a person.
const Stop Step = ""

var forward = []Step{Drain, Copy, Follow, Verify, Fence, LastChanges, VerifyChanged, Switch, ReverseWindow, Retire}

// after is the step that follows a step of the way towards the switch.
func after(s Step) Step {
	i := slices.Index(forward, s)
	if i < 0 || i+1 == len(forward) {
		return Stop
	}
	return forward[i+1]
}

// Destructive reports whether a step deletes rows that were once the only ones.
func (s Step) Destructive() bool { return s == Retire }

// Holds reports whether updates of the moving tags wait while the step is taken.
func (s Step) Holds() bool {
	switch s {
	case Fence, LastChanges, VerifyChanged, Switch, Unfence, FenceBack, LastBack, VerifyBack, SwitchBack:
		return true
	case Stop, Drain, Copy, Follow, Verify, ReverseWindow, Retire, Discard, Refill:
	}
	return false
}
