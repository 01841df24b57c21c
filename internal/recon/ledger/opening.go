package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"paytool/internal/pay"
	"paytool/internal/recon"
)

// Opening is what a day of a book starts from: what the latest recorded day before it
// has left. The date is in Beijing, "2006-01-02".
func (l *Ledger) Opening(ctx context.Context, book Book, date string) (o Opening, err error) {
	err = l.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		days, err := days(ctx, tx, &book)
		if err != nil {
			return err
		}
		from := before(days, date)
		o = Opening{Date: from.date, RunID: from.runID, Fund: from.left(date).fund}
		o.Carried, err = closingRows(ctx, tx, from.seq)
		return err
	})
	if err != nil {
		return Opening{}, fmt.Errorf("read what %s of %s starts from: %w", date, book, err)
	}
	return o, nil
}

// start is what a day starts from, short: the digest of the carried rows, and what the
// fund bill of the day before closed with.
type start struct {
	carried string
	fund    *pay.Fen
}

func (s start) same(other start) bool {
	if s.fund == nil || other.fund == nil {
		return s.carried == other.carried && s.fund == other.fund
	}
	return s.carried == other.carried && *s.fund == *other.fund
}

// day is the current run of a day.
type day struct {
	book    Book
	seq     int64
	date    string
	runID   string
	opening start
	closing start
	// stale: it did not start from what the day before it has left by now.
	stale bool
}

// left is what a day leaves to a later one.
func (d day) left(date string) start {
	s := d.closing
	if d.seq == 0 {
		s.carried = digest(nil)
	}
	if next, err := time.Parse(time.DateOnly, d.date); err != nil || next.AddDate(0, 0, 1).Format(time.DateOnly) != date {
		s.fund = nil
	}
	return s
}

// days are the current runs of a book, or of all, sorted by book and date. What they
// start from is compared by content: a superseded run that has left the same rows
// makes nothing stale.
func days(ctx context.Context, tx *sql.Tx, book *Book) (all []day, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT channel, account, seq, date, run_id, opening_carried, opening_fund, closing_carried, closing_fund FROM runs
WHERE replaced = 0 AND (?1 IS NULL OR channel = ?1 AND account = ?2) ORDER BY channel, account, date`, bookArgs(book)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var last day
	for rows.Next() {
		var d day
		if err := rows.Scan(&d.book.Channel, &d.book.Account, &d.seq, &d.date, &d.runID,
			&d.opening.carried, &d.opening.fund, &d.closing.carried, &d.closing.fund); err != nil {
			return nil, err
		}
		if last.book != d.book {
			last = day{book: d.book}
		}
		d.stale = !d.opening.same(last.left(d.date))
		all, last = append(all, d), d
	}
	return all, rows.Err()
}

// bookArgs are a book's channel and account for a query; nil is every book.
func bookArgs(b *Book) []any {
	if b == nil {
		return []any{nil, nil}
	}
	return []any{b.Channel, b.Account}
}

// before is the last of a book's days before a date, the zero value where there is none.
func before(days []day, date string) (last day) {
	for _, d := range days {
		if d.date < date {
			last = d
		}
	}
	return last
}

// digest is over a list of texts, hexadecimal.
func digest(texts iter.Seq[[]byte]) string {
	h := sha256.New()
	if texts != nil {
		for t := range texts {
			feed(h, t)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// digestOf is the digest of the bodies that a query yields. An id beside a body has to
// be the body's: else the digest is of nothing.
func digestOf(ctx context.Context, tx *sql.Tx, query string, run int64) (string, error) {
	rows, err := tx.QueryContext(ctx, query, run)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	h := sha256.New()
	for rows.Next() {
		var id sql.NullString
		var body []byte
		if err := rows.Scan(&id, &body); err != nil {
			return "", err
		}
		var own struct {
			ID string `json:"id"`
		}
		if id.Valid && (json.Unmarshal(body, &own) != nil || own.ID != id.String) {
			return "", nil
		}
		feed(h, body)
	}
	return hex.EncodeToString(h.Sum(nil)), rows.Err()
}

func closingRows(ctx context.Context, tx *sql.Tx, run int64) (carried []recon.Carried, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT body FROM closing WHERE run = ? ORDER BY pos`, run)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var body []byte
		var c recon.Carried
		if err := rows.Scan(&body); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(body, &c); err != nil {
			return nil, err
		}
		carried = append(carried, c)
	}
	return carried, rows.Err()
}
