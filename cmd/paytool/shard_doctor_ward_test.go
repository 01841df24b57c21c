package main

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"paytool/internal/sandbox"
	"paytool/internal/shard/doctor"
)

// patience is for machines on which other tests are at work.
const patience = time.Minute

// ward is a sandbox with a doctor in it.
type ward struct {
	*bench
	roots  map[string]*sql.DB
	unlock func() // ends the lock that late took
}

func newWard(t *testing.T, groups int) *ward {
	w := &ward{bench: newBench(t, groups), roots: map[string]*sql.DB{}}
	t.Cleanup(func() {
		for _, db := range w.roots {
			_ = db.Close()
		}
	})
	return w
}

// part runs a subtest on the ward.
func (w *ward) part(name string, f func()) {
	whole := w.T
	defer func() { w.T = whole }()
	whole.Run(name, func(t *testing.T) {
		w.T = t
		f()
	})
}

// root is the administrator's way into "g1/primary" or "g2/replica1".
func (w *ward) root(place string) *sql.DB {
	w.Helper()
	if db := w.roots[place]; db != nil {
		return db
	}
	db, err := w.node(place).Admin()
	if err != nil {
		w.Fatal(err)
	}
	w.roots[place] = db
	return db
}

func (w *ward) node(place string) sandbox.Node {
	w.Helper()
	var group, replica int
	if _, err := fmt.Sscanf(place, "g%d/replica%d", &group, &replica); err == nil {
		return w.nodes(group, sandbox.RoleReplica)[replica-1]
	}
	if _, err := fmt.Sscanf(place, "g%d/primary", &group); err != nil {
		w.Fatalf("%q is no place: %v", place, err)
	}
	return w.nodes(group, sandbox.RolePrimary)[0]
}

// exec runs statements of an administrator in one session.
func (w *ward) exec(place string, statements ...string) {
	w.Helper()
	conn, err := w.root(place).Conn(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for _, s := range statements {
		if _, err := conn.ExecContext(w.Context(), s); err != nil {
			w.Fatalf("%s on %s: %v", s, place, err)
		}
	}
	// What a session was told about its binlog must not reach the next one.
	if _, err := conn.ExecContext(w.Context(), "SET SESSION sql_log_bin=1"); err != nil {
		w.Fatal(err)
	}
}

// quietly runs statements that no other node is to repeat.
func (w *ward) quietly(place string, statements ...string) {
	w.Helper()
	w.exec(place, append([]string{"SET SESSION sql_log_bin=0"}, statements...)...)
}

func (w *ward) examine(args ...string) (r doctorReport) {
	w.Helper()
	status := w.json(&r, append([]string{"shard", "doctor"}, args...)...)
	if want := map[bool]int{true: exitDone, false: exitFailed}[r.OK]; status != want {
		w.Errorf("exit status %d with ok %t", status, r.OK)
	}
	return r
}

func (w *ward) find(id, place string, args ...string) (doctor.Finding, bool) {
	w.Helper()
	findings := w.examine(args...).Findings
	i := slices.IndexFunc(findings, func(f doctor.Finding) bool {
		return f.ID == id && (place == "" || strings.HasPrefix(f.Node, place+" "))
	})
	if i < 0 {
		return doctor.Finding{}, false
	}
	return findings[i], true
}

// until waits for a finding to come or to go: replication takes its time.
func (w *ward) until(there bool, id, place string, args ...string) doctor.Finding {
	w.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		found, ok := w.find(id, place, args...)
		if ok == there {
			return found
		}
		if time.Now().After(deadline) {
			w.Fatalf("finding %s on %s: there is %t, want %t; all: %+v", id, place, ok, there, w.examine(args...).Findings)
		}
	}
}

// restart ends a node and starts it again with more arguments, or, without any,
// as the sandbox does.
func (w *ward) restart(place string, args ...string) {
	w.Helper()
	n := w.node(place)
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", n.PID))
	if err != nil {
		w.Fatal(err)
	}
	info, err := os.Stat(n.Dir)
	if err != nil {
		w.Fatal(err)
	}
	if err := n.Signal(syscall.SIGTERM); err != nil {
		w.Fatal(err)
	}
	w.eventually("the node ends", func() bool { return w.node(place).PID == 0 })
	if len(args) == 0 {
		w.repair()
		return
	}
	words := strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")
	cmd := exec.Command(words[0], append(words[1:], args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if owner := info.Sys().(*syscall.Stat_t); os.Getuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: owner.Uid, Gid: owner.Gid}
	}
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it is ended by a signal
	}()
	w.Cleanup(func() {
		_ = cmd.Process.Kill() // where the test has not come to do it
		<-ended
	})
	w.eventually("the node answers", func() bool { return w.root(place).PingContext(w.Context()) == nil })
}

func (w *ward) eventually(what string, ok func() bool) {
	w.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("it did not happen within %s: %s", patience, what)
		}
	}
}

func (w *ward) heal() { w.repair() }

func (w *ward) signalTo(place string, sig syscall.Signal) {
	w.Helper()
	if err := w.node(place).Signal(sig); err != nil {
		w.Fatal(err)
	}
}

// follow runs the SQL of a finding on the node that it names.
func (w *ward) follow(id, place string) {
	w.Helper()
	w.exec(place, w.until(true, id, place).SQL...)
}
