package embedded

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperDir); dir != "" {
		helper(dir)
		return
	}
	_ = mysql.SetLogger(&mysql.NopLogger{}) // what it says comes back as an error as well
	goleak.VerifyTestMain(m)
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func openSet(t testing.TB, opts Options) *Set {
	t.Helper()
	s, err := Open(testContext(t), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// openGroup serves one group of its own for the test.
func openGroup(t testing.TB, opts Options) (*Set, *sql.DB) {
	t.Helper()
	opts.Dir, opts.Groups = t.TempDir(), 1
	s := openSet(t, opts)
	return s, connect(t, s.Groups()[0].DSN)
}

func connect(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func newSession(t testing.TB, db *sql.DB) *sql.Conn {
	t.Helper()
	c, err := db.Conn(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func exec(t testing.TB, db execer, query string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(testContext(t), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func count(t testing.TB, db queryer, from string) (n int) {
	t.Helper()
	if err := db.QueryRowContext(testContext(t), "SELECT COUNT(*) FROM "+from).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// number is the number of the server's answer, 0 for success.
func number(t testing.TB, err error) uint16 {
	t.Helper()
	if err == nil {
		return 0
	}
	var m *mysql.MySQLError
	if !errors.As(err, &m) {
		t.Errorf("not an answer of the server: %v", err)
		return 1
	}
	return m.Number
}

// eventually waits for a condition, at most ten seconds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("it did not happen within ten seconds: %s", what)
		}
		time.Sleep(time.Millisecond) // between two looks, not instead of one
	}
}

var taps atomic.Int64

// tapped is a session whose TCP connection the test may abuse.
func tapped(t testing.TB, s *Set) (*sql.Conn, *net.TCPConn) {
	t.Helper()
	var raw *net.TCPConn
	cfg, err := mysql.ParseDSN(s.Groups()[0].DSN)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Net = "tap" + string(rune('a'+taps.Add(1)))
	mysql.RegisterDialContext(cfg.Net, func(ctx context.Context, addr string) (net.Conn, error) {
		c, err := s.dial(ctx, addr)
		if err == nil {
			raw = c.(*net.TCPConn)
		}
		return c, err
	})
	t.Cleanup(func() { mysql.DeregisterDialContext(cfg.Net) })
	return newSession(t, connect(t, cfg.FormatDSN())), raw
}

// privateFiles fails for each file below a directory that others may read.
func privateFiles(t testing.TB, dir string) {
	t.Helper()
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().Perm()&0o077 != 0 && path != dir {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
