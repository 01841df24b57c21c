package rig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"paytool/internal/whole"
)

// Files beside the journals.
const (
	lockFile = "lock" // held by the one drill that runs, and says which
	holdFile = "hold" // while it is there no drill begins
)

// Current says which drill has the lock.
type Current struct {
	Drill string   `json:"drill"`
	Who   string   `json:"who"`
	Tool  Identity `json:"tool"`
}

// Hold says who holds drills back, and since when.
type Hold struct {
	Who    string    `json:"who"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
}

// ReadHold returns the hold in force, nil if there is none.
func ReadHold(dir string) (*Hold, error) {
	data, err := os.ReadFile(filepath.Join(dir, holdFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read hold: %w", err)
	}
	var h Hold
	if err := json.Unmarshal(data, &h); err != nil {
		h = Hold{Who: "somebody", Reason: "the file says it in no known way"} // a hold that cannot be read holds
	}
	return &h, nil
}

// SetHold keeps new drills from beginning until Release.
func SetHold(dir string, h Hold) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("hold drills back: %w", err)
	}
	data, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if err := whole.WriteBytes(filepath.Join(dir, holdFile), append(data, '\n')); err != nil {
		return fmt.Errorf("hold drills back: %w", err)
	}
	return nil
}

// Release lets drills begin again, and reports whether they were held.
func Release(dir string) (bool, error) {
	err := os.Remove(filepath.Join(dir, holdFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("release drills: %w", err)
	}
	return true, whole.SyncDir(dir)
}

// Free says with ErrBusy, ErrDirty or ErrHeld why no drill may begin now, for whoever has
// much to do before Open, which looks again.
func Free(dir string) error {
	other, busy, err := FindCurrent(dir)
	if busy {
		return fmt.Errorf("%w: %s by %s, process %d; wait for it, or `paytool drill stop --all`", ErrBusy, other.Drill, other.Who, other.Tool.PID)
	}
	return errors.Join(err, checkHold(dir), checkClean(dir))
}

func checkHold(dir string) error {
	h, err := ReadHold(dir)
	if err != nil || h == nil {
		return err
	}
	return fmt.Errorf("%w by %s since %s (%s); `paytool drill stop --release` lets them begin again",
		ErrHeld, h.Who, h.At.Format(time.RFC3339), h.Reason)
}

func checkClean(dir string) error {
	dirty, err := Dirty(dir)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrDirty, err)
	case len(dirty) > 0:
		h := dirty[0].Header
		return fmt.Errorf("%w: %s (%s on groups %v, by %s); call `paytool drill recover`", ErrDirty, h.Drill, h.Fault, h.Groups, h.Who)
	}
	return nil
}

// takeLock makes this the one drill of the directory until release is called. The
// kernel drops the lock with the process, and a watchdog does not inherit it.
func takeLock(dir string, r Current) (release func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("take the lock of drills: %w", err)
	}
	if err := tryLock(f); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			other, _ := readCurrent(dir) // who it is only makes the error better
			return nil, fmt.Errorf("%w: %s by %s, process %d; wait for it, or `paytool drill stop --all`", ErrBusy, other.Drill, other.Who, other.Tool.PID)
		}
		return nil, fmt.Errorf("take the lock of drills: %w", err)
	}
	data, err := json.Marshal(r)
	if err == nil {
		err = errors.Join(f.Truncate(0), f.Sync())
	}
	if err == nil {
		_, err = f.WriteAt(append(data, '\n'), 0)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("take the lock of drills: %w", err), f.Close())
	}
	return func() { _ = f.Close() }, nil
}

func tryLock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

func readCurrent(dir string) (Current, error) {
	var r Current
	data, err := os.ReadFile(filepath.Join(dir, lockFile))
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	return r, err
}

// FindCurrent returns the drill that runs now; ok is false where none does.
func FindCurrent(dir string) (r Current, ok bool, err error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return Current{}, false, nil
	}
	if err != nil {
		return Current{}, false, fmt.Errorf("look for a running drill: %w", err)
	}
	defer f.Close() //nolint:errcheck // nothing was written; it drops the lock
	err = tryLock(f)
	switch {
	case err == nil:
		return Current{}, false, nil
	case !errors.Is(err, syscall.EWOULDBLOCK):
		return Current{}, false, fmt.Errorf("look for a running drill: %w", err)
	}
	r, err = readCurrent(dir)
	if err != nil {
		return r, true, fmt.Errorf("a drill runs, and does not say which: %w", err)
	}
	return r, true, nil
}

// lockJournal waits until nobody else undoes the journal.
func lockJournal(ctx context.Context, path string) (f *os.File, err error) {
	f, err = os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if err := until(ctx, func(context.Context) error { return tryLock(f) }); err != nil {
		return nil, errors.Join(fmt.Errorf("wait for whoever undoes %s: %w", path, err), f.Close())
	}
	return f, nil
}
