package ledger

import (
	"errors"
	"fmt"

	"paytool/internal/recon"
)

// Errors that callers ask for.
var (
	// ErrNoLedger: the directory has no ledger, and none was to be made.
	ErrNoLedger = errors.New("there is no ledger here; `paytool recon run --ledger DIR` makes one")
	// ErrTampered: the ledger contradicts itself; nothing is written to it any more.
	ErrTampered = errors.New("the ledger was changed by something else than paytool: `paytool recon verify` names it; keep both files")
	// ErrUnknown: the ledger has no difference or proposal of that name.
	ErrUnknown = errors.New("the ledger does not have it")
	// ErrPending: the difference waits for another proposal.
	ErrPending = errors.New("another proposal about it has to be decided first")
	// ErrFourEyes: the person has proposed it himself.
	ErrFourEyes = errors.New("who proposes cannot approve: it takes a second person")
	// ErrStage: the proposal is decided already.
	ErrStage = errors.New("it is too late for that")
)

// ClosedDayError is a run that would change a closed day.
type ClosedDayError struct {
	Book     Book
	Date     string
	Recorded string // the id of the run that closed the day
	RunID    string // the id of the run that was refused
}

func (e *ClosedDayError) Error() string {
	return fmt.Sprintf("%s of %s is closed by run %s, and run %s has other inputs: find out which are right, then say why with --supersede REASON",
		e.Date, e.Book, e.Recorded, e.RunID)
}

// OpeningChangedError is a run that started from what another run has changed since.
type OpeningChangedError struct {
	Book Book
	Date string
}

func (e *OpeningChangedError) Error() string {
	return fmt.Sprintf("what %s of %s starts from was changed by another run meanwhile: run it again", e.Date, e.Book)
}

// UnfitError is an action that does not suit a difference.
type UnfitError struct {
	Action Action
	ID     recon.ID
	Why    string
}

func (e *UnfitError) Error() string { return fmt.Sprintf("%s %s: %s", e.Action, e.ID, e.Why) }

// String is the book for messages.
func (b Book) String() string {
	if b.Account == "" {
		return b.Channel
	}
	return b.Channel + "/" + b.Account
}
