package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"paytool/internal/pay"
)

// span is a time in which a difference was open.
type span struct {
	turn     int // above 0: it was reopened
	trade    time.Time
	amount   pay.Fen // whatever its direction
	from, to time.Time
	ended    bool // else to says nothing
}

// openAt: the difference was open just before t.
func (s *span) openAt(t time.Time) bool { return s.from.Before(t) && (!s.ended || !s.to.Before(t)) }

// window is a day in Beijing.
type window struct{ from, to time.Time }

func (w window) has(t time.Time) bool { return !t.Before(w.from) && t.Before(w.to) }

// lastDays are the last n days, today the last of them.
func lastDays(now time.Time, n int) []window {
	y, m, d := now.In(pay.Beijing).Date()
	days := make([]window, 0, n)
	for i := n - 1; i >= 0; i-- {
		from := time.Date(y, m, d-i, 0, 0, 0, 0, pay.Beijing)
		days = append(days, window{from, from.AddDate(0, 0, 1)})
	}
	return days
}

// Ages are the differences that were open, or carried, at the end of each of the last
// days in Beijing, today as it is now, by the days since their trade. Nil is every
// book. What was reopened counts as closed in between.
func (l *Ledger) Ages(ctx context.Context, book *Book, days int) ([]DayAges, error) {
	now := l.now()
	windows := lastDays(now, days)
	ages := make([]DayAges, len(windows))
	for i, w := range windows {
		ages[i].Date = w.from.Format(time.DateOnly)
	}
	err := l.spans(ctx, book, windows, func(s *span) {
		for i, w := range windows {
			if !s.openAt(w.to) {
				continue
			}
			end := w.to
			if end.After(now) {
				end = now
			}
			ages[i].add(end.Sub(s.trade), s.amount)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read the ages of the differences: %w", err)
	}
	return ages, nil
}

func (b *Buckets) add(age time.Duration, amount pay.Fen) {
	const day = 24 * time.Hour
	t := &b.Beyond
	switch {
	case age <= day:
		t = &b.UpTo1
	case age <= 3*day:
		t = &b.UpTo3
	case age <= 7*day:
		t = &b.UpTo7
	}
	t.Rows++
	t.Amount += amount
}

// Movements are how the number of open and carried differences moved in each of the
// last days in Beijing, today so far. Nil is every book.
func (l *Ledger) Movements(ctx context.Context, book *Book, days int) ([]Movement, error) {
	windows := lastDays(l.now(), days)
	moves := make([]Movement, len(windows))
	for i, w := range windows {
		moves[i].Date = w.from.Format(time.DateOnly)
	}
	err := l.spans(ctx, book, windows, func(s *span) {
		for i, w := range windows {
			moves[i].add(s, w)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read the movements of the differences: %w", err)
	}
	return moves, nil
}

func (m *Movement) add(s *span, w window) {
	if s.openAt(w.from) {
		m.Opening++
	}
	if s.openAt(w.to) {
		m.Closing++
	}
	switch {
	case !w.has(s.from):
	case s.turn == 0:
		m.Opened++
	default:
		m.Reopened++
	}
	if s.ended && w.has(s.to) {
		m.Closed++
	}
}

// spans yields the spans of a book that touch the windows; a span is valid during the
// call.
func (l *Ledger) spans(ctx context.Context, book *Book, windows []window, yield func(*span)) error {
	if len(windows) == 0 {
		return nil
	}
	return l.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT turn, time_ms, ABS(fen), since_ms, NULL FROM differences
WHERE since_ms IS NOT NULL AND (?1 IS NULL OR channel = ?1 AND account = ?2)
UNION ALL
SELECT i.turn, d.time_ms, ABS(d.fen), i.from_ms, i.to_ms FROM intervals i JOIN differences d ON d.id = i.id
WHERE i.to_ms >= ?3 AND (?1 IS NULL OR d.channel = ?1 AND d.account = ?2)`, append(bookArgs(book), windows[0].from.UnixMilli())...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var s span
			var trade, from int64
			var to sql.NullInt64
			if err := rows.Scan(&s.turn, &trade, &s.amount, &from, &to); err != nil {
				return err
			}
			s.trade, s.from, s.to, s.ended = time.UnixMilli(trade), time.UnixMilli(from), time.UnixMilli(to.Int64), to.Valid
			yield(&s)
		}
		return rows.Err()
	})
}
