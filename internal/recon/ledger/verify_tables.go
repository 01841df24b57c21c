package ledger

import (
	"context"
	"database/sql"
	"fmt"
)

// schema compares tables, indexes and triggers with those that this program makes.
func (v *verifier) schema(ctx context.Context, tx *sql.Tx) error {
	expected := map[string]bool{}
	for _, group := range [][]string{kept, locks, views} {
		for _, statement := range group {
			expected[statement] = true
		}
	}
	rows, err := tx.QueryContext(ctx, `SELECT type, name, sql FROM seen.sqlite_master WHERE sql IS NOT NULL ORDER BY type, name`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var kind, name, statement string
		if err := rows.Scan(&kind, &name, &statement); err != nil {
			return err
		}
		if !expected[statement] {
			v.problem("the %s %s is not paytool's", kind, name)
		}
		delete(expected, statement)
	}
	for _, group := range [][]string{kept, locks, views} { // in a fixed order
		for _, statement := range group {
			if expected[statement] {
				v.problem("this is missing or was changed: %.60s...", statement)
			}
		}
	}
	return rows.Err()
}

// strays looks for rows that no run vouches for.
func (v *verifier) strays(ctx context.Context, tx *sql.Tx) error {
	for _, q := range []struct{ table, query string }{
		{"results", `SELECT COUNT(*) FROM results WHERE run NOT IN (SELECT seq FROM runs)`},
		{"findings", `SELECT COUNT(*) FROM findings WHERE run NOT IN (SELECT seq FROM runs)`},
		{"closing", `SELECT COUNT(*) FROM closing WHERE run NOT IN (SELECT seq FROM runs)`},
	} {
		var n int64
		if err := tx.QueryRowContext(ctx, q.query).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			v.problem("%d rows of %s belong to no run", n, q.table)
		}
	}
	return nil
}

// view compares a view with the one that was made anew.
func (v *verifier) view(ctx context.Context, tx *sql.Tx, table, key string) error {
	for _, side := range []struct{ from, less, what string }{
		{"seen", "main", "the row of %s %q in the table %s is not what the events say"},
		{"main", "seen", "the row of %s %q in the table %s is missing or was changed"},
	} {
		keys, err := texts(ctx, tx, fmt.Sprintf(`SELECT DISTINCT %s FROM (SELECT * FROM %s.%s EXCEPT SELECT * FROM %s.%s) LIMIT 3`, key, side.from, table, side.less, table))
		if err != nil {
			return err
		}
		for _, k := range keys {
			v.problem(side.what, key, k, table)
		}
	}
	return nil
}

func texts(ctx context.Context, tx *sql.Tx, query string) (all []string, err error) {
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, rows.Err()
}
