package vitals

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
	"golang.org/x/sync/errgroup"

	"paytool/internal/shard"
	"paytool/internal/shard/doctor"
)

// Options say who is asked.
type Options struct {
	Groups []Group
	// Timeout bounds connecting to a node with one account, and again what is asked then
	// (2 s).
	Timeout time.Duration
	// Now is this machine's clock (time.Now).
	Now func() time.Time
	// Host is this machine's name. The free space of a server that has the same
	// name is read here where the server itself does not tell.
	Host string
}

// Group is one group of the config.
type Group struct {
	ID       shard.GroupID
	Weight   int
	Zone     string
	Semisync bool // it may take orders only while a replica acknowledges
	Ask      bool // false: only what the config says of it is passed on
	Primary  Node
	Replicas []Node
}

// Node is one server and the accounts for it, as data source names of
// go-sql-driver/mysql. They hold passwords and are never printed.
type Node struct {
	DSN        string // application account, with the database
	MonitorDSN string // reads replication status; "" uses DSN
}

const (
	defaultTimeout = 2 * time.Second
	// atOnce bounds the nodes that are connected to at a time, as one that is dead takes up
	// its time.
	atOnce = 16
	// busyAtOnce bounds those that are answering. All the variables and figures of a server
	// keep a processor busy for some ten ms, and servers may share a machine: fifteen at
	// once on two processors made the orders of all groups late.
	busyAtOnce = 2
)

// Read asks all nodes and returns when all have answered or used up their time.
// It fails in no part: see doctor.Refusal.
func Read(ctx context.Context, o Options) []doctor.Group {
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	groups := make([]doctor.Group, len(o.Groups))
	var asking errgroup.Group
	asking.SetLimit(atOnce)
	busy := make(chan struct{}, busyAtOnce)
	for i, g := range o.Groups {
		groups[i] = doctor.Group{ID: g.ID, Weight: g.Weight, Zone: g.Zone, Semisync: g.Semisync, Replicas: len(g.Replicas)}
		if c, err := mysql.ParseDSN(g.Primary.DSN); err == nil {
			groups[i].Database = c.DBName
		}
		if !g.Ask {
			continue
		}
		nodes := make([]doctor.Node, 1+len(g.Replicas))
		groups[i].Nodes = nodes
		for j, n := range append([]Node{g.Primary}, g.Replicas...) {
			label := "primary"
			if j > 0 {
				label = fmt.Sprintf("replica%d", j)
			}
			asking.Go(func() error {
				nodes[j] = o.read(ctx, busy, n, fmt.Sprintf("g%d/%s", g.ID, label), j == 0)
				return nil
			})
		}
	}
	_ = asking.Wait() // no reader returns an error: refusals are part of the facts
	return groups
}

// read asks one node: everything that needs no privilege through the account that
// the engine uses, so that what the engine would meet is met here.
func (o Options) read(ctx context.Context, busy chan struct{}, n Node, label string, primary bool) doctor.Node {
	r := reader{timeout: o.Timeout, busy: busy, now: o.Now, host: o.Host, node: doctor.Node{Name: label, Primary: primary}}
	if c, err := mysql.ParseDSN(n.DSN); err == nil {
		r.node.Name += " " + c.Addr
	}
	if n.MonitorDSN == "" {
		n.MonitorDSN = n.DSN
	}
	r.as(ctx, doctor.Application, n.DSN, r.application)
	if ctx.Err() == nil && !r.down() {
		r.as(ctx, doctor.Monitor, n.MonitorDSN, r.monitor)
	}
	return r.node
}

// reader fills in the facts about one node.
type reader struct {
	timeout time.Duration
	busy    chan struct{} // a place for each node that may be answering
	now     func() time.Time
	host    string
	node    doctor.Node
}

// down reports whether another account would get no answer either.
func (r *reader) down() bool {
	for _, refused := range r.node.Refusals {
		if refused.Kind == doctor.Down || refused.Kind == doctor.Silent {
			return true
		}
	}
	return false
}

// as asks with one of the accounts, on one connection.
func (r *reader) as(ctx context.Context, account doctor.Account, dsn string, ask func(ctx context.Context, conn *sql.Conn) error) {
	if err := r.ask(ctx, dsn, ask); err != nil {
		r.node.Refusals = append(r.node.Refusals, doctor.Refusal{Account: account, Kind: kindOf(err), Reason: err.Error()})
	}
}

func (r *reader) ask(ctx context.Context, dsn string, ask func(ctx context.Context, conn *sql.Conn) error) error {
	db, err := open(dsn)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing was written
	var conn *sql.Conn
	if err := r.within(ctx, func(ctx context.Context) error {
		conn, err = db.Conn(ctx)
		return err
	}); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close() //nolint:errcheck // nothing was written
	return r.inTurn(ctx, func() error {
		return r.within(ctx, func(ctx context.Context) error { return ask(ctx, conn) })
	})
}

// silentError says that a node did not answer in time.
type silentError struct{ timeout time.Duration }

func (e silentError) Error() string { return fmt.Sprintf("no answer within %s", e.timeout) }

// within bounds one step. One that took all its time got no answer, whatever the driver
// says: it may call that a bad connection.
func (r *reader) within(ctx context.Context, do func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	err := do(ctx)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return silentError{r.timeout}
	}
	return err
}

// inTurn waits for a place among the nodes that are answering.
func (r *reader) inTurn(ctx context.Context, ask func() error) error {
	select {
	case r.busy <- struct{}{}:
		defer func() { <-r.busy }()
		return ask()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// errDSN leaves out the driver's words, which repeat parts of the DSN.
var errDSN = errors.New("its dsn does not parse (value withheld): write user:password@tcp(host:port)/database")

func open(dsn string) (*sql.DB, error) {
	c, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, errDSN
	}
	c.InterpolateParams, c.ParseTime, c.MultiStatements, c.RejectReadOnly = true, false, false, false
	c.Timeout, c.ReadTimeout, c.WriteTimeout = 0, 0, 0 // the context has the time for everything
	c.Params = map[string]string{"time_zone": "'+00:00'"}
	c.Logger = &mysql.NopLogger{} // what it would say comes back as an error
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, errDSN
	}
	return sql.OpenDB(connector), nil
}

// Server errors that say who may do what.
var denials = map[uint16]bool{
	1044: true, // no access to the database
	1045: true, // no such account, or another password
	1130: true, // not from this address
	1142: true, // not this command on this table
	1227: true, // a privilege is missing
	1049: true, // no such database
	1698: true, // no such account, MariaDB
	3118: true, // the account is locked
	4151: true, // the account is locked, MariaDB
}

func kindOf(err error) doctor.RefusalKind {
	var answer *mysql.MySQLError
	var network net.Error
	var silent silentError
	switch {
	case errors.As(err, &silent):
		return doctor.Silent
	case errors.As(err, &answer) && denials[answer.Number]:
		return doctor.Denied
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET), errors.Is(err, driver.ErrBadConn), errors.Is(err, syscall.ENOENT):
		return doctor.Down
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return doctor.Silent
	}
	return doctor.Unclear
}

// table reads all rows; names are in lower case, NULLs left out.
func table(ctx context.Context, conn *sql.Conn, query string, args ...any) (list []doctor.Values, err error) {
	rows, err := conn.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values, targets := make([]sql.NullString, len(names)), make([]any, len(names))
	for i := range values {
		targets[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		row := doctor.Values{}
		for i, v := range values {
			if v.Valid {
				row[strings.ToLower(names[i])] = v.String
			}
		}
		list = append(list, row)
	}
	return list, rows.Err()
}

// pairs reads a table of names and values.
func pairs(ctx context.Context, conn *sql.Conn, query string) (doctor.Values, error) {
	rows, err := table(ctx, conn, query)
	if err != nil {
		return nil, err
	}
	all := doctor.Values{}
	for _, r := range rows {
		all[strings.ToLower(r["variable_name"])] = r["value"]
	}
	return all, nil
}
