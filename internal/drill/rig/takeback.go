package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

const (
	// lockWait is how long one who undoes waits for another who does; undoTimeout
	// bounds one step, a server's start and its replicas' return included; goneTimeout
	// is for all proofs together.
	lockWait    = 2 * time.Minute
	undoTimeout = 90 * time.Second
	goneTimeout = 30 * time.Second
)

// takeBack undoes all steps of the journal at path, proves that each is gone, and marks the journal clean. It works from the journal alone, goes
// on after an error, and may be repeated. by says who undoes.
//
// The caller makes sure that the tool neither injects nor undoes meanwhile.
func takeBack(ctx context.Context, w World, now func() time.Time, path, by string) (*Journal, error) {
	wait, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	f, err := lockJournal(wait, path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // what matters is synced; it drops the lock
	if err := dropTail(f); err != nil {
		return nil, err
	}
	j, err := ReadJournal(path)
	if err != nil || j.Clean != nil {
		return j, err
	}
	done, err := j.undo(ctx, w)
	closing := &Closing{At: now(), By: by, Done: done}
	if err != nil {
		closing.Done = append(closing.Done, "failed: "+err.Error())
		return j, &RestoreError{Drill: j.Header.Drill, ByHand: j.byHand(), Err: errors.Join(err, j.add(record{Failed: closing}))}
	}
	if err := j.add(record{Clean: closing}); err != nil {
		return j, &RestoreError{Drill: j.Header.Drill, Err: err}
	}
	j.Clean = closing
	return j, nil
}

// undone lists the steps in the order in which they are undone: the newest first,
// and those that wait for replicas after all the others, which may hold them up.
func (j *Journal) undone() (steps []Step) {
	var waits []Step
	for _, s := range slices.Backward(j.Steps) {
		if s.Kind == Acks {
			waits = append(waits, s)
		} else {
			steps = append(steps, s)
		}
	}
	return append(steps, waits...)
}

func (j *Journal) undo(ctx context.Context, w World) (done []string, err error) {
	var errs []error
	for _, s := range j.undone() {
		sctx, cancel := context.WithTimeout(ctx, undoTimeout)
		said, err := s.undo(sctx, w)
		cancel()
		if err != nil {
			errs = append(errs, fmt.Errorf("%s on %s: %w", s.Fault, s.Node.Name, err))
			continue
		}
		done = append(done, said)
	}
	ctx, cancel := context.WithTimeout(ctx, goneTimeout)
	defer cancel()
	for _, s := range j.Steps {
		if err := until(ctx, func(ctx context.Context) error { return s.gone(ctx, w) }); err != nil {
			errs = append(errs, fmt.Errorf("%s on %s is not gone: %w", s.Fault, s.Node.Name, err))
		}
	}
	return done, errors.Join(errs...)
}

func (j *Journal) byHand() (all []string) {
	for _, s := range j.undone() {
		if text := s.ByHand(); text != "" {
			all = append(all, text)
		}
	}
	return all
}

// dropTail cuts off half a line, which a tool left that was killed while it wrote.
func dropTail(f interface {
	io.ReaderAt
	Truncate(int64) error
}) error {
	data, err := io.ReadAll(io.NewSectionReader(f, 0, maxJournal))
	if err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	if end := bytes.LastIndexByte(data, '\n') + 1; end < len(data) {
		return f.Truncate(int64(end))
	}
	return nil
}
