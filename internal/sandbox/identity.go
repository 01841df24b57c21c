package sandbox

import (
	"context"
	"fmt"
	"log/slog"
	"os"
)

// Identity names one process for good: its id may be given to a stranger once it
// has ended, its start time is not.
type Identity struct {
	PID     int    `json:"pid"`
	Started uint64 `json:"started"` // clock ticks since boot
}

// ProcessState is what a process is doing, as far as drills care.
type ProcessState string

// The states of a process.
const (
	Running ProcessState = "running"
	Stopped ProcessState = "stopped" // by SIGSTOP; it holds its sockets and does nothing
	Ended   ProcessState = "ended"   // or a zombie, or its id is a stranger's by now
)

// Identify names the process that has the id now.
func Identify(pid int) (Identity, error) {
	p, err := readProcess(pid)
	if err != nil {
		return Identity{}, fmt.Errorf("read process %d: %w", pid, err)
	}
	return Identity{PID: p.pid, Started: p.start}, nil
}

// State reads the process's state from /proc.
func (i Identity) State() ProcessState {
	p, err := readProcess(i.PID)
	switch {
	case err != nil || p.start != i.Started || p.dead():
		return Ended
	case p.stopped():
		return Stopped
	}
	return Running
}

// Signal reaches this very process or nobody: one that has ended is
// os.ErrProcessDone, even if its id lives on elsewhere.
func (i Identity) Signal(sig os.Signal) error {
	return process{pid: i.PID, start: i.Started}.signal(sig)
}

// Identity names the process that was seen when this Node was made; zero where the
// node was dead.
func (n Node) Identity() Identity { return Identity{PID: n.process.pid, Started: n.process.start} }

// StartNode starts the node on that port again, with the arguments it always has,
// and returns once it answers; one that was the primary until another node took its
// place also once it follows that one. One that is stopped is left as it is. The
// error is ErrNoSandbox, ErrNoMariaDB or ErrBusy where that is the reason; after
// ErrBusy the caller may try again.
func StartNode(ctx context.Context, dir string, port int) error {
	if err := startNode(ctx, dir, port); err != nil {
		return fmt.Errorf("start the node on port %d of the sandbox in %s: %w", port, dir, err)
	}
	return nil
}

func startNode(ctx context.Context, dir string, port int) error {
	server, err := findServer(lookPath)
	if err != nil {
		return err
	}
	l, m, err := open(dir)
	if err != nil {
		return err
	}
	release, err := lock(l)
	if err != nil {
		return err
	}
	defer release()
	b := &box{layout: l, marker: m, user: account{uid: m.UID, gid: m.GID}, server: server, log: slog.New(slog.DiscardHandler)}
	if err := b.user.check(l); err != nil {
		return err
	}
	running, err := processesUnder(l, b.user)
	if err != nil {
		return err
	}
	for _, n := range m.nodes(l) {
		if n.port != port {
			continue
		}
		p, ok := running[n.dataDir()]
		switch {
		case ok && p.stopped():
			return nil
		case ok: // it may have been killed, and be not quite dead yet
			return b.keep(ctx, n, p)
		}
		if err := b.start(ctx, n); err != nil || n.isPrimary() {
			return err
		}
		return b.demote(ctx, n)
	}
	return fmt.Errorf("no node of it has port %d; see `paytool sandbox status`", port)
}
