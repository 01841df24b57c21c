package site

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"paytool/internal/config"
	"paytool/internal/drill/rig"
)

// lock holds FLUSH TABLES WITH READ LOCK in a session of its own.
type lock struct {
	node rig.Node
	at   config.Node

	db *sql.DB
}

// Begin waits at most a few seconds for statements that run.
func (l *lock) Begin(ctx context.Context) error {
	db, err := open(l.at.AdminDSN, l.node)
	if err != nil {
		return err
	}
	l.db = db
	for _, q := range []string{"SET SESSION lock_wait_timeout=3", "FLUSH TABLES WITH READ LOCK"} {
		if _, err := l.db.ExecContext(ctx, q); err != nil {
			return errors.Join(fmt.Errorf("%s on %s: %w", q, l.node.Name, err), l.End())
		}
	}
	return nil
}

const errLockWait = 1205 // also of waits for a table's lock

// Holds tries a write that would change nothing, in a session that waits a second
// for locks and writes no binlog. It is a system table's: any group has it.
func (l *lock) Holds(ctx context.Context) (bool, error) {
	db, err := open(l.at.AdminDSN, l.node)
	if err != nil {
		return false, err
	}
	defer db.Close() //nolint:errcheck // nothing was written
	for _, q := range []string{"SET SESSION lock_wait_timeout=1, sql_log_bin=0", "DELETE FROM mysql.time_zone_leap_second WHERE 1=0"} {
		_, err = db.ExecContext(ctx, q)
		if isError(err, errLockWait) {
			return true, nil
		}
		if err != nil {
			return false, fmt.Errorf("try a write on %s: %w", l.node.Name, err)
		}
	}
	return false, nil
}

// End ends the session, and with it the lock.
func (l *lock) End() error {
	if l.db == nil {
		return nil
	}
	return l.db.Close()
}
