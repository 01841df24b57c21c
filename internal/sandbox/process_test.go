package sandbox

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// statTail is /proc/PID/stat from the parent's id to the start time.
const statTail = " 1 7 7 0 -1 4194560 1 0 0 0 2 3 0 0 20 0 9 0 "

func TestParseStat(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, stat    string
		want          process
		stopped, dead bool
	}{
		{name: "sleeping", stat: "42 (mariadbd) S" + statTail + "8811 99 1", want: process{pid: 42, state: 'S', start: 8811}},
		{name: "stopped", stat: "42 (mariadbd) T" + statTail + "8811 99 1", want: process{pid: 42, state: 'T', start: 8811}, stopped: true},
		{name: "zombie", stat: "42 (mariadbd) Z" + statTail + "8811 0 0", want: process{pid: 42, state: 'Z', start: 8811}, dead: true},
		{name: "name like fields", stat: "42 (a) Z 1 (b)) R" + statTail + "5", want: process{pid: 42, state: 'R', start: 5}},
	}
	for _, tt := range tests {
		got, err := parseStat(tt.stat)
		if err != nil || got != tt.want || got.stopped() != tt.stopped || got.dead() != tt.dead {
			t.Errorf("%s: %+v, %v, want %+v", tt.name, got, err, tt.want)
		}
	}
	for _, stat := range []string{"", "42", "42 mariadbd S 1", "42 (mariadbd)", "42 (mariadbd) S 1 7", "x (mariadbd) S" + statTail + "5", "42 (mariadbd) S" + statTail + "x"} {
		if got, err := parseStat(stat); err == nil {
			t.Errorf("parseStat(%q) = %+v, want an error", stat, got)
		}
	}
}

func TestParseCmdline(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, cmdline, want string }{
		{"server", "/usr/sbin/mariadbd\x00--defaults-file=/s/my.cnf\x00--datadir=/s/g1/primary/data\x00", "/s/g1/primary/data"},
		{"zombie or kernel thread", "", ""},
		{"someone who mentions it", "tail\x00-f\x00--datadir=/s/g1/primary/data\x00", ""},
		{"shell that launches it", "/bin/sh\x00-c\x00\"$@\"\x00mariadbd\x00--datadir=/s/g1/primary/data\x00", ""},
		{"server elsewhere", "mariadbd\x00--basedir=/usr\x00", ""},
	}
	for _, tt := range tests {
		if got := parseCmdline(tt.cmdline); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestZombieIsDead(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p, err := readProcess(cmd.Process.Pid)
	if err != nil || !p.running() || !alive(p.pid) {
		t.Fatalf("%+v, %v: want a running process", p, err)
	}
	_ = in.Close() // cat ends, and stays a zombie until it is waited for
	if err := p.awaitEnd(t.Context(), 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(p.pid, 0); err != nil || alive(p.pid) {
		t.Errorf("kill 0: %v, alive %v: want a zombie that counts as dead", err, alive(p.pid))
	}
	if err := p.signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("signal to a zombie: %v, want %v", err, os.ErrProcessDone)
	}
	_ = cmd.Wait()
}

func TestSignalSparesStranger(t *testing.T) {
	t.Parallel()
	me, err := readProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	me.start-- // as if our id had belonged to an earlier process
	if err := me.signal(syscall.SIGKILL); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("got %v, want %v", err, os.ErrProcessDone)
	}
}

// A server that ignores SIGTERM is killed. The shell stands in for it.
func TestStopKills(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "trap '' TERM; echo ready; read forever")
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	defer in.Close() //nolint:errcheck // its reader is gone
	if _, err := out.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	p, err := readProcess(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // no patience: the asking is cut short
	if err := p.stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("stop: %v, want %v", err, context.Canceled)
	}
	if p.running() {
		t.Error("process " + strconv.Itoa(p.pid) + " still runs")
	}
	_ = cmd.Wait()
}
