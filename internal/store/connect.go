package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"paytool/internal/shard"
)

// sessionSQL gives every connection the same rules whatever the server's
// defaults are: strict values, UTC, READ COMMITTED, and no wait for a lock that
// is longer than a second, so that a statement whose client has gone does not stay
// behind for long.
//
// Nor does a transaction stay behind whose client went without a word, as a host does
// that lost its power or its network: the server would keep its locks until TCP gives
// up, for hours, and nobody could fence the tag. It ends one that wrote and was idle for
// ten seconds; manualSQL is stricter. A transaction of orders takes parts of a second, and
// one that was cut off so has an unknown outcome like any other. (MySQL has no such setting.)
const sessionSQL = `SET /*M! tx_isolation='READ-COMMITTED', idle_write_transaction_timeout=10, *//*!80000 transaction_isolation='READ-COMMITTED', */ ` +
	`autocommit=1, innodb_lock_wait_timeout=1, lock_wait_timeout=1, time_zone='+00:00', ` +
	`sql_mode='STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'`

// manualSQL makes a connection begin a transaction with whatever it is asked, which
// saves each create the round trip of a BEGIN. Nothing is committed without COMMIT, so
// such a connection is only used where one follows. Here a transaction that only holds
// locks is given up too: the tag's row comes first.
const manualSQL = "SET /*M! idle_transaction_timeout=5, idle_write_transaction_timeout=5, */ autocommit=0"

// selfCommits is 1 on a connection that lost manualSQL, as behind a proxy that
// changed the server under it, or never understood it.
const selfCommits = `COALESCE(/*! @@autocommit, */ 1, 1)`

// uidColumn is the server's own id: server_uid on MariaDB, server_uuid on MySQL,
// empty on the embedded server.
const uidColumn = `COALESCE(/*M! @@global.server_uid, *//*!80000 @@global.server_uuid, */ '', '')`

// connector sets up each new connection and refuses a server with another uid than
// the node's, which is known of a primary: it is not the one that may write.
type connector struct {
	driver.Connector
	node string
	uid  *atomic.Pointer[string] // nil inside where any server will do
	// transactions: nothing commits by itself (manualSQL), and hot statements are kept
	// prepared.
	transactions bool
}

// Connect costs two round trips more than the driver's own, and one where it is for transactions.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.setUp(ctx, conn); err != nil {
		_ = conn.Close() // the reason to close it is the better error
		return nil, err
	}
	if able, ok := conn.(driverConn); ok && c.transactions {
		return &hotConn{driverConn: able, prepared: map[string]hotStatement{}}, nil
	}
	return conn, nil
}

func (c *connector) setUp(ctx context.Context, conn driver.Conn) error {
	if err := execOn(ctx, conn, sessionSQL); err != nil {
		return err
	}
	if want := c.uid.Load(); want != nil {
		got, err := textOn(ctx, conn, "SELECT "+uidColumn)
		if err != nil {
			return err
		}
		if got != *want {
			return anotherServer(c.node, *want, got)
		}
	}
	if c.transactions {
		return execOn(ctx, conn, manualSQL)
	}
	return nil
}

var errDriver = errors.New("the driver's connection takes no contexts")

func execOn(ctx context.Context, conn driver.Conn, query string) error {
	e, ok := conn.(driver.ExecerContext)
	if !ok {
		return errDriver
	}
	_, err := e.ExecContext(ctx, query, nil)
	return err
}

// textOn reads the one text of a query with one row and one column.
func textOn(ctx context.Context, conn driver.Conn, query string) (string, error) {
	q, ok := conn.(driver.QueryerContext)
	if !ok {
		return "", errDriver
	}
	rows, err := q.QueryContext(ctx, query, nil)
	if err != nil {
		return "", err
	}
	row := make([]driver.Value, len(rows.Columns()))
	if err := rows.Next(row); err != nil {
		return "", errors.Join(err, rows.Close())
	}
	text := ""
	switch v := row[0].(type) {
	case []byte:
		text = string(v)
	case string:
		text = v
	}
	if err := rows.Next(row); err != nil && !errors.Is(err, io.EOF) {
		return "", errors.Join(err, rows.Close())
	}
	return text, rows.Close()
}

// staleError is a server that is not the group's primary, whatever the
// configuration says: an order written there could vanish.
type staleError struct{ reason string }

func (e *staleError) Error() string { return e.reason }

func anotherServer(node, want, got string) error {
	return &staleError{fmt.Sprintf("another server answers at %s: its uid is %q, the group's primary has %q; point the dsn at the primary", node, got, want)}
}

func anotherGroup(node string, want, got shard.GroupID) error {
	return &staleError{fmt.Sprintf("group %d lies behind the dsn of %s, not group %d; correct the dsn in the config", got, node, want)}
}
