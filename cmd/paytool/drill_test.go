package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"paytool/internal/drill/fault"
	"paytool/internal/sandbox"
)

func TestDrillFaultsListsAll(t *testing.T) {
	t.Parallel()
	b := &bench{T: t}
	var list struct{ Faults []faultRow }
	if status := b.json(&list, "drill", "faults"); status != exitDone || len(list.Faults) != len(fault.Specs()) {
		t.Errorf("exit %d, %d faults, want all %d", status, len(list.Faults), len(fault.Specs()))
	}
	status, out, _ := b.paytool("drill", "faults")
	for _, s := range fault.Specs() {
		if status != exitDone || !strings.Contains(out, "\n"+string(s.Name)) || !strings.Contains(out, s.Undo) {
			t.Errorf("exit %d, %s is not in the table with its undo", status, s.Name)
		}
	}
}

func TestDrillUsage(t *testing.T) {
	t.Parallel()
	b := &bench{T: t}
	tests := map[string][]string{
		"--fault: no fault is named": {"inject", "--group", "1"},
		`fault "hnag" is not known`:  {"inject", "--group", "1", "--fault", "hnag"},
		"--group names the groups":   {"inject", "--fault", "hang"},
		"--ttl longer than that":     {"inject", "--group", "1", "--fault", "hang", "--for", "10s", "--ttl", "11s"},
		"give --all to end drills":   {"stop"},
		"unknown argument":           {"recover", "now"},
		"embedded groups live":       {"inject", "--dir", "shop", "--group", "1", "--fault", "hang"},
	}
	for want, args := range tests {
		if status, _, said := b.paytool(append([]string{"drill"}, args...)...); status != exitUsage || !strings.Contains(said, want) {
			t.Errorf("%v: exit %d, %q; want %d and %q", args, status, said, exitUsage, want)
		}
	}
}

// TestDrillInject plays what a person at night would meet, on one sandbox.
func TestDrillInject(t *testing.T) {
	b := newBench(t, 3)
	for _, step := range []struct {
		name string
		run  func(t *testing.T, b *bench)
	}{
		{"a fault comes and goes", faultComesAndGoes},
		{"guards refuse", guardsRefuse},
		{"Ctrl-C restores", interruptRestores},
		{"stop ends it and holds others back", stopHolds},
		{"the watchdog takes over", watchdogTakesOver},
		{"recover takes over from both", recoverTakesOver},
		{"servers of others want consent", othersWantConsent},
	} {
		if !t.Run(step.name, func(t *testing.T) { b.T = t; step.run(t, b) }) {
			return
		}
	}
}

func faultComesAndGoes(t *testing.T, b *bench) {
	for _, name := range []string{"read_only+lag", "hang", "lost_commit"} {
		var r injectResult
		status := b.json(&r, "drill", "inject", "--group", "2,3", "--fault", name, "--for", "100ms")
		if status != exitDone || r.Fault != name || r.Held < 100 || !r.Restore.OK || len(r.Undone) == 0 {
			t.Errorf("%s: exit %d, %+v\n%s", name, status, r, b.stderr)
		}
	}
	b.sound()
}

func guardsRefuse(t *testing.T, b *bench) {
	for want, args := range map[string][]string{
		"never all groups at once": {"--group", "1,2,3", "--fault", "hang"},
		"loop mount":               {"--group", "1", "--fault", "disk_full"},
	} {
		status, _, said := b.paytool(append([]string{"drill", "inject"}, args...)...)
		if status != exitRefused || !strings.Contains(said, want) {
			t.Errorf("%v: exit %d, %q; want %d and %q", args, status, said, exitRefused, want)
		}
	}
	if status, _, said := b.paytool("drill", "inject", "--group", "9", "--fault", "hang"); status != exitUsage || !strings.Contains(said, "no group 9") {
		t.Errorf("exit %d, %q", status, said)
	}
}

func interruptRestores(t *testing.T, b *bench) {
	tool := b.injecting("--group", "2", "--fault", "hang")
	tool.signal(syscall.SIGTERM)
	tool.signal(syscall.SIGINT) // a second one does not keep it from restoring
	if status := tool.wait(); status != exitStopped {
		t.Errorf("exit %d, want %d: %s", status, exitStopped, tool.said())
	}
	b.sound()
}

func stopHolds(t *testing.T, b *bench) {
	tool := b.injecting("--group", "1", "--fault", "read_only")
	var r stopResult
	if status := b.json(&r, "drill", "stop", "--all", "--reason", "incident 4711"); status != exitDone || r.Stopped == "" || !r.Held {
		t.Errorf("exit %d, %+v", status, r)
	}
	if status := tool.wait(); status != exitStopped {
		t.Errorf("the drill ended with %d, want %d: %s", status, exitStopped, tool.said())
	}
	if status, _, said := b.paytool("drill", "inject", "--group", "1", "--fault", "hang"); status != exitRefused || !strings.Contains(said, "incident 4711") {
		t.Errorf("beside the hold: exit %d, %q", status, said)
	}
	if status, out, _ := b.paytool("drill", "stop", "--release"); status != exitDone || !strings.Contains(out, "may begin again") {
		t.Errorf("release: exit %d, %q", status, out)
	}
	b.sound()
}

func watchdogTakesOver(t *testing.T, b *bench) {
	tool := b.injecting("--group", "2", "--fault", "semisync_stall+hang")
	if status, _, said := b.paytool("drill", "inject", "--group", "1", "--fault", "hang"); status != exitRefused || !strings.Contains(said, "another drill runs") {
		t.Errorf("a second drill: exit %d, %q", status, said)
	}
	tool.signal(syscall.SIGKILL)
	tool.wait()
	b.sound()
	deadline := time.Now().Add(30 * time.Second)
	for len(b.watchdogs()) > 0 {
		if time.Now().After(deadline) {
			t.Fatal("the watchdog does not end")
		}
		time.Sleep(20 * time.Millisecond) // between two looks
	}
	if status, out, _ := b.paytool("drill", "recover"); status != exitDone || !strings.Contains(out, "nothing is left") {
		t.Errorf("recover after the watchdog: exit %d, %q", status, out)
	}
}

func recoverTakesOver(t *testing.T, b *bench) {
	b.leave("--group", "1,2", "--fault", "hang")
	if _, _, said := b.paytool("drill", "faults"); !strings.Contains(said, "is not repaired: call `paytool drill recover`") {
		t.Errorf("another command says %q, and nothing of what was left", said)
	}
	if status, _, said := b.paytool("drill", "inject", "--group", "3", "--fault", "hang"); status != exitRefused || !strings.Contains(said, "is not repaired") {
		t.Errorf("the next drill: exit %d, %q", status, said)
	}
	var r recoverResult
	if status := b.json(&r, "drill", "recover"); status != exitDone || len(r.Settled) != 1 || len(r.Settled[0].Done) != 4 {
		t.Errorf("recover: exit %d, %+v\n%s", status, r, b.stderr)
	}
	b.sound()
	if status, out, said := b.paytool("drill", "recover", "--if-dirty"); status != exitDone || out+said != "" {
		t.Errorf("with nothing left: exit %d, %q, %q", status, out, said)
	}
}

// othersWantConsent reads the same servers by a config outside of the sandbox, as
// those of production.
func othersWantConsent(t *testing.T, b *bench) {
	text, err := os.ReadFile(b.config)
	if err != nil {
		t.Fatal(err)
	}
	other := *b
	other.config = filepath.Join(t.TempDir(), "paytool.yaml")
	if err := os.WriteFile(other.config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"read_only": "was not allowed", "crash": "needs a sandbox"} {
		if status, _, said := other.paytool("drill", "inject", "--group", "1", "--fault", name); status != exitRefused || !strings.Contains(said, want) {
			t.Errorf("%s: exit %d, %q", name, status, said)
		}
	}
	other.leave("--group", "1", "--fault", "read_only", "--yes")
	if status, _, said := other.paytool("drill", "recover"); status != exitRefused || !strings.Contains(said, "SET GLOBAL read_only=0") {
		t.Errorf("recover without consent: exit %d, %q", status, said)
	}
	if status, out, said := other.paytool("drill", "recover", "--yes"); status != exitDone || !strings.Contains(out, "read_only is 0") {
		t.Errorf("recover: exit %d, %q, %q", status, out, said)
	}
	b.sound()
}

// drillTool is a `drill inject` in a process of its own, which can be killed.
type drillTool struct {
	t   *testing.T
	cmd *exec.Cmd
	err *os.File
}

// injecting returns while the fault is held.
func (b *bench) injecting(args ...string) *drillTool {
	b.Helper()
	errOut, err := os.Create(filepath.Join(b.TempDir(), "stderr"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = errOut.Close() })
	tool := &drillTool{t: b.T, err: errOut, cmd: &exec.Cmd{
		Path: "/proc/self/exe", Stderr: errOut,
		Args: append([]string{"paytool", "--config", b.config, "drill", "inject", "--for", "1m"}, args...),
	}}
	if err := tool.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = tool.cmd.Process.Kill() })
	deadline := time.Now().Add(30 * time.Second)
	for !strings.Contains(tool.said(), "held: ") {
		if time.Now().After(deadline) {
			b.Fatalf("no fault is held: %s", tool.said())
		}
		time.Sleep(20 * time.Millisecond) // between two looks
	}
	return tool
}

// leave kills a drill and its watchdog while the fault is held.
func (b *bench) leave(args ...string) {
	b.Helper()
	tool := b.injecting(args...)
	for _, pid := range b.watchdogs() {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
	}
	tool.signal(syscall.SIGKILL)
	tool.wait()
}

func (d *drillTool) said() string {
	text, err := os.ReadFile(d.err.Name())
	if err != nil {
		d.t.Fatal(err)
	}
	return string(text)
}

func (d *drillTool) signal(sig syscall.Signal) {
	if err := d.cmd.Process.Signal(sig); err != nil {
		d.t.Fatal(err)
	}
}

func (d *drillTool) wait() int {
	_ = d.cmd.Wait() // the state says how it ended
	return d.cmd.ProcessState.ExitCode()
}

// watchdogs finds the processes that watch journals beside the config.
func (b *bench) watchdogs() (pids []int) {
	b.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range all {
		text, err := os.ReadFile(f)
		if err != nil || !bytes.Contains(text, []byte("\x00watchdog\x00--journal\x00"+filepath.Dir(b.config)+"/")) {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(f, "/")[2]); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// sound waits until every node runs, replicates and acknowledges, and takes writes
// where it should.
func (b *bench) sound() {
	b.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for b.broken() {
		if time.Now().After(deadline) {
			b.Fatal("something of a fault is left")
		}
		time.Sleep(50 * time.Millisecond) // between two looks
	}
}

func (b *bench) broken() bool {
	st, err := sandbox.Inspect(b.Context(), b.dir)
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range st.Nodes {
		if n.Identity().State() != sandbox.Running || n.SemiSync != sandbox.SemiSyncOn || n.LagMS == nil {
			return true
		}
		db, err := n.Admin()
		if err != nil {
			b.Fatal(err)
		}
		var readOnly bool
		err = db.QueryRowContext(b.Context(), "SELECT @@read_only").Scan(&readOnly)
		_ = db.Close()
		if err != nil || readOnly == (n.Role == sandbox.RolePrimary) {
			return true
		}
	}
	return false
}
