package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// process is a running mariadbd. Its id may be given to a stranger once it has
// ended, so the start time goes with it.
type process struct {
	pid   int
	state byte   // R, S, D, T, Z and so on, as in proc(5)
	start uint64 // clock ticks since boot
}

func (p process) stopped() bool { return p.state == 'T' || p.state == 't' }
func (p process) dead() bool    { return p.state == 'Z' || p.state == 'X' || p.state == 'x' }

// processesUnder finds the servers whose data lies below the sandbox, by their
// data directory. A zombie has no command line and is not among them; neither
// is a stranger's process, whatever it calls itself.
func processesUnder(l layout, user account) (map[string]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	found := make(map[string]process)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		dir := dataDirOf(pid)
		if !strings.HasPrefix(dir, string(l)+"/") || !ownedBy(pid, user) {
			continue
		}
		if p, err := readProcess(pid); err == nil && !p.dead() {
			found[dir] = p
		}
	}
	return found, nil
}

// dataDirOf returns the data directory on the command line of a mariadbd, or
// "" for any other process.
func dataDirOf(pid int) string {
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return "" // ended meanwhile
	}
	return parseCmdline(string(cmdline))
}

func parseCmdline(cmdline string) string {
	args := strings.Split(cmdline, "\x00")
	if filepath.Base(args[0]) != "mariadbd" {
		return ""
	}
	for _, arg := range args[1:] {
		if dir, ok := strings.CutPrefix(arg, "--datadir="); ok {
			return dir
		}
	}
	return ""
}

func ownedBy(pid int, user account) bool {
	info, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Uid == user.uid
}

func readProcess(pid int) (process, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, err
	}
	return parseStat(string(stat))
}

// parseStat reads a line of /proc/PID/stat. The second field is the program's
// name in brackets and may itself hold blanks and brackets.
func parseStat(stat string) (process, error) {
	const state, start = 0, 19 // among the fields behind the name
	open, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return process{}, fmt.Errorf("process status %q: no program name", stat)
	}
	fields := strings.Fields(stat[end+1:])
	if len(fields) <= start || len(fields[state]) != 1 {
		return process{}, fmt.Errorf("process status %q: too few fields", stat)
	}
	pid, err1 := strconv.Atoi(strings.TrimSpace(stat[:open]))
	ticks, err2 := strconv.ParseUint(fields[start], 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		return process{}, fmt.Errorf("process status %q: %w", stat, err)
	}
	return process{pid: pid, state: fields[state][0], start: ticks}, nil
}

func alive(pid int) bool {
	p, err := readProcess(pid)
	return err == nil && !p.dead()
}

// running says whether this very process, and not a later one with its id,
// still runs.
func (p process) running() bool {
	now, err := readProcess(p.pid)
	return err == nil && now.start == p.start && !now.dead()
}

// signal reaches this very process or nobody: the handle is taken first, and
// is then known to be the right one. A process that has ended is
// os.ErrProcessDone.
func (p process) signal(sig os.Signal) error {
	handle, err := os.FindProcess(p.pid)
	if err != nil {
		return err
	}
	defer handle.Release() //nolint:errcheck // only frees the handle
	if !p.running() {
		return os.ErrProcessDone
	}
	return handle.Signal(sig)
}

func (p process) resume() error { return p.signal(syscall.SIGCONT) }
