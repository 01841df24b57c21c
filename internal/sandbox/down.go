package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// stopTimeout is how long a server may take to end by itself before it is
// killed. A sound one needs less than a second; a replica that was told to stop
// while it started may hang for good.
const stopTimeout = 10 * time.Second

// Down stops every server of the sandbox in dir, frozen ones too, and returns
// when all have ended. Data and configuration stay for the next Up. With purge
// it then removes what Up has made, and dir itself when nothing else is in it.
// When ctx ends early the servers are killed; what they committed is on disk.
// The error is ErrNoSandbox or ErrBusy where that is the reason.
func Down(ctx context.Context, dir string, purge bool) error {
	if err := down(ctx, dir, purge); err != nil {
		return fmt.Errorf("stop sandbox in %s: %w", dir, err)
	}
	return nil
}

func down(ctx context.Context, dir string, purge bool) error {
	l, _, err := open(dir) // before the lock, which writes into dir
	if err != nil {
		return err
	}
	release, err := lock(l)
	if err != nil {
		return err
	}
	defer release()
	m, err := readMarker(l) // again: another Down may have purged it meanwhile
	if err != nil {
		return err
	}
	running, err := processesUnder(l, account{uid: m.UID, gid: m.GID})
	if err != nil {
		return err
	}
	var stops errgroup.Group // one that resists must not cut short the others
	for _, p := range running {
		stops.Go(func() error { return p.stop(ctx) })
	}
	if err := stops.Wait(); err != nil || !purge {
		return err
	}
	return remove(l)
}

// stop ends a process: asked first, and killed when it does not listen.
func (p process) stop(ctx context.Context) error {
	// SIGTERM first, so that a frozen server wakes up to it.
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGCONT} {
		if err := p.signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop process %d: %w", p.pid, err)
		}
	}
	if p.awaitEnd(ctx, stopTimeout) == nil {
		return nil
	}
	if err := p.signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill process %d: %w", p.pid, err)
	}
	if err := p.awaitEnd(context.WithoutCancel(ctx), 5*time.Second); err != nil {
		return fmt.Errorf("process %d survived SIGKILL: %w", p.pid, err)
	}
	return ctx.Err()
}

func (p process) awaitEnd(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return poll(ctx, func() (bool, error) { return !p.running(), nil })
}

// remove deletes what Up has made and nothing that others have put beside it.
// The marker goes last, so that a purge that was cut off can be repeated.
func remove(l layout) error {
	entries, err := os.ReadDir(string(l))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !own.MatchString(e.Name()) {
			continue
		}
		if err := os.RemoveAll(l.in(e.Name())); err != nil {
			return err
		}
	}
	if err := errors.Join(os.Remove(l.marker()), os.Remove(l.lock())); err != nil {
		return err
	}
	err = os.Remove(string(l))
	if errors.Is(err, syscall.ENOTEMPTY) {
		return nil // the user's own files
	}
	return err
}
