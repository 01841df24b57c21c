package site

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"

	"paytool/internal/drill/rig"
)

// server is a connection to one server as its administrator.
type server struct {
	db   *sql.DB
	node rig.Node
}

// Server connects to a node of the config.
func (s *Site) Server(_ context.Context, n rig.Node) (rig.Server, error) {
	at, ok := s.nodes[n.Addr]
	if !ok {
		return nil, fmt.Errorf("the config has no server %s any more", n.Addr)
	}
	db, err := open(at.AdminDSN, n)
	if err != nil {
		return nil, err
	}
	return &server{db: db, node: n}, nil
}

// Close ends the connection.
func (s *server) Close() error { return s.db.Close() }

// UID is server_uid on MariaDB and server_uuid on MySQL.
func (s *server) UID(ctx context.Context) (uid string, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT COALESCE(/*M! @@global.server_uid, *//*!80000 @@global.server_uuid, */ '', '')`).Scan(&uid)
	return uid, s.fail("ask for the server's id", err)
}

// variables are names that may stand in a statement.
var variables = regexp.MustCompile(`^[a-z_]+$`)

// Variable reads a global variable.
func (s *server) Variable(ctx context.Context, name string) (value string, err error) {
	if !variables.MatchString(name) {
		return "", fmt.Errorf("%q is no name of a variable", name)
	}
	err = s.db.QueryRowContext(ctx, "SELECT @@global."+name).Scan(&value)
	return value, s.fail("read "+name, err)
}

// SetVariable sets a global variable; a value of digits is a number.
func (s *server) SetVariable(ctx context.Context, name, value string) error {
	if !variables.MatchString(name) {
		return fmt.Errorf("%q is no name of a variable", name)
	}
	if n, err := strconv.ParseInt(value, 10, 64); err == nil {
		_, err = s.db.ExecContext(ctx, "SET GLOBAL "+name+"=?", n)
		return s.fail("set "+name, err)
	}
	_, err := s.db.ExecContext(ctx, "SET GLOBAL "+name+"=?", value)
	return s.fail("set "+name, err)
}

// Threads reads which threads of a replica run.
func (s *server) Threads(ctx context.Context) (rig.Threads, error) {
	row, err := s.row(ctx, "SHOW REPLICA STATUS")
	if err != nil {
		return rig.Threads{}, err
	}
	yes := func(names ...string) bool {
		for _, name := range names {
			if row[name] == "Yes" {
				return true
			}
		}
		return false
	}
	return rig.Threads{
		IO:  yes("Replica_IO_Running", "Slave_IO_Running"),
		SQL: yes("Replica_SQL_Running", "Slave_SQL_Running"),
	}, nil
}

// SetThread starts or stops a thread of a replica; what is so already stays.
func (s *server) SetThread(ctx context.Context, t rig.Thread, run bool) error {
	if t != rig.IOThread && t != rig.SQLThread {
		return fmt.Errorf("a replica has no thread %q", t)
	}
	verb := "STOP REPLICA "
	if run {
		verb = "START REPLICA "
	}
	_, err := s.db.ExecContext(ctx, verb+string(t))
	return s.fail(verb+string(t), err)
}

// Semisync reads a primary's side. MariaDB and MySQL before 8.0.26 spell it with
// master, MySQL from then on with source.
func (s *server) Semisync(ctx context.Context) (rig.Semisync, error) {
	rows, err := s.db.QueryContext(ctx, "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_%'")
	if err != nil {
		return rig.Semisync{}, s.fail("read semi-sync", err)
	}
	defer rows.Close()
	status := map[string]string{}
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return rig.Semisync{}, s.fail("read semi-sync", err)
		}
		status[name] = value
	}
	if err := rows.Err(); err != nil {
		return rig.Semisync{}, s.fail("read semi-sync", err)
	}
	for _, side := range []string{"source", "master"} {
		state, ok := status["Rpl_semi_sync_"+side+"_status"]
		if !ok {
			continue
		}
		clients, err := strconv.Atoi(status["Rpl_semi_sync_"+side+"_clients"])
		return rig.Semisync{On: strings.EqualFold(state, "ON"), Replicas: clients, Timeout: "rpl_semi_sync_" + side + "_timeout"}, s.fail("read semi-sync", err)
	}
	return rig.Semisync{}, nil
}

// RearmSemisync turns semi-sync off and on.
func (s *server) RearmSemisync(ctx context.Context) error {
	now, err := s.Semisync(ctx)
	if err != nil {
		return err
	}
	name := strings.TrimSuffix(now.Timeout, "timeout") + "enabled"
	return errors.Join(s.SetVariable(ctx, name, "0"), s.SetVariable(ctx, name, "1"))
}

// row reads the one row of an answer by column name; NULLs are left out. Without a
// row the map is empty.
func (s *server) row(ctx context.Context, query string) (map[string]string, error) {
	rows, err := s.db.QueryContext(ctx, query)
	if err != nil {
		return nil, s.fail(query, err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil || !rows.Next() {
		return map[string]string{}, s.fail(query, errors.Join(err, rows.Err()))
	}
	values, targets := make([]sql.NullString, len(names)), make([]any, len(names))
	for i := range values {
		targets[i] = &values[i]
	}
	if err := rows.Scan(targets...); err != nil {
		return nil, s.fail(query, err)
	}
	row := map[string]string{}
	for i, name := range names {
		if values[i].Valid {
			row[name] = values[i].String
		}
	}
	return row, s.fail(query, rows.Err())
}

func (s *server) fail(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s on %s: %w", doing, s.node.Name, err)
}

// isError reports whether the server answered with that error number.
func isError(err error, number uint16) bool {
	var answer *mysql.MySQLError
	return errors.As(err, &answer) && answer.Number == number
}
