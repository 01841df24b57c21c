package chunk

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"

	"paytool/internal/pay"
)

// row is one row's values in the order of its table's columns: int64, string or nil.
type row []any

// rows are a chunk: those of each table, in the order of store.MovingTables.
type rows struct {
	of    [][]row
	count int64
	bytes int64 // of the values
}

// querier is what a read needs of a store.Querier.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// read reads a chunk at one moment.
func (s *Side) read(ctx context.Context, tag pay.Tag, p part) (rows, error) {
	var all rows
	err := s.atOneMoment(ctx, func(q querier) error {
		for _, t := range s.tables {
			list, err := t.read(ctx, q, tag, p)
			if err != nil {
				return fmt.Errorf("read %s of tag %d on %s: %w", t.Name, tag, s.Name, err)
			}
			all.of = append(all.of, list)
		}
		return nil
	})
	for _, list := range all.of {
		all.count += int64(len(list))
		for _, r := range list {
			all.bytes += r.bytes()
		}
	}
	return all, err
}

// atOneMoment runs reads of several tables in one snapshot. At READ COMMITTED, the
// rule of these connections, each statement would have a moment of its own.
func (s *Side) atOneMoment(ctx context.Context, f func(q querier) error) error {
	conn, err := s.db().Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", s.Name, err)
	}
	defer conn.Close() //nolint:errcheck // it only goes back to the pool
	for _, statement := range []string{"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "START TRANSACTION READ ONLY"} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("open a snapshot on %s: %w", s.Name, err)
		}
	}
	err = f(conn)
	if _, endErr := conn.ExecContext(ctx, "ROLLBACK"); err == nil && endErr != nil {
		err = fmt.Errorf("close a snapshot on %s: %w", s.Name, endErr)
	}
	if err != nil {
		drop(conn)
	}
	return err
}

// drop closes a connection whose state is not known instead of giving it back.
func drop(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // the one way to tell the pool
}

func (t table) read(ctx context.Context, q querier, tag pay.Tag, p part) ([]row, error) {
	where, args := p.where(t.number)
	found, err := q.QueryContext(ctx, "SELECT "+strings.Join(t.columns, ",")+" FROM "+t.Name+" WHERE tag=?"+where+
		" ORDER BY "+strings.Join(t.Key, ","), slices.Concat([]any{tag}, args)...)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var list []row
	values := newCells(len(t.columns))
	for found.Next() {
		if err := found.Scan(values.targets...); err != nil {
			return nil, err
		}
		list = append(list, values.take())
	}
	return list, found.Err()
}

// cells take the values of one row after the other. All texts of a row become one
// string, of which its values are parts: a copy makes as many strings as rows, not as
// values.
type cells struct {
	list    []cell
	targets []any // the cells, as Scan wants them
	text    []byte
}

// cell is a number or NULL, or a text by its place in the row's.
type cell struct {
	of       *cells
	value    any
	isText   bool
	from, to int
}

func newCells(n int) *cells {
	c := &cells{list: make([]cell, n), targets: make([]any, n)}
	for i := range c.list {
		c.list[i].of = c
		c.targets[i] = &c.list[i]
	}
	return c
}

// Scan is told one value by database/sql, bytes of which are only lent.
func (c *cell) Scan(value any) error {
	c.value, c.isText, c.from = value, true, len(c.of.text)
	switch v := value.(type) {
	case []byte:
		c.of.text = append(c.of.text, v...)
	case string:
		c.of.text = append(c.of.text, v...)
	default:
		c.isText = false
	}
	c.to = len(c.of.text)
	return nil
}

// take makes a row of the values since the last one.
func (c *cells) take() row {
	text := string(c.text)
	c.text = c.text[:0]
	r := make(row, len(c.list))
	for i, v := range c.list {
		if r[i] = v.value; v.isText {
			r[i] = text[v.from:v.to]
		}
	}
	return r
}

func (r row) bytes() (n int64) {
	for _, v := range r {
		if text, ok := v.(string); ok {
			n += int64(len(text))
			continue
		}
		n += 8
	}
	return n
}

// key is what identifies a row in any group.
func (t table) key(r row) string {
	parts := make([]string, len(t.Key))
	for i, c := range t.Key {
		parts[i] = fmt.Sprint(r[slices.Index(t.columns, c)])
	}
	return strings.Join(parts, " ")
}

// get is a column's value.
func (t table) get(r row, column string) any { return r[slices.Index(t.columns, column)] }
