package rig

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"paytool/internal/drill/fault"
)

// doorway is a group's proxy with the faults that are in force there.
type doorway struct {
	*Door
	node Node

	mu     sync.Mutex
	faults fault.List
}

func (r *Rig) doorway(g Group) *doorway {
	if r.doors[g.Number] == nil {
		r.doors[g.Number] = &doorway{Door: g.Door, node: g.Primary}
	}
	return r.doors[g.Number]
}

func (d *doorway) add(f fault.Fault) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = append(d.faults, f)
	return d.Proxy.Set(d.faults)
}

func (d *doorway) remove(f fault.Fault) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = slices.DeleteFunc(d.faults, func(other fault.Fault) bool { return other == f })
	if len(d.faults) == 0 {
		return d.Proxy.Clear()
	}
	return d.Proxy.Set(d.faults)
}

// probeTimeout is what one probe may take; a sound group answers in milliseconds.
const probeTimeout = 500 * time.Millisecond

func (d *doorway) probe(ctx context.Context, f fault.Fault) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout+2*(f.Delay+f.Jitter)*requestsOfProbe)
	defer cancel()
	begun := time.Now() // a measurement, not a decision
	err := d.Probe(ctx)
	return time.Since(begun), err
}

// requestsOfProbe is how many of a probe's packets a latency may hold up.
const requestsOfProbe = 4

func prepareNetwork(ctx context.Context, d *doorway, f fault.Fault) (*act, error) {
	if _, err := d.probe(ctx, fault.Fault{}); err != nil {
		return nil, fmt.Errorf("probe through the proxy: %w", err)
	}
	var before int
	return &act{
		moves: []move{{
			step: Step{Kind: Process, Node: d.node},
			do: func(context.Context) error {
				before = d.Proxy.Struck()[f.Name]
				return d.add(f)
			},
		}},
		there: func(ctx context.Context) error {
			took, err := d.probe(ctx, f)
			return struckBy(f, d.Proxy.Struck()[f.Name]-before, took, err)
		},
		gone: func(ctx context.Context) error {
			_, err := d.probe(ctx, fault.Fault{})
			return err
		},
		release: func() error { return d.remove(f) },
	}, nil
}

// struckBy judges a probe: the proxy must have struck, and a probe must have felt it.
func struckBy(f fault.Fault, strikes int, took time.Duration, err error) error {
	switch late := f.Name == fault.Latency; {
	case strikes == 0:
		return errors.New("the proxy struck nothing")
	case late && took < f.Delay-f.Jitter:
		return fmt.Errorf("a probe took %v only", took)
	case !late && err == nil:
		return errors.New("a probe came through")
	}
	return nil
}
