package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

const insertJournalSQL = `INSERT INTO journal (order_no, holder, until_ms, answer, created_ms) VALUES (?, ?, ?, '', ?)`

// LeaseJournal takes or renews a lease. An answer that is recorded stays.
func (g *Group) LeaseJournal(ctx context.Context, e order.JournalEntry, now time.Time) (bool, error) {
	doing := fmt.Sprintf("lease the journal of order %s", e.OrderNo)
	n, err := affected(g.primary().db.ExecContext(ctx, "UPDATE journal SET holder=?, until_ms=? WHERE order_no=? AND answer='' AND (holder=? OR until_ms<=?)",
		e.Holder, toMS(e.Until), e.OrderNo.String(), e.Holder, toMS(now)))
	if err != nil || n > 0 {
		return n > 0, g.primary().fail(doing, err, atCommit)
	}
	_, err = g.primary().db.ExecContext(ctx, insertJournalSQL, e.OrderNo.String(), e.Holder, toMS(e.Until), toMS(now))
	if isAnswer(err, errDuplicate) {
		return false, nil
	}
	if err == nil { // nobody comes back for a lease whose order's group is well again
		_, err = g.primary().db.ExecContext(ctx, "DELETE FROM journal WHERE answer='' AND until_ms<=?", toMS(now.Add(-leaseRemains)))
	}
	return err == nil, g.primary().fail(doing, err, atCommit)
}

// leaseRemains is how long after its end a lease without an answer is kept.
const leaseRemains = 10 * time.Minute

// PutJournal records an answer, over one that was not definite.
func (g *Group) PutJournal(ctx context.Context, e order.JournalEntry) error {
	doing := fmt.Sprintf("journal the answer about order %s", e.OrderNo)
	text, err := json.Marshal(e.Answer)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return g.inTx(ctx, func(t *tx) error {
		_, err := t.conn.ExecContext(ctx, insertJournalSQL, e.OrderNo.String(), e.Holder, toMS(e.Until), toMS(e.Created))
		if err != nil && !isAnswer(err, errDuplicate) {
			return t.fail(doing, err)
		}
		stored, err := scanJournal(t.conn.QueryRowContext(ctx, selectJournalSQL+" WHERE order_no=?"+forUpdate, e.OrderNo.String()))
		if err != nil {
			return t.fail(doing, err)
		}
		if stored.Answer != nil && stored.Answer.Definite() {
			return nil
		}
		_, err = t.exec(ctx, doing, "UPDATE journal SET answer=? WHERE order_no=?", string(text), e.OrderNo.String())
		return err
	})
}

const selectJournalSQL = `SELECT order_no, holder, until_ms, answer, created_ms FROM journal`

func scanJournal(row scanner) (e order.JournalEntry, err error) {
	var no, answer string
	var until, created int64
	if err := row.Scan(&no, &e.Holder, &until, &answer, &created); err != nil {
		return e, err
	}
	e.Until, e.Created = fromMS(until), fromMS(created)
	if answer != "" {
		if err := json.Unmarshal([]byte(answer), &e.Answer); err != nil {
			return e, fmt.Errorf("the answer about order %s as it is stored: %w", no, err)
		}
	}
	return e, e.OrderNo.UnmarshalText([]byte(no))
}

// Journal lists entries with an answer on the primary, the oldest first.
func (g *Group) Journal(ctx context.Context, no pay.OrderNo, limit int) ([]order.JournalEntry, error) {
	where, args := " WHERE answer<>''", []any{}
	if !no.IsZero() {
		where, args = where+" AND order_no=?", append(args, no.String())
	}
	entries, err := readAll(ctx, g.primary().db, scanJournal, selectJournalSQL+where+" ORDER BY created_ms, order_no LIMIT ?", append(args, limit)...)
	return entries, g.primary().fail("read the journal", err, beforeCommit)
}

// DropJournal removes an entry, if there is one.
func (g *Group) DropJournal(ctx context.Context, no pay.OrderNo) error {
	_, err := g.primary().db.ExecContext(ctx, "DELETE FROM journal WHERE order_no=?", no.String())
	return g.primary().fail(fmt.Sprintf("drop the journal of order %s", no), err, atCommit)
}
