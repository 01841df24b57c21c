package rig

import (
	"errors"
	"fmt"
	"strings"

	"paytool/internal/drill/fault"
)

var (
	// ErrRefused says that a drill did not begin, for a reason that its text gives;
	// nothing was touched. ErrBusy, ErrDirty and ErrHeld are such reasons.
	ErrRefused = errors.New("the drill is refused")
	// ErrBusy says that another drill runs on this machine.
	ErrBusy = fmt.Errorf("%w: another drill runs", ErrRefused)
	// ErrDirty says that an earlier drill may have left a fault behind.
	ErrDirty = fmt.Errorf("%w: an earlier drill is not repaired", ErrRefused)
	// ErrHeld says that somebody holds drills back.
	ErrHeld = fmt.Errorf("%w: drills are held back", ErrRefused)

	// ErrStopped says that a drill ended before its time; what it had injected is
	// taken back unless a RestoreError comes with it.
	ErrStopped = errors.New("the drill was stopped")
)

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrRefused}, args...)...)
}

// NoEffectError says that a fault was injected and could not be measured: the
// drill is inconclusive, whatever else it shows.
type NoEffectError struct {
	Fault fault.Fault
	Group int
	Seen  error // what was measured instead
}

func (e *NoEffectError) Error() string {
	return fmt.Sprintf("%s has no effect on group %d: %v; the drill shows nothing", e.Fault, e.Group, e.Seen)
}

// Unwrap is what was measured.
func (e *NoEffectError) Unwrap() error { return e.Seen }

// RestoreError says that a fault may still be there.
type RestoreError struct {
	Drill  string
	ByHand []string // what a person would have to do
	Err    error
}

func (e *RestoreError) Error() string {
	text := fmt.Sprintf("take back drill %s: %v; call `paytool drill recover`", e.Drill, e.Err)
	if len(e.ByHand) > 0 {
		text += ", or by hand: " + strings.Join(e.ByHand, "; ")
	}
	return text
}

// Unwrap is why it could not be taken back.
func (e *RestoreError) Unwrap() error { return e.Err }
