package proxy

import (
	"database/sql"
	"testing"
	"time"

	"paytool/internal/drill/fault"
)

func set(t *testing.T, p *Proxy, text string) {
	t.Helper()
	faults, err := fault.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Set(faults); err != nil {
		t.Fatal(err)
	}
}

func clearFaults(t *testing.T, p *Proxy) {
	t.Helper()
	if err := p.Clear(); err != nil {
		t.Fatal(err)
	}
}

func exec(t *testing.T, db *sql.DB, query string) {
	t.Helper()
	if _, err := db.Exec(query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// inBackground runs a statement that is not answered yet.
func inBackground(db *sql.DB, query string) <-chan error {
	answer := make(chan error, 1)
	go func() {
		_, err := db.Exec(query)
		answer <- err
	}()
	return answer
}

func answered(t *testing.T, answer <-chan error) error {
	t.Helper()
	select {
	case err := <-answer:
		return err
	case <-time.After(deadline):
		t.Fatalf("no answer after %v", deadline)
		return nil
	}
}

// eventually polls, for what has no event to wait for.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(deadline)
	for !holds() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("not so after %v: %s", deadline, what)
		}
	}
}

func awaitStrikes(t *testing.T, p *Proxy, name fault.Name, n int) {
	t.Helper()
	eventually(t, "struck by "+string(name), func() bool { return p.Struck()[name] >= n })
}

// worksAgain asks until an answer comes: connections in the pool may be dead ones
// that nobody noticed yet.
func worksAgain(t *testing.T, db *sql.DB) {
	t.Helper()
	eventually(t, "the pool works again", func() bool { return db.Ping() == nil })
	exec(t, db, "INSERT AFTERWARDS")
}

func setUp(t *testing.T, opts Options) (*server, *Proxy, *sql.DB) {
	t.Helper()
	s := startServer(t)
	p := startProxy(t, s.addr(), opts)
	return s, p, openDB(t, p, "")
}
