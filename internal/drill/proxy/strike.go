package proxy

import (
	"context"
	"time"

	"paytool/internal/drill/fault"
)

// fate is what becomes of a request that a fault strikes.
type fate int

const (
	lost       fate = iota // it never reaches the server
	unanswered             // it reaches the server, and the answer is lost
	cutAfter               // the same, and the connection ends with the answer
)

var fates = map[fault.Name]fate{
	fault.RequestLost: lost, fault.ReplyLost: unanswered, fault.LostCommit: cutAfter,
}

// meet lets the faults of the phase that begins, or into which the connection is
// born, act on a connection as a whole. p.mu is held.
func (p *Proxy) meet(c *conn) {
	c.frozen = false
	for _, f := range p.phase.faults {
		switch f.Name {
		case fault.Refuse:
			p.struck[fault.Refuse]++
			c.cut(false)
			return
		case fault.Reset:
			if p.strikes(f) {
				c.cut(true)
				return
			}
		case fault.Hang:
			c.frozen = p.draw(f) // counted where it holds something
		case fault.Partition: // what is held never arrives: the connection is cut at the end
			c.frozen = true
			c.lostRequest.Store(true)
			return
		default: // acts on requests
		}
	}
}

// judge draws what becomes of a packet of the client, and marks the connection.
// It does both at once with the faults of the moment, so that a Clear either comes
// first or finds the mark and cuts the connection.
func (p *Proxy) judge(c *conn, k kind) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.phase.faults {
		what, ok := fates[f.Name]
		if ok && k.meets(f) && p.strikes(f) {
			c.mark(what)
			return
		}
	}
}

// meets reports whether a fault is after packets of this kind.
func (k kind) meets(f fault.Fault) bool {
	if f.Name == fault.LostCommit || f.On == fault.Commit {
		return k == commit
	}
	return k == commit || k == statement
}

func (p *Proxy) strikes(f fault.Fault) bool {
	if !p.draw(f) {
		return false
	}
	p.struck[f.Name]++
	return true
}

// draw asks chance even where the answer is certain, so that a fault added to a
// list does not depend on the parameters of the others.
func (p *Proxy) draw(f fault.Fault) bool { return p.chance.Float64() < f.P }

// delay holds up a packet of the client for as long as its latency is drawn, or
// until the faults change.
func (p *Proxy) delay() {
	d, ctx := p.lateness()
	if d > 0 {
		_ = p.clock.Sleep(ctx, d) // its error says that the faults changed: go on
	}
}

func (p *Proxy) lateness() (time.Duration, context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.phase.faults {
		if f.Name == fault.Latency && p.strikes(f) {
			return f.Delay - f.Jitter + time.Duration(p.chance.Int64N(2*int64(f.Jitter)+1)), p.phase.ctx
		}
	}
	return 0, p.phase.ctx
}

// pass returns when nothing holds the connection any more, or with the error of
// its context.
func (p *Proxy) pass(c *conn) error {
	for first := true; c.ctx.Err() == nil; first = false {
		ctx, frozen := p.hold(c, first)
		if !frozen {
			return nil
		}
		select {
		case <-ctx.Done():
		case <-c.ctx.Done():
		}
	}
	return c.ctx.Err()
}

// hold reports whether a hang holds the connection, and until when.
func (p *Proxy) hold(c *conn, count bool) (until context.Context, frozen bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.frozen && count {
		name := fault.Hang
		if p.phase.faults.Has(fault.Partition) {
			name = fault.Partition
		}
		p.struck[name]++
	}
	return p.phase.ctx, c.frozen
}
