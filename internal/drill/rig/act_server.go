package rig

import (
	"context"
	"strconv"
	"time"

	"paytool/internal/drill/fault"
)

func prepareReadOnly(ctx context.Context, w World, g Group, _ fault.Fault) (*act, error) {
	const name, on = "read_only", "1"
	m, err := variableMove(ctx, w, g.Primary, name, on)
	if err != nil {
		return nil, err
	}
	if m.step.Prior == on {
		return nil, refuse("group %d is read-only already", g.Number)
	}
	return &act{moves: []move{m}, there: isNow(w, m.step, on)}, nil
}

// variableMove sets a global variable, and remembers what it was.
func variableMove(ctx context.Context, w World, n Node, name, value string) (move, error) {
	step := Step{Kind: Variable, Node: n, Name: name}
	err := step.ask(ctx, w, func(db Server) (err error) {
		if step.UID, err = db.UID(ctx); err != nil {
			return err
		}
		step.Prior, err = db.Variable(ctx, name)
		return err
	})
	return move{step: step, do: func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, effectTimeout)
		defer cancel()
		return step.ask(ctx, w, func(db Server) error { return db.SetVariable(ctx, name, value) })
	}}, err
}

func isNow(w World, s Step, value string) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		return s.ask(ctx, w, func(db Server) error { return same(s.Name, value)(db.Variable(ctx, s.Name)) })
	}
}

// Waits for an acknowledgement, in milliseconds: a stall outlasts any drill, and a
// degraded group gives up before a client does.
const (
	stallWait   = time.Hour
	degradeWait = 100 * time.Millisecond
)

// prepareSemisync changes the wait first: a stall must not fall back, and a degraded
// group not stall, in the moment between.
func prepareSemisync(ctx context.Context, w World, g Group, f fault.Fault) (*act, error) {
	acks, err := acksMove(ctx, w, g)
	if err != nil {
		return nil, err
	}
	if len(acks) == 0 {
		return nil, refuse("group %d has no semi-sync that could fail", g.Number)
	}
	var timeout string
	err = acks[0].step.ask(ctx, w, func(db Server) error {
		now, err := db.Semisync(ctx)
		timeout = now.Timeout
		return err
	})
	if err != nil {
		return nil, err
	}
	wait := stallWait
	if f.Name == fault.SemisyncDegrade {
		wait = degradeWait
	}
	value := strconv.FormatInt(wait.Milliseconds(), 10)
	set, err := variableMove(ctx, w, g.Primary, timeout, value)
	if err != nil {
		return nil, err
	}
	stops, err := stopThreads(ctx, w, g, IOThread)
	if err != nil {
		return nil, err
	}
	silent := func(ctx context.Context) error {
		return acks[0].step.ask(ctx, w, func(db Server) error {
			now, err := db.Semisync(ctx)
			if err == nil && now.Replicas > 0 {
				err = stillAcknowledge(now.Replicas)
			}
			return err
		})
	}
	return &act{moves: append(append(acks, set), stops...), there: allOf(isNow(w, set.step, value), allStopped(w, stops), silent)}, nil
}

func prepareLag(ctx context.Context, w World, g Group, _ fault.Fault) (*act, error) {
	stops, err := stopThreads(ctx, w, g, SQLThread)
	if err != nil {
		return nil, err
	}
	return &act{moves: stops, there: allStopped(w, stops)}, nil
}

// stopThreads stops a thread on each replica; one that stands still already would
// be started by the undo, which was not there before.
func stopThreads(ctx context.Context, w World, g Group, which Thread) (moves []move, err error) {
	if len(g.Replicas) == 0 {
		return nil, refuse("group %d has no replicas", g.Number)
	}
	for _, n := range g.Replicas {
		step := Step{Kind: Replica, Node: n, Name: string(which)}
		err := step.ask(ctx, w, func(db Server) (err error) {
			if step.UID, err = db.UID(ctx); err != nil {
				return err
			}
			threads, err := db.Threads(ctx)
			if err == nil && !threads.runs(which) {
				err = refuse("%s of %s does not run; bring the group to health first", which, n.Name)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		moves = append(moves, move{step: step, do: func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, effectTimeout)
			defer cancel()
			return step.ask(ctx, w, func(db Server) error { return db.SetThread(ctx, which, false) })
		}})
	}
	return moves, nil
}
