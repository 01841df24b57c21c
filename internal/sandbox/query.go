package sandbox

import (
	"context"
	"database/sql"
	"strconv"
	"time"

	"github.com/go-sql-driver/mysql"
)

// openRoot opens a node's database as root over its socket. The caller closes
// it.
func openRoot(socket string) (*sql.DB, error) {
	cfg := mysql.NewConfig()
	cfg.User, cfg.Net, cfg.Addr = "root", "unix", socket
	cfg.Timeout, cfg.ReadTimeout, cfg.WriteTimeout = 2*time.Second, 10*time.Second, 10*time.Second
	cfg.Logger = &mysql.NopLogger{} // a node that is not up yet is no news
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// statusRow is the one row of SHOW REPLICA STATUS by column name; nil where a
// node follows nobody. NULL is left out.
type statusRow map[string]string

func (r statusRow) running() bool {
	return r["Slave_IO_Running"] == "Yes" && r["Slave_SQL_Running"] == "Yes"
}

func replicaStatus(ctx context.Context, db *sql.DB) (statusRow, error) {
	rows, err := db.QueryContext(ctx, "SHOW REPLICA STATUS")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil || !rows.Next() {
		return nil, rows.Err()
	}
	values := make([]sql.NullString, len(names))
	targets := make([]any, len(names))
	for i := range values {
		targets[i] = &values[i]
	}
	if err := rows.Scan(targets...); err != nil {
		return nil, err
	}
	row := make(statusRow, len(names))
	for i, name := range names {
		if values[i].Valid {
			row[name] = values[i].String
		}
	}
	return row, rows.Err()
}

// semiSync is what a node says of its two semi-sync sides.
type semiSync struct {
	master  bool // commits wait for a replica
	clients int  // replicas that acknowledge
	replica bool // acknowledges to its primary
}

func semiSyncStatus(ctx context.Context, db *sql.DB) (semiSync, error) {
	var s semiSync
	rows, err := db.QueryContext(ctx, "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_%'")
	if err != nil {
		return s, err
	}
	defer rows.Close()
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return s, err
		}
		switch name {
		case "Rpl_semi_sync_master_status":
			s.master = value == "ON"
		case "Rpl_semi_sync_master_clients":
			if s.clients, err = strconv.Atoi(value); err != nil {
				return s, err
			}
		case "Rpl_semi_sync_slave_status":
			s.replica = value == "ON"
		}
	}
	return s, rows.Err()
}
