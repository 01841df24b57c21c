package rig

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"paytool/internal/drill/fault"
)

func prepareHang(ctx context.Context, w World, g Group, _ fault.Fault) (*act, error) {
	id, err := w.Find(ctx, g.Primary)
	if err != nil {
		return nil, err
	}
	acks, err := acksMove(ctx, w, g)
	if err != nil {
		return nil, err
	}
	stop := move{
		step: Step{Kind: Thaw, Node: g.Primary, Process: &id},
		do:   func(context.Context) error { return w.Signal(id, syscall.SIGSTOP) },
	}
	return &act{
		moves: append(acks, stop),
		there: func(context.Context) error { return inState(w, id, Stopped) },
	}, nil
}

func prepareCrash(ctx context.Context, w World, g Group, _ fault.Fault) (*act, error) {
	id, err := w.Find(ctx, g.Primary)
	if err != nil {
		return nil, err
	}
	acks, err := acksMove(ctx, w, g)
	if err != nil {
		return nil, err
	}
	kill := move{
		step: Step{Kind: Restart, Node: g.Primary, Process: &id},
		do:   func(context.Context) error { return w.Signal(id, syscall.SIGKILL) },
	}
	return &act{
		moves: append(acks, kill),
		there: func(context.Context) error { return inState(w, id, Ended) },
	}, nil
}

func inState(w World, id Identity, want ProcessState) error {
	if got := w.State(id); got != want {
		return fmt.Errorf("process %d is %s, not %s", id.PID, got, want)
	}
	return nil
}

// acksMove remembers how many replicas acknowledge, so that a fault counts as gone
// only when they are all back. A group without semi-sync has none to wait for.
func acksMove(ctx context.Context, w World, g Group) ([]move, error) {
	if len(g.Replicas) == 0 {
		return nil, nil
	}
	step := Step{Kind: Acks, Node: g.Primary}
	var now Semisync
	err := step.ask(ctx, w, func(db Server) (err error) {
		if step.UID, err = db.UID(ctx); err != nil {
			return err
		}
		now, err = db.Semisync(ctx)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case now.Timeout == "":
		return nil, nil
	case !now.On || now.Replicas == 0:
		return nil, refuse("semi-sync of group %d is off or has no replica; bring the group to health first", g.Number)
	}
	step.Prior = strconv.Itoa(now.Replicas)
	return []move{{step: step}}, nil
}

// slowPeriod is a stop and a go of slow_cpu.
const slowPeriod = 100 * time.Millisecond

func prepareSlowCPU(ctx context.Context, w World, g Group, f fault.Fault) (*act, error) {
	id, err := w.Find(ctx, g.Primary)
	if err != nil {
		return nil, err
	}
	d := &duty{world: w, id: id, still: time.Duration(f.P * float64(slowPeriod)), seen: map[ProcessState]bool{}}
	return &act{
		moves: []move{{
			step: Step{Kind: Thaw, Node: g.Primary, Process: &id},
			do:   func(context.Context) error { d.begin(); return nil },
		}},
		there:   func(context.Context) error { return d.look() },
		release: d.end,
	}, nil
}

// duty stops a process and lets it go, again and again.
type duty struct {
	world World
	id    Identity
	still time.Duration
	seen  map[ProcessState]bool // by look, which is called by one goroutine

	stop context.CancelFunc
	work sync.WaitGroup
	err  error // of the loop, after work
}

func (d *duty) begin() {
	ctx, stop := context.WithCancel(context.Background()) // release ends it, on every way out
	d.stop = stop
	d.work.Go(func() {
		for d.err == nil && ctx.Err() == nil {
			d.phase(ctx, syscall.SIGSTOP, d.still)
			d.phase(ctx, syscall.SIGCONT, slowPeriod-d.still)
		}
	})
}

func (d *duty) phase(ctx context.Context, sig os.Signal, long time.Duration) {
	if ctx.Err() != nil || d.err != nil {
		return
	}
	d.err = d.world.Signal(d.id, sig)
	t := time.NewTimer(long)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// look samples the process until it was seen both stopped and running.
func (d *duty) look() error {
	for range 20 {
		d.seen[d.world.State(d.id)] = true
		if d.seen[Stopped] && (d.seen[Running] || d.still == slowPeriod) {
			return nil
		}
		time.Sleep(time.Millisecond) // a sample, not a wait for something
	}
	return fmt.Errorf("process %d was not seen both stopped and running", d.id.PID)
}

func (d *duty) end() error {
	if d.stop == nil {
		return nil
	}
	d.stop()
	d.work.Wait()
	return nil // a signal that failed made the fault weaker; the step's undo lets go in any case
}
