package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"paytool/internal/recon"
)

// Known is the run that a day of a book is closed by, its result without Differences
// and Closing; nil where the day was not run. The date is in Beijing, "2006-01-02".
func (l *Ledger) Known(ctx context.Context, book Book, date string) (*RunRecord, error) {
	return l.run(ctx, book, date, false)
}

// Run is the run that a day of a book is closed by, with its whole result: the same
// report can be made again. ErrUnknown: the day was not run.
func (l *Ledger) Run(ctx context.Context, book Book, date string) (*RunRecord, error) {
	r, err := l.run(ctx, book, date, true)
	if err == nil && r == nil {
		err = fmt.Errorf("%s of %s was not run: %w", date, book, ErrUnknown)
	}
	return r, err
}

func (l *Ledger) run(ctx context.Context, book Book, date string, whole bool) (record *RunRecord, err error) {
	err = l.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		all, err := days(ctx, tx, &book)
		i := slices.IndexFunc(all, func(d day) bool { return d.date == date })
		if err != nil || i < 0 {
			return err
		}
		if record, err = recordOf(ctx, tx, all[i]); err != nil || !whole {
			return err
		}
		if record.Result.Closing, err = closingRows(ctx, tx, all[i].seq); err != nil {
			return err
		}
		record.Result.Differences, err = findings(ctx, tx, all[i].seq)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the run of %s of %s: %w", date, book, err)
	}
	return record, nil
}

// Runs are the runs that the days from and to, both included, are closed by, sorted
// by book and date; "" does not limit. Their results are without Differences and
// Closing.
func (l *Ledger) Runs(ctx context.Context, from, to string) (records []RunRecord, err error) {
	err = l.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		all, err := days(ctx, tx, nil)
		if err != nil {
			return err
		}
		for _, d := range all {
			if d.date < from || to != "" && d.date > to {
				continue
			}
			r, err := recordOf(ctx, tx, d)
			if err != nil {
				return err
			}
			records = append(records, *r)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the runs: %w", err)
	}
	return records, nil
}

// Books are the books that have a recorded day, sorted.
func (l *Ledger) Books(ctx context.Context) (books []Book, err error) {
	err = l.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT DISTINCT channel, account FROM runs ORDER BY channel, account`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var b Book
			if err := rows.Scan(&b.Channel, &b.Account); err != nil {
				return err
			}
			books = append(books, b)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("read the books: %w", err)
	}
	return books, nil
}

func recordOf(ctx context.Context, tx *sql.Tx, d day) (*RunRecord, error) {
	r := &RunRecord{Book: d.book, Date: d.date, RunID: d.runID, Stale: d.stale, Result: &recon.Result{}}
	var at int64
	var body []byte
	err := tx.QueryRowContext(ctx, `SELECT r.at_ms, r.actor, r.supersedes, r.reason, s.body FROM runs r JOIN results s ON s.run = r.seq WHERE r.seq = ?`, d.seq).
		Scan(&at, &r.Actor, &r.Supersedes, &r.Reason, &body)
	if err != nil {
		return nil, fmt.Errorf("%s of %s: %w", d.date, d.book, err)
	}
	r.At = fromMillis(at)
	return r, json.Unmarshal(body, r.Result)
}

func findings(ctx context.Context, tx *sql.Tx, run int64) ([]recon.Difference, error) {
	rows, err := tx.QueryContext(ctx, `SELECT body FROM findings WHERE run = ? ORDER BY pos`, run)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := []recon.Difference{}
	for rows.Next() {
		var body []byte
		if err := rows.Scan(&body); err != nil {
			return nil, err
		}
		all = append(all, recon.Difference{})
		if err := json.Unmarshal(body, &all[len(all)-1]); err != nil {
			return nil, err
		}
	}
	return all, rows.Err()
}
