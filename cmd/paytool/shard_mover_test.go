package main

import (
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"paytool/internal/order"
	"paytool/internal/store"
	"paytool/internal/store/tagmove"
)

// TestMoverLeavesNoLongLease: a command that carries moves out and is killed is not
// waited for as an engine is that serves, for it gives no numbers out.
func TestMoverLeavesNoLongLease(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// leases are the most that a group holds: on a busy machine one may be out for a moment.
	leases := func(e *engine, in time.Duration) (most int) {
		t.Helper()
		for _, g := range e.groups {
			held, err := tagmove.Open(g).Instances(t.Context(), time.Now().Add(in))
			if err != nil {
				t.Fatal(err)
			}
			most = max(most, len(held))
		}
		return most
	}
	look := func(e *engine) (later int, err error) {
		if err := e.start(t.Context()); err != nil {
			return 0, err
		}
		// An engine starts with the first group that is ready; the others may have no tables yet.
		ready := func() bool {
			return !slices.ContainsFunc(e.groups, func(g *store.Group) bool { return !e.Fleet().Admitted(g.ID()) })
		}
		for !ready() || leases(e, 0) == 0 {
			if err := (order.System{}).Sleep(t.Context(), 10*time.Millisecond); err != nil {
				return 0, fmt.Errorf("wait for a lease: %w", err)
			}
		}
		return leases(e, moverLease+time.Second), nil
	}
	a := &app{dir: dir, err: newStatusLine(io.Discard)}
	err := a.withEngine(t.Context(), func(e *engine) error {
		later, err := look(e)
		if later != 1 {
			t.Errorf("of an engine %d leases last", later)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	err = a.withMoves(t.Context(), throttleOptions{}, func(e *engine, _ *moves) error {
		later, err := look(e)
		if later != 0 {
			t.Errorf("of a command that moves %d leases last longer than %v", later, moverLease)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
