package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"paytool/internal/drill/fault"
)

const (
	acceptPause = 10 * time.Millisecond // after an accept that failed, so that it cannot spin
	maxConns    = 4096                  // what a hang may hold; a client beyond that is turned away
)

// turnDoor opens or closes the port; p.mu is held. A port that is closed belongs
// to nobody, and opening it fails if another took it meanwhile.
func (p *Proxy) turnDoor(open bool) error {
	switch {
	case open && p.door == nil:
		door, err := listen(p.ctx, p.addr)
		if err != nil {
			return fmt.Errorf("open %s to connections again: %w; free the port and clear the faults again", p.addr, err)
		}
		p.door = door
		p.work.Go(func() { p.accept(door) })
	case !open && p.door != nil:
		_ = p.door.Close() // a listener has nothing left to report
		p.door = nil
		p.struck[fault.Refuse]++
	}
	return nil
}

func (p *Proxy) accept(door net.Listener) {
	for {
		client, err := door.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			p.log.Warn("accept a connection", "addr", p.addr, "err", err)
			if p.clock.Sleep(p.ctx, acceptPause) != nil {
				return
			}
		default:
			p.admit(client)
		}
	}
}

// admit starts a connection, unless the faults of the moment end it at once.
func (p *Proxy) admit(client net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := newConn(p, client)
	switch {
	case p.ctx.Err() != nil:
		c.cut(false)
		return
	case len(p.conns) >= maxConns:
		p.log.Warn("turn a client away: the proxy is full", "addr", p.addr, "connections", maxConns)
		c.cut(false)
		return
	}
	p.meet(c)
	if c.ctx.Err() != nil {
		return
	}
	p.conns[c] = struct{}{}
	p.work.Go(c.serve)
}

func listen(ctx context.Context, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	return lc.Listen(ctx, "tcp4", addr)
}
