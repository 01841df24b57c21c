package embedded

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-sql-driver/mysql"
)

func TestEightSessionsAtOnce(t *testing.T) {
	set, db := openGroup(t, Options{Sync: Normal})
	exec(t, db, strictTable)
	ctx := testContext(t)
	const sessions, each = 8, 50
	var wg sync.WaitGroup
	for i := range sessions {
		wg.Go(func() {
			for j := range each {
				tx, err := db.BeginTx(ctx, nil)
				if err == nil {
					// Read and written in one transaction: no update is lost.
					_, err = tx.ExecContext(ctx, "INSERT INTO t (code, mid, big) SELECT ?, ?, COALESCE(MAX(big), 0)+1 FROM t", fmt.Sprint("s", i), j)
				}
				if err == nil {
					err = tx.Commit()
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	var rows, highest int
	if err := db.QueryRowContext(ctx, "SELECT COUNT(*), MAX(big) FROM t").Scan(&rows, &highest); err != nil || rows != sessions*each || highest != rows {
		t.Errorf("%d rows, highest %d, %v, want %d of each", rows, highest, err, sessions*each)
	}
	if err := set.Server(1).Check(ctx); err != nil {
		t.Error(err)
	}
}

func TestKillAndRestart(t *testing.T) {
	set, db := openGroup(t, Options{Sync: Normal})
	exec(t, db, strictTable)
	server := set.Server(1)
	addr := server.Addr()
	exec(t, db, "INSERT INTO t (code) VALUES ('a')")
	open, waiting := newSession(t, db), make(chan error, 1)
	exec(t, open, "BEGIN")
	exec(t, open, "INSERT INTO t (code) VALUES ('b')")
	go func() {
		_, err := db.ExecContext(context.Background(), "INSERT INTO t (code) VALUES ('c')")
		waiting <- err
	}()
	eventually(t, "a writer waits", func() bool { return server.file.waiting.Load() == 1 })
	server.Kill()
	server.Kill() // does nothing
	if err := <-waiting; err == nil {
		t.Error("a writer that waited was served after the end")
	}
	if _, err := open.ExecContext(testContext(t), "COMMIT"); err == nil {
		t.Error("a transaction outlived the server")
	}
	if err := db.PingContext(testContext(t)); err == nil {
		t.Error("a killed server answers")
	}
	for range 2 { // the second time does nothing
		if err := server.Restart(); err != nil {
			t.Fatal(err)
		}
	}
	if server.Addr() != addr {
		t.Errorf("it came back on %s, was on %s", server.Addr(), addr)
	}
	if n := count(t, db, "t"); n != 1 {
		t.Errorf("%d rows, want the committed one", n)
	}
	exec(t, db, "INSERT INTO t (code) VALUES ('d')")
}

// Whatever a client does to its connection, the turn is free again and the others
// go on.
func TestBadClients(t *testing.T) {
	// A packet is its length in three bytes, its number, and that many bytes.
	for name, abuse := range map[string]func(c *net.TCPConn) error{
		"gone":            func(c *net.TCPConn) error { return c.Close() },
		"reset":           func(c *net.TCPConn) error { _ = c.SetLinger(0); return c.Close() },
		"half a packet":   func(c *net.TCPConn) error { _, err := c.Write([]byte{9, 0}); _ = c.CloseWrite(); return err },
		"an empty packet": func(c *net.TCPConn) error { _, err := c.Write([]byte{0, 0, 0, 0}); return err },
		"a wrong number":  func(c *net.TCPConn) error { _, err := c.Write([]byte{1, 0, 0, 9, 3}); return err },
		"no such statement": func(c *net.TCPConn) error {
			_, err := c.Write([]byte{2, 0, 0, 0, 0x17, 1})
			_ = c.CloseWrite()
			return err
		},
		"garbage": func(c *net.TCPConn) error {
			_, err := c.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
			_ = c.CloseWrite()
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			set, db := openGroup(t, Options{Sync: Normal})
			exec(t, db, strictTable)
			c, raw := tapped(t, set)
			exec(t, c, "BEGIN")
			exec(t, c, "INSERT INTO t (code) VALUES ('a')")
			if err := abuse(raw); err != nil {
				t.Fatal(err)
			}
			exec(t, db, "INSERT INTO t (code) VALUES ('b')")
			if n := count(t, db, "t"); n != 1 {
				t.Errorf("%d rows, want the good client's", n)
			}
		})
	}
}

func TestStrangers(t *testing.T) {
	set, db := openGroup(t, Options{Sync: Normal})
	for _, hello := range []string{"", "\x00", "\x00\x00\x00\x01", "\x05\x00\x00\x01\xff\xff\xff\xff\xff", "\xff\xff\xff\x01", "GET / HTTP/1.1\r\n\r\n"} {
		c, err := set.Dial(testContext(t), 1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte(hello)); err != nil {
			t.Error(err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, change := range []func(c *mysql.Config){
		func(c *mysql.Config) { c.Passwd = "wrong" },
		func(c *mysql.Config) { c.Passwd = "" },
		func(c *mysql.Config) { c.User = "root" },
	} {
		cfg, err := mysql.ParseDSN(set.Groups()[0].DSN)
		if err != nil {
			t.Fatal(err)
		}
		change(cfg)
		if err := connect(t, cfg.FormatDSN()).PingContext(testContext(t)); number(t, err) != 1045 {
			t.Errorf("user %s: %v, want 1045", cfg.User, err)
		}
	}
	exec(t, db, strictTable)
}

// BenchmarkTransactions is BEGIN, a read, two inserts and COMMIT in eight sessions.
func BenchmarkTransactions(b *testing.B) {
	for _, sync := range []Sync{Full, Normal} {
		b.Run(sync.String(), func(b *testing.B) {
			_, db := openGroup(b, Options{Sync: sync})
			db.SetMaxIdleConns(8)
			exec(b, db, strictTable)
			exec(b, db, "CREATE TABLE u (id INTEGER NOT NULL PRIMARY KEY /*! AUTO_INCREMENT */, n BIGINT NOT NULL)")
			var next atomic.Int64
			b.SetParallelism(4)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := transact(db, next.Add(1)); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
		})
	}
}

func transact(db *sql.DB, n int64) error {
	ctx := context.Background()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var there int
	err = tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM t WHERE code=? AND mid=?", "b", n).Scan(&there)
	for _, query := range []string{"INSERT INTO t (code, mid) VALUES ('b', ?)", "INSERT INTO u (n) VALUES (?)"} {
		if err == nil {
			_, err = tx.ExecContext(ctx, query, n)
		}
	}
	if err != nil {
		return err
	}
	return tx.Commit()
}
