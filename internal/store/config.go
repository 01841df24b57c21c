package store

import (
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"

	"paytool/internal/shard"
)

// Config says where a group's servers are and how long they may take.
type Config struct {
	Group    shard.GroupID
	Primary  Node
	Replicas []Node
	// Pool is the most connections to one server for orders (64), a quarter of them
	// for statements outside transactions; probes, scans and the monitor have a few of
	// their own. There is at least one of each kind.
	Pool int
	// ConnectTimeout bounds a dial (1 s), IOTimeout one read or write on a socket
	// (2 s). Both are a backstop: a context that ends earlier ends a call earlier.
	// IOTimeout is longer than the second for which the server waits for a lock:
	// its answer must not look like a lost connection.
	ConnectTimeout, IOTimeout time.Duration
}

// Node is one server and the accounts for it, as data source names of
// go-sql-driver/mysql. They hold passwords and are never printed.
type Node struct {
	DSN        string // application account, with the database
	MonitorDSN string // reads replication status; "" uses DSN
}

const (
	defaultPool           = 64
	defaultConnectTimeout = time.Second
	defaultIOTimeout      = 2 * time.Second
	// sparePool is the size of the pools beside the one for orders. A probe needs
	// two connections: one that may hang and one that asks why.
	sparePool = 3
	// scanTimeout replaces IOTimeout where thousands of rows are read at once.
	scanTimeout = 10 * time.Second
)

// Group is one database group. It is safe for concurrent use.
type Group struct {
	id   shard.GroupID
	log  *slog.Logger
	cfg  Config
	crew atomic.Pointer[crew] // who does what; another one after a failover, see Follow

	switching sync.Mutex   // held by the one Follow under way
	epoch     atomic.Int64 // the highest at which the primary was known, 0 before

	beat atomic.Pointer[lastBeat] // the last acknowledged probe
	turn atomic.Uint32            // round robin of replicas
}

// crew is who does what in a group. It is not changed, but replaced as a whole.
type crew struct {
	primary  *node
	replicas []*node
	prober   *prober // of the primary
}

// node is one server with its pools.
type node struct {
	name string // for people, by its place in the config: "g1/primary 127.0.0.1:3306"
	addr string
	dsn  string
	// uid is the server's own id, held against every new connection; nil while any
	// server will do, as on a replica.
	uid     atomic.Pointer[string]
	db      *sql.DB // orders, each statement by itself
	tx      *sql.DB // orders, in transactions: nothing commits by itself here
	scan    *sql.DB // long reads
	monitor *sql.DB
}

// Roles of a node in its group.
const (
	RolePrimary = "primary"
	RoleReplica = "replica"
)

// Open sets up a group without touching the network: servers are dialled when
// they are first asked. An error is a mistake in the configuration.
func Open(cfg Config, log *slog.Logger) (*Group, error) {
	if cfg.Pool == 0 {
		cfg.Pool = defaultPool
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = defaultConnectTimeout
	}
	if cfg.IOTimeout == 0 {
		cfg.IOTimeout = defaultIOTimeout
	}
	g := &Group{id: cfg.Group, log: log.With("group", cfg.Group), cfg: cfg}
	c := &crew{}
	g.crew.Store(c)
	var err error
	if c.primary, err = g.openNode(cfg, cfg.Primary, RolePrimary); err != nil {
		return nil, err
	}
	for i, r := range cfg.Replicas {
		n, err := g.openNode(cfg, r, fmt.Sprintf("replica%d", i+1))
		if err != nil {
			return nil, errors.Join(err, g.Close())
		}
		c.replicas = append(c.replicas, n)
	}
	if c.prober, err = g.openProber(c.primary); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

func (g *Group) openProber(n *node) (*prober, error) {
	probes, err := g.openPool(g.cfg, n, n.dsn, g.cfg.IOTimeout, sparePool, false)
	if err != nil {
		return nil, err
	}
	return newProber(n.name, probes, g.log), nil
}

func (g *Group) openNode(cfg Config, at Node, label string) (*node, error) {
	n := &node{dsn: at.DSN, name: fmt.Sprintf("g%d/%s", cfg.Group, label)}
	if at.MonitorDSN == "" {
		at.MonitorDSN = at.DSN
	}
	parsed, err := parseDSN(n.name, at.DSN)
	if err != nil {
		return nil, err
	}
	n.addr = parsed.Addr
	n.name += " " + n.addr
	transactions, single := splitPool(cfg.Pool)
	if n.db, err = g.openPool(cfg, n, at.DSN, cfg.IOTimeout, single, false); err != nil {
		return nil, err
	}
	if n.tx, err = g.openPool(cfg, n, at.DSN, cfg.IOTimeout, transactions, true); err != nil {
		return nil, errors.Join(err, n.close())
	}
	if n.scan, err = g.openPool(cfg, n, at.DSN, scanTimeout, sparePool, false); err != nil {
		return nil, errors.Join(err, n.close())
	}
	if n.monitor, err = g.openPool(cfg, n, at.MonitorDSN, cfg.IOTimeout, sparePool, false); err != nil {
		return nil, errors.Join(err, n.close())
	}
	return n, nil
}

func splitPool(size int) (transactions, single int) {
	single = max(1, size/4)
	return max(1, size-single), single
}

// openPool sets up a pool, for transactions or for statements that commit by themselves.
func (g *Group) openPool(cfg Config, n *node, dsn string, io time.Duration, size int, transactions bool) (*sql.DB, error) {
	c, err := parseDSN(n.name, dsn)
	if err != nil {
		return nil, err
	}
	c.Timeout, c.ReadTimeout, c.WriteTimeout = cfg.ConnectTimeout, io, io
	c.ClientFoundRows = true   // a compare-and-set counts rows that match
	c.InterpolateParams = true // one round trip a statement instead of three
	c.RejectReadOnly = false   // it would hide 1290 behind "bad connection"
	c.MultiStatements, c.ParseTime = false, false
	c.Logger = driverLog{log: g.log, node: n.name}
	inner, err := mysql.NewConnector(c)
	if err != nil {
		return nil, errDSN(n.name)
	}
	db := sql.OpenDB(&connector{Connector: inner, node: n.name, uid: &n.uid, transactions: transactions})
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db, nil
}

func parseDSN(name, dsn string) (*mysql.Config, error) {
	c, err := mysql.ParseDSN(dsn)
	if err != nil || dsn == "" {
		return nil, errDSN(name)
	}
	return c, nil
}

// errDSN leaves out the driver's words, which repeat parts of the DSN.
func errDSN(name string) error {
	return fmt.Errorf("open %s: its dsn does not parse (value withheld): write user:password@tcp(host:port)/database", name)
}

// driverLog turns the driver's lines into debug lines: what they say comes back
// as an error as well.
type driverLog struct {
	log  *slog.Logger
	node string
}

func (l driverLog) Print(v ...any) {
	l.log.Debug("mysql driver", "node", l.node, "said", fmt.Sprint(v...))
}

// ID is the number of the group.
func (g *Group) ID() shard.GroupID { return g.id }

// Close closes all connections. Calls under way end with an error.
func (g *Group) Close() error {
	var errs []error
	if p := g.crew.Load().prober; p != nil {
		errs = append(errs, p.close())
	}
	for _, n := range g.nodes() {
		errs = append(errs, n.close())
	}
	return errors.Join(errs...)
}

func (g *Group) primary() *node    { return g.crew.Load().primary }
func (g *Group) replicas() []*node { return g.crew.Load().replicas }

// nodes lists the primary and then the replicas.
func (g *Group) nodes() []*node { return g.crew.Load().nodes() }

func (c *crew) nodes() []*node {
	if c.primary == nil {
		return nil
	}
	return append([]*node{c.primary}, c.replicas...)
}

func (n *node) close() error {
	var errs []error
	for _, db := range []*sql.DB{n.db, n.tx, n.scan, n.monitor} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// fail says what was tried where, and classifies it.
func (n *node) fail(doing string, err error, at phase) error {
	if err == nil {
		return nil
	}
	return classify(fmt.Errorf("%s on %s: %w", doing, n.name, err), at)
}
