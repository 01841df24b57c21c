package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paytool/internal/shard"
	"paytool/internal/shard/mover"
	"paytool/internal/store/chunk"
)

type lagging struct {
	behind time.Duration
	known  bool
}

func (lagging) ID() shard.GroupID { return 1 }

func (l lagging) Lag(context.Context) (time.Duration, bool) { return l.behind, l.known }

func TestLagHolds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		lag  lagging
		want string
	}{
		{"up to date", lagging{0, true}, ""},
		{"just so", lagging{time.Second, true}, ""},
		{"behind", lagging{3 * time.Second, true}, "3s behind, at most 1s"},
		{"silent", lagging{0, false}, "does not say"},
	} {
		reason, err := lagBrake{c.lag, time.Second}.Hold(t.Context())
		if err != nil || (c.want == "") != (reason == "") || !strings.Contains(reason, c.want) {
			t.Errorf("%s: %q, %v", c.name, reason, err)
		}
	}
}

func TestWindowIsRead(t *testing.T) {
	t.Parallel()
	from, to, err := parseWindow("22:30-06:00")
	if err != nil || from != 22*time.Hour+30*time.Minute || to != 6*time.Hour {
		t.Errorf("%s to %s, %v", from, to, err)
	}
	for _, text := range []string{"2-6", "02:00", "02:00-", "24:00-06:00", "02:60-06:00", "02:00-02:00", "02:00-06:00 x", "-1:00-06:00", "2:00-6:00"} {
		if from, to, err := parseWindow(text); err == nil {
			t.Errorf("%q is read as %s to %s", text, from, to)
		}
	}
}

func TestThrottleAsksAllBrakes(t *testing.T) {
	t.Parallel()
	var all throttle
	if reason, err := all.Hold(t.Context()); reason != "" || err != nil {
		t.Errorf("without brakes: %q, %v", reason, err)
	}
	flag := filepath.Join(t.TempDir(), "hold")
	o := throttleOptions{holdFile: flag}
	all.set(append(o.local(), mover.Brake(lagBrake{lagging{time.Minute, true}, time.Second})))
	if reason, _ := all.Hold(t.Context()); !strings.Contains(reason, "1m0s behind") {
		t.Errorf("the last brake: %q", reason)
	}
	if err := os.WriteFile(flag, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if reason, _ := all.Hold(t.Context()); !strings.Contains(reason, flag) {
		t.Errorf("the first brake: %q", reason)
	}
	if near := all.Ease(); near != 0 {
		t.Errorf("brakes that do not ease: %v", near)
	}
	writes := func(median time.Duration) mover.Brake {
		return writesBrake{chunk.Lag{Most: 200 * time.Millisecond}, func() time.Duration { return median }}
	}
	all.set([]mover.Brake{writes(2 * time.Millisecond), writes(25 * time.Millisecond)})
	if near := all.Ease(); near != 0.5 {
		t.Errorf("a median of 25 ms is %v of the way to 200 ms for the slowest, want half", near)
	}
	if near := writes(0).(chunk.Easer).Ease(); near != 1 {
		t.Errorf("before the first probe: %v, want care", near)
	}
	if local := (&throttleOptions{holdFile: flag, window: "02:00-06:00"}).local(); len(local) != 2 {
		t.Errorf("%d brakes", len(local))
	} else if w, ok := local[1].(chunk.Window); !ok || w.From != 2*time.Hour || w.To != 6*time.Hour || w.Now().Location().String() == "UTC" {
		t.Errorf("%+v", local[1])
	}
}

func TestProbeTimes(t *testing.T) {
	t.Parallel()
	var p probeTimes
	for range fewProbes - 1 {
		p.add(1, time.Second)
	}
	if got := p.p99(1); got != 0 {
		t.Errorf("a quantile of few: %s", got)
	}
	for i := range keptProbes {
		p.add(1, time.Duration(i+1)*time.Millisecond)
	}
	if got := p.p99(1); got != 99*time.Millisecond {
		t.Errorf("p99 of 1 to 100 ms: %s", got)
	}
	if got := p.lately(1); got != 96*time.Millisecond {
		t.Errorf("median of 91 to 100 ms: %s", got)
	}
	if p99, lately := p.p99(2), p.lately(2); p99 != 0 || lately != 0 {
		t.Errorf("of another group: %s, %s", p99, lately)
	}
}
