package site

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"

	"paytool/internal/config"
	"paytool/internal/drill/rig"
)

// ioTimeout is a backstop below the contexts of all questions.
const ioTimeout = 10 * time.Second

// errDSN leaves out the driver's words, which repeat parts of the DSN.
var errDSN = errors.New("its dsn does not parse (value withheld)")

func parse(dsn config.DSN) (*mysql.Config, error) {
	c, err := mysql.ParseDSN(string(dsn))
	if err != nil {
		return nil, errDSN
	}
	c.Timeout, c.ReadTimeout, c.WriteTimeout = 2*time.Second, ioTimeout, ioTimeout
	c.InterpolateParams, c.MultiStatements = true, false
	c.Logger = &mysql.NopLogger{} // what it would say comes back as an error
	return c, nil
}

func connector(dsn config.DSN) (driver.Connector, error) {
	c, err := parse(dsn)
	if err != nil {
		return nil, err
	}
	return mysql.NewConnector(c)
}

// open connects as an administrator, on one connection.
func open(dsn config.DSN, n rig.Node) (*sql.DB, error) {
	if dsn == "" {
		return nil, fmt.Errorf("%s has no admin_dsn in the config", n.Name)
	}
	c, err := connector(dsn)
	if err != nil {
		return nil, fmt.Errorf("admin_dsn of %s: %w", n.Name, err)
	}
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(1)
	return db, nil
}

// await asks again and again until it is done or ctx ends.
func await(ctx context.Context, done func() (bool, error)) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
