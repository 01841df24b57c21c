// Package builtin is the channel that paytool brings along: it takes payments,
// revokes and refunds and keeps books of them, without any real money. Demos, loads,
// drills and tests pay here, and a person may try every command on it.
//
// It answers as it is told. The word at the beginning of a payment code decides
// what becomes of the payment, and the word at the beginning of a refund's number
// what becomes of the refund: see Words. Everything else succeeds at once.
//
// Its books are a SQLite file of their own, so that they outlive an engine that is
// killed, and several processes may use them at a time. Nothing of it lies in the
// groups: it is the other side's truth, against which ours is held.
package builtin

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// Name is what orders that were paid here carry as their channel.
const Name = "builtin"

// DefaultAccount is the account that payments use where none is named.
const DefaultAccount = "builtin-1"

// Options set up a Channel.
type Options struct {
	// Books is the file; it is made at the first call.
	Books string
	// Account is the account that new payments use ("builtin-1").
	Account string
	// RefundGap is the least time between two refunds of an order, 0 for none. The
	// real channels want a minute.
	RefundGap time.Duration
	Now       func() time.Time // time.Now
}

// Channel is the built-in channel. It is safe for concurrent use.
type Channel struct {
	opts Options

	mu     sync.Mutex
	db     *sql.DB // the books, once they are open
	closed bool
}

var _ order.Channel = (*Channel)(nil)

// New sets up a channel; its books are opened at the first call.
func New(opts Options) *Channel {
	if opts.Account == "" {
		opts.Account = DefaultAccount
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Channel{opts: opts}
}

// Name is "builtin".
func (c *Channel) Name() string { return Name }

// Simulated: no real money moves here.
func (c *Channel) Simulated() bool { return true }

// Account is the account that new payments use.
func (c *Channel) Account() string { return c.opts.Account }

// Limits are those of a lenient channel.
func (c *Channel) Limits() order.ChannelLimits {
	const day = 24 * time.Hour
	return order.ChannelLimits{RevokeWithin: day, RefundWithin: 365 * day, RefundGap: c.opts.RefundGap, MaxRefunds: 50}
}

// Close closes the books.
func (c *Channel) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.db == nil {
		return nil
	}
	return c.db.Close()
}

const schema = `
CREATE TABLE IF NOT EXISTS payments (
  account TEXT NOT NULL, order_no TEXT NOT NULL, amount_fen INTEGER NOT NULL,
  state TEXT NOT NULL,          -- as it is now, or will be at decided_ms
  decided_ms INTEGER NOT NULL,  -- until then the buyer is typing a password
  trade_no TEXT NOT NULL, firm INTEGER NOT NULL, reported_fen INTEGER NOT NULL, sent INTEGER NOT NULL,
  PRIMARY KEY (account, order_no)
);
CREATE TABLE IF NOT EXISTS refunds (
  account TEXT NOT NULL, refund_no TEXT NOT NULL, order_no TEXT NOT NULL, amount_fen INTEGER NOT NULL,
  state TEXT NOT NULL, channel_no TEXT NOT NULL, accepted_ms INTEGER NOT NULL, done_ms INTEGER NOT NULL,
  PRIMARY KEY (account, refund_no)
);
CREATE TABLE IF NOT EXISTS revokes ( -- that gave money back: payments keeps but the state
  account TEXT NOT NULL, order_no TEXT NOT NULL, trade_no TEXT NOT NULL, amount_fen INTEGER NOT NULL,
  paid_ms INTEGER NOT NULL, revoked_ms INTEGER NOT NULL,
  PRIMARY KEY (account, order_no)
);
CREATE INDEX IF NOT EXISTS refunds_order ON refunds (account, order_no);`

// openFor bounds how long a call waits for another process that opens the books in
// the same moment.
const openFor = 5 * time.Second

// books opens the file at the first call. A call that cannot open it leaves it to the
// next one.
func (c *Channel) books(ctx context.Context) (*sql.DB, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return nil, errors.New("the built-in channel is closed")
	case c.db != nil:
		return c.db, nil
	}
	db, err := open(ctx, c.opts.Books)
	if err != nil {
		return nil, fmt.Errorf("open the built-in channel's books %s: %w", c.opts.Books, err)
	}
	c.db = db
	return db, nil
}

// open makes the file and its tables where they are missing. Turning the write-ahead
// log on wants the file for itself, and SQLite does not wait for that whatever its
// busy timeout: so it is tried again.
func open(ctx context.Context, path string) (*sql.DB, error) {
	if err := private(path); err != nil {
		return nil, err
	}
	q := url.Values{"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(NORMAL)"}, "_txlock": {"immediate"}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // one writer; several would only wait for each other
	ctx, cancel := context.WithTimeout(ctx, openFor)
	defer cancel()
	for {
		_, err := db.ExecContext(ctx, schema)
		if err == nil {
			return db, nil
		}
		if !busy(err) {
			return nil, errors.Join(err, db.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(err, db.Close())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func busy(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY
}

// private makes the file, for its owner alone, if it is not there.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// transact runs f in one transaction of the books.
func (c *Channel) transact(ctx context.Context, f func(tx *sql.Tx) error) error {
	db, err := c.books(ctx)
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("write the built-in channel's books: %w", err)
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// Position is what the channel's books say of one payment: what it took and kept.
type Position struct {
	Account  string
	OrderNo  pay.OrderNo
	Amount   pay.Fen
	State    string // paid, pending, failed, closed, revoked
	Refunded pay.Fen
	At       time.Time
	Sent     int // how often its number arrived
}

// Kept is what the channel holds for us: a paid amount without its refunds.
func (p Position) Kept() pay.Fen {
	if p.State != statePaid {
		return 0
	}
	return p.Amount - p.Refunded
}

// Positions yields every payment that the channel knows, by number. An error of
// yield ends it and is returned.
func (c *Channel) Positions(ctx context.Context, yield func(Position) error) error {
	db, err := c.books(ctx)
	if err != nil {
		return err
	}
	rows, err := db.QueryContext(ctx, `SELECT p.account, p.order_no, p.amount_fen, p.state, p.decided_ms, p.sent,
  (SELECT COALESCE(SUM(r.amount_fen), 0) FROM refunds r WHERE r.account=p.account AND r.order_no=p.order_no AND r.state='done' AND r.done_ms<=?)
FROM payments p ORDER BY p.order_no`, c.opts.Now().UnixMilli())
	if err != nil {
		return fmt.Errorf("read the built-in channel's books: %w", err)
	}
	defer rows.Close()
	now := c.opts.Now()
	for rows.Next() {
		var p Position
		var no string
		var decided int64
		if err := rows.Scan(&p.Account, &no, &p.Amount, &p.State, &decided, &p.Sent, &p.Refunded); err != nil {
			return fmt.Errorf("read the built-in channel's books: %w", err)
		}
		if err := p.OrderNo.UnmarshalText([]byte(no)); err != nil {
			return fmt.Errorf("read the built-in channel's books: %w", err)
		}
		if p.At = time.UnixMilli(decided); p.At.After(now) {
			p.State = statePending
		}
		if err := yield(p); err != nil {
			return err
		}
	}
	return rows.Err()
}
