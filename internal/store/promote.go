package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"

	"paytool/internal/shard"
	"paytool/internal/shard/promote"
)

// PromoteNode is one node of a group as an administrator reaches it, as data source
// names of go-sql-driver/mysql. They hold passwords and are never printed.
type PromoteNode struct {
	DSN      string // application account: the address and the database count
	AdminDSN string
}

// Promoter carries out the change of a group's primary. One goroutine uses it.
type Promoter struct {
	group shard.GroupID
	nodes []*admin
}

// admin is one node with an administrator's connections.
type admin struct {
	name, addr string
	db         *sql.DB
	claim      *sql.Conn // holds the named lock, nil before Claim
	mysql      bool      // the spelling of MySQL; known after a look
}

const (
	// lookTimeout bounds what one node is asked at a look.
	lookTimeout = 2 * time.Second
	// applyEvery is the pause between two looks at a replica that applies.
	applyEvery = 20 * time.Millisecond
)

// ErrPromoting means that another operator changes the same group's primary.
var ErrPromoting = errors.New("another `paytool shard set-primary` works on it: wait for that one to end")

// OpenPromoter sets up connections to all nodes of a group, the configured primary
// first, without touching the network.
func OpenPromoter(group shard.GroupID, nodes []PromoteNode) (*Promoter, error) {
	p := &Promoter{group: group}
	for i, n := range nodes {
		label := RolePrimary
		if i > 0 {
			label = fmt.Sprintf("%s%d", RoleReplica, i)
		}
		a, err := openAdmin(fmt.Sprintf("g%d/%s", group, label), n)
		if err != nil {
			return nil, errors.Join(err, p.Close())
		}
		p.nodes = append(p.nodes, a)
	}
	return p, nil
}

func openAdmin(name string, n PromoteNode) (*admin, error) {
	app, err := parseDSN(name, n.DSN)
	if err != nil {
		return nil, err
	}
	name += " " + app.Addr
	if n.AdminDSN == "" {
		return nil, fmt.Errorf("open %s: the config has no admin_dsn for it: set-primary needs an account that may read and change replication", name)
	}
	c, err := parseDSN(name, n.AdminDSN)
	if err != nil {
		return nil, err
	}
	c.DBName = app.DBName
	c.Timeout, c.ReadTimeout, c.WriteTimeout = defaultConnectTimeout, scanTimeout, scanTimeout
	c.ClientFoundRows, c.InterpolateParams = true, true
	c.Logger = &mysql.NopLogger{} // what it says comes back as an error as well
	inner, err := mysql.NewConnector(c)
	if err != nil {
		return nil, errDSN(name)
	}
	db := sql.OpenDB(&connector{Connector: inner, node: name, uid: &atomic.Pointer[string]{}})
	db.SetMaxOpenConns(sparePool)
	return &admin{name: name, addr: app.Addr, db: db}, nil
}

// Close gives a claim back and closes the connections.
func (p *Promoter) Close() error {
	var errs []error
	for _, a := range p.nodes {
		if a.claim != nil {
			discard(a.claim) // ends the session, and the lock with it
		}
		errs = append(errs, a.db.Close())
	}
	return errors.Join(errs...)
}

// Claim keeps other operators out until Close, or answers ErrPromoting. It takes a
// named lock on each node that answers, in one order for everybody, so that of two
// operators who see one node in common, one is refused.
func (p *Promoter) Claim(ctx context.Context) error {
	byAddr := slices.Clone(p.nodes)
	slices.SortFunc(byAddr, func(a, b *admin) int { return strings.Compare(a.addr, b.addr) })
	for _, a := range byAddr {
		nctx, cancel := context.WithTimeout(ctx, lookTimeout)
		conn, err := a.db.Conn(nctx)
		if err != nil {
			cancel()
			continue // a node that does not answer keeps nobody out
		}
		var got sql.NullInt64
		err = conn.QueryRowContext(nctx, "SELECT GET_LOCK(?, 0)", fmt.Sprintf("paytool.primary.g%d", p.group)).Scan(&got)
		cancel()
		if err != nil {
			discard(conn)
			continue
		}
		a.claim = conn
		if got.Int64 != 1 {
			return fmt.Errorf("set the primary of group %d: %s: %w", p.group, a.name, ErrPromoting)
		}
	}
	return nil
}

// Look asks every node at once what promote has to know.
func (p *Promoter) Look(ctx context.Context) []promote.Node {
	seen := make([]promote.Node, len(p.nodes))
	var wg sync.WaitGroup
	for i, a := range p.nodes {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, lookTimeout)
			defer cancel()
			seen[i] = promote.Node{Name: a.name, Addr: a.addr, Reach: promote.Answers}
			if err := a.look(ctx, &seen[i]); err != nil {
				seen[i] = promote.Node{Name: a.name, Addr: a.addr, Reach: reach(err), Why: err.Error()}
			}
		})
	}
	wg.Wait()
	return seen
}

// reach tells a server that is not there from one that does not say. An error that
// the server itself gives counts as silent: nothing is known of it.
func reach(err error) promote.Reach {
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" && errors.Is(err, syscall.ECONNREFUSED) {
		return promote.Dead
	}
	return promote.Silent
}

func (a *admin) look(ctx context.Context, n *promote.Node) error {
	var version string
	err := a.db.QueryRowContext(ctx, "SELECT "+uidColumn+", @@global.read_only, VERSION(), "+gtidColumn).Scan(&n.UID, &n.ReadOnly, &version, &n.GTID)
	if err != nil {
		return err
	}
	a.mysql = !strings.Contains(version, "MariaDB")
	follows, r, err := a.replication(ctx)
	if err != nil {
		return err
	}
	n.Follows, n.Applied = follows, r.appliedAll()
	err = a.db.QueryRowContext(ctx, "SELECT group_id, epoch, primary_uid FROM group_info WHERE id=1").Scan(&n.Group, &n.Epoch, &n.PrimaryUID)
	if errors.Is(err, sql.ErrNoRows) || isAnswer(err, errNoSuchTable) {
		return nil // no group of ours, which is an answer too
	}
	return err
}

// replication reports whether the node is set up to follow another, and how far it is.
func (a *admin) replication(ctx context.Context) (follows bool, r replication, err error) {
	rows, err := a.db.QueryContext(ctx, "SHOW REPLICA STATUS")
	if err != nil {
		return false, r, err
	}
	defer rows.Close()
	row, err := scanNamed(rows)
	if err != nil {
		return false, r, err
	}
	return row != nil, parseReplication(row), rows.Err()
}
