package main

import (
	"context"
	"time"

	"paytool/internal/order"
	"paytool/internal/shard/move"
	"paytool/internal/shard/mover"
	"paytool/internal/store/chunk"
	"paytool/internal/store/tagmove"
)

// moveRunner is what the commands need of a mover.Runner.
type moveRunner interface {
	// Begin writes the runs of a plan into their targets.
	Begin(ctx context.Context, plan move.Plan) ([]mover.Run, error)
	// Drive takes the steps of a run. It ends without an error also where a person has
	// the word.
	Drive(ctx context.Context, id string, until mover.Until) (mover.Standing, error)
	// Pump keeps the reverse windows of all runs current, once.
	Pump(ctx context.Context) error
	// Say writes a person's word; the note of Consent is the plan's hash.
	Say(ctx context.Context, id string, mark move.Mark, note string) (mover.Standing, error)
	// Standings lists all runs, the oldest first. Where groups are silent it is the
	// others' runs and an error.
	Standings(ctx context.Context) ([]mover.Standing, error)
}

// moves are the runs of a fleet, and what copies and compares for them.
type moves struct {
	runner  moveRunner
	groups  []mover.Group
	carrier mover.Carrier
	view    *moveView
	brakes  []mover.Brake // of what is compared for itself; the runner has its own
	// slow holds copying between the groups of these runs back from now on; nil for never.
	slow func(ctx context.Context, runs []mover.Run) error
}

// openMoves sets up a runner over the engine's groups.
func (e *engine) openMoves(o mover.Options) *moves {
	m := &moves{carrier: tagmove.NewCarrier(chunk.Pace{}, e.groups...)}
	for _, g := range e.groups {
		m.groups = append(m.groups, tagmove.Open(g))
	}
	m.runner = mover.New(o, m.groups, m.carrier)
	return m
}

// moverLease is how long the leases of a command last that carries moves out. It creates
// no orders, and what it settles and sweeps is refused or recorded by the tag's row in
// the same transaction, so that who takes over after it need not wait for long. It has
// to be more than the clocks of machines are apart.
const moverLease = 2 * time.Second

// withMoves opens an engine and a runner over its groups for one command.
func (a *app) withMoves(ctx context.Context, limits throttleOptions, f func(e *engine, m *moves) error) error {
	if err := limits.check(); err != nil {
		return usageError(err)
	}
	holder, err := randomHex(16)
	if err != nil {
		return err
	}
	return a.withEngineAs(ctx, func(o *order.Options) { o.LeaseFor = moverLease }, func(e *engine) error {
		view, brakes := newMoveView(a.err, time.Now), &throttle{}
		defer view.close()
		m := e.openMoves(mover.Options{
			Holder: holder, Who: whoami(), Log: e.log, OnEvent: view.heard, Brakes: []mover.Brake{brakes},
		})
		m.view, m.brakes = view, []mover.Brake{brakes}
		m.slow = func(ctx context.Context, runs []mover.Run) error { return e.brake(ctx, brakes, limits, m.groups, runs) }
		return f(e, m)
	})
}
