package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"time"

	"paytool/internal/pay"
)

const hashSize = sha256.Size

// feed adds a text with its length, so that no two lists of texts feed the same bytes.
func feed[T string | []byte](h hash.Hash, text T) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(text)))
	h.Write(n[:])
	h.Write([]byte(text))
}

// sum is what Hash has to be.
func (e *Event) sum() string {
	h := sha256.New()
	feed(h, strconv.FormatInt(e.Seq, 10))
	feed(h, strconv.FormatInt(e.At.UnixMilli(), 10))
	feed(h, e.Actor)
	feed(h, e.Type)
	feed(h, e.Body)
	feed(h, e.Prev)
	return hex.EncodeToString(h.Sum(nil))
}

// writer adds events in one transaction and keeps the views in step with them.
type writer struct {
	*projector
	head  Head
	at    time.Time
	actor string
}

// write runs f with a writer, in one transaction. Nothing is written if f adds no
// event. The head is the chain's afterwards.
func (l *Ledger) write(ctx context.Context, actor string, f func(ctx context.Context, w *writer) error) (head Head, err error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return Head{}, ctx.Err()
	}
	added := false
	err = l.locked(ctx, func(ctx context.Context, tx *sql.Tx) error {
		w, err := l.newWriter(ctx, tx, actor)
		if err != nil {
			return err
		}
		first := w.head
		if err := errors.Join(f(ctx, w), w.close()); err != nil {
			return err
		}
		head, added = w.head, w.head != first
		return nil
	})
	if err != nil || !added {
		return head, err
	}
	if err := l.settleHead(context.WithoutCancel(ctx)); err != nil {
		return head, fmt.Errorf("it is recorded, but %s is behind and the next command has to bring it up to date: %w", headName, err)
	}
	return head, nil
}

func (l *Ledger) newWriter(ctx context.Context, tx *sql.Tx, actor string) (*writer, error) {
	if err := checkActor(actor); err != nil {
		return nil, err
	}
	head, err := headOf(ctx, tx)
	if err != nil {
		return nil, err
	}
	f, err := readHead(l.path(headName))
	if err != nil {
		return nil, err
	}
	if err := f.check(ctx, tx, head); err != nil {
		return nil, err
	}
	w := &writer{projector: newProjector(tx), head: head, at: l.now(), actor: actor}
	var last sql.NullInt64
	if err := tx.QueryRowContext(ctx, `SELECT at_ms FROM events WHERE seq = ?`, head.Seq).Scan(&last); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	if last.Int64 > w.at.UnixMilli() {
		w.at = fromMillis(last.Int64) // a clock that was set back does not turn the ledger's
	}
	return w, nil
}

// add appends an event and lets the views follow.
func (w *writer) add(ctx context.Context, kind string, body any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("write the event %s: %w", kind, err)
	}
	e := &Event{Seq: w.head.Seq + 1, At: w.at, Actor: w.actor, Type: kind, Body: data, Prev: w.head.Hash}
	e.Hash = e.sum()
	if _, err := w.exec(ctx, `INSERT INTO events (seq, at_ms, actor, type, body, prev, hash) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		e.Seq, e.At.UnixMilli(), e.Actor, e.Type, string(e.Body), e.Prev, e.Hash); err != nil {
		return err
	}
	w.head = Head{e.Seq, e.Hash}
	return w.apply(ctx, e)
}

// events reads a page of the chain.
func events(ctx context.Context, tx *sql.Tx, query string, args ...any) (page []Event, err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var e Event
		var at int64
		if err := rows.Scan(&e.Seq, &at, &e.Actor, &e.Type, &e.Body, &e.Prev, &e.Hash); err != nil {
			return nil, err
		}
		e.At = fromMillis(at)
		page = append(page, e)
	}
	return page, rows.Err()
}

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).In(pay.Beijing) }
