package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"paytool/internal/shard"
)

// semisync is what a primary says of semi-synchronous replication. MariaDB and
// MySQL before 8.0.26 spell its names with master, MySQL from then on with source.
type semisync struct {
	known   bool // the server has semi-sync at all
	on      bool // commits wait for a replica
	clients int  // replicas that acknowledge
	waiting int  // commits that wait right now
	unacked int64
}

func readSemisync(ctx context.Context, db querier) (semisync, error) {
	rows, err := db.QueryContext(ctx, "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_%'")
	if err != nil {
		return semisync{}, err
	}
	defer rows.Close()
	status := map[string]string{}
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return semisync{}, err
		}
		status[name] = value
	}
	if err := rows.Err(); err != nil {
		return semisync{}, err
	}
	return parseSemisync(status)
}

func parseSemisync(status map[string]string) (s semisync, err error) {
	side := "Rpl_semi_sync_source_"
	if _, ok := status[side+"status"]; !ok {
		side = "Rpl_semi_sync_master_"
	}
	state, ok := status[side+"status"]
	if !ok {
		return s, nil
	}
	s.known, s.on = true, strings.EqualFold(state, "ON")
	number := func(name string) int64 {
		n, convErr := strconv.ParseInt(status[side+name], 10, 64)
		if convErr != nil {
			err = fmt.Errorf("read %s%s: %w", side, name, convErr)
		}
		return n
	}
	s.clients = int(number("clients"))
	s.waiting = int(number("wait_sessions"))
	s.unacked = number("no_tx")
	return s, err
}

// degraded says why commits are not safe on a second machine, nil if they are.
func (s semisync) degraded() error {
	switch {
	case !s.known:
		return errors.New("semi-sync is not installed; install it, or set engine.require_semisync to false")
	case !s.on:
		return fmt.Errorf("semi-sync has turned itself off, %d commits were not acknowledged; see that the replicas replicate", s.unacked)
	case s.clients < 1:
		return errors.New("semi-sync has no replica; see that the replicas replicate")
	}
	return nil
}

// stalled reports whether a write that got no answer waits for a replica.
func (s semisync) stalled() bool { return s.on && (s.clients == 0 || s.waiting > 0) }

// word is the state for people and scripts.
func (s semisync) word() string {
	if s.degraded() == nil {
		return SemisyncOn
	}
	return SemisyncOff
}

// replication is what SHOW REPLICA STATUS says, whose columns MySQL renamed.
type replication struct {
	io, sql bool  // the two threads run
	behind  int64 // seconds, -1 while unknown
	// Places in the primary's binlog, "file:position", "" while unknown.
	received, applied string
	// read: it has read from its relay log since it was started.
	read bool
}

// appliedAll reports whether everything that was received is applied. A replica
// that was restarted throws away what it had received and not applied, and counts
// it as never received until it reaches its primary: until then it cannot tell.
func (r replication) appliedAll() bool {
	return r.sql && r.read && r.received != "" && r.received == r.applied
}

// emptyRelayLog is the position in a relay log before its first event.
const emptyRelayLog = 4

func readReplication(ctx context.Context, db querier) (replication, error) {
	rows, err := db.QueryContext(ctx, "SHOW REPLICA STATUS")
	if err != nil {
		return replication{behind: -1}, err
	}
	defer rows.Close()
	row, err := scanNamed(rows)
	if err != nil {
		return replication{behind: -1}, err
	}
	return parseReplication(row), rows.Err()
}

// scanNamed reads the next row by column name; NULLs are left out. Without a row
// the map is empty.
func scanNamed(rows *sql.Rows) (map[string]string, error) {
	names, err := rows.Columns()
	if err != nil || !rows.Next() {
		return nil, err
	}
	values, targets := make([]sql.NullString, len(names)), make([]any, len(names))
	for i := range values {
		targets[i] = &values[i]
	}
	if err := rows.Scan(targets...); err != nil {
		return nil, err
	}
	row := map[string]string{}
	for i, name := range names {
		if values[i].Valid {
			row[name] = values[i].String
		}
	}
	return row, nil
}

func parseReplication(row map[string]string) replication {
	either := func(names ...string) string {
		for _, n := range names {
			if v, ok := row[n]; ok {
				return v
			}
		}
		return ""
	}
	r := replication{
		io:     either("Replica_IO_Running", "Slave_IO_Running") == "Yes",
		sql:    either("Replica_SQL_Running", "Slave_SQL_Running") == "Yes",
		behind: -1,
	}
	if n, err := strconv.ParseInt(either("Seconds_Behind_Source", "Seconds_Behind_Master"), 10, 64); err == nil {
		r.behind = n
	}
	place := func(file, position string) string {
		if file == "" || position == "" {
			return ""
		}
		return file + ":" + position
	}
	if n, err := strconv.ParseInt(row["Relay_Log_Pos"], 10, 64); err == nil {
		r.read = n > emptyRelayLog
	}
	r.received = place(either("Source_Log_File", "Master_Log_File"), either("Read_Source_Log_Pos", "Read_Master_Log_Pos"))
	r.applied = place(either("Relay_Source_Log_File", "Relay_Master_Log_File"), either("Exec_Source_Log_Pos", "Exec_Master_Log_Pos"))
	return r
}

// unansweredCause names why a write got no answer.
func unansweredCause(s semisync, err error) shard.Cause {
	switch {
	case err == nil && s.stalled():
		return shard.SemisyncStalled
	case err == nil:
		return shard.Hang // reads work, writes do not
	}
	if cause, _ := diagnose(err); cause == shard.Crash {
		return shard.Crash
	}
	return shard.Hang
}
