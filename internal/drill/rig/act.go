package rig

import (
	"context"
	"errors"
	"fmt"
	"time"

	"paytool/internal/drill/fault"
)

// act is one fault on one group, prepared: nothing is touched yet, and all is known
// that will have to be undone.
type act struct {
	fault fault.Fault
	group Group
	moves []move
	// there and gone measure the fault; gone is what the journal's steps do not prove.
	there func(ctx context.Context) error
	gone  func(ctx context.Context) error
	// release ends what this process itself does; it may be called at any time, and
	// again.
	release func() error
}

// move is a step with what makes it necessary; do is nil for a step that only waits
// when all is undone.
type move struct {
	step Step
	do   func(ctx context.Context) error
}

// makers prepare the faults that are not of the network.
var makers = map[fault.Name]func(ctx context.Context, w World, g Group, f fault.Fault) (*act, error){
	fault.Hang:            prepareHang,
	fault.Crash:           prepareCrash,
	fault.SlowCPU:         prepareSlowCPU,
	fault.ReadOnly:        prepareReadOnly,
	fault.SemisyncStall:   prepareSemisync,
	fault.SemisyncDegrade: prepareSemisync,
	fault.Lag:             prepareLag,
	fault.Lock:            prepareSession,
	fault.Flood:           prepareSession,
}

const prepareTimeout = 10 * time.Second

func (r *Rig) prepareAct(ctx context.Context, g Group, f fault.Fault) (*act, error) {
	ctx, cancel := context.WithTimeout(ctx, prepareTimeout)
	defer cancel()
	scope, err := r.scope(g, f)
	if err != nil {
		return nil, err
	}
	var a *act
	if scope == fault.Network {
		a, err = prepareNetwork(ctx, r.doorway(g), f)
	} else {
		a, err = makers[f.Name](ctx, r.opts.World, g, f)
	}
	if err != nil {
		if errors.Is(err, ErrRefused) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: prepare %s on group %d: %w", ErrRefused, f, g.Number, err)
	}
	a.fault, a.group = f, g
	for i := range a.moves {
		a.moves[i].step.Fault, a.moves[i].step.Group = f.String(), g.Number
	}
	return a, nil
}

// scope chooses how a fault is carried out on a group, or says why it cannot be.
func (r *Rig) scope(g Group, f fault.Fault) (fault.Scope, error) {
	spec, ok := fault.Lookup(f.Name)
	if !ok {
		return "", refuse("there is no fault %q", f.Name)
	}
	sandbox := g.Primary.Sandbox != ""
	for _, at := range spec.Scopes {
		switch {
		case at == fault.Network && g.Door != nil,
			at == fault.Process && sandbox && !throughProxy(f),
			at == fault.Server && g.Known && (sandbox || r.allowed(f.Name)):
			return at, nil
		}
	}
	if spec.ActsOn(fault.Server) && g.Known {
		return "", refuse("%s on group %d, which is no sandbox, was not allowed; a plan that names it allows it", f.Name, g.Number)
	}
	return "", refuse("%s cannot be done on group %d: it needs %s", f.Name, g.Number, spec.Needs)
}

// throughProxy reports whether a hang is asked for by chance, which a process
// cannot do.
func throughProxy(f fault.Fault) bool { return f.Name == fault.Hang && f.P != 1 }

// inject writes each step to the journal before it makes it necessary.
func (a *act) inject(ctx context.Context, j *Journal) error {
	for _, m := range a.moves {
		if err := j.step(&m.step); err != nil {
			return err
		}
		if m.do == nil {
			continue
		}
		if err := m.do(ctx); err != nil {
			return fmt.Errorf("inject %s into %s: %w", a.fault, m.step.Node.Name, err)
		}
	}
	return nil
}

// effectTimeout is how long a fault may take until it can be measured.
const effectTimeout = 5 * time.Second

func (a *act) proveThere(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, effectTimeout)
	defer cancel()
	if err := until(ctx, a.there); err != nil {
		return &NoEffectError{Fault: a.fault, Group: a.group.Number, Seen: err}
	}
	return nil
}

func (a *act) proveGone(ctx context.Context) error {
	if a.gone == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, goneTimeout)
	defer cancel()
	if err := until(ctx, a.gone); err != nil {
		return fmt.Errorf("%s on group %d is not gone: %w", a.fault, a.group.Number, err)
	}
	return nil
}
