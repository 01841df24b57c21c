package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// Recover takes back what earlier drills left, from their journals alone, the
// newest first, and returns the journals that it settled. Where nothing is left it
// returns none. A drill that still runs is an error, ErrBusy: Stop ends it.
func Recover(ctx context.Context, dir string, w World, now func() time.Time, by string) ([]*Journal, error) {
	if r, ok, err := FindCurrent(dir); err != nil {
		return nil, err
	} else if ok {
		return nil, fmt.Errorf("%w: %s by %s, process %d; it takes back what it did, `paytool drill stop --all` ends it now", ErrBusy, r.Drill, r.Who, r.Tool.PID)
	}
	dirty, readErr := Dirty(dir)
	var settled []*Journal
	var errs []error
	if readErr != nil {
		errs = append(errs, &RestoreError{Drill: "of a journal that cannot be read", Err: readErr})
	}
	for i := len(dirty) - 1; i >= 0; i-- {
		j, err := takeBack(ctx, w, now, dirty[i].Path, by)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		settled = append(settled, j)
	}
	return settled, errors.Join(errs...)
}

// stopPatience is how long a drill may take to end by itself: it starts servers
// again and waits for their replicas.
const stopPatience = 2 * time.Minute

// Stop ends the drill that runs, if one does, and takes back what is left of any.
// It asks first, and ends a drill that does not listen. Whoever wants no new one to
// begin sets a hold before.
func Stop(ctx context.Context, dir string, w World, now func() time.Time, by string) (stopped *Current, settled []*Journal, err error) {
	r, ok, err := FindCurrent(dir)
	if err != nil {
		return nil, nil, err
	}
	if ok {
		stopped = &r
		if err := end(ctx, dir, w, r.Tool); err != nil {
			return stopped, nil, fmt.Errorf("stop drill %s: %w", r.Drill, err)
		}
	}
	settled, err = Recover(ctx, dir, w, now, by)
	return stopped, settled, err
}

func end(ctx context.Context, dir string, w World, tool Identity) error {
	// A suspended process takes the signal when it goes on.
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGCONT} {
		if err := w.Signal(tool, sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
	}
	patience, cancel := context.WithTimeout(ctx, stopPatience)
	defer cancel()
	free := func(context.Context) error {
		if _, ok, err := FindCurrent(dir); err != nil || ok {
			return errors.Join(err, fmt.Errorf("process %d does not end", tool.PID))
		}
		return nil
	}
	err := until(patience, free)
	if err == nil || ctx.Err() != nil {
		return err
	}
	if err := w.Signal(tool, syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	short, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return until(short, free)
}
