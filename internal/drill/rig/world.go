package rig

import (
	"context"
	"os"

	"paytool/internal/drill/fault"
)

// World is what a rig acts on. All of its methods may be called concurrently.
type World interface {
	// Self is the calling process.
	Self() Identity
	State(id Identity) ProcessState
	// Signal reaches that very process, or nobody: os.ErrProcessDone.
	Signal(id Identity, sig os.Signal) error
	// Find names the process that serves a node now.
	Find(ctx context.Context, n Node) (Identity, error)
	// Start starts a dead node as it was started before; one that runs stays.
	Start(ctx context.Context, n Node) error
	// Server connects with administrator's rights. The caller closes it.
	Server(ctx context.Context, n Node) (Server, error)
	// Session prepares a fault that lasts as long as sessions on the server do.
	Session(n Node, name fault.Name) (Session, error)
}

// Identity names one process for good: an id is given to strangers, a start time
// is not.
type Identity struct {
	PID     int    `json:"pid"`
	Started uint64 `json:"started"` // clock ticks since boot
}

// ProcessState is what a process is doing, as far as faults care.
type ProcessState string

// The states of a process.
const (
	Running ProcessState = "running"
	Stopped ProcessState = "stopped"
	Ended   ProcessState = "ended"
)

// Server is one database server as faults see it. Its calls may take until their
// context ends: the server may hang.
type Server interface {
	// UID is the server's own id, which no other server has.
	UID(ctx context.Context) (string, error)
	Variable(ctx context.Context, name string) (string, error) // global
	SetVariable(ctx context.Context, name, value string) error
	Threads(ctx context.Context) (Threads, error)
	SetThread(ctx context.Context, t Thread, run bool) error
	Semisync(ctx context.Context) (Semisync, error)
	// RearmSemisync turns on what has fallen back, without waiting for a commit.
	RearmSemisync(ctx context.Context) error
	Close() error
}

// Thread is one of the two threads with which a replica follows.
type Thread string

// The threads.
const (
	IOThread  Thread = "IO_THREAD"  // receives, and acknowledges
	SQLThread Thread = "SQL_THREAD" // applies
)

// Threads says which threads run. Both are false on a primary.
type Threads struct{ IO, SQL bool }

func (t Threads) runs(which Thread) bool {
	if which == IOThread {
		return t.IO
	}
	return t.SQL
}

// Semisync is a primary's side of semi-synchronous replication.
type Semisync struct {
	On       bool   // commits wait for a replica
	Replicas int    // that acknowledge
	Timeout  string // name of the variable with the wait in ms; "" where there is no semi-sync
}

// Session is a fault that ends with the sessions that make it.
type Session interface {
	Begin(ctx context.Context) error
	// Holds measures the fault from outside of its sessions.
	Holds(ctx context.Context) (bool, error)
	// End may be called without Begin, and again.
	End() error
}

// Node is one server, in words that a journal can keep: no passwords.
type Node struct {
	Name    string `json:"name"`              // for people: "g2/primary 127.0.0.1:3306"
	Addr    string `json:"addr"`              // host:port
	Sandbox string `json:"sandbox,omitempty"` // directory of the sandbox that it belongs to, "" for a server of somebody else
}

// Group is one database group.
type Group struct {
	Number   int
	Primary  Node
	Replicas []Node
	// Door is the proxy through which the load reaches the primary; nil where there
	// is none, and then no fault of the network can be had.
	Door *Door
	// Known says that the group's servers can be administered; without that only
	// faults of the network can be had.
	Known bool
}

// Door is a proxy in front of a group.
type Door struct {
	Proxy Proxy
	Addr  string // host:port that clients connect to
	// Probe connects through the proxy, asks the server something and commits. It
	// returns the first error.
	Probe func(ctx context.Context) error
}

// Proxy carries out faults of the network.
type Proxy interface {
	Set(fault.List) error
	Clear() error
	Struck() map[fault.Name]int
}
