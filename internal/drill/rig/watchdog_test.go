package rig

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestWatch: whatever becomes of the tool, the watchdog takes the fault back, within
// the TTL, and ends the tool first.
func TestWatch(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		tool   func(pipe *io.PipeWriter) // what the tool does
		within time.Duration
		by     string
	}{
		"the tool ends":   {func(p *io.PipeWriter) { beat(p, 3); _ = p.Close() }, 2 * time.Second, "has ended"},
		"it falls silent": {func(p *io.PipeWriter) { beat(p, 3) }, 7 * time.Second, "is silent"},
		"it is too slow":  {func(p *io.PipeWriter) { beat(p, 1000) }, time.Minute, "the TTL is over"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newFake(t, 2)
				self := w.self
				before := w.state()
				crashed(t, w, "hang")
				w.states[self] = Running // it is not dead, only useless
				r, p := io.Pipe()
				var tool sync.WaitGroup
				tool.Go(func() { tt.tool(p) })
				begun := time.Now()
				var said bytes.Buffer
				err := Watch(t.Context(), Watching{Journal: w.journal, World: w, In: r, Out: &said, Now: time.Now, Again: time.Second, Patience: time.Minute})
				took := time.Since(begun)
				_ = r.Close()
				tool.Wait()
				if err != nil || said.String() != armed {
					t.Fatalf("said %q, %v", said.String(), err)
				}
				if took > tt.within {
					t.Errorf("it took %v, want at most %v", took, tt.within)
				}
				if diff := cmp.Diff(before, w.state()); diff != "" {
					t.Errorf("left behind (-before +after):\n%s", diff)
				}
				if w.State(self) != Ended {
					t.Error("the tool may still break things")
				}
				if j, err := ReadJournal(w.journal); err != nil || j.Clean == nil || !strings.Contains(j.Clean.By, tt.by) {
					t.Errorf("journal %+v, %v; want it clean by %q", j, err, tt.by)
				}
			})
		})
	}
}

func beat(p *io.PipeWriter, times int) {
	for range times {
		if _, err := p.Write([]byte{'.'}); err != nil {
			return
		}
		time.Sleep(beatEvery)
	}
}

func TestWatchdogLeavesACleanDrillAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFake(t, 2)
		o := crashed(t, w, "hang")
		if _, err := Recover(t.Context(), o.Dir, w, time.Now, "drill"); err != nil {
			t.Fatal(err)
		}
		w.states[w.self] = Running
		done := len(w.ops)
		r, p := io.Pipe()
		_ = p.Close()
		if err := Watch(t.Context(), Watching{Journal: w.journal, World: w, In: r, Out: io.Discard, Now: time.Now}); err != nil {
			t.Fatal(err)
		}
		if len(w.ops) > done || w.State(w.self) != Running {
			t.Errorf("it did %v, the tool is %s", w.ops[done:], w.State(w.self))
		}
	})
}

// TestWatchdogTriesAgain: a server that does not answer yet is asked until it does.
func TestWatchdogTriesAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFake(t, 2)
		before := w.state()
		crashed(t, w, "read_only")
		id := w.nodes["g1:0"].id
		w.states[id] = Stopped // by somebody else
		go func() {
			time.Sleep(3 * time.Minute)
			w.mu.Lock()
			defer w.mu.Unlock()
			w.states[id] = Running
		}()
		r, p := io.Pipe()
		_ = p.Close()
		err := Watch(t.Context(), Watching{Journal: w.journal, World: w, In: r, Out: io.Discard, Now: time.Now, Again: time.Second, Patience: 10 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, w.state()); diff != "" {
			t.Errorf("left behind (-before +after):\n%s", diff)
		}
	})
}
