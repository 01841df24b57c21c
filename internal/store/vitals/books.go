package vitals

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/go-sql-driver/mysql"

	"paytool/internal/shard"
	"paytool/internal/shard/doctor"
)

// books reads a primary's own rows. A replica's are those of its primary.
func (r *reader) books(ctx context.Context, conn *sql.Conn) error {
	if !r.node.Primary {
		return nil
	}
	b := doctor.Books{}
	err := conn.QueryRowContext(ctx, "SELECT COALESCE(MAX(version), 0), COALESCE(MAX(min_reader), 0) FROM schema_version").Scan(&b.Schema, &b.MinReader)
	if err == nil {
		err = conn.QueryRowContext(ctx, "SELECT group_id, state, weight, epoch, primary_uid FROM group_info WHERE id=1").
			Scan(&b.Group, &b.State, &b.Weight, &b.Epoch, &b.PrimaryUID)
	}
	var answer *mysql.MySQLError
	if errors.Is(err, sql.ErrNoRows) || errors.As(err, &answer) && answer.Number == 1146 { // no such table
		r.node.Books = &b
		return nil
	}
	if err != nil {
		return err
	}
	b.Prepared = true
	if b.Claims, err = claims(ctx, conn, b.Group); err != nil {
		return err
	}
	if b.Instances, err = instances(ctx, conn, r.now()); err != nil {
		return err
	}
	r.node.Books = &b
	return nil
}

func claims(ctx context.Context, conn *sql.Conn, group shard.GroupID) (list []shard.Claim, err error) {
	rows, err := conn.QueryContext(ctx, "SELECT tag, state, epoch FROM group_state ORDER BY tag")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		c := shard.Claim{Group: group}
		if err := rows.Scan(&c.Tag, &c.State, &c.Epoch); err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, rows.Err()
}

// instances are those whose lease lasts by this machine's clock.
func instances(ctx context.Context, conn *sql.Conn, now time.Time) (list []doctor.Instance, err error) {
	rows, err := conn.QueryContext(ctx, "SELECT name, epoch FROM instances WHERE until_ms>? ORDER BY slot", now.UnixMilli())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var i doctor.Instance
		if err := rows.Scan(&i.Name, &i.Epoch); err != nil {
			return nil, err
		}
		list = append(list, i)
	}
	return list, rows.Err()
}
