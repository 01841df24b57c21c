package sandbox

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"
)

// Roles of a node in its group.
const (
	RolePrimary = "primary"
	RoleReplica = "replica"
)

// Answers to whether commits are safe on a second machine.
const (
	SemiSyncOn      = "on"
	SemiSyncOff     = "off"
	SemiSyncUnknown = "unknown" // the node did not answer
)

// Status is a sandbox at one moment. Its JSON is read by scripts: keys stay.
type Status struct {
	Config string `json:"config"` // path of the engine's configuration
	Nodes  []Node `json:"nodes"`  // by group, the primary first
}

// Node is one mariadbd at one moment.
type Node struct {
	Group    int    `json:"group"`
	Role     string `json:"role"`     // RolePrimary or RoleReplica
	PID      int    `json:"pid"`      // 0 when it is dead
	Port     int    `json:"port"`     // on 127.0.0.1
	Socket   string `json:"socket"`   // for `mariadb -uroot -S SOCKET`
	SemiSync string `json:"semisync"` // a primary's "on" means that a replica acknowledges
	// LagMS is how far a replica is behind, in whole seconds given as ms, and 0
	// on a primary. Nil when it is unknown or replication stands still.
	LagMS *int64 `json:"lag_ms"`
	// Dir holds the node's data and its error.log.
	Dir string `json:"-"`

	process process
}

// Admin opens the node's database as root over its socket, which only root and
// the user running the servers can do. The caller closes it and gives each
// query a context with a deadline: the node may be frozen.
func (n Node) Admin() (*sql.DB, error) { return openRoot(n.Socket) }

// Signal sends sig to the process that was seen when this Node was made. When
// that has ended, it is os.ErrProcessDone, even if its id lives on elsewhere.
func (n Node) Signal(sig os.Signal) error {
	if n.PID == 0 {
		return os.ErrProcessDone
	}
	return n.process.signal(sig)
}

// inspectTimeout is what one node may take to answer. All are asked at once.
const inspectTimeout = time.Second

// Inspect says how the sandbox in dir is, and changes nothing. Nodes that are
// dead, stopped or hung are part of the answer and do not hold it up. Without
// a sandbox in dir the error is ErrNoSandbox.
func Inspect(ctx context.Context, dir string) (*Status, error) {
	l, m, err := open(dir)
	if err != nil {
		return nil, fmt.Errorf("inspect sandbox in %s: %w", dir, err)
	}
	running, err := processesUnder(l, account{uid: m.UID, gid: m.GID})
	if err != nil {
		return nil, fmt.Errorf("inspect sandbox in %s: %w", dir, err)
	}
	nodes := m.nodes(l)
	st := &Status{Config: l.config(), Nodes: make([]Node, len(nodes))}
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() { st.Nodes[i] = observe(ctx, n, running[n.dataDir()]) })
	}
	wg.Wait()
	return st, ctx.Err()
}

func open(dir string) (layout, *marker, error) {
	l, err := resolve(dir)
	if err != nil {
		return l, nil, err
	}
	m, err := readMarker(l)
	return l, m, err
}

func observe(ctx context.Context, n node, p process) Node {
	seen := Node{Group: n.group, Role: n.role(), PID: p.pid, Port: n.port, Socket: n.socket(), SemiSync: SemiSyncUnknown, Dir: n.dir, process: p}
	if p.pid == 0 || p.stopped() {
		return seen // cannot answer
	}
	ctx, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	db, err := openRoot(n.socket())
	if err != nil {
		return seen
	}
	defer db.Close() //nolint:errcheck // nothing was written
	semi, err := semiSyncStatus(ctx, db)
	if err != nil {
		return seen
	}
	seen.SemiSync = SemiSyncOff
	if n.isPrimary() {
		if semi.master && semi.clients > 0 {
			seen.SemiSync = SemiSyncOn
		}
		seen.LagMS = new(int64)
		return seen
	}
	if semi.replica {
		seen.SemiSync = SemiSyncOn
	}
	if row, err := replicaStatus(ctx, db); err == nil {
		seen.LagMS = row.lagMS()
	}
	return seen
}

func (r statusRow) lagMS() *int64 {
	seconds, err := strconv.ParseInt(r["Seconds_Behind_Master"], 10, 64)
	if err != nil {
		return nil
	}
	ms := seconds * 1000
	return &ms
}
