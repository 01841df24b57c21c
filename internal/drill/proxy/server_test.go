package proxy

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// deadline ends a wait that would never end; nothing waits for it otherwise.
const deadline = 20 * time.Second

// server speaks as much of the MySQL protocol as the driver needs to connect, and
// executes transactions of which it keeps the statements.
type server struct {
	door     net.Listener
	sessions sync.WaitGroup
	executed func(query string) // if not nil, called before the answer is sent

	mu        sync.Mutex
	open      map[net.Conn]struct{}
	received  []string // each query, in order of arrival
	committed []string // those in transactions that were committed
	changed   chan struct{}
}

func startServer(t *testing.T) *server {
	t.Helper()
	door, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{door: door, open: map[net.Conn]struct{}{}, changed: make(chan struct{})}
	s.sessions.Go(s.accept)
	t.Cleanup(func() {
		_ = door.Close()
		s.mu.Lock()
		for c := range s.open {
			_ = c.Close()
		}
		s.mu.Unlock()
		s.sessions.Wait()
	})
	return s
}

func (s *server) addr() string { return s.door.Addr().String() }

func (s *server) accept() {
	for {
		c, err := s.door.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.open[c] = struct{}{}
		s.mu.Unlock()
		s.sessions.Go(func() {
			s.serve(c)
			s.mu.Lock()
			delete(s.open, c)
			s.mu.Unlock()
			_ = c.Close()
		})
	}
}

func (s *server) serve(c net.Conn) {
	if writePacket(c, 0, greeting()) != nil {
		return
	}
	if _, _, err := readPacket(c); err != nil { // whoever asks is let in
		return
	}
	ok := []byte{0, 1, 0, 2, 0, 0, 0} // one row affected, autocommit
	if writePacket(c, 2, ok) != nil {
		return
	}
	var tx []string
	for {
		content, _, err := readPacket(c)
		if err != nil || content[0] == comQuit {
			return
		}
		if content[0] == comQuery {
			tx = s.execute(string(content[1:]), tx)
			if s.executed != nil {
				s.executed(string(content[1:]))
			}
		}
		if writePacket(c, 1, ok) != nil {
			return
		}
	}
}

func (s *server) execute(query string, tx []string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received = append(s.received, query)
	switch strings.ToUpper(query) {
	case "START TRANSACTION", "ROLLBACK":
		tx = nil
	case "COMMIT":
		s.committed = append(s.committed, tx...)
		tx = nil
	default:
		tx = append(tx, query)
	}
	close(s.changed)
	s.changed = make(chan struct{})
	return tx
}

func (s *server) has(query string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.received, query)
}

func (s *server) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

func (s *server) hasCommitted(query string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.committed, query)
}

// await returns once the query has been executed.
func (s *server) await(t *testing.T, query string) {
	t.Helper()
	late := time.After(deadline)
	for {
		s.mu.Lock()
		seen, changed := slices.Contains(s.received, query), s.changed
		s.mu.Unlock()
		if seen {
			return
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("%q has not reached the server after %v", query, deadline)
		}
	}
}

// greeting opens the handshake; it offers TLS and compression to who wants them.
func greeting() []byte {
	const capabilities = 1 | 8 | 0x200 | 0x2000 | 0x8000 | 0x80000 | clientTLS | clientCompress
	const salt = "12345678abcdefghijkl"
	b := append([]byte{10}, "8.0.0-test\x00"...)
	b = binary.LittleEndian.AppendUint32(b, 1)
	b = append(b, salt[:8]+"\x00"...)
	b = binary.LittleEndian.AppendUint16(b, capabilities&0xffff)
	b = append(b, 45, 2, 0)
	b = binary.LittleEndian.AppendUint16(b, capabilities>>16)
	b = append(b, byte(len(salt)+1))
	b = append(b, make([]byte, 10)...)
	return append(b, salt[8:]+"\x00mysql_native_password\x00"...)
}

func packetBytes(sequence byte, content []byte) []byte {
	n := len(content)
	return append([]byte{byte(n), byte(n >> 8), byte(n >> 16), sequence}, content...)
}

func writePacket(w io.Writer, sequence byte, content []byte) error {
	_, err := w.Write(packetBytes(sequence, content))
	return err
}

func readPacket(r io.Reader) (content []byte, sequence byte, err error) {
	header := make([]byte, headerSize)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, 0, err
	}
	content = make([]byte, int(header[0])|int(header[1])<<8|int(header[2])<<16)
	if len(content) == 0 {
		return nil, 0, fmt.Errorf("empty packet")
	}
	_, err = io.ReadFull(r, content)
	return content, header[3], err
}

// startProxy stands before the server; openDB is a pool that goes through it.
func startProxy(t *testing.T, target string, opts Options) *Proxy {
	t.Helper()
	p, err := Listen(context.Background(), target, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func openDB(t *testing.T, p *Proxy, params string) *sql.DB {
	t.Helper()
	cfg, err := mysql.ParseDSN("drill@tcp(" + p.Addr() + ")/test?" + params)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { _ = db.Close() })
	return db
}
