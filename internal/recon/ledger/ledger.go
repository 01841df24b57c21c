package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"paytool/internal/pay"
)

// Names of the files in a ledger's directory.
const (
	databaseName = "ledger.db"
	headName     = "head.json"
)

// DefaultOverdue is Options.OverdueAfter where it is 0.
const DefaultOverdue = 7 * 24 * time.Hour

const (
	// busyTimeout is how long SQLite itself waits for another process; retry goes on
	// until the context ends.
	busyTimeout = "busy_timeout(1000)"
	retryAfter  = 20 * time.Millisecond
)

// Options set up a Ledger. The zero value of each is its default.
type Options struct {
	Now func() time.Time // time.Now
	// OverdueAfter is the time since its first report after which an open difference is
	// overdue (DefaultOverdue).
	OverdueAfter time.Duration
	// MustExist refuses to make a ledger where there is none: ErrNoLedger.
	MustExist bool
}

// Ledger is an open ledger. It is safe for concurrent use, also by several
// processes: whoever writes waits for the others.
type Ledger struct {
	dir  string
	opts Options
	db   *sql.DB
	turn chan struct{} // held while writing: writers of this process queue here
}

// Open opens the ledger in dir, and makes it, for its owner alone, where there is
// none. ErrNoLedger, or a file that is something else, is told by the error.
func Open(ctx context.Context, dir string, opts Options) (_ *Ledger, err error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.OverdueAfter == 0 {
		opts.OverdueAfter = DefaultOverdue
	}
	l := &Ledger{dir: dir, opts: opts, turn: make(chan struct{}, 1)}
	if err := l.place(); err != nil {
		return nil, fmt.Errorf("open the ledger in %s: %w", dir, err)
	}
	path, err := filepath.Abs(l.path(databaseName))
	if err != nil {
		return nil, fmt.Errorf("open the ledger in %s: %w", dir, err)
	}
	q := url.Values{"_pragma": {busyTimeout, "synchronous(FULL)", "cache_size(-65536)"}, "_txlock": {"immediate"}}
	if l.db, err = sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode()); err != nil {
		return nil, fmt.Errorf("open the ledger in %s: %w", dir, err)
	}
	if err := l.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open the ledger in %s: %w", dir, err), l.db.Close())
	}
	return l, nil
}

// Close closes the ledger.
func (l *Ledger) Close() error { return l.db.Close() }

func (l *Ledger) path(name string) string { return filepath.Join(l.dir, name) }

// place makes the file, for its owner alone, unless it is there.
func (l *Ledger) place() error {
	_, err := os.Stat(l.path(databaseName))
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	head, err := readHead(l.path(headName))
	switch {
	case err != nil:
		return err
	case head.Seq > 0:
		return fmt.Errorf("%s says that there are %d events, and %s is gone: %w", headName, head.Seq, databaseName, ErrTampered)
	case l.opts.MustExist:
		return ErrNoLedger
	}
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(l.path(databaseName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// prepare refuses files that are no ledgers, gives a new one its tables, and brings
// head.json up to date where a kill came before it.
func (l *Ledger) prepare(ctx context.Context) error {
	fresh, err := l.inspect(ctx)
	if err != nil {
		return err
	}
	if fresh {
		if err := l.create(ctx); err != nil {
			return err
		}
	}
	if err := l.patiently(ctx, func() error {
		_, err := l.db.ExecContext(ctx, `PRAGMA journal_mode = WAL`)
		return err
	}); err != nil {
		return err
	}
	if l.settled(ctx) {
		return nil // and another process may write as long as it likes
	}
	err = l.settleHead(ctx)
	if errors.Is(err, ErrTampered) {
		return nil // reading still helps, and Verify says what is wrong
	}
	return err
}

// inspect reports whether the file is empty, and refuses what is not ours.
func (l *Ledger) inspect(ctx context.Context) (fresh bool, err error) {
	var id, version, tables int
	err = l.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version),
  (SELECT COUNT(*) FROM sqlite_master)`).Scan(&id, &version, &tables)
	})
	switch {
	case code(err) == sqlite3.SQLITE_NOTADB:
		return false, fmt.Errorf("%s is no ledger: name another directory", databaseName)
	case err != nil:
		return false, err
	case id == 0 && tables == 0:
		return true, nil
	case id != applicationID:
		return false, fmt.Errorf("%s belongs to another program: name another directory", databaseName)
	case version != layout:
		return false, fmt.Errorf("%s has layout %d and this paytool reads %d: use the paytool that wrote it, or a newer one", databaseName, version, layout)
	}
	return false, nil
}

// create gives a new file its tables, unless another process has done so meanwhile.
func (l *Ledger) create(ctx context.Context) error {
	if head, err := readHead(l.path(headName)); err != nil || head.Seq > 0 {
		return errors.Join(fmt.Errorf("%s is empty, and %s is not: %w", databaseName, headName, ErrTampered), err)
	}
	return l.locked(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var tables int
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM sqlite_master`).Scan(&tables); err != nil || tables > 0 {
			return err
		}
		for _, group := range [][]string{kept, locks, views} {
			for _, statement := range group {
				if _, err := tx.ExecContext(ctx, statement); err != nil {
					return err
				}
			}
		}
		_, err := tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA application_id = %d; PRAGMA user_version = %d`, applicationID, layout))
		return err
	})
}

// now is the time in Beijing, to the millisecond: events have no finer one.
func (l *Ledger) now() time.Time { return l.opts.Now().In(pay.Beijing).Truncate(time.Millisecond) }

// read runs f on one state of the ledger.
func (l *Ledger) read(ctx context.Context, f func(ctx context.Context, tx *sql.Tx) error) error {
	tx, err := l.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	return f(ctx, tx)
}

// locked runs f in a transaction that no other writer can come between.
func (l *Ledger) locked(ctx context.Context, f func(ctx context.Context, tx *sql.Tx) error) error {
	var tx *sql.Tx
	err := l.patiently(ctx, func() (err error) {
		tx, err = l.db.BeginTx(ctx, nil)
		return err
	})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	// The transaction ends with ctx; a statement need not watch it besides.
	if err := f(context.WithoutCancel(ctx), tx); err != nil {
		return errors.Join(ctx.Err(), err)
	}
	return tx.Commit()
}

// patiently repeats what another process is in the way of.
func (l *Ledger) patiently(ctx context.Context, f func() error) error {
	for {
		err := f()
		if code(err) != sqlite3.SQLITE_BUSY {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(retryAfter):
		}
	}
}

// code is SQLite's primary code for an error, 0 where it is not SQLite's.
func code(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code() & 0xff
}
