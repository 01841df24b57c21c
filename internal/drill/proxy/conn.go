package proxy

import (
	"bufio"
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const dialTimeout = 5 * time.Second

// conn is one client's connection and the one to the server that goes with it.
type conn struct {
	proxy *Proxy
	ctx   context.Context // ends with the connection
	end   context.CancelFunc

	frozen bool // by a hang; guarded by proxy.mu

	// What was lost, and so what nobody could read any further. lastAnswer: the
	// answer under way is lost and ends the connection. Set under proxy.mu.
	lostRequest, lostAnswer, lastAnswer atomic.Bool

	mu      sync.Mutex
	sockets []net.Conn // the client's, then the server's
}

func newConn(p *Proxy, client net.Conn) *conn {
	c := &conn{proxy: p, sockets: []net.Conn{client}}
	c.ctx, c.end = context.WithCancel(p.ctx)
	return c
}

// cut ends the connection on both sides, with a reset if hard is set. It may be
// called again, and does not wait.
func (c *conn) cut(hard bool) {
	c.end()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sockets {
		if tcp, ok := s.(*net.TCPConn); ok && hard {
			_ = tcp.SetLinger(0) // fails only where the connection has ended already
		}
		_ = s.Close() // as above
	}
}

// serve runs until both directions have ended.
func (c *conn) serve() {
	defer c.proxy.forget(c)
	defer c.cut(false)
	server, err := c.dial()
	if err != nil {
		return
	}
	client := c.sockets[0]
	var answers sync.WaitGroup
	answers.Go(func() {
		defer c.cut(false) // without a server there is nobody to ask
		c.answers(client, server)
	})
	c.requests(client, server)
	answers.Wait()
}

// dial connects to the server. While a hang holds the connection, the client
// waits for the greeting, as it would of a frozen server.
func (c *conn) dial() (net.Conn, error) {
	if err := c.proxy.pass(c); err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	server, err := dialer.DialContext(c.ctx, "tcp", c.proxy.target)
	if err != nil {
		c.proxy.log.Debug("reach the server behind the proxy", "addr", c.proxy.target, "err", err)
		return nil, err
	}
	c.mu.Lock()
	c.sockets = append(c.sockets, server)
	c.mu.Unlock()
	if err := c.ctx.Err(); err != nil { // cut before it could see the socket; serve cuts again
		return nil, err
	}
	return server, nil
}

// requests passes on what the client sends, one packet at a time, so that no more
// than a buffer is held. The client's end goes on as an end of its own: a server
// still executes what it received before.
func (c *conn) requests(client, server net.Conn) {
	r := bufio.NewReaderSize(client, bufferSize)
	for first := true; ; first = false {
		p, err := peek(r)
		if err != nil {
			break
		}
		if what := p.unreadable(); first && what != "" {
			c.proxy.log.Warn("a client asks for what the proxy cannot read; connect without", "what", what, "addr", c.proxy.addr)
			c.cut(false)
			return
		}
		if err := c.forward(p, r, server); err != nil {
			c.cut(false)
			return
		}
	}
	if c.proxy.pass(c) != nil {
		return
	}
	_, _ = r.WriteTo(c.toServer(server)) // half a packet, if any; the end matters more
	if tcp, ok := server.(*net.TCPConn); ok {
		_ = tcp.CloseWrite() // fails where the server has gone, which answers sees
	}
}

// forward passes one packet on, late, or not at all, as the faults will it.
func (c *conn) forward(p packet, r *bufio.Reader, server net.Conn) error {
	k := p.kind() // now: the head is gone after the next read
	c.proxy.delay()
	if err := c.proxy.pass(c); err != nil {
		return err
	}
	c.proxy.judge(c, k)
	_, err := io.CopyN(c.toServer(server), r, int64(p.size))
	return err
}

// mark prepares the connection for a loss, before the server can answer.
func (c *conn) mark(what fate) {
	switch what {
	case lost:
		c.lostRequest.Store(true)
	case unanswered:
		c.lostAnswer.Store(true)
	case cutAfter:
		c.lastAnswer.Store(true)
	}
}

// toServer is where the client's bytes go: nowhere, once a request was lost.
func (c *conn) toServer(server net.Conn) io.Writer {
	if c.lostRequest.Load() {
		return io.Discard
	}
	return server
}

// answers passes on what the server sends until either side ends. Once an answer
// is to be lost, all that comes is: the client asks nothing new before it has the
// whole answer.
func (c *conn) answers(client, server net.Conn) {
	buf := make([]byte, bufferSize)
	for {
		n, err := server.Read(buf)
		if c.proxy.pass(c) != nil {
			return
		}
		if n > 0 && c.lastAnswer.Load() {
			return
		}
		if n > 0 && !c.lostAnswer.Load() {
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
