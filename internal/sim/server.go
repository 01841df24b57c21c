package sim

import (
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// Times of the model, after MariaDB's settings.
const (
	lockWait       = time.Second      // innodb_lock_wait_timeout
	ackTimeout     = 10 * time.Second // of semi-sync: then the server turns asynchronous
	unnoticedClose = 5 * time.Second  // idle_transaction_timeout: until a server gives up a client behind a cut network
)

// server is one group: its committed rows, which are the ground truth, and the
// volatile state of its primary. A statement arrives after half its latency, is
// executed in one instant or waits for a lock, and its answer travels for the
// other half. All of it happens in events; only clients are processes.
type server struct {
	id     shard.GroupID
	clock  *clock
	chance *rand.Rand
	truth  *truth

	tables
	records
	locks
	fault // what is wrong at present

	boots   int        // an answer from before a crash is lost
	open    []*tx      // in the order in which they began
	buffer  []func()   // what arrived while the server was frozen
	blocked []*request // statements that wait for a lock, oldest first
	unacked []*commit  // commits that wait for a replica: durable, invisible
	recover []*commit  // those of them that a crash left in the binlog
}

// tables are the committed rows of a group.
type tables struct {
	prepared bool
	report   shard.Report // without claims
	tags     map[pay.Tag]*tagRow
	orders   map[pay.OrderNo]*order.Order // a change replaces the row
	live     map[pay.Key][]*order.Order
	hops     map[shard.GroupID][]*order.Hop // by the group that was passed; open ones
	ledger   []order.Hop                    // all of them, closed ones too
	doubts   []*doubtRow
	slots    map[int]*slotRow
}

type tagRow struct {
	claim  shard.Claim
	shared int  // transactions that hold the row in share mode
	taken  bool // an exclusive lock waits for its commit to be acknowledged
}

type doubtRow struct {
	order.Doubt
	how order.Settlement // "" while open
}

type slotRow struct {
	holder string
	until  time.Time
	high   int64
}

func newServer(id shard.GroupID, c *clock, t *truth) *server {
	return &server{id: id, clock: c, chance: c.chance, truth: t,
		tables: tables{
			tags: map[pay.Tag]*tagRow{}, orders: map[pay.OrderNo]*order.Order{}, live: map[pay.Key][]*order.Order{},
			hops: map[shard.GroupID][]*order.Hop{}, slots: map[int]*slotRow{},
		},
		records: newRecords(),
		locks:   locks{holders: map[lockName]*tx{}},
	}
}

// half is the travel of a statement or of its answer.
func (s *server) half() time.Duration {
	d := 50*time.Microsecond + time.Duration(s.chance.Int64N(int64(1450*time.Microsecond)))
	if s.chance.IntN(100) == 0 {
		d = 10 * time.Millisecond
	}
	if s.slow {
		d *= 50
	}
	return d
}

// arrive is a statement at the server's door.
func (s *server) arrive(r *request) {
	r.boots = s.boots
	switch {
	case r.replica && s.dark:
	case r.replica:
		r.exec()
	case s.frozen:
		s.buffer = append(s.buffer, func() { s.thawed(r) })
	case s.down:
		r.answer(s.reset(r, errRefused))
	case r.tx != nil && r.tx.ended:
		r.answer(s.reset(r, errReset))
	case r.left() && r.kind != ending && r.tx != nil:
		s.rollback(r.tx) // the socket is closed: the statement does not matter any more
	case s.stale:
		r.answer(&order.Fault{Outcome: order.NotCommitted, Cause: shard.StalePrimary, Err: errOther})
	case r.kind != reading && s.lose(r):
	default:
		s.execute(r)
	}
}

// thawed is a statement that was buffered while the server hung. Where the client
// has gone meanwhile, some are found closed, and others are executed all the same.
func (s *server) thawed(r *request) {
	if r.left() && s.chance.IntN(10) < 3 {
		if r.tx != nil {
			s.rollback(r.tx)
		}
		return
	}
	s.arrive(r)
}

// lose drops a write, or the answer to it, where the fault of lost replies is on.
func (s *server) lose(r *request) bool {
	if !s.losing || s.chance.IntN(2) == 0 {
		return false
	}
	if r.kind == statement {
		return false
	}
	if s.chance.IntN(2) == 0 { // lost before it was executed
		if r.tx != nil {
			s.rollback(r.tx)
		}
		r.answer(s.reset(r, errReset))
		return true
	}
	r.mute = true
	return false
}

func (s *server) execute(r *request) {
	if r.exec() {
		return
	}
	s.blocked = append(s.blocked, r)
	s.clock.after(lockWait, func() { s.waitedOut(r) })
}

func (s *server) waitedOut(r *request) {
	i := slices.Index(s.blocked, r)
	switch {
	case i < 0:
	case s.frozen:
		s.buffer = append(s.buffer, func() { s.waitedOut(r) })
	default:
		s.blocked = slices.Delete(s.blocked, i, i+1)
		if r.tx != nil {
			r.tx.waitsFor = nil
		}
		r.answer(&order.Fault{Outcome: order.NotCommitted, Err: errLockWait})
	}
}

// unblock tries again whatever waits for a lock, oldest first, once the present
// event is over.
func (s *server) unblock() {
	if len(s.blocked) > 0 {
		s.clock.after(0, s.retry)
	}
}

func (s *server) retry() {
	if s.frozen {
		s.buffer = append(s.buffer, s.retry)
		return
	}
	waiting := s.blocked
	s.blocked = nil // only those that are ahead in the queue count as waiting
	for _, r := range waiting {
		if !r.exec() {
			s.blocked = append(s.blocked, r)
		}
	}
}

// disconnect is the end of a client's connection as the server notices it: an
// open transaction is rolled back, a COMMIT that arrived before is carried out,
// and a statement that waits for a lock waits on, holding what it has.
func (s *server) disconnect(t *tx) {
	switch {
	case t.ended || t.committing:
	case s.frozen:
		s.buffer = append(s.buffer, func() { s.disconnect(t) })
	case slices.ContainsFunc(s.blocked, func(r *request) bool { return r.tx == t }):
		t.orphan = true
	default:
		s.rollback(t)
	}
}

// hangUp closes the connections of a process that was killed.
func (s *server) hangUp(l *life) {
	for _, t := range s.open {
		if t.link.life == l {
			t.Rollback()
		}
	}
}

// rollback drops what a transaction did.
func (s *server) rollback(t *tx) {
	t.work = nil
	s.end(t)
}

// end releases the locks of a transaction.
func (s *server) end(t *tx) {
	if t.ended {
		return
	}
	t.ended = true
	if i := slices.Index(s.open, t); i >= 0 {
		s.open = slices.Delete(s.open, i, i+1)
	}
	for _, tag := range t.tags {
		s.tags[tag].shared--
	}
	s.releaseAll(t)
	s.unblock()
}

// env is time for the program that talks to the server; a duration needs no clock
// that is right.
func (s *server) env() *venv { return &venv{clock: s.clock} }

// Errors behind the faults, as a driver would word them.
var (
	errRefused  = errors.New("connection refused")
	errReset    = errors.New("connection reset by peer")
	errOther    = errors.New("another server answers at this address")
	errReadOnly = errors.New("the server runs with --read-only")
	errLockWait = errors.New("lock wait timeout exceeded")
	errDeadlock = errors.New("deadlock found")
	errInsert   = errors.New("the table takes no rows")
	errBehind   = errors.New("semi-sync was off, the replicas may lack rows")
)

// reset is a broken connection. A COMMIT may have been executed; an autocommit
// write too, unless the connection was refused.
func (s *server) reset(r *request, err error) error {
	f := &order.Fault{Outcome: order.NotCommitted, Cause: shard.Crash, Err: err}
	if r.kind == ending || (r.kind == writing && !errors.Is(err, errRefused)) {
		f.Outcome = order.Unknown
	}
	return f
}

func (s *server) refuseWrite() error {
	return &order.Fault{Outcome: order.NotCommitted, Cause: shard.ReadOnly, Err: errReadOnly}
}
