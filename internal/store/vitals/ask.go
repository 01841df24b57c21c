package vitals

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"strconv"
	"time"

	"paytool/internal/shard/doctor"
)

// application asks what everybody may know, and what the engine's account may do.
// Variables come first: without them hardly anything can be judged.
func (r *reader) application(ctx context.Context, conn *sql.Conn) error {
	for _, step := range []struct {
		what string
		ask  func(ctx context.Context, conn *sql.Conn) error
	}{
		{"variables", r.variables},
		{"the clock", r.clock},
		{"grants", r.grants},
		{"the engines' rows", r.books},
	} {
		if err := step.ask(ctx, conn); err != nil {
			return fmt.Errorf("read %s: %w", step.what, err)
		}
	}
	return nil
}

func (r *reader) variables(ctx context.Context, conn *sql.Conn) (err error) {
	if r.node.Variables, err = pairs(ctx, conn, "SHOW GLOBAL VARIABLES"); err != nil {
		return err
	}
	if r.node.Status, err = pairs(ctx, conn, "SHOW GLOBAL STATUS WHERE Variable_name LIKE 'Rpl\\_semi\\_sync%' OR Variable_name='Max_used_connections'"); err != nil {
		return err
	}
	return conn.QueryRowContext(ctx, "SELECT @@session.max_user_connections").Scan(&r.node.AccountConns)
}

// clockReads is how often the clock is asked: the quickest answer is the most
// exact one.
const clockReads = 3

func (r *reader) clock(ctx context.Context, conn *sql.Conn) error {
	for range clockReads {
		var text string
		asked := r.now()
		if err := conn.QueryRowContext(ctx, "SELECT UNIX_TIMESTAMP(NOW(6))").Scan(&text); err != nil {
			return err
		}
		took := r.now().Sub(asked)
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("the server's time: %w", err)
		}
		whole, part := math.Modf(seconds)
		there := time.Unix(int64(whole), int64(part*1e9))
		if best := r.node.Clock; best == nil || took/2 < best.Margin {
			r.node.Clock = &doctor.Clock{Ahead: there.Sub(asked.Add(took / 2)), Margin: took / 2}
		}
	}
	return nil
}

// grants drops each line as soon as it is read: MariaDB prints the hash of the
// password in it.
func (r *reader) grants(ctx context.Context, conn *sql.Conn) error {
	roles, err := r.grantLines(ctx, conn, "SHOW GRANTS")
	if err != nil || roles == "" {
		return err
	}
	r.node.Grants = nil
	_, err = r.grantLines(ctx, conn, "SHOW GRANTS FOR CURRENT_USER() USING "+roles) // as quoted by the server
	return err
}

func (r *reader) grantLines(ctx context.Context, conn *sql.Conn, query string) (roles string, err error) {
	rows, err := conn.QueryContext(ctx, query)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return "", err
		}
		if g, ok := doctor.ParseGrant(line); ok {
			r.node.Grants = append(r.node.Grants, g)
		} else if more := doctor.ParseRoles(line); more != "" {
			roles = more // the server lists all of them in one line
		}
	}
	return roles, rows.Err()
}

// monitor asks what needs a privilege.
func (r *reader) monitor(ctx context.Context, conn *sql.Conn) error {
	rows, err := table(ctx, conn, "SHOW REPLICA STATUS")
	if err != nil {
		return fmt.Errorf("read the replication status: %w", err)
	}
	r.node.Replication = doctor.Values{}
	if len(rows) > 0 {
		r.node.Replication = rows[0]
	}
	r.disks(ctx, conn)
	return nil
}
