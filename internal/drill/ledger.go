package drill

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/whole"
)

// ledgerVersion is the format of ledgers: JSON lines, the header first.
const ledgerVersion = 1

// Header is the first line of a ledger: whose orders they are, and how the judge
// knows them among all others.
type Header struct {
	Version  int       `json:"ledger"` // filled in when it is written
	Run      string    `json:"run"`
	Merchant string    `json:"merchant"`
	Prefix   string    `json:"prefix"` // every key of the run starts with it
	Shadow   bool      `json:"shadow"`
	Pays     bool      `json:"pays,omitempty"` // its orders are paid, revoked and refunded as well
	Started  time.Time `json:"started"`
}

// key is the merchant order number of an arrival.
func (h Header) key(i int) string { return fmt.Sprintf("%s%07d", h.Prefix, i) }

func (h Header) sameRun(other Header) bool {
	return h.Merchant == other.Merchant && h.Prefix == other.Prefix && h.Shadow == other.Shadow
}

// line is every line after the header: an intent or a result.
type line struct {
	T       string        `json:"t"`
	Key     string        `json:"key"`
	Attempt int           `json:"attempt,omitempty"` // intents only
	Answer  Answer        `json:"outcome,omitempty"` // results only, as all below but the amount
	OrderNo pay.OrderNo   `json:"order_no,omitzero"`
	Group   shard.GroupID `json:"group,omitempty"`
	Amount  pay.Fen       `json:"amount_fen,omitempty"`
	Code    string        `json:"code,omitempty"`
	At      time.Time     `json:"at"`
}

const (
	lineIntent = "intent"
	lineResult = "result"
)

// Result is how an intent was answered.
type Result struct {
	Key    string
	Answer Answer
	Order  order.Order // if Acked
	Code   string      // of the refusal, "" if Acked
	At     time.Time
}

// Ledger is what a load client writes down of its orders. Safe for concurrent
// use.
//
// Intents share their syncs: whoever finds no sync running runs one for all lines
// written so far, and those who come meanwhile wait for the next, so a few syncs a
// second carry hundreds of orders. After the first error nothing more is written,
// so that a torn line can only be the last one.
type Ledger struct {
	path   string
	header Header
	file   ledgerFile

	mu      sync.Mutex
	synced  *sync.Cond // a sync has ended
	syncing bool
	lines   int // written
	durable int // of them, on disk
	err     error
}

// ledgerFile is the file of a ledger.
type ledgerFile interface {
	io.WriteCloser
	Sync() error
}

// CreateLedger starts a ledger at path. A file that holds anything is refused: a
// ledger is the record of one run, and the judge needs it as it was written.
func CreateLedger(path string, h Header) (*Ledger, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create ledger: %w", err)
	}
	l, err := startLedger(f, path, h)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

func startLedger(f *os.File, path string, h Header) (*Ledger, error) {
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("create ledger: %w", err)
	case info.Size() > 0:
		return nil, fmt.Errorf("create ledger %s: the file is not empty and a ledger is the record of one run; name another file", path)
	}
	l, err := newLedger(f, path, h)
	if err != nil {
		return nil, err
	}
	if err := whole.SyncDir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("create ledger %s: %w", path, err)
	}
	return l, nil
}

// newLedger writes the header and syncs it.
func newLedger(f ledgerFile, path string, h Header) (*Ledger, error) {
	h.Version = ledgerVersion
	h.Started = stamp(h.Started)
	l := &Ledger{path: path, header: h, file: f}
	l.synced = sync.NewCond(&l.mu)
	return l, l.write(h, true)
}

// Intent writes down an order that is about to be sent, and returns once it is on
// disk. After an error the order must not be sent.
func (l *Ledger) Intent(key string, amount pay.Fen, attempt int, at time.Time) error {
	return l.write(line{T: lineIntent, Key: key, Amount: amount, Attempt: attempt, At: stamp(at)}, true)
}

// Result writes down an answer. It outlives the process at once but the machine
// only after a later sync: a result that is lost reads as unknown, never as
// failed.
func (l *Ledger) Result(r Result) error {
	entry := line{T: lineResult, Key: r.Key, Answer: r.Answer, Code: r.Code, At: stamp(r.At)}
	if r.Answer == Acked {
		entry.OrderNo, entry.Group, entry.Amount = r.Order.No, r.Order.Group, r.Order.Amount
	}
	return l.write(entry, false)
}

// Close syncs and closes the file. No call may be under way or follow.
func (l *Ledger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.syncTo(l.lines)
	}
	if err := l.file.Close(); err != nil && l.err == nil {
		l.err = l.broken("close", err)
	}
	return l.err
}

func (l *Ledger) write(v any, durable bool) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("ledger %s: %w", l.path, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	if _, err := l.file.Write(append(text, '\n')); err != nil {
		l.err = l.broken("write", err)
		return l.err
	}
	l.lines++
	if durable {
		l.syncTo(l.lines)
	}
	return l.err
}

// syncTo returns once the first n lines are on disk, or the ledger is broken. The
// lock is held on entry and exit, and free while the disk works.
func (l *Ledger) syncTo(n int) {
	for l.durable < n && l.err == nil {
		if l.syncing {
			l.synced.Wait()
			continue
		}
		l.syncing = true
		upTo := l.lines
		l.mu.Unlock()
		err := l.file.Sync()
		l.mu.Lock()
		l.syncing = false
		if err != nil {
			// Not tried again: after a failed fsync the kernel may drop the pages and
			// call the next one good.
			l.err = l.broken("sync", err)
		} else {
			l.durable = upTo
		}
		l.synced.Broadcast()
	}
}

func (l *Ledger) broken(verb string, err error) error {
	return fmt.Errorf("%s ledger %s (no order is sent that is not on disk; free or repair the disk and start a new run): %w", verb, l.path, err)
}

// stamp is a time as ledgers have it: Beijing time, in milliseconds.
func stamp(t time.Time) time.Time { return t.In(pay.Beijing).Truncate(time.Millisecond) }
