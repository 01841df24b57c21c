package embedded

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/server"
)

// Server serves one group. It is safe for concurrent use.
type Server struct {
	group    int
	file     *file
	password string
	idle     time.Duration
	log      *slog.Logger
	protocol *server.Server
	readOnly atomic.Bool

	mu   sync.Mutex
	addr string
	life *life // nil while killed
}

// life is a server between its start and its end.
type life struct {
	listener net.Listener
	ctx      context.Context
	cancel   context.CancelFunc
	running  sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{} // nil once the life has ended
}

const (
	// accountName is the one account.
	accountName = "paytool"
	// handshakeLimit is how long a client may take to say who it is.
	handshakeLimit = 5 * time.Second
	// acceptPause follows an Accept that failed, for want of descriptors mostly.
	acceptPause = 50 * time.Millisecond
)

func newServer(group int, f *file, password string, idle time.Duration, log *slog.Logger) *Server {
	return &Server{
		group: group, file: f, password: password, idle: idle, log: log.With("group", group), addr: "127.0.0.1:0",
		protocol: server.NewServer("8.0.0-paytool-embedded", utf8mb4Bin, mysql.AUTH_NATIVE_PASSWORD, nil, nil),
	}
}

// Addr is host:port, the same for as long as the Set is open.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

// SetReadOnly makes the server answer writes, and commits of transactions that
// have written, with error 1290, as read_only does on a server. A commit that is
// under way may still land.
func (s *Server) SetReadOnly(on bool) { s.readOnly.Store(on) }

// Check reads the whole file and returns nil when it is sound.
func (s *Server) Check(ctx context.Context) error { return s.file.check(ctx) }

// Kill ends the server as a crash does: connections break, uncommitted work is
// gone, a commit under way lands or does not. It returns when all of it is over.
func (s *Server) Kill() {
	s.mu.Lock()
	l := s.life
	s.life = nil
	s.mu.Unlock()
	if l != nil {
		l.end()
	}
}

// Restart serves again, on the same port. It does nothing while the server runs.
// An error means that somebody else took the port meanwhile.
func (s *Server) Restart() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life != nil {
		return nil
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(context.Background(), "tcp", s.addr)
	if err != nil {
		return fmt.Errorf("serve group %d on %s: %w", s.group, s.addr, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &life{listener: listener, ctx: ctx, cancel: cancel, conns: map[net.Conn]struct{}{}}
	s.addr, s.life = listener.Addr().String(), l
	l.running.Go(func() { s.accept(l) })
	return nil
}

func (s *Server) accept(l *life) {
	for {
		c, err := l.listener.Accept()
		if err == nil {
			if l.add(c) {
				l.running.Go(func() { s.serve(l, c) })
			}
			continue
		}
		if l.ctx.Err() != nil {
			return
		}
		s.log.Warn("accept a connection", "err", err)
		select {
		case <-time.After(acceptPause):
		case <-l.ctx.Done():
		}
	}
}

// serve is one client's session. Whatever the client sends, only its own session
// ends.
func (s *Server) serve(l *life, c net.Conn) {
	w := newWire(c)
	session := &session{srv: s, ctx: l.ctx}
	defer l.remove(w)
	defer session.rollback()
	defer func() {
		if r := recover(); r != nil {
			s.log.Warn("a client sent what the protocol does not know", "panic", r, "stack", string(debug.Stack()))
		}
	}()
	_ = c.SetReadDeadline(time.Now().Add(handshakeLimit)) // fails on a connection on which reading fails as well
	client, err := s.protocol.NewCustomizedConn(w, account{s.password}, session)
	if err != nil {
		s.log.Debug("a client was not let in", "err", err)
		return
	}
	for !session.over && !client.Closed() {
		var until time.Time
		if session.tx != nil && !session.looks { // others wait for it
			until = time.Now().Add(s.idle)
		}
		_ = c.SetReadDeadline(until) // as above
		if err := client.HandleCommand(); err != nil {
			s.log.Debug("a session ended", "err", err, "in_transaction", session.tx != nil)
			return
		}
	}
}

// account lets in who knows the password.
type account struct{ password string }

// GetCredential gives a user that does not exist a password that nobody knows, so
// that the answer is the one to a wrong password.
func (a account) GetCredential(user string) (server.Credential, bool, error) {
	password := a.password
	if user != accountName {
		password = rand.Text()
	}
	return server.Credential{Passwords: []string{password}, AuthPluginName: mysql.AUTH_NATIVE_PASSWORD}, true, nil
}

// OnAuthSuccess tells the driver how to quote: SQLite takes a backslash for itself.
func (account) OnAuthSuccess(c *server.Conn) error {
	c.SetStatus(mysql.SERVER_STATUS_AUTOCOMMIT | mysql.SERVER_STATUS_NO_BACKSLASH_ESCAPED)
	return nil
}

// OnAuthFailure has nothing to add: NewCustomizedConn returns the error.
func (account) OnAuthFailure(*server.Conn, error) {}

// add reports false, with the connection closed, when the life has ended.
func (l *life) add(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns == nil {
		_ = c.Close() // nobody was told of it
		return false
	}
	l.conns[c] = struct{}{}
	return true
}

func (l *life) remove(w *wire) {
	l.mu.Lock()
	delete(l.conns, w.Conn)
	l.mu.Unlock()
	_ = w.Close() // the client may be gone
}

// end breaks all connections and waits for their sessions.
func (l *life) end() {
	l.cancel()
	_ = l.listener.Close() // Accept has told what there was to tell
	l.mu.Lock()
	conns := l.conns
	l.conns = nil
	for c := range conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset, as from a machine that no longer knows the connection
		}
		_ = c.Close()
	}
	l.mu.Unlock()
	l.running.Wait()
}

// close ends the server for good.
func (s *Server) close(ctx context.Context) error {
	s.Kill()
	return s.file.close(ctx)
}

func (s *Server) port() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.life.listener.Addr().(*net.TCPAddr).Port
}
