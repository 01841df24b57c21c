package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"paytool/internal/recon"
)

// projector makes the views from the events, one event at a time. Recording and
// verifying use the same one, so that the views can never say what the chain does not.
type projector struct {
	tx    *sql.Tx
	stmts map[string]*sql.Stmt // prepared once for a transaction, by their text
	ranks map[recon.Class]int
	// found, where set, are the differences of the run that is being recorded: they
	// need not be read back.
	found    []recon.Difference
	foundRun int64
}

func newProjector(tx *sql.Tx) *projector {
	p := &projector{tx: tx, stmts: map[string]*sql.Stmt{}, ranks: map[recon.Class]int{}}
	for i, c := range recon.Classes() {
		p.ranks[c] = i
	}
	return p
}

func (p *projector) close() error {
	var errs []error
	for _, s := range p.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

func (p *projector) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if s := p.stmts[query]; s != nil {
		return s, nil
	}
	s, err := p.tx.PrepareContext(ctx, query)
	if err == nil {
		p.stmts[query] = s
	}
	return s, err
}

// exec returns how many rows it changed.
func (p *projector) exec(ctx context.Context, query string, args ...any) (int64, error) {
	s, err := p.stmt(ctx, query) //nolint:sqlclosecheck // kept for the next time; close closes all
	if err != nil {
		return 0, err
	}
	r, err := s.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// row asks for one row.
func (p *projector) row(ctx context.Context, query string, args ...any) *sql.Row {
	s, err := p.stmt(ctx, query) //nolint:sqlclosecheck // kept for the next time; close closes all
	if err != nil {
		return p.tx.QueryRowContext(ctx, query, args...) // whose Scan tells the error
	}
	return s.QueryRowContext(ctx, args...)
}

// one changes exactly one row: an event about something that is not there, or not as
// it should be, does not follow from those before it.
func (p *projector) one(ctx context.Context, query string, args ...any) error {
	n, err := p.exec(ctx, query, args...)
	if err == nil && n != 1 {
		return fmt.Errorf("the event does not follow from those before it: it changes %d rows", n)
	}
	return err
}

// apply lets the views follow an event.
func (p *projector) apply(ctx context.Context, e *Event) (err error) {
	switch e.Type {
	case eventRun:
		err = with(e, func(b runBody) error { return p.run(ctx, e, b) })
	case eventOpened:
		err = with(e, func(b openedBody) error { return p.opened(ctx, e, b) })
	case eventResolved:
		err = with(e, func(b changedBody) error { return p.resolved(ctx, e, b) })
	case eventReopened:
		err = with(e, func(b changedBody) error { return p.reopen(ctx, e, b.ID, b.Reason) })
	case eventProposed:
		err = with(e, func(b proposedBody) error { return p.proposed(ctx, e, b) })
	case eventApproved:
		err = with(e, func(b decidedBody) error { return p.approved(ctx, e, b) })
	case eventRejected:
		err = with(e, func(b decidedBody) error { return p.decided(ctx, e, b.Proposal, Rejected, b.Text) })
	case eventFinished:
		err = with(e, func(b finishedBody) error { return p.finished(ctx, e, b) })
	default:
		err = errors.New("there is no such type of event")
	}
	if err != nil {
		return fmt.Errorf("follow event %d (%s): %w", e.Seq, e.Type, err)
	}
	return nil
}

func with[B any](e *Event, f func(B) error) error {
	var body B
	if err := json.Unmarshal(e.Body, &body); err != nil {
		return err
	}
	return f(body)
}

func (p *projector) run(ctx context.Context, e *Event, b runBody) error {
	n, err := p.exec(ctx, `UPDATE runs SET replaced = ? WHERE channel = ? AND account = ? AND date = ? AND replaced = 0`, e.Seq, b.Channel, b.Account, b.Date)
	if err != nil {
		return err
	}
	if n > 0 { // what the day had already stands at another place of the new run
		_, err := p.exec(ctx, `UPDATE differences SET run = f.run, pos = f.pos FROM findings f
WHERE f.run = ? AND f.id = differences.id AND channel = ? AND account = ? AND date = ?`, e.Seq, b.Channel, b.Account, b.Date)
		if err != nil {
			return err
		}
	}
	return p.one(ctx, `INSERT INTO runs (seq, channel, account, date, run_id, at_ms, actor, supersedes, reason,
  opening_date, opening_carried, opening_fund, closing_carried, closing_fund, replaced) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
		e.Seq, b.Channel, b.Account, b.Date, b.RunID, e.At.UnixMilli(), e.Actor, b.Supersedes, b.Reason,
		b.Opening.Date, b.Opening.Carried, b.Opening.Fund, b.ClosingSHA256, b.Fund)
}

// finding is a difference as a run had it.
func (p *projector) finding(ctx context.Context, run int64, pos int) (*recon.Difference, error) {
	if p.found != nil && run == p.foundRun && pos < len(p.found) {
		return &p.found[pos], nil
	}
	var body []byte
	if err := p.row(ctx, `SELECT body FROM findings WHERE run = ? AND pos = ?`, run, pos).Scan(&body); err != nil {
		return nil, fmt.Errorf("read finding %d of the run at event %d: %w", pos, run, err)
	}
	d := &recon.Difference{}
	return d, json.Unmarshal(body, d)
}

func (p *projector) opened(ctx context.Context, e *Event, b openedBody) error {
	d, err := p.finding(ctx, b.Run, b.Pos)
	if err != nil {
		return err
	}
	if d.ID != b.ID {
		return fmt.Errorf("finding %d of the run at event %d is %s, not %s", b.Pos, b.Run, d.ID, b.ID)
	}
	at := e.At.UnixMilli()
	return p.one(ctx, `INSERT INTO differences (id, opened, channel, account, date, run, pos, rank, class, kind, order_no, refund_no, trade_no,
  fen, time_ms, first_ms, state, until, changed_ms, reason, other, pending, executed, turn, since_ms)
SELECT ?, ?, channel, account, date, ?, ?, ?, ?, ?, ?, ?, ?, ?, COALESCE(?, strftime('%s', date, '-8 hours') * 1000), ?, 'open', '', ?, '', '', 0, '', 0, ?
FROM runs WHERE seq = ?`,
		d.ID, e.Seq, b.Run, b.Pos, p.rank(d.Class), d.Class, d.Kind, d.OrderNo, d.RefundNo, d.ChannelTradeNo,
		d.DifferenceFen, millis(d.Time), at, at, at, b.Run)
}

// rank is the class's place in the list of recon.Classes; an unknown one is last.
func (p *projector) rank(c recon.Class) int {
	if rank, ok := p.ranks[c]; ok {
		return rank
	}
	return len(p.ranks)
}

// millis is nil for a time that is not known.
func millis(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

func (p *projector) touch(ctx context.Context, e *Event, id recon.ID) error {
	return p.one(ctx, `INSERT INTO touches (id, seq) VALUES (?, ?)`, id, e.Seq)
}

// end ends an open difference: nobody has to do anything any more.
func (p *projector) end(ctx context.Context, e *Event, id recon.ID, state State, reason string, other recon.ID) error {
	at := e.At.UnixMilli()
	if err := p.one(ctx, `INSERT INTO intervals (id, turn, from_ms, to_ms) SELECT id, turn, since_ms, ? FROM differences WHERE id = ? AND since_ms IS NOT NULL`,
		at, id); err != nil {
		return err
	}
	if err := p.one(ctx, `UPDATE differences SET state = ?, reason = ?, other = ?, changed_ms = ?, until = '', pending = 0, since_ms = NULL WHERE id = ?`,
		state, reason, other, at, id); err != nil {
		return err
	}
	return p.touch(ctx, e, id)
}

func (p *projector) reopen(ctx context.Context, e *Event, id recon.ID, reason string) error {
	at := e.At.UnixMilli()
	if err := p.one(ctx, `UPDATE differences SET state = 'open', reason = ?, other = '', changed_ms = ?, turn = turn + 1, since_ms = ?
WHERE id = ? AND since_ms IS NULL`, reason, at, at, id); err != nil {
		return err
	}
	return p.touch(ctx, e, id)
}

// resolved ends a difference by a run. One that had ended as a late counterpart of
// another only gets its new reason: the run no longer finds it at all.
func (p *projector) resolved(ctx context.Context, e *Event, b changedBody) error {
	var state State
	var pending int64
	if err := p.row(ctx, `SELECT state, pending FROM differences WHERE id = ?`, b.ID).Scan(&state, &pending); err != nil {
		return err
	}
	if state.Ended() {
		if err := p.one(ctx, `UPDATE differences SET reason = ?, other = ? WHERE id = ?`, b.Reason, b.Other, b.ID); err != nil {
			return err
		}
		return p.touch(ctx, e, b.ID)
	}
	if pending != 0 {
		if err := p.overtake(ctx, e, pending, b.ID); err != nil {
			return err
		}
	}
	return p.end(ctx, e, b.ID, StateResolved, b.Reason, b.Other)
}

// overtake takes a difference out of a proposal that waits, as a run has ended it. A
// proposal that is about nothing else is over.
func (p *projector) overtake(ctx context.Context, e *Event, proposal int64, id recon.ID) error {
	n, err := p.exec(ctx, `UPDATE proposals SET stage = 'rejected', decided_by = ?, decided_ms = ?, result = 'a run ended the difference meanwhile'
WHERE n = ? AND count = 1`, e.Actor, e.At.UnixMilli(), proposal)
	if err != nil || n > 0 {
		return err
	}
	if err := p.one(ctx, `UPDATE proposals SET count = count - 1, fen = fen - (SELECT fen FROM differences WHERE id = ?) WHERE n = ?`, id, proposal); err != nil {
		return err
	}
	return p.one(ctx, `DELETE FROM members WHERE proposal = ? AND id = ?`, proposal, id)
}
