package order

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"paytool/internal/shard"
)

// failingOver is a group whose primary dies and is replaced.
type failingOver struct {
	fakeGroup
	dead    bool // the primary that is known
	elected bool // the nodes name another one
	asked   int  // how often they were asked
	leases  int
}

func (g *failingOver) fault() error {
	if !g.dead {
		return nil
	}
	return &Fault{Outcome: NotCommitted, Cause: shard.Crash, Err: context.DeadlineExceeded}
}

func (g *failingOver) Info(context.Context) (shard.Report, error) {
	return defaultReport(g.id, 100), g.fault()
}

func (g *failingOver) PrepareAs(context.Context, shard.Birth) error { return g.fault() }

func (g *failingOver) Lease(_ context.Context, holder, _ string, _ int, _, _ time.Time) (Lease, error) {
	g.leases++
	return Lease{Slot: 7, Holder: holder}, g.fault()
}

func (g *failingOver) Probe(context.Context, ProbeRequest) ProbeAnswer {
	return ProbeAnswer{Cause: causeOf(g.fault()), Err: g.fault()}
}

func (g *failingOver) Follow(context.Context) (bool, error) {
	g.asked++
	if !g.elected {
		return false, nil
	}
	g.elected, g.dead = false, false
	return true, nil
}

// TestEngineFollowsAnotherPrimary: a group that fails is asked for another primary,
// and joined again there.
func TestEngineFollowsAnotherPrimary(t *testing.T) {
	t.Parallel()
	g := &failingOver{fakeGroup: fakeGroup{id: 1, claim: shard.TagOwned}}
	e := New(Options{Holder: "h"}, []Group{g}, System{}, func() uint64 { return 7 }, slog.New(slog.DiscardHandler))
	m := e.members[0]
	beats := func(n int) {
		for range n {
			m.followed = time.Time{} // a beat later than the last look
			e.beat(t.Context(), m)
		}
	}
	out := func() bool { _, down := e.Fleet().Down(1); return down }
	beats(3)
	if out() || g.leases != 1 || g.asked != 1 {
		t.Fatalf("at the start: down %t, %d leases, asked %d times, want once before joining", out(), g.leases, g.asked)
	}
	g.dead = true
	beats(3)
	if !out() || g.asked != 4 || g.leases != 1 {
		t.Fatalf("without a primary: down %t, asked %d times, %d leases", out(), g.asked, g.leases)
	}
	g.elected = true
	beats(5) // one to find it, one to join and probe, two more good probes
	if out() || g.leases != 2 {
		t.Fatalf("with another primary: down %t, %d leases, want a new one", out(), g.leases)
	}
}

// TestEngineLooksNotAllTheTime: looking for another primary asks every node.
func TestEngineLooksNotAllTheTime(t *testing.T) {
	t.Parallel()
	g := &failingOver{fakeGroup: fakeGroup{id: 1}}
	e := New(Options{Holder: "h"}, []Group{g}, System{}, func() uint64 { return 7 }, slog.New(slog.DiscardHandler))
	m := e.members[0]
	m.followed = time.Now().Add(time.Hour) // just now, whatever this machine does meanwhile
	if e.follow(t.Context(), m) || g.asked != 0 {
		t.Errorf("asked %d times right after the last look", g.asked)
	}
}

// leasing is a group that says how long leases were asked for.
type leasing struct {
	failingOver
	took    time.Duration
	renewed time.Duration
	ahead   int64 // seconds that numbers were written ahead
}

func (g *leasing) Lease(_ context.Context, holder, _ string, _ int, now, until time.Time) (Lease, error) {
	g.took = until.Sub(now)
	return Lease{Slot: 7, Holder: holder}, nil
}

func (g *leasing) Probe(_ context.Context, r ProbeRequest) ProbeAnswer {
	g.renewed, g.ahead = r.Until.Sub(r.At), r.High-r.At.Unix()
	return ProbeAnswer{}
}

// TestLeaseFor: a short lease is short when it is taken and each time that it is
// renewed, and takes nothing from the seconds that numbers are written ahead.
func TestLeaseFor(t *testing.T) {
	t.Parallel()
	for asked, want := range map[time.Duration]time.Duration{0: 30 * time.Second, 2 * time.Second: 2 * time.Second} {
		g := &leasing{failingOver: failingOver{fakeGroup: fakeGroup{id: 1, claim: shard.TagOwned}}}
		e := New(Options{Holder: "h", LeaseFor: asked}, []Group{g}, System{}, func() uint64 { return 7 }, slog.New(slog.DiscardHandler))
		e.beat(t.Context(), e.members[0])
		if g.took != want || g.renewed != want || g.ahead != 10 {
			t.Errorf("LeaseFor %v: taken for %v, renewed for %v, numbers %d s ahead; want %v and 10 s", asked, g.took, g.renewed, g.ahead, want)
		}
	}
}
