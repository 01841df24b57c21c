package chunk

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/store"
)

// Side is one group's primary, as the source of rows or their target. Safe for
// concurrent use.
type Side struct {
	Group shard.GroupID
	Name  string // for people: "g1/primary 127.0.0.1:3306"
	group *store.Group
	db    func() *sql.DB // of the server that is the primary now
	// hashes: the server computes digests. An embedded group has no SHA1.
	hashes bool
	tables []table
}

// table is a table that moves, as it is in one group.
type table struct {
	store.Table
	// number is the column with the number of the order that a row belongs to.
	number  string
	columns []string // sorted, without the one that each group numbers for itself
	fen     []string // columns of money
	rowSQL  string   // the text of a row that is hashed
}

// The schema's exceptions: a doubt belongs to the order that won, and the outbox has
// a key of its own in each group.
var (
	numberColumns = map[string]string{"doubts": "winner"}
	localColumns  = map[string]string{"outbox": "id"}
)

// Open looks at a group's tables.
func Open(ctx context.Context, g *store.Group) (*Side, error) {
	s := &Side{Group: g.ID(), Name: g.PrimaryName(), group: g, db: g.Bulk}
	if err := s.db().QueryRowContext(ctx, "SELECT 0 /*! + 1 */").Scan(&s.hashes); err != nil {
		return nil, fmt.Errorf("look at the tables on %s: %w", s.Name, err)
	}
	for _, t := range store.MovingTables {
		described, err := s.describe(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("look at table %s on %s: %w", t.Name, s.Name, err)
		}
		s.tables = append(s.tables, described)
	}
	return s, nil
}

func (s *Side) describe(ctx context.Context, t store.Table) (table, error) {
	described := table{Table: t, number: "order_no"}
	if c := numberColumns[t.Name]; c != "" {
		described.number = c
	}
	rows, err := s.db().QueryContext(ctx, "SELECT * FROM "+t.Name+" WHERE 1=0")
	if err != nil {
		return table{}, err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return table{}, err
	}
	slices.SortFunc(types, func(a, b *sql.ColumnType) int { return strings.Compare(a.Name(), b.Name()) })
	types = slices.DeleteFunc(types, func(c *sql.ColumnType) bool { return c.Name() == localColumns[t.Name] })
	for _, c := range types {
		described.columns = append(described.columns, c.Name())
		if strings.HasSuffix(c.Name(), "_fen") {
			described.fen = append(described.fen, c.Name())
		}
	}
	described.rowSQL = rowSQL(types)
	return described, rows.Err()
}

// ErrUnlike means that the tables of two groups differ.
var ErrUnlike = errors.New("the tables differ: let an engine of the newest version join both groups, it migrates them")

// alike refuses two groups between which rows would lose columns.
func alike(a, b *Side) error {
	for i := range a.tables {
		if !slices.Equal(a.tables[i].columns, b.tables[i].columns) {
			return fmt.Errorf("table %s on %s and %s: %w", a.tables[i].Name, a.Name, b.Name, ErrUnlike)
		}
	}
	return nil
}

// Span is a chunk's range of order numbers: those above After, up to and with
// Through. An empty After begins below all numbers, an empty Through ends above them.
type Span struct {
	After   string `json:"after"`
	Through string `json:"through"`
}

// last reports whether nothing comes after the span.
func (s Span) last() bool { return s.Through == "" }

func (s Span) where(column string) (text string, args []any) {
	if s.After != "" {
		text, args = " AND "+column+">?", append(args, s.After)
	}
	if s.Through != "" {
		text, args = text+" AND "+column+"<=?", append(args, s.Through)
	}
	return text, args
}

// orders is the chunk of some single orders.
type orders []pay.OrderNo

func (o orders) where(column string) (text string, args []any) {
	for _, no := range o {
		args = append(args, no.String())
	}
	return " AND " + column + " IN (" + strings.TrimSuffix(strings.Repeat("?,", len(o)), ",") + ")", args
}

// part is a chunk: what to add to a WHERE that names the tag already.
type part interface {
	where(column string) (text string, args []any)
}

// span finds the next chunk of about size orders.
func (s *Side) span(ctx context.Context, tag pay.Tag, after string, size int) (Span, error) {
	span := Span{After: after}
	text, args := span.where("order_no")
	err := s.db().QueryRowContext(ctx, "SELECT order_no FROM orders WHERE tag=?"+text+" ORDER BY order_no LIMIT 1 OFFSET ?",
		slices.Concat([]any{tag}, args, []any{size - 1})...).Scan(&span.Through)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return Span{}, fmt.Errorf("find the end of a chunk of tag %d on %s: %w", tag, s.Name, err)
	}
	return span, nil
}
