package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// snapshot is one node at one moment, for reads of many statements: an order and its
// records fit together however long it takes to read them. It is a transaction that
// writes nothing and locks nothing, at the one isolation level of all servers that
// keeps its moment.
type snapshot struct {
	node   *node
	group  shard.GroupID
	conn   *sql.Conn
	claims map[pay.Tag]shard.Claim
}

const (
	isolationSQL = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
	snapshotSQL  = "START TRANSACTION /*! WITH CONSISTENT SNAPSHOT, */ READ ONLY"
)

// chooseWithin is how long one node may take until it is read from: the primary to
// say how far it is, a replica to come there.
const chooseWithin = time.Second

var errFenced = errors.New("is being moved to another group just now; try again in a moment")

// passing reports whether it is what a moment brings and takes away, and no other node
// mends: a fence is up for less than a second, and an engine prepares a group that was
// just added as soon as it has read the config.
func passing(err error) bool { return errors.Is(err, errFenced) || errors.Is(err, errNotPrepared) }

// How long a snapshot waits for what is passing, and how often it looks.
const (
	passingPatience = 5 * time.Second
	passingLook     = 50 * time.Millisecond
)

// snapshot opens one, and waits for what is passing. A group without tables is never
// taken for one without orders: it may as well have lost them.
func (g *Group) snapshot(ctx context.Context) (*snapshot, error) {
	ended := time.NewTimer(passingPatience)
	defer ended.Stop()
	for {
		s, err := g.openSnapshot(ctx)
		if !passing(err) {
			return s, err
		}
		select {
		case <-time.After(passingLook):
		case <-ended.C:
			return nil, err
		case <-ctx.Done():
			return nil, err
		}
	}
}

// openSnapshot opens one, on a replica if one will do: long reads are kept from the
// primary. With the primary at hand a replica serves once it has applied all that
// the primary has committed by now; without it, one that has applied all that it
// received. Where no replica will do, the primary serves.
func (g *Group) openSnapshot(ctx context.Context) (*snapshot, error) {
	if len(g.replicas()) == 0 {
		return g.snapshotOn(ctx, g.primary())
	}
	position, failed := g.primary().position(ctx)
	primaryAnswers := failed == nil
	first := int(g.turn.Add(1))
	replicas := g.replicas()
	for i := range replicas {
		n := replicas[(first+i)%len(replicas)]
		err := n.ready(ctx, position, primaryAnswers)
		if err == nil {
			s, openErr := g.snapshotOn(ctx, n)
			if openErr == nil || errors.Is(openErr, errFenced) {
				return s, openErr
			}
			err = openErr
		}
		g.log.Debug("a replica is not read from", "node", n.name, "err", err)
		failed = joinFaults(failed, err)
	}
	if !primaryAnswers {
		return nil, failed
	}
	return g.snapshotOn(ctx, g.primary())
}

// joinFaults keeps the words of all nodes, and of the first one what it means.
func joinFaults(first, next error) error {
	if first == nil {
		return next
	}
	return fmt.Errorf("%w; %w", first, next)
}

// position is how far a primary has committed.
func (n *node) position(ctx context.Context) (position string, err error) {
	ctx, cancel := soon(ctx)
	defer cancel()
	err = n.scan.QueryRowContext(ctx, gtidSQL).Scan(&position)
	return position, n.fail("read the replication position", err, beforeCommit)
}

// ready answers nil if a replica may be read in place of its primary.
func (n *node) ready(ctx context.Context, position string, primaryAnswers bool) error {
	ctx, cancel := soon(ctx)
	defer cancel()
	if primaryAnswers {
		return n.reach(ctx, position)
	}
	return n.fail("see how far it is", n.appliedAll(ctx), beforeCommit)
}

// soon leaves the nodes that follow more than half of the time.
func soon(ctx context.Context) (context.Context, context.CancelFunc) {
	shared, drop := withShare(ctx, 0.4)
	bounded, cancel := context.WithTimeout(shared, chooseWithin)
	return bounded, func() { cancel(); drop() }
}

func (g *Group) snapshotOn(ctx context.Context, n *node) (*snapshot, error) {
	ctx, cancel := soon(ctx)
	defer cancel()
	conn, err := n.scan.Conn(ctx)
	if err != nil {
		return nil, n.fail("open a snapshot", err, beforeCommit)
	}
	s := &snapshot{node: n, group: g.id, conn: conn}
	for _, statement := range []string{isolationSQL, snapshotSQL} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			discard(conn)
			return nil, n.fail("open a snapshot", err, beforeCommit)
		}
	}
	if err := s.readClaims(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// readClaims refuses a group of which a tag is on its way to another.
func (s *snapshot) readClaims(ctx context.Context) error {
	const doing = "read the tags"
	all, err := readAll(ctx, s.conn, func(row scanner) (c shard.Claim, err error) {
		c.Group = s.group
		return c, row.Scan(&c.Tag, &c.State, &c.Epoch)
	}, "SELECT tag, state, epoch FROM group_state")
	if isAnswer(err, errNoSuchTable) || err == nil && len(all) == 0 {
		err = errNotPrepared // every group has its first tag, whatever became of it
	}
	if err != nil {
		return s.node.fail(doing, err, beforeCommit)
	}
	s.claims = map[pay.Tag]shard.Claim{}
	for _, c := range all {
		if c.State == shard.TagFenced {
			return s.node.fail(doing, fmt.Errorf("tag %d %w", c.Tag, errFenced), beforeCommit)
		}
		s.claims[c.Tag] = c
	}
	return nil
}

// owns reports whether an order is the group's. Legacy numbers have no tag and are
// never moved.
func (s *snapshot) owns(no pay.OrderNo) bool {
	return no.Legacy() || s.claims[no.Tag()].State == shard.TagOwned
}

// source says where it was read.
func (s *snapshot) source() order.Source {
	source := order.Source{Group: s.group, Node: s.node.name}
	for _, c := range s.claims {
		source.Claims = append(source.Claims, c)
	}
	return source
}

// close has no context: it also runs when the caller's has ended.
func (s *snapshot) close() {
	ctx, cancel := context.WithTimeout(context.Background(), rollbackTimeout)
	defer cancel()
	if _, err := s.conn.ExecContext(ctx, "ROLLBACK"); err != nil {
		discard(s.conn)
		return
	}
	_ = s.conn.Close() // it only goes back to the pool
}
