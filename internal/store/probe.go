package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"paytool/internal/order"
	"paytool/internal/shard"
)

// probeSQL is a real change: an update to the same value would not reach the
// binlog, and so say nothing about semi-sync. Its beginning is how a probe that
// was left behind is recognised on the server.
const (
	probeSQL = `UPDATE instances SET n=n+1, at_ms=?, until_ms=?, high_s=CASE WHEN high_s>? THEN high_s ELSE ? END, epoch=?
WHERE slot=? AND holder=? AND EXISTS (SELECT 1 FROM group_info WHERE id=1 AND group_id=? AND primary_uid=? AND epoch<=?)`
	strayProbeSQL = `SELECT COUNT(*) FROM information_schema.processlist WHERE id=? AND info LIKE 'UPDATE instances SET n=n+1%'`
)

// defaultProbeTime bounds a probe whose context has no deadline.
const defaultProbeTime = 250 * time.Millisecond

// lastBeat is the last probe that the primary acknowledged. A replica that has it
// is as fresh as the last probe.
type lastBeat struct {
	slot   int
	holder string
	atMS   int64
}

// prober keeps one probe outstanding. It owns two connections, so that a pool
// that is full of hanging orders says nothing about the server: one writes, and
// another one asks why when that gets no answer.
type prober struct {
	node string
	db   *sql.DB
	log  *slog.Logger

	turn  chan struct{} // holds one token; whoever has it may use the rest
	conn  *sql.Conn
	id    int64       // of conn on the server
	stray int64       // connection of a write that got no answer, 0 for none
	cause shard.Cause // of stray
}

func newProber(node string, db *sql.DB, log *slog.Logger) *prober {
	p := &prober{node: node, db: db, log: log, turn: make(chan struct{}, 1)}
	p.turn <- struct{}{}
	return p
}

// Probe changes the instance's own row, which renews its lease, and needs exactly
// one row changed: the server answers, takes writes, is this group's primary, the
// lease is still held, and the instance knows the group's epoch. The instance's
// epoch is written beside it, for those who wait until every instance knows it.
//
// Four fifths of the context's time are for the write, the rest for finding out
// why it got no answer. While such a write is still on the server it is killed and
// the same cause is answered without another one, else every probe would leave a
// thread behind.
func (g *Group) Probe(ctx context.Context, r order.ProbeRequest) order.ProbeAnswer {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, defaultProbeTime)
		defer cancel()
	}
	crew := g.crew.Load()
	select {
	case <-crew.prober.turn:
		defer func() { crew.prober.turn <- struct{}{} }()
	case <-ctx.Done():
		return crew.prober.answer(ctx.Err())
	}
	uid := ""
	if known := crew.primary.uid.Load(); known != nil {
		uid = *known
	}
	answer := crew.prober.probe(ctx, r, g.id, uid)
	if answer.Cause == "" && !answer.Changed {
		g.beat.Store(&lastBeat{slot: r.Lease.Slot, holder: r.Lease.Holder, atMS: toMS(r.At)})
	}
	return answer
}

func (p *prober) probe(ctx context.Context, r order.ProbeRequest, group shard.GroupID, uid string) order.ProbeAnswer {
	if p.stray != 0 {
		if answer := p.clearStray(ctx, r.RequireSemisync); answer.Cause != "" {
			return answer
		}
	}
	deadline, _ := ctx.Deadline()
	wctx, cancel := context.WithTimeout(ctx, time.Until(deadline)*4/5)
	defer cancel()
	if err := p.connect(wctx); err != nil {
		return p.answer(err)
	}
	n, err := affected(p.conn.ExecContext(wctx, probeSQL, toMS(r.At), toMS(r.Until), r.High, r.High, r.Epoch,
		r.Lease.Slot, r.Lease.Holder, group, uid, r.Epoch))
	switch {
	case err != nil:
		return p.failed(ctx, err)
	case n != 1:
		return order.ProbeAnswer{Changed: true, Err: fmt.Errorf(
			"probe %s: slot %d is not held by this instance, or the group's row names another group, another primary or a higher epoch", p.node, r.Lease.Slot)}
	case !r.RequireSemisync:
		return order.ProbeAnswer{}
	}
	return p.checkSemisync(ctx)
}

func (p *prober) checkSemisync(ctx context.Context) order.ProbeAnswer {
	s, err := readSemisync(ctx, p.conn)
	if err != nil {
		p.drop()
		return p.answer(err)
	}
	if err := s.degraded(); err != nil {
		return order.ProbeAnswer{Cause: shard.SemisyncDegraded, Err: fmt.Errorf("probe %s: %w", p.node, err)}
	}
	return order.ProbeAnswer{}
}

// failed ends a probe whose write brought an error, and finds out why it got no
// answer if it got none.
func (p *prober) failed(ctx context.Context, err error) order.ProbeAnswer {
	p.drop()
	answer := p.answer(err)
	if answer.Cause != shard.Hang {
		return answer
	}
	s, why := readSemisync(ctx, p.db)
	answer.Cause = unansweredCause(s, why)
	p.stray, p.cause = p.id, answer.Cause
	return answer
}

// clearStray looks after a write that got no answer. It answers with a cause
// while that is still on the server, or while another one would not be answered
// either.
func (p *prober) clearStray(ctx context.Context, semisyncRequired bool) order.ProbeAnswer {
	conn, err := p.db.Conn(ctx)
	if err != nil {
		return p.answer(err)
	}
	defer conn.Close() //nolint:errcheck // it only goes back to the pool
	var there int
	if err := conn.QueryRowContext(ctx, strayProbeSQL, p.stray).Scan(&there); err != nil {
		return p.answer(err)
	}
	s, err := readSemisync(ctx, conn)
	if err != nil {
		return p.answer(err)
	}
	if there > 0 {
		if _, err := conn.ExecContext(ctx, "KILL ?", p.stray); err != nil && !isAnswer(err, errNoSuchThread) {
			return p.answer(err)
		}
		p.log.Debug("killed the probe that got no answer", "node", p.node, "connection", p.stray)
		p.cause = unansweredCause(s, nil)
		return order.ProbeAnswer{Cause: p.cause, Err: fmt.Errorf("probe %s: the write of an earlier probe is still under way", p.node)}
	}
	switch {
	case s.on && s.clients == 0:
		return order.ProbeAnswer{Cause: shard.SemisyncStalled, Err: fmt.Errorf("probe %s: %w", p.node, s.degraded())}
	case semisyncRequired && s.degraded() != nil && s.clients == 0:
		return order.ProbeAnswer{Cause: shard.SemisyncDegraded, Err: fmt.Errorf("probe %s: %w", p.node, s.degraded())}
	}
	p.stray = 0
	return order.ProbeAnswer{}
}

// answer turns an error into a probe's answer. What says nothing about the
// group's health (a lock wait, a caller that went away) must not pass for a good
// probe, nor eject: it asks for another look.
func (p *prober) answer(err error) order.ProbeAnswer {
	cause, _ := diagnose(err)
	return order.ProbeAnswer{Cause: cause, Changed: cause == "", Err: fmt.Errorf("probe %s: %w", p.node, err)}
}

// connect makes sure of the connection for writes and knows its number.
func (p *prober) connect(ctx context.Context) error {
	if p.conn != nil {
		return nil
	}
	conn, err := p.db.Conn(ctx)
	if err != nil {
		return err
	}
	err = conn.QueryRowContext(ctx, "SELECT COALESCE(/*! CONNECTION_ID(), */ 0, 0)").Scan(&p.id)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	p.conn = conn
	return nil
}

// drop closes the connection for writes instead of giving it back.
func (p *prober) drop() {
	if p.conn == nil {
		return
	}
	discard(p.conn)
	p.conn = nil
}

func (p *prober) close() error {
	<-p.turn // a probe under way ends with its context
	defer func() { p.turn <- struct{}{} }()
	p.drop()
	return p.db.Close()
}

// discard closes a connection that must not be used again, because of what may
// still be under way on it.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // the one way to tell the pool
	_ = conn.Close()                                           // closed already
}
