package result

import (
	"fmt"
	"slices"
)

// Verdict is what a drill came to.
type Verdict string

// The verdicts, from the best to the worst. Refused stands alone: nothing was touched.
const (
	Held          Verdict = "held"           // the hypothesis held, the data is intact, all is restored
	Refused       Verdict = "refused"        // a guard said no
	Deviated      Verdict = "deviated"       // the curve was not as expected; data intact, restored
	Stopped       Verdict = "stopped"        // ended early; restored
	Inconclusive  Verdict = "inconclusive"   // nothing was proven: never a pass
	Broken        Verdict = "broken"         // an invariant of the data is broken
	RestoreFailed Verdict = "restore_failed" // a fault may still be in place
)

// ranked are the verdicts, each worse than those before it.
var ranked = []Verdict{Held, Refused, Deviated, Stopped, Inconclusive, Broken, RestoreFailed}

// Exit is the exit status that goes with a verdict. 1 and 2 are the program's own
// failure and wrong usage.
func (v Verdict) Exit() int {
	switch v {
	case Held:
		return 0
	case Refused:
		return 3
	case Deviated:
		return 4
	case Stopped:
		return 5
	case Broken:
		return 6
	case RestoreFailed:
		return 7
	case Inconclusive:
		return 8
	}
	return 1
}

// Worst is the verdict of several findings; without one, Held.
func Worst(verdicts ...Verdict) Verdict {
	worst := Held
	for _, v := range verdicts {
		if slices.Index(ranked, v) > slices.Index(ranked, worst) {
			worst = v
		}
	}
	return worst
}

// Code names a reason.
type Code string

// The reasons. The comment says what N of a reason counts, where it does.
const (
	NotAllowed Code = "not_allowed" // Detail is the guard's word
	NotBack    Code = "not_back"    // Detail says what is still broken

	Lost       Code = "lost"       // orders
	Doubled    Code = "doubled"    // keys
	Diverged   Code = "diverged"   // keys
	Corrupt    Code = "corrupt"    // keys
	Phantom    Code = "phantom"    // keys
	Unexpected Code = "unexpected" // keys
	Sums       Code = "sums"       // fen
	OneCopy    Code = "one_copy"   // orders

	Unread        Code = "unread"      // nodes
	DoubtsOpen    Code = "doubts_open" // doubts
	NotVerified   Code = "not_verified"
	NoLedger      Code = "no_ledger" // orders that were found
	NoEffect      Code = "no_effect" // Detail names the fault
	NotInjected   Code = "not_injected"
	NoBaseline    Code = "no_baseline"
	NothingHopped Code = "nothing_hopped"
	NoneSettled   Code = "none_settled"

	EndedEarly Code = "ended_early" // Detail says by what
	NotHeld    Code = "not_held"    // Detail is the check's code
)

// Reason is one thing that keeps a drill from being held.
type Reason struct {
	Verdict Verdict `json:"verdict"`
	Code    Code    `json:"code"`
	N       int     `json:"n"`
	Detail  string  `json:"detail"`
}

// String is the reason in one line.
func (r Reason) String() string {
	switch r.Code {
	case NotAllowed:
		return "refused: " + r.Detail
	case NotBack:
		return "not restored: " + r.Detail
	case Lost:
		return fmt.Sprintf("%d acknowledged orders are lost", r.N)
	case Doubled:
		return fmt.Sprintf("%d orders are there twice", r.N)
	case Diverged:
		return fmt.Sprintf("%d orders are not the same on all nodes of their group", r.N)
	case Corrupt:
		return fmt.Sprintf("%d orders are not as they were acknowledged", r.N)
	case Phantom:
		return fmt.Sprintf("%d orders are there though their client was told that they failed", r.N)
	case Unexpected:
		return fmt.Sprintf("%d orders are there that were never sent", r.N)
	case Sums:
		return fmt.Sprintf("the sum of the orders found is %d fen off the ledger's", r.N)
	case OneCopy:
		return fmt.Sprintf("%d orders were acknowledged while semi-sync was off", r.N)
	case Unread:
		return fmt.Sprintf("%d nodes could not be read", r.N)
	case DoubtsOpen:
		return fmt.Sprintf("%d doubts are still open", r.N)
	case NotVerified:
		return "the data was not verified"
	case NoLedger:
		return fmt.Sprintf("nobody kept a ledger: %d orders were found and held against each other, and whether any is missing cannot be told", r.N)
	case NoEffect:
		return "the fault had no effect: " + r.Detail
	case NotInjected:
		return "no fault was injected"
	case NoBaseline:
		return "no order was acknowledged before the fault"
	case NothingHopped:
		return "no order went past a broken group: nothing was avoided"
	case NoneSettled:
		return "no order without an answer was settled: the fault struck none"
	case EndedEarly:
		return "ended early: " + r.Detail
	case NotHeld:
		return "not as expected: " + r.Detail
	}
	return string(r.Code)
}

// Codes are all reasons that there are, in the order of their constants.
func Codes() []Code {
	return []Code{
		NotAllowed, NotBack,
		Lost, Doubled, Diverged, Corrupt, Phantom, Unexpected, Sums, OneCopy,
		Unread, DoubtsOpen, NotVerified, NoLedger, NoEffect, NotInjected, NoBaseline, NothingHopped, NoneSettled,
		EndedEarly, NotHeld,
	}
}
