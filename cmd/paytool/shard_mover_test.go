package main

import (
	"io"
	"testing"
	"time"

	"paytool/internal/store/tagmove"
)

// TestMoverLeavesNoLongLease: a command that carries moves out and is killed is not
// waited for as an engine is that serves, for it gives no numbers out.
func TestMoverLeavesNoLongLease(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	leases := func(e *engine, in time.Duration) int {
		t.Helper()
		held, err := tagmove.Open(e.groups[0]).Instances(t.Context(), time.Now().Add(in))
		if err != nil {
			t.Fatal(err)
		}
		return len(held)
	}
	look := func(e *engine) (now, later int, err error) {
		if err := e.start(t.Context()); err != nil {
			return 0, 0, err
		}
		return leases(e, 0), leases(e, moverLease+time.Second), nil
	}
	a := &app{dir: dir, err: newStatusLine(io.Discard)}
	err := a.withEngine(t.Context(), func(e *engine) error {
		now, later, err := look(e)
		if now != 1 || later != 1 {
			t.Errorf("an engine has %d leases, and %d that last", now, later)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	err = a.withMoves(t.Context(), throttleOptions{}, func(e *engine, _ *moves) error {
		now, later, err := look(e)
		if now != 1 || later != 0 {
			t.Errorf("a command that moves has %d leases, and %d that last longer than %v", now, later, moverLease)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
