package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Options says where the groups lie and how they are served.
type Options struct {
	Dir string
	// Groups is how many there are to be: those that are missing are made. 0 takes
	// what the directory has, and 5 in a new one.
	Groups int
	Sync   Sync
	// IdleInTransaction ends a session that holds the turn to write and says
	// nothing (5 s).
	IdleInTransaction time.Duration
	Log               *slog.Logger // nil for none
}

// Group is where one group is reached.
type Group struct {
	Number int
	// DSN is the application's account, with its password. It leads to whichever
	// process serves the group, in this process and while the Set is open.
	DSN  string
	File string
}

const (
	defaultGroups            = 5
	defaultIdleInTransaction = 5 * time.Second
	// openLimit bounds the wait for another process that is about to serve.
	openLimit = 5 * time.Second
	openPoll  = 10 * time.Millisecond
)

// Set is the groups of a directory. The first process that opens the directory
// serves them, others connect to it, and when it goes away, in whatever way, the
// next of them that dials takes over. It is safe for concurrent use.
type Set struct {
	opts    Options
	dir     directory
	network string // of the DSNs, known to the driver while the Set is open
	groups  []Group

	mu      sync.Mutex
	closed  bool
	lock    *os.File  // held while this process serves
	servers []*Server // nil while another process serves
	served  endpoint  // of servers
}

var errClosed = errors.New("the embedded groups are closed")

// opened numbers the Sets of this process: two may share a directory.
var opened atomic.Int64

// Open serves the groups of a directory, or connects to the process that does. It
// waits at most five seconds for one that is just starting.
func Open(ctx context.Context, opts Options) (*Set, error) {
	if opts.IdleInTransaction == 0 {
		opts.IdleInTransaction = defaultIdleInTransaction
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	dir, err := openDirectory(opts.Dir)
	if err != nil {
		return nil, err
	}
	s := &Set{opts: opts, dir: dir, network: fmt.Sprintf("paytool-embedded-%d", opened.Add(1))}
	ctx, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	for {
		e, err := s.endpoint(ctx)
		if err == nil {
			err = s.describe(e)
		}
		if !errors.Is(err, errNotServing) {
			if err != nil {
				return nil, errors.Join(err, s.Close())
			}
			mysql.RegisterDialContext(s.network, s.dial)
			return s, nil
		}
		select {
		case <-time.After(openPoll):
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("open the embedded groups in %s: another process holds %s but serves nothing; end it", dir, dir.lock()), s.Close())
		}
	}
}

// describe lists the groups of an endpoint.
func (s *Set) describe(e endpoint) error {
	if s.opts.Groups > len(e.Ports) {
		return fmt.Errorf("open %d embedded groups in %s: process %d serves %d of them; end it first", s.opts.Groups, s.dir, e.PID, len(e.Ports))
	}
	for i := range e.Ports {
		g := Group{Number: i + 1, File: s.dir.file(i + 1)}
		dsn := mysql.NewConfig()
		dsn.User, dsn.Passwd, dsn.DBName = e.User, e.Password, "pay"
		dsn.Net, dsn.Addr = s.network, strings.ReplaceAll(path.Dir(filepath.ToSlash(g.File)), "@", "%40")
		dsn.InterpolateParams = true
		g.DSN = dsn.FormatDSN()
		s.groups = append(s.groups, g)
	}
	return nil
}

// Serving reports whether this process serves the groups.
func (s *Set) Serving() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.servers != nil
}

// Groups lists the groups by number.
func (s *Set) Groups() []Group { return append([]Group(nil), s.groups...) }

// Server is what serves a group, nil while another process does.
func (s *Set) Server(group int) *Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	if group < 1 || group > len(s.servers) {
		return nil
	}
	return s.servers[group-1]
}

// Dial connects to a group, wherever it is served, for those who stand between the
// driver and the group.
func (s *Set) Dial(ctx context.Context, group int) (net.Conn, error) {
	e, err := s.endpoint(ctx)
	if err == nil && (group < 1 || group > len(e.Ports)) {
		err = fmt.Errorf("there is no embedded group %d in %s", group, s.dir)
	}
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: s.network, Err: err} // nothing was sent
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(e.Ports[group-1])))
}

// dial is Dial for the driver, which hands over the address in a DSN.
func (s *Set) dial(ctx context.Context, addr string) (net.Conn, error) {
	group, err := strconv.Atoi(strings.TrimPrefix(path.Base(addr), groupPrefix))
	if err != nil {
		return nil, fmt.Errorf("dial %s: it names no embedded group", addr)
	}
	return s.Dial(ctx, group)
}

// endpoint says where the groups are served, from now on by this process if nobody
// else does. The lock decides: who has it serves, and a file that a killed process
// left behind is believed by nobody.
func (s *Set) endpoint(ctx context.Context) (endpoint, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return endpoint{}, errClosed
	}
	if s.servers == nil {
		lock, err := s.dir.tryLock()
		if err != nil {
			return endpoint{}, err
		}
		if lock == nil {
			return s.dir.readEndpoint()
		}
		if err := s.serve(ctx, lock); err != nil {
			return endpoint{}, errors.Join(err, lock.Close())
		}
	}
	return s.served, nil
}

// serve is called with the directory's lock.
func (s *Set) serve(ctx context.Context, lock *os.File) (err error) {
	if err := s.dir.removeEndpoint(); err != nil {
		return err
	}
	n, err := s.dir.groups(s.opts.Groups)
	if err != nil {
		return err
	}
	password, err := s.dir.password()
	if err != nil {
		return err
	}
	var servers []*Server
	defer func() {
		if err != nil {
			err = errors.Join(err, closeAll(servers))
		}
	}()
	e := endpoint{PID: os.Getpid(), User: accountName, Password: password}
	for i := range n {
		f, err := openFile(ctx, s.dir.file(i+1), s.opts.Sync)
		if err != nil {
			return err
		}
		server := newServer(i+1, f, password, s.opts.IdleInTransaction, s.opts.Log)
		servers = append(servers, server)
		if err := server.Restart(); err != nil {
			return err
		}
		e.Ports = append(e.Ports, server.port())
	}
	if err := s.dir.writeEndpoint(e); err != nil {
		return err
	}
	s.opts.Log.Debug("serving embedded groups", "dir", s.dir, "groups", n, "sync", s.opts.Sync)
	s.lock, s.servers, s.served = lock, servers, e
	return nil
}

// Close ends the serving: sessions break, the files are brought up to date, and
// another process that has the Set open may take over. Closing twice does nothing.
func (s *Set) Close() error {
	mysql.DeregisterDialContext(s.network)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.servers == nil {
		return nil
	}
	errs := []error{s.dir.removeEndpoint(), closeAll(s.servers), s.lock.Close()}
	s.servers, s.lock = nil, nil
	return errors.Join(errs...)
}

// closeLimit bounds the last checkpoint; what it leaves undone stays in the log
// and is done at the next start.
const closeLimit = 5 * time.Second

func closeAll(servers []*Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	var errs []error
	for _, s := range servers {
		errs = append(errs, s.close(ctx))
	}
	return errors.Join(errs...)
}
