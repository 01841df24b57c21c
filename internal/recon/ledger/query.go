package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"paytool/internal/recon"
)

// Differences are those that the query chooses, the most pressing first: by class in
// the order of recon.Classes, then the largest amount, then the oldest. A Query.Text
// that begins the ids of several differences, and is nothing else, is an error.
func (l *Ledger) Differences(ctx context.Context, q Query) (entries []Entry, err error) {
	err = l.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if q.Text != "" {
			if q.Text, err = resolveText(ctx, tx, q.Text); err != nil {
				return err
			}
		}
		entries, err = l.differences(ctx, tx, q)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the differences: %w", err)
	}
	return entries, nil
}

// Overdue are the differences that nobody has ended in time: first reported longer ago
// than Options.OverdueAfter, and if they are carried, their day is past. Nil is every
// book. What a run has just found is never among them, however old the day.
func (l *Ledger) Overdue(ctx context.Context, book *Book) ([]Entry, error) {
	return l.Differences(ctx, Query{Book: book, Overdue: true})
}

const entryColumns = `d.channel, d.account, d.date, r.run_id, d.state, d.until, d.first_ms, d.changed_ms, d.reason, d.other, d.executed, d.pending, f.body
FROM differences d JOIN runs r ON r.seq = d.run JOIN findings f ON f.run = d.run AND f.pos = d.pos `

const choose = `SELECT ` + entryColumns + `
WHERE (?1 IS NULL OR d.channel = ?1 AND d.account = ?2)
  AND (?3 = '' OR d.date >= ?3) AND (?4 = '' OR d.date <= ?4)
  AND (?5 = '' OR instr(?5, ' ' || d.state || ' '))
  AND (?6 = '' OR d.class = ?6)
  AND (?7 = '' OR d.id = ?7 OR d.order_no = ?7 OR d.refund_no = ?7 OR d.trade_no = ?7)
  AND (NOT ?8 OR d.pending <> 0)
  AND (NOT ?9 OR d.since_ms IS NOT NULL AND d.first_ms < ?10 AND (d.state <> 'carried' OR d.until < ?11))
ORDER BY d.rank, ABS(d.fen) DESC, d.time_ms, d.id LIMIT ?12`

func (l *Ledger) differences(ctx context.Context, tx *sql.Tx, q Query) ([]Entry, error) {
	var states strings.Builder
	for _, s := range q.States {
		states.WriteString(" " + string(s) + " ")
	}
	limit := q.Limit
	if limit <= 0 {
		limit = -1
	}
	now := l.now()
	args := append(bookArgs(q.Book), q.From, q.To, states.String(), q.Class, q.Text, q.Pending,
		q.Overdue, now.Add(-l.opts.OverdueAfter).UnixMilli(), now.Format(time.DateOnly), limit)
	return entriesOf(ctx, tx, choose, args...)
}

// entriesOf reads entries with the proposals that they wait for.
func entriesOf(ctx context.Context, tx *sql.Tx, query string, args ...any) ([]Entry, error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var entries []Entry
	var waits []int64
	for rows.Next() {
		var e Entry
		var first, changed, pending int64
		var body []byte
		if err := rows.Scan(&e.Channel, &e.Account, &e.Date, &e.RunID, &e.State, &e.Until, &first, &changed, &e.Reason, &e.Other, &e.Executed, &pending, &body); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(body, &e.Difference); err != nil {
			return nil, err
		}
		e.First, e.Changed = fromMillis(first), fromMillis(changed)
		entries, waits = append(entries, e), append(waits, pending)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return entries, attach(ctx, tx, entries, waits)
}

// attach gives each entry the proposal that it waits for; one that is about many is
// shared by them.
func attach(ctx context.Context, tx *sql.Tx, entries []Entry, waits []int64) error {
	known := map[int64]*Proposal{}
	for i, n := range waits {
		if n == 0 {
			continue
		}
		if known[n] == nil {
			found, err := proposals(ctx, tx, byNumber, n)
			if err != nil {
				return err
			}
			if len(found) == 0 {
				return fmt.Errorf("%s waits for proposal %d, which is not there: %w", entries[i].ID, n, ErrTampered)
			}
			known[n] = &found[0]
		}
		entries[i].Pending = known[n]
	}
	return nil
}

// entryOf is one difference.
func entryOf(ctx context.Context, tx *sql.Tx, id recon.ID) (*Entry, error) {
	found, err := entriesOf(ctx, tx, `SELECT `+entryColumns+`WHERE d.id = ?`, id)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("difference %q: %w", id, ErrUnknown)
	}
	return &found[0], nil
}

// shortest is how much of an id has to be given, in bytes.
const shortest = 4

// resolveText leaves a text that is a number or an id as it is, and makes the beginning
// of an id that whole id.
func resolveText(ctx context.Context, tx *sql.Tx, text string) (string, error) {
	var exact bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM differences WHERE id = ?1 OR order_no = ?1 OR refund_no = ?1 OR trade_no = ?1)`, text).Scan(&exact)
	if err != nil || exact || len(text) < shortest {
		return text, err
	}
	var least, most sql.NullString
	err = tx.QueryRowContext(ctx, `SELECT MIN(id), MAX(id) FROM differences WHERE id >= ?1 AND substr(id, 1, length(?1)) = ?1`, text).Scan(&least, &most)
	switch {
	case err != nil:
		return "", err
	case !least.Valid:
		return text, nil
	case least != most:
		return "", fmt.Errorf("%s is short for several differences, from %s to %s: give more of it", text, least.String, most.String)
	}
	return least.String, nil
}

// History is what happened to a difference, in order. ErrUnknown: there is none.
func (l *Ledger) History(ctx context.Context, id recon.ID) (history []Event, err error) {
	err = l.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		history, err = events(ctx, tx, `SELECT seq, at_ms, actor, type, body, prev, hash FROM events
WHERE seq IN (SELECT opened FROM differences WHERE id = ?1 UNION ALL SELECT seq FROM touches WHERE id = ?1) ORDER BY seq`, id)
		return err
	})
	if err == nil && len(history) == 0 {
		err = ErrUnknown
	}
	if err != nil {
		return nil, fmt.Errorf("read the history of %q: %w", id, err)
	}
	return history, nil
}
