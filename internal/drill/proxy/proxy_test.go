package proxy

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"paytool/internal/drill/fault"
)

func TestForwardsWithoutFaults(t *testing.T) {
	t.Parallel()
	s, p, db := setUp(t, Options{})
	long := "INSERT " + strings.Repeat("x", 5*bufferSize)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(long); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if !s.hasCommitted(long) {
		t.Error("the statement did not arrive as it was sent")
	}
	if diff := cmp.Diff(map[fault.Name]int{}, p.Struck()); diff != "" {
		t.Errorf("struck without faults:\n%s", diff)
	}
}

// A client that has nothing more to say may still listen.
func TestPassesTheEndOfRequestsOnItsOwn(t *testing.T) {
	t.Parallel()
	s, p, _ := setUp(t, Options{})
	raw, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	_ = raw.SetDeadline(time.Now().Add(deadline))
	if _, _, err := readPacket(raw); err != nil {
		t.Fatal(err)
	}
	all := append(packetBytes(1, make([]byte, 32)), packetBytes(0, query("INSERT LAST"))...)
	if _, err := raw.Write(all); err != nil {
		t.Fatal(err)
	}
	if err := raw.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"the handshake", "the statement"} {
		if _, _, err := readPacket(raw); err != nil {
			t.Errorf("answer to %s: %v", what, err)
		}
	}
	s.await(t, "INSERT LAST")
}

// scriptedClock writes down what it is asked to wait for. It does not wait, unless
// it is stuck: then it waits for the end of the context.
type scriptedClock struct {
	mu    sync.Mutex
	slept []time.Duration
	stuck bool
}

func (c *scriptedClock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	c.slept = append(c.slept, d)
	stuck := c.stuck
	c.mu.Unlock()
	if stuck {
		<-ctx.Done()
	}
	return ctx.Err()
}

func TestLatencyDelaysEachRequest(t *testing.T) {
	t.Parallel()
	clock := &scriptedClock{}
	_, p, db := setUp(t, Options{Clock: clock, Seed: 1})
	set(t, p, "latency:d=50ms,jitter=10ms")
	const statements = 100
	for range statements {
		exec(t, db, "INSERT")
	}
	if got := p.Struck()[fault.Latency]; got != statements+1 { // and the handshake
		t.Errorf("struck %d times, want %d", got, statements+1)
	}
	least, most := time.Hour, time.Duration(0)
	for _, d := range clock.slept {
		least, most = min(least, d), max(most, d)
	}
	if least < 40*time.Millisecond || most > 60*time.Millisecond || least > 45*time.Millisecond || most < 55*time.Millisecond {
		t.Errorf("delays from %v to %v, want them spread over 40ms to 60ms", least, most)
	}
}

func TestClearEndsLatencyAtOnce(t *testing.T) {
	t.Parallel()
	s, p, db := setUp(t, Options{Clock: &scriptedClock{stuck: true}})
	exec(t, db, "INSERT BEFORE")
	set(t, p, "latency:d=1h")
	answer := inBackground(db, "INSERT SLOW")
	awaitStrikes(t, p, fault.Latency, 1)
	if s.has("INSERT SLOW") {
		t.Error("the request did not wait")
	}
	clearFaults(t, p)
	if err := answered(t, answer); err != nil {
		t.Error(err)
	}
}

// Not parallel, like the next: while the port is closed, no other test may be
// given it.
func TestRefuse(t *testing.T) {
	_, p, db := setUp(t, Options{})
	exec(t, db, "INSERT BEFORE")
	set(t, p, "refuse")
	eventually(t, "refused", func() bool { return errors.Is(db.Ping(), syscall.ECONNREFUSED) })
	if got := p.Struck()[fault.Refuse]; got != 2 { // the port and one connection
		t.Errorf("struck %d times, want 2", got)
	}
	addr := p.Addr()
	clearFaults(t, p)
	worksAgain(t, db)
	if p.Addr() != addr {
		t.Errorf("address was %s and is %s", addr, p.Addr())
	}
}

// A port that somebody else took is reported, and opened by the next try.
func TestClearAfterRefuseNeedsThePort(t *testing.T) {
	_, p, db := setUp(t, Options{})
	set(t, p, "refuse")
	thief, err := net.Listen("tcp4", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Clear(); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("error %v, want that the address is in use", err)
	}
	if err := thief.Close(); err != nil {
		t.Fatal(err)
	}
	clearFaults(t, p)
	worksAgain(t, db)
}

func TestReset(t *testing.T) {
	t.Parallel()
	_, p, db := setUp(t, Options{})
	raw, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	if _, _, err := readPacket(raw); err != nil {
		t.Fatal(err)
	}
	set(t, p, "reset")
	_ = raw.SetReadDeadline(time.Now().Add(deadline))
	if _, err := raw.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("an open connection ended with %v, want a reset", err)
	}
	if err := db.Ping(); err == nil {
		t.Error("a new connection works")
	}
	if got := p.Struck()[fault.Reset]; got < 2 {
		t.Errorf("struck %d times, want the open connection and the new one", got)
	}
	clearFaults(t, p)
	worksAgain(t, db)
}

func TestResetOfAShareOfConnections(t *testing.T) {
	t.Parallel()
	_, p, db := setUp(t, Options{Seed: 3})
	var conns []*sql.Conn
	for range 40 {
		c, err := db.Conn(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		conns = append(conns, c)
	}
	set(t, p, "reset:p=0.5")
	dead := 0
	for _, c := range conns {
		if c.PingContext(context.Background()) != nil {
			dead++
		}
	}
	if got := p.Struck()[fault.Reset]; dead != got || got < 8 || got > 32 {
		t.Errorf("%d of %d connections are dead, %d were struck, want about half", dead, len(conns), got)
	}
}

// The same seed strikes the same requests, and about as many as the chance says.
func TestChanceReplaysFromSeed(t *testing.T) {
	t.Parallel()
	const statements = 200
	run := func(seed uint64) int {
		_, p, db := setUp(t, Options{Clock: &scriptedClock{}, Seed: seed})
		set(t, p, "latency:p=0.25")
		for range statements {
			exec(t, db, "INSERT")
		}
		return p.Struck()[fault.Latency]
	}
	first, again := run(7), run(7)
	if first != again {
		t.Errorf("one seed struck %d and %d times", first, again)
	}
	if first < statements/8 || first > statements/2 {
		t.Errorf("struck %d of %d, want about a quarter", first, statements)
	}
}

func TestSetRefusesWhatIsNoFault(t *testing.T) {
	t.Parallel()
	_, p, db := setUp(t, Options{})
	for _, faults := range []fault.List{nil, {{Name: "hang"}}, {{Name: "quake"}}} {
		if err := p.Set(faults); err == nil {
			t.Errorf("%v is set", faults)
		}
	}
	worksAgain(t, db)
}

// A fault on a connection that cannot be read would never strike.
func TestTurnsAwayWhatItCannotRead(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p := startProxy(t, s.addr(), Options{})
	for _, params := range []string{"tls=skip-verify", "compress=true"} {
		if err := openDB(t, p, params).Ping(); err == nil {
			t.Errorf("%s is let through", params)
		}
	}
	worksAgain(t, openDB(t, p, ""))
}

func TestCloseEndsEverything(t *testing.T) {
	t.Parallel()
	for _, faults := range []string{"hang", "reply_lost", "latency:d=1h", "refuse"} {
		s := startServer(t)
		p := startProxy(t, s.addr(), Options{})
		db := openDB(t, p, "")
		exec(t, db, "INSERT BEFORE")
		set(t, p, faults)
		answer := inBackground(db, "INSERT CUT")
		name, _, _ := strings.Cut(faults, ":")
		awaitStrikes(t, p, fault.Name(name), 1)
		p.Close()
		if err := answered(t, answer); err == nil {
			t.Errorf("%s: a statement was answered after Close", faults)
		}
		if err := p.Clear(); err == nil {
			t.Errorf("%s: a closed proxy was changed", faults)
		}
		p.Close()
	}
}

func TestEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	ctx, cancel := context.WithCancel(context.Background())
	p, err := Listen(ctx, s.addr(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	db := openDB(t, p, "")
	exec(t, db, "INSERT BEFORE")
	cancel()
	eventually(t, "refused", func() bool { return errors.Is(db.Ping(), syscall.ECONNREFUSED) })
}

// Without a server behind it, a client is not left waiting.
func TestNoServerEndsTheConnection(t *testing.T) {
	t.Parallel()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target := gone.Addr().String()
	_ = gone.Close()
	if err := openDB(t, startProxy(t, target, Options{}), "").Ping(); err == nil {
		t.Error("somebody answered")
	}
}
