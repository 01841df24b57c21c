package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"paytool/internal/whole"

	"github.com/go-mysql-org/go-mysql/mysql"
	"golang.org/x/sync/semaphore"
)

// Sync is how far a commit has come when it is acknowledged.
type Sync int

const (
	// Full: it is on the disk and survives a power cut.
	Full Sync = iota
	// Normal: it is with the operating system. A process that is killed loses
	// nothing; a power cut may lose the last commits, and only those.
	Normal
)

func (s Sync) String() string {
	if s == Normal {
		return "NORMAL"
	}
	return "FULL"
}

const (
	// lockWait is how long a writer waits for its turn, as the session's
	// innodb_lock_wait_timeout has it on a server.
	lockWait = time.Second
	// maxReaders bounds the reads that run at once.
	maxReaders = 8
)

// file is a group's database.
type file struct {
	path    string
	writer  *sql.DB // one connection, for whoever has the turn
	readers *sql.DB
	turn    *semaphore.Weighted // FIFO
	waiting atomic.Int64
}

func openFile(ctx context.Context, path string, sync Sync) (*file, error) {
	f := &file{path: path, turn: semaphore.NewWeighted(1)}
	if err := createFile(path); err != nil {
		return nil, fmt.Errorf("create %s: %w", path, err)
	}
	var err error
	if f.writer, err = openPool(path, 1, "journal_mode(WAL)", "synchronous("+sync.String()+")", "cache_size(-8192)"); err != nil {
		return nil, err
	}
	if f.readers, err = openPool(path, maxReaders, "query_only(1)", "cache_size(-4096)"); err != nil {
		return nil, errors.Join(err, f.writer.Close())
	}
	// The first connection turns the write-ahead log on and brings back what a
	// killed process left in it.
	if err := f.writer.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), f.close(ctx))
	}
	return f, nil
}

// createFile makes the file before SQLite does, which would let others read it. An
// empty file is an empty database; the log beside it gets the same mode.
func createFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), whole.SyncDir(filepath.Dir(path)), whole.SyncDir(filepath.Dir(filepath.Dir(path))))
}

// openPool dials nothing yet. The busy timeout is for the moments in which a log
// is started or taken over: the turn decides who writes.
func openPool(path string, size int, pragmas ...string) (*sql.DB, error) {
	q := url.Values{"_pragma": append([]string{"busy_timeout(500)", "case_sensitive_like(1)"}, pragmas...)}
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db, nil
}

// takeTurn waits for the right to write, until release. It answers 1205 after a
// second.
func (f *file) takeTurn(ctx context.Context) error {
	if f.turn.TryAcquire(1) {
		return nil
	}
	f.waiting.Add(1)
	defer f.waiting.Add(-1)
	wait, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	err := f.turn.Acquire(wait, 1)
	if errors.Is(err, context.DeadlineExceeded) {
		return mysql.NewError(mysql.ER_LOCK_WAIT_TIMEOUT, "Lock wait timeout exceeded; try restarting transaction")
	}
	return err
}

func (f *file) release() { f.turn.Release(1) }

// check asks SQLite whether the file is sound.
func (f *file) check(ctx context.Context) error {
	var word string
	if err := f.readers.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&word); err != nil {
		return fmt.Errorf("check %s: %w", f.path, err)
	}
	if word != "ok" {
		return fmt.Errorf("check %s: %s; restore the file from a copy", f.path, word)
	}
	return nil
}

// close moves what is in the log into the file. Nobody uses it any more.
func (f *file) close(ctx context.Context) error {
	errs := []error{f.readers.Close()}
	if _, err := f.writer.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		errs = append(errs, fmt.Errorf("checkpoint %s: %w", f.path, err))
	}
	return errors.Join(append(errs, f.writer.Close())...)
}
