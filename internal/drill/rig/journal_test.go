package rig

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// crashed leaves the journal of a drill whose tool was killed while it held its
// faults.
func crashed(t *testing.T, w *fakeWorld, faults string) Options {
	t.Helper()
	o := options(t, w, faults, 1, 2)
	r := open(t, o)
	acts, err := r.prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.arm(t.Context(), acts); err != nil {
		t.Fatal(err)
	}
	if err := r.inject(t.Context(), acts, &Outcome{}); err != nil {
		t.Fatal(err)
	}
	w.states[w.self] = Ended
	r.Close()
	return o
}

func TestRecover(t *testing.T) {
	t.Parallel()
	for _, faults := range []string{"hang", "crash", "read_only+hang", "semisync_degrade", "lag+crash", "semisync_stall+hang"} {
		t.Run(faults, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newFake(t, 2)
				before := w.state()
				o := crashed(t, w, faults)
				if w.state() == before {
					t.Fatal("nothing was broken")
				}
				if _, err := Open(o); !errors.Is(err, ErrDirty) {
					t.Errorf("the next drill: %v, want %v", err, ErrDirty)
				}
				begun := time.Now()
				settled, err := Recover(t.Context(), o.Dir, w, time.Now, "a person")
				if took := time.Since(begun); took > 5*time.Second {
					t.Errorf("it took %v: a step waited for another", took)
				}
				if err != nil || len(settled) != 1 || settled[0].Clean.By != "a person" || len(settled[0].Clean.Done) == 0 {
					t.Errorf("settled %v, %v", settled, err)
				}
				if diff := cmp.Diff(before, w.state()); diff != "" {
					t.Errorf("left behind (-before +after):\n%s", diff)
				}
				done := len(w.ops)
				if settled, err := Recover(t.Context(), o.Dir, w, time.Now, "again"); err != nil || len(settled) > 0 || len(w.ops) > done {
					t.Errorf("the second time: settled %v, did %v, %v", settled, w.ops[done:], err)
				}
				o.ID, w.journal, w.self = "d2", "", w.spawn()
				open(t, o)
			})
		})
	}
}

// TestStrangersAreLeftAlone: neither a process with a recycled id nor another server
// behind an address is touched.
func TestStrangersAreLeftAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFake(t, 2)
		o := crashed(t, w, "hang")
		n := w.nodes["g1:0"]
		old := n.id
		stranger := Identity{PID: old.PID, Started: old.Started + 1}
		w.states[old], w.states[stranger] = Ended, Stopped
		if _, err := Recover(t.Context(), o.Dir, w, time.Now, "test"); err != nil {
			t.Fatal(err)
		}
		if w.states[stranger] != Stopped {
			t.Error("a stranger with a recycled id was thawed")
		}
		if w.states[n.id] != Running || n.id == old {
			t.Error("the node that had ended does not run")
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := newFake(t, 2)
		o := crashed(t, w, "read_only")
		w.nodes["g1:0"].uid = "another"
		_, err := Recover(t.Context(), o.Dir, w, time.Now, "test")
		var left *RestoreError
		if !errors.As(err, &left) || !strings.Contains(err.Error(), `its uid is "another"`) || !strings.Contains(err.Error(), "SET GLOBAL read_only=0") {
			t.Errorf("error %v, want one that names the other server and says what to do by hand", err)
		}
		if w.nodes["g1:0"].vars["read_only"] != "1" || w.nodes["g2:0"].vars["read_only"] != "0" {
			t.Error("the other server was changed, or an error kept the next group from being mended")
		}
		if dirty, err := Dirty(o.Dir); err != nil || len(dirty) != 1 {
			t.Errorf("%d dirty journals, %v; want the one", len(dirty), err)
		}
	})
}

// TestTornJournal cuts a journal at every byte: what is whole is read, and recovery
// from it leaves a journal that reads.
func TestTornJournal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFake(t, 2)
		o := crashed(t, w, "read_only+lag")
		whole, err := os.ReadFile(w.journal)
		if err != nil {
			t.Fatal(err)
		}
		header := bytes.IndexByte(whole, '\n') + 1
		for cut := header; cut <= len(whole); cut++ {
			path := filepath.Join(o.Dir, "cut.journal")
			if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
				t.Fatal(err)
			}
			j, err := ReadJournal(path)
			if err != nil || len(j.Steps) != bytes.Count(whole[header:cut], []byte("\n")) {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			if _, err := takeBack(t.Context(), w, time.Now, path, "test"); err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			if j, err := ReadJournal(path); err != nil || j.Clean == nil {
				t.Fatalf("cut at %d: after recovery %v", cut, err)
			}
		}
	})
}

func TestForeignJournal(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"empty":         "",
		"another file":  "hello\n",
		"no header":     `{"step":{"n":1}}` + "\n",
		"newer":         `{"open":{"version":2,"drill":"x"}}` + "\n",
		"damaged":       `{"open":{"version":1,"drill":"x"}}` + "\nrubbish\n{\"clean\":{}}\n",
		"thaws nothing": `{"open":{"version":1,"drill":"x"}}` + "\n" + `{"step":{"n":1,"kind":"thaw"}}` + "\n",
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFake(t, 1)
			o := options(t, w, "hang", 1)
			path := filepath.Join(o.Dir, "x.journal")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(o); !errors.Is(err, ErrDirty) || !strings.Contains(err.Error(), path) {
				t.Errorf("a drill beside it: %v, want %v with its path", err, ErrDirty)
			}
			var left *RestoreError
			if _, err := Recover(t.Context(), o.Dir, w, time.Now, "test"); !errors.As(err, &left) {
				t.Errorf("recover: %v, want a fault that may still be there", err)
			}
		})
	}
}

func TestUnknownStep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFake(t, 1)
		o := options(t, w, "hang", 1)
		text := `{"open":{"version":1,"drill":"x"}}` + "\n" + `{"step":{"n":1,"fault":"burn","kind":"douse","node":{"name":"g1"}}}` + "\n"
		if err := os.WriteFile(filepath.Join(o.Dir, "x.journal"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Recover(t.Context(), o.Dir, w, time.Now, "test")
		if err == nil || !strings.Contains(err.Error(), `does not know how to undo a "douse"`) {
			t.Errorf("error %v", err)
		}
	})
}

// TestStop ends a drill by signal, and one that does not listen by force.
func TestStop(t *testing.T) {
	t.Parallel()
	for name, listens := range map[string]bool{"listens": true, "does not": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newFake(t, 1)
				before := w.state()
				o := options(t, w, "hang", 1)
				o.World = &signalled{fakeWorld: w, tool: w.self}
				r := open(t, o)
				acts, err := r.prepare(t.Context())
				if err == nil {
					err = r.arm(t.Context(), acts)
				}
				if err == nil {
					err = r.inject(t.Context(), acts, &Outcome{})
				}
				if err != nil {
					t.Fatal(err)
				}
				s := o.World.(*signalled)
				s.heard = func(sig os.Signal) { // the tool's side
					if sig == syscall.SIGTERM && listens {
						_ = r.restore(context.Background(), acts, &Outcome{})
						r.Close()
					}
					if sig == syscall.SIGKILL {
						w.mu.Lock()
						w.states[s.tool] = Ended
						w.mu.Unlock()
						r.Close()
					}
				}
				stopped, settled, err := Stop(t.Context(), o.Dir, s, time.Now, "ops")
				if err != nil || stopped == nil || stopped.Drill != "d1" || (len(settled) == 0) != listens {
					t.Errorf("stopped %v, settled %v, %v", stopped, settled, err)
				}
				if diff := cmp.Diff(before, w.state()); diff != "" {
					t.Errorf("left behind (-before +after):\n%s", diff)
				}
			})
		})
	}
}

// signalled hands signals to the tool to somebody who plays it.
type signalled struct {
	*fakeWorld
	tool  Identity
	heard func(os.Signal)
}

func (s *signalled) Signal(id Identity, sig os.Signal) error {
	if id == s.tool {
		s.heard(sig)
		return nil
	}
	return s.fakeWorld.Signal(id, sig)
}

// FuzzJournal: whatever lies in the directory, reading it ends with an error or with
// steps that can be undone.
func FuzzJournal(f *testing.F) {
	for _, text := range []string{
		"", "\n", `{"open":{"version":1,"drill":"x","ttl_ms":1}}` + "\n",
		`{"open":{"version":1}}` + "\n" + `{"step":{"n":1,"kind":"thaw","process":{"pid":1,"started":2}}}` + "\n" + `{"clean":{}}` + "\n{",
		`{"open":{"version":1}}` + "\n" + `{"step":{"n":1,"kind":"acks","prior":"x"}}` + "\nnull\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		j, err := parseJournal(data)
		if err != nil {
			return
		}
		for _, s := range j.undone() {
			if s.ByHand() == "" && s.Kind == Thaw {
				t.Errorf("step %+v says nothing", s)
			}
		}
	})
}
