package site

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/go-sql-driver/mysql"

	"paytool/internal/config"
	"paytool/internal/drill/rig"
)

// Door makes the Door of a proxy that stands before a group: a probe through it is
// a client of the application's account, dsn, that connects to the proxy's addr.
func Door(p rig.Proxy, dsn config.DSN, addr string) (*rig.Door, error) {
	c, err := parse(dsn)
	if err != nil {
		return nil, err
	}
	c.Net, c.Addr = "tcp", addr
	return &rig.Door{Proxy: p, Addr: addr, Probe: func(ctx context.Context) error { return probe(ctx, c) }}, nil
}

// probe connects afresh, so that a door that turns away strangers is met too.
func probe(ctx context.Context, c *mysql.Config) error {
	dial, err := mysql.NewConnector(c)
	if err != nil {
		return errDSN
	}
	db := sql.OpenDB(dial)
	defer db.Close() //nolint:errcheck // nothing was written
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect through %s: %w", c.Addr, err)
	}
	defer conn.Close() //nolint:errcheck // as above
	var one int
	if err := conn.QueryRowContext(ctx, "SELECT 1").Scan(&one); err != nil {
		return fmt.Errorf("ask through %s: %w", c.Addr, err)
	}
	if _, err := conn.ExecContext(ctx, "COMMIT"); err != nil {
		return fmt.Errorf("commit through %s: %w", c.Addr, err)
	}
	return nil
}
