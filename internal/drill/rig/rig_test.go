package rig

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"paytool/internal/drill/fault"
)

func options(t *testing.T, w *fakeWorld, faults string, groups ...int) Options {
	t.Helper()
	list, err := fault.Parse(faults)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Dir: t.TempDir(), ID: "d1", Who: "test", Faults: list, TTL: time.Minute, World: w}
	for _, g := range groups {
		o.Groups = append(o.Groups, w.group(g))
	}
	w.journal = filepath.Join(o.Dir, "d1.journal")
	return o
}

func open(t *testing.T, o Options) *Rig {
	t.Helper()
	r, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// TestOrder shows what is done, in which order, and what is undone, in the opposite
// one.
func TestOrder(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		faults      string
		groups      []int
		there, gone []string
	}{
		"hang": {"hang", []int{1}, []string{"stopped (signal) 2"}, []string{"continued 2"}},
		"two groups": {
			"crash", []int{1, 2},
			[]string{"killed 2", "killed 5"}, []string{"start g2:0", "start g1:0"},
		},
		"stall": {
			"semisync_stall", []int{1},
			[]string{"g1:0 rpl_semi_sync_master_timeout=3600000", "g1:1 IO_THREAD=false", "g1:2 IO_THREAD=false"},
			[]string{"g1:2 IO_THREAD=true", "g1:1 IO_THREAD=true", "g1:0 rpl_semi_sync_master_timeout=2000"},
		},
		"combined": {
			"read_only+lag+hang", []int{2},
			[]string{"g2:0 read_only=1", "g2:1 SQL_THREAD=false", "g2:2 SQL_THREAD=false", "stopped (signal) 5"},
			[]string{"continued 5", "g2:2 SQL_THREAD=true", "g2:1 SQL_THREAD=true", "g2:0 read_only=0"},
		},
		"session": {"lock", []int{1}, []string{"lock begins on g1:0"}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newFake(t, 2)
				before := w.state()
				var there []string
				out, err := open(t, options(t, w, tt.faults, tt.groups...)).Run(t.Context(), func(context.Context) error {
					there = slices.Clone(w.ops)
					if w.state() == before {
						t.Error("nothing is broken while the fault is held")
					}
					return nil
				})
				if err != nil || !out.OK {
					t.Fatalf("restored: %t, %v", out.OK, err)
				}
				if diff := cmp.Diff(tt.there, there); diff != "" {
					t.Errorf("injected (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.gone, w.ops[len(there):], cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("taken back (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(before, w.state()); diff != "" {
					t.Errorf("left behind (-before +after):\n%s", diff)
				}
			})
		})
	}
}

// TestEveryOperationMayFail lets each single operation of a drill fail once. Then
// all is as before, or the journal is dirty, an error says so, and Recover settles
// it.
func TestEveryOperationMayFail(t *testing.T) {
	t.Parallel()
	for _, faults := range []string{"hang", "crash", "read_only+hang", "semisync_stall", "lag+crash", "lock+read_only", "flood", "slow_cpu"} {
		t.Run(faults, func(t *testing.T) {
			t.Parallel()
			for at := 1; ; at++ {
				if !failsAt(t, faults, at) {
					return
				}
			}
		})
	}
}

// failsAt reports whether there was an operation with that number.
func failsAt(t *testing.T, faults string, at int) (reached bool) {
	synctest.Test(t, func(t *testing.T) {
		w := newFake(t, 2)
		before := w.state()
		o := options(t, w, faults, 1, 2)
		w.failAt = at
		r := open(t, o)
		_, err := r.Run(t.Context(), func(ctx context.Context) error { time.Sleep(time.Second); return nil })
		reached = len(w.ops) >= at
		if !reached && err != nil {
			t.Errorf("nothing failed, and yet: %v", err)
		}
		dirty, derr := Dirty(o.Dir)
		if derr != nil {
			t.Fatal(derr)
		}
		var left *RestoreError
		if errors.As(err, &left) != (len(dirty) > 0) {
			t.Errorf("operation %d (%s): %d dirty journals, error %v", at, w.ops[at-1], len(dirty), err)
		}
		if reached && err == nil && faults != "slow_cpu" { // which does without one of its many signals
			t.Errorf("operation %d (%s) failed, and nobody says so", at, w.ops[at-1])
		}
		r.Close()
		w.self = w.spawn() // another process recovers
		if _, err := Recover(t.Context(), o.Dir, w, time.Now, "test"); err != nil {
			t.Errorf("recover after operation %d: %v", at, err)
		}
		if diff := cmp.Diff(before, w.state()); diff != "" {
			t.Errorf("left behind after operation %d (-before +after):\n%s", at, diff)
		}
	})
	return reached && !t.Failed()
}

func TestNoEffect(t *testing.T) {
	t.Parallel()
	for _, faults := range []string{"hang", "crash", "slow_cpu", "read_only", "semisync_stall", "lag", "lock", "reset", "latency"} {
		t.Run(faults, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newFake(t, 2)
				w.deaf = true
				o := options(t, w, faults, 1)
				o.Groups[0].Door = w.door("door")
				before := w.state()
				_, err := open(t, o).Run(t.Context(), func(context.Context) error { t.Error("it was held"); return nil })
				var none *NoEffectError
				if !errors.As(err, &none) || none.Group != 1 {
					t.Errorf("error %v, want one of no effect on group 1", err)
				}
				if dirty, err := Dirty(o.Dir); err != nil || len(dirty) > 0 {
					t.Errorf("%d dirty journals, %v", len(dirty), err)
				}
				if diff := cmp.Diff(before, w.state()); diff != "" {
					t.Errorf("left behind (-before +after):\n%s", diff)
				}
			})
		})
	}
}

// TestStuckUndo: a fault is gone when that is measured, not when the undo was sent.
func TestStuckUndo(t *testing.T) {
	t.Parallel()
	for _, faults := range []string{"hang", "read_only", "lag", "semisync_stall"} {
		t.Run(faults, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newFake(t, 1)
				before := w.state()
				o := options(t, w, faults, 1)
				r := open(t, o)
				out, err := r.Run(t.Context(), func(context.Context) error { w.stuck = true; return nil })
				var left *RestoreError
				if !errors.As(err, &left) || len(left.ByHand) == 0 || out.OK {
					t.Errorf("restored: %t, %v; want an error that says what to do by hand", out.OK, err)
				}
				r.Close()
				if dirty, err := Dirty(o.Dir); err != nil || len(dirty) != 1 {
					t.Errorf("%d dirty journals, %v; want the one", len(dirty), err)
				}
				w.stuck = false
				if _, err := Recover(t.Context(), o.Dir, w, time.Now, "test"); err != nil {
					t.Error(err)
				}
				if diff := cmp.Diff(before, w.state()); diff != "" {
					t.Errorf("left behind (-before +after):\n%s", diff)
				}
			})
		})
	}
}

func TestNetworkFaultsShareADoor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFake(t, 1)
		o := options(t, w, "latency:d=50ms+reset", 1)
		o.Groups[0].Door = w.door("door")
		_, err := open(t, o).Run(t.Context(), func(context.Context) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"door latency:d=50ms", "door latency:d=50ms+reset", "door latency:d=50ms", "door passes"}
		if diff := cmp.Diff(want, w.ops); diff != "" {
			t.Errorf("told to the proxy (-want +got):\n%s", diff)
		}
	})
}

// TestWaysOut: whatever ends a drill, its fault is taken back.
func TestWaysOut(t *testing.T) {
	t.Parallel()
	errOwn := errors.New("own")
	tests := map[string]struct {
		hold func(ctx context.Context, cancel context.CancelFunc) error
		want []error
	}{
		"an error":     {func(context.Context, context.CancelFunc) error { return errOwn }, []error{errOwn}},
		"a panic":      {func(context.Context, context.CancelFunc) error { panic("lost") }, nil},
		"an interrupt": {func(ctx context.Context, cancel context.CancelFunc) error { cancel(); return ctx.Err() }, []error{ErrStopped, context.Canceled}},
		"the TTL":      {func(ctx context.Context, _ context.CancelFunc) error { <-ctx.Done(); return ctx.Err() }, []error{ErrStopped, errTTL}},
		"the TTL, unheard": {func(ctx context.Context, _ context.CancelFunc) error {
			<-ctx.Done()
			return nil
		}, []error{ErrStopped, errTTL}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newFake(t, 1)
				before := w.state()
				o := options(t, w, "read_only+hang", 1)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				begun := time.Now()
				var out Outcome
				var err error
				func() {
					defer func() {
						if got := recover(); (got != nil) != (name == "a panic") {
							t.Errorf("panic %v", got)
						}
					}()
					out, err = open(t, o).Run(ctx, func(ctx context.Context) error { return tt.hold(ctx, cancel) })
				}()
				for _, want := range tt.want {
					if !errors.Is(err, want) {
						t.Errorf("error %v, want %v in it", err, want)
					}
				}
				if name != "a panic" && !out.OK {
					t.Errorf("not restored: %v", err)
				}
				if took := time.Since(begun); took >= o.TTL {
					t.Errorf("the fault lasted %v, its TTL is %v", took, o.TTL)
				}
				if diff := cmp.Diff(before, w.state()); diff != "" {
					t.Errorf("left behind (-before +after):\n%s", diff)
				}
				if dirty, err := Dirty(o.Dir); err != nil || len(dirty) > 0 {
					t.Errorf("%d dirty journals, %v", len(dirty), err)
				}
			})
		})
	}
}

func TestCanaryDecidesRestored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFake(t, 2)
		o := options(t, w, "read_only", 1, 2)
		tries := map[int]int{}
		o.Canary = func(_ context.Context, group int) error {
			if tries[group]++; tries[group] < 3 {
				return errors.New("not yet")
			}
			return nil
		}
		out, err := open(t, o).Run(t.Context(), func(context.Context) error { return nil })
		if err != nil || !out.OK || tries[1] != 3 || tries[2] != 3 {
			t.Errorf("restored: %t after %v tries, %v", out.OK, tries, err)
		}
		o.ID, w.journal = "d2", ""
		o.Dir = t.TempDir()
		o.Canary = func(_ context.Context, group int) error { return errors.New("never") }
		out, err = open(t, o).Run(t.Context(), func(context.Context) error { return nil })
		var left *RestoreError
		if out.OK || !errors.As(err, &left) || !strings.Contains(err.Error(), "group 1 acknowledges no order: never") {
			t.Errorf("restored: %t, %v; want a group that acknowledges nothing", out.OK, err)
		}
	})
}

// TestRefusals: none of these touches anything.
func TestRefusals(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(w *fakeWorld, o *Options)
		want   string
	}{
		"no TTL":        {func(_ *fakeWorld, o *Options) { o.TTL = 0 }, "needs a TTL"},
		"twice":         {func(_ *fakeWorld, o *Options) { o.Groups = append(o.Groups, o.Groups[0]) }, "group 1 is named twice"},
		"no group":      {func(_ *fakeWorld, o *Options) { o.Groups = nil }, "no group is named"},
		"bad name":      {func(_ *fakeWorld, o *Options) { o.ID = "../x" }, "is no name for a drill"},
		"no fault":      {func(_ *fakeWorld, o *Options) { o.Faults = nil }, "no fault is named"},
		"disk full":     {func(_ *fakeWorld, o *Options) { o.Faults = fault.List{fault.New(fault.DiskFull)} }, "loop mount"},
		"no proxy":      {func(_ *fakeWorld, o *Options) { o.Faults = fault.List{fault.New(fault.Reset)} }, "a proxy in front of the group"},
		"not a sandbox": {func(_ *fakeWorld, o *Options) { o.Groups[0].Primary.Sandbox = "" }, "was not allowed"},
		"a process": {func(_ *fakeWorld, o *Options) {
			o.Faults, o.Groups[0].Primary.Sandbox = fault.List{fault.New(fault.Crash)}, ""
		}, "needs a sandbox"},
		"no admin":     {func(_ *fakeWorld, o *Options) { o.Groups[0].Known = false }, "needs admin_dsn"},
		"read-only":    {func(w *fakeWorld, _ *Options) { w.nodes["g1:0"].vars["read_only"] = "1" }, "is read-only already"},
		"no semi-sync": {func(w *fakeWorld, o *Options) { o.Faults = fault.List{fault.New(fault.SemisyncStall)}; stopIO(w) }, "semi-sync of group 1 is off"},
		"a dead replica": {func(w *fakeWorld, o *Options) {
			o.Faults = fault.List{fault.New(fault.Lag)}
			w.nodes["g1:2"].threads.SQL = false
		}, "SQL_THREAD of g1/2 does not run"},
		"locked": {func(w *fakeWorld, o *Options) {
			o.Faults, w.nodes["g1:0"].sessions = fault.List{fault.New(fault.Lock)}, map[fault.Name]bool{fault.Lock: true}
		}, "shows lock already"},
		"held": {func(_ *fakeWorld, o *Options) { _ = SetHold(o.Dir, Hold{Who: "ops", Reason: "incident"}) }, "held back by ops"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFake(t, 2)
			o := options(t, w, "read_only", 1)
			tt.change(w, &o)
			r, err := Open(o)
			if err == nil {
				defer r.Close()
				_, err = r.Run(t.Context(), func(context.Context) error { t.Error("it was held"); return nil })
			}
			if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want a refusal that says %q", err, tt.want)
			}
			if len(w.ops) > 0 {
				t.Errorf("touched: %v", w.ops)
			}
		})
	}
}

func stopIO(w *fakeWorld) { w.nodes["g1:1"].threads.IO, w.nodes["g1:2"].threads.IO = false, false }

// TestAllowed: on servers of somebody else a fault of settings is done where it was
// allowed.
func TestAllowed(t *testing.T) {
	t.Parallel()
	w := newFake(t, 2)
	o := options(t, w, "read_only", 1)
	o.Groups[0].Primary.Sandbox, o.Allowed = "", []fault.Name{fault.ReadOnly}
	if out, err := open(t, o).Run(t.Context(), func(context.Context) error { return nil }); err != nil || !out.OK {
		t.Errorf("restored: %t, %v", out.OK, err)
	}
}

func TestOneDrillAtATime(t *testing.T) {
	t.Parallel()
	w := newFake(t, 1)
	o := options(t, w, "hang", 1)
	first := open(t, o)
	if _, err := Open(o); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "d1 by test") {
		t.Errorf("a second drill: %v, want %v, by name", err, ErrBusy)
	}
	if _, err := Recover(t.Context(), o.Dir, w, time.Now, "test"); !errors.Is(err, ErrBusy) {
		t.Errorf("recover beside a drill: %v, want %v", err, ErrBusy)
	}
	first.Close()
	again := open(t, o)
	again.Close()
}

// TestHoldComesBetween: a hold that is set during the baseline still counts.
func TestHoldComesBetween(t *testing.T) {
	t.Parallel()
	w := newFake(t, 1)
	o := options(t, w, "hang", 1)
	r := open(t, o)
	if err := SetHold(o.Dir, Hold{Who: "ops"}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Run(t.Context(), nil); !errors.Is(err, ErrHeld) || len(w.ops) > 0 {
		t.Errorf("%v after %v, want %v and nothing touched", err, w.ops, ErrHeld)
	}
	if held, err := Release(o.Dir); !held || err != nil {
		t.Errorf("released: %t, %v", held, err)
	}
	if held, err := Release(o.Dir); held || err != nil {
		t.Errorf("released again: %t, %v", held, err)
	}
}

func TestPrivate(t *testing.T) {
	t.Parallel()
	w := newFake(t, 1)
	o := options(t, w, "hang", 1)
	o.Dir = filepath.Join(o.Dir, "drills")
	w.journal = ""
	out, err := open(t, o).Run(t.Context(), func(context.Context) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{o.Dir: 0o700, out.Journal: 0o600, filepath.Join(o.Dir, lockFile): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v; want %v", path, info.Mode().Perm(), err, want)
		}
	}
}
