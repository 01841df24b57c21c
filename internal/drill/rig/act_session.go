package rig

import (
	"context"
	"fmt"

	"paytool/internal/drill/fault"
)

// prepareSession measures first: a fault that is there before the drill is not the
// drill's, and one that cannot be measured could not be proven gone.
func prepareSession(ctx context.Context, w World, g Group, f fault.Fault) (*act, error) {
	s, err := w.Session(g.Primary, f.Name)
	if err != nil {
		return nil, err
	}
	switch holds, err := s.Holds(ctx); {
	case err != nil:
		return nil, fmt.Errorf("measure %s: %w", f.Name, err)
	case holds:
		return nil, refuse("group %d shows %s already", g.Number, f.Name)
	}
	return &act{
		moves:   []move{{step: Step{Kind: Process, Node: g.Primary}, do: s.Begin}},
		there:   wantHolds(s, true),
		gone:    wantHolds(s, false),
		release: s.End,
	}, nil
}

func wantHolds(s Session, want bool) func(context.Context) error {
	return func(ctx context.Context) error {
		holds, err := s.Holds(ctx)
		if err == nil && holds != want {
			err = fmt.Errorf("the fault is there: %t", holds)
		}
		return err
	}
}
