package site_test

import (
	"context"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"paytool/internal/drill/fault"
	"paytool/internal/drill/rig"
	"paytool/internal/sandbox/sandboxtest"
)

// TestFaults does every fault on real servers: it is really there, really gone, and
// can be done again.
func TestFaults(t *testing.T) {
	b := started(t, sandboxtest.Start(t, 2))
	texts := []string{
		"hang", "crash", "slow_cpu", "read_only", "semisync_stall", "semisync_degrade", "lag", "lock", "flood",
		"latency:d=100ms", "lost_commit", "reply_lost", "request_lost", "reset", "refuse", "partition", "hang:p=0.99",
		"read_only+lag", "semisync_stall+hang", "latency:d=60ms+hang", "semisync_degrade+lag",
	}
	for n, text := range texts {
		for round := range 2 {
			groups := []int{1}
			if round == 1 {
				groups = []int{1, 2}
			}
			name := fmt.Sprintf("%s on %d", text, len(groups))
			if !t.Run(name, func(t *testing.T) { b.drill(t, fmt.Sprintf("d%d-%d", n, round), text, groups) }) {
				return // the groups are not what the next fault wants
			}
		}
	}
}

func (b *box) drill(t *testing.T, id, text string, numbers []int) {
	t.Helper()
	w, groups, err := world(t.Context(), b.Config, numbers...)
	if err != nil {
		t.Fatal(err)
	}
	faults, err := fault.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	r, err := rig.Open(rig.Options{
		Dir: b.drills, ID: id, Who: "test", Config: b.Config, Faults: faults, Groups: withDoors(t, groups, b.cfg), TTL: time.Minute, World: w,
		Watchdog: func(journal string) *exec.Cmd { return role(roleDog, journal) }, Canary: b.canary,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	out, err := r.Run(t.Context(), func(context.Context) error { return nil })
	if err != nil || !out.OK {
		t.Fatalf("restored: %t, %v", out.OK, err)
	}
	t.Logf("injected and measured in %v, taken back and proven in %v, order after %v", out.There.Sub(out.Injected).Round(time.Millisecond),
		out.Gone.Sub(out.Undoing).Round(time.Millisecond), out.Restored.Sub(out.Undoing).Round(time.Millisecond))
	b.wantSound(t)
}
