package store

import (
	"context"
	"sync"
	"time"
)

// Words for semi-sync in a NodeStatus.
const (
	SemisyncOn      = "on"
	SemisyncOff     = "off"
	SemisyncUnknown = "unknown"
)

// NodeStatus is one node at one moment.
type NodeStatus struct {
	Name, Role, Addr string
	ReadOnly         bool
	// Semisync of a primary is SemisyncOn when commits wait for a replica that is
	// there; of a replica, it is SemisyncOn when it replicates.
	Semisync string
	// Lag is how far a replica is behind, in whole seconds; nil while unknown.
	Lag *time.Duration
	// Err is why the node, or a part of the answer, could not be read.
	Err error
}

// Reachable reports whether the node answered everything that it was asked.
func (s NodeStatus) Reachable() bool { return s.Err == nil }

// Status is a group's nodes at one moment, the primary first.
type Status struct {
	Nodes []NodeStatus
	// Orders counts the orders of tags that the group owns, VOID ones too; -1 when no node said.
	Orders int64
}

// Status asks all nodes at once. It fails in no part: what could not be read
// says so, and a node that hangs holds it up until the context ends.
func (g *Group) Status(ctx context.Context) Status {
	crew := g.crew.Load()
	nodes := crew.nodes()
	s := Status{Nodes: make([]NodeStatus, len(nodes))}
	counts := make([]int64, len(nodes))
	var wg sync.WaitGroup
	for i, n := range nodes {
		role := RoleReplica
		if n == crew.primary {
			role = RolePrimary
		}
		wg.Go(func() { s.Nodes[i], counts[i] = n.status(ctx, role) })
	}
	wg.Wait()
	s.Orders = -1
	for _, c := range counts { // the primary's count if there is one, else a replica's
		if c >= 0 {
			s.Orders = c
			break
		}
	}
	return s
}

// Semisync asks the primary alone, for those who ask often: SemisyncOn when commits
// wait for a replica that is there.
func (g *Group) Semisync(ctx context.Context) (word string, err error) {
	s, err := readSemisync(ctx, g.primary().monitor)
	if err != nil {
		return SemisyncUnknown, g.primary().fail("read the semi-sync status", err, beforeCommit)
	}
	return s.word(), nil
}

// CommitsWait reports whether the primary's commits wait for a replica, and how many
// replicas there are that could acknowledge them. Where commits do not wait, what is
// acknowledged may have one copy; where they wait for nobody, nothing is acknowledged.
func (g *Group) CommitsWait(ctx context.Context) (wait bool, replicas int, err error) {
	s, err := readSemisync(ctx, g.primary().monitor)
	return s.known && s.on, s.clients, g.primary().fail("read the semi-sync status", err, beforeCommit)
}

// CommitsWaitAtMost is how long a commit waits before semi-sync turns itself off.
func (g *Group) CommitsWaitAtMost(ctx context.Context) (time.Duration, error) {
	var name string
	var ms int64
	const timeout = `SHOW GLOBAL VARIABLES WHERE Variable_name IN ('rpl_semi_sync_master_timeout', 'rpl_semi_sync_source_timeout')`
	err := g.primary().monitor.QueryRowContext(ctx, timeout).Scan(&name, &ms)
	return time.Duration(ms) * time.Millisecond, g.primary().fail("read the semi-sync timeout", err, beforeCommit)
}

func (n *node) status(ctx context.Context, role string) (s NodeStatus, orders int64) {
	s = NodeStatus{Name: n.name, Role: role, Addr: n.addr, Semisync: SemisyncUnknown}
	server, err := readServer(ctx, n.monitor)
	if err != nil {
		s.Err = n.fail("read the status", err, beforeCommit)
		return s, -1
	}
	s.ReadOnly = server.readOnly
	if role == RolePrimary {
		sync, err := readSemisync(ctx, n.monitor)
		if err != nil {
			s.Err = n.fail("read the semi-sync status", err, beforeCommit)
			return s, -1
		}
		s.Semisync = sync.word()
	} else if err := s.readReplica(ctx, n); err != nil {
		s.Err = n.fail("read the replica status", err, beforeCommit)
	}
	if err := n.scan.QueryRowContext(ctx, countOrdersSQL).Scan(&orders); err != nil {
		return s, -1 // not migrated yet, or too many to count in time: the node is well all the same
	}
	return s, orders
}

func (s *NodeStatus) readReplica(ctx context.Context, n *node) error {
	r, err := readReplication(ctx, n.monitor)
	if err != nil {
		return err
	}
	s.Semisync = SemisyncOff
	if r.io && r.sql {
		s.Semisync = SemisyncOn
	}
	if r.behind >= 0 {
		lag := time.Duration(r.behind) * time.Second
		s.Lag = &lag
	}
	return nil
}
