// Package proxy stands between a client and a MySQL server and carries out the
// faults of the network, so that a drill needs no rights on the machine and no
// second one.
//
// It passes bytes on, and reads the client's packets just far enough to tell one
// statement from the next and to know a COMMIT. The handshake passes as it is.
// What it cannot read, TLS and compression, it turns away: a fault would be
// injected and never strike.
//
// Not here: what a fault means and how it is spelled (package fault), when it
// begins and ends, and faults of the server itself.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"paytool/internal/drill/fault"
)

// Clock is the time that delays are waited on. Sleep returns the context's error
// when that ends first.
type Clock interface {
	Sleep(ctx context.Context, d time.Duration) error
}

// Options set up a proxy.
type Options struct {
	// Seed draws chances and jitter. Draws are in order of arrival, so a run
	// replays as far as its connections arrive in the same order.
	Seed  uint64
	Clock Clock        // the machine's, if nil
	Log   *slog.Logger // none, if nil
}

// Proxy forwards connections to one server and breaks them as told. All methods
// may be called concurrently.
type Proxy struct {
	target string
	addr   string
	clock  Clock
	log    *slog.Logger
	ctx    context.Context // ends with the proxy
	stop   context.CancelFunc
	work   sync.WaitGroup // keep, accept and a goroutine a connection

	mu     sync.Mutex
	door   net.Listener // nil while connections are refused
	phase  phase
	conns  map[*conn]struct{}
	struck map[fault.Name]int
	chance *rand.Rand
}

// phase is the time between two changes of the faults.
type phase struct {
	faults fault.List
	ctx    context.Context // ends with the phase
	end    context.CancelFunc
}

// Listen starts a proxy to target (host:port) on a free port of loopback, without
// faults. It ends with ctx or by Close; only Close awaits what it started.
func Listen(ctx context.Context, target string, opts Options) (*Proxy, error) {
	door, err := listen(ctx, "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open a proxy to %s: %w", target, err)
	}
	p := &Proxy{
		target: target, addr: door.Addr().String(), clock: opts.Clock, log: opts.Log, door: door,
		conns: map[*conn]struct{}{}, struck: map[fault.Name]int{},
		chance: rand.New(rand.NewPCG(opts.Seed, 0)),
	}
	if p.clock == nil {
		p.clock = wallClock{}
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	p.ctx, p.stop = context.WithCancel(ctx)
	p.phase = p.newPhase(nil)
	p.work.Go(p.keep)
	p.work.Go(func() { p.accept(door) })
	return p, nil
}

// Addr is the proxy's host:port. It stays the same while connections are refused.
func (p *Proxy) Addr() string { return p.addr }

// Set replaces the faults at once, for connections that are open and for new
// ones; only bytes that are being written this moment still pass. A connection on
// which a statement or an answer was lost is cut, as what follows could not be
// read.
//
// It refuses faults that are not of the network. When the port cannot be opened
// again after a refuse, the old faults stay; to call again is safe.
func (p *Proxy) Set(faults fault.List) error {
	if err := faults.Check(); err != nil {
		return err
	}
	for _, f := range faults {
		if s, _ := fault.Lookup(f.Name); !s.ActsOn(fault.Network) {
			return fmt.Errorf("fault %s acts on the %s; a proxy carries out those of the network", f.Name, s.Scopes[0])
		}
	}
	return p.change(faults)
}

// Clear ends all faults, under the rules of Set. What a hang held goes on.
func (p *Proxy) Clear() error { return p.change(nil) }

// Struck is how often each fault really struck since Listen, by name: what it
// held, delayed, lost, reset or ended. Refused connections never reach the proxy,
// so refuse counts the port as it closes and the connections that it ends.
func (p *Proxy) Struck() map[fault.Name]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.struck)
}

// Close cuts all connections and returns when every goroutine has ended. It may
// be called again.
func (p *Proxy) Close() {
	p.stop()
	p.work.Wait()
}

func (p *Proxy) newPhase(faults fault.List) phase {
	ph := phase{faults: append(fault.List(nil), faults...)}
	ph.ctx, ph.end = context.WithCancel(p.ctx)
	return ph
}

func (p *Proxy) change(faults fault.List) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		return errors.New("the proxy is closed; open another")
	}
	if err := p.turnDoor(!faults.Has(fault.Refuse)); err != nil {
		return err
	}
	old := p.phase
	p.phase = p.newPhase(faults)
	for c := range p.conns {
		if c.lostRequest.Load() || c.lostAnswer.Load() {
			c.cut(true)
			continue
		}
		p.meet(c)
	}
	old.end() // last: whoever wakes up finds the new faults
	return nil
}

// keep closes the door and cuts every connection once the proxy ends.
func (p *Proxy) keep() {
	<-p.ctx.Done()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.door != nil {
		_ = p.door.Close() // as above
	}
	for c := range p.conns {
		c.cut(false)
	}
}

func (p *Proxy) forget(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

type wallClock struct{}

func (wallClock) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
