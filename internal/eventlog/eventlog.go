// Package eventlog keeps what happens to single orders beside their moves: tries,
// hops, calls of a channel and its answers, as JSON lines in rotated files. They lie
// on this machine, so that they can be read while an order's group is down; an order
// does not depend on them. What happens here: appending, rotating, reading back.
// What does not: deciding what is told, and keeping secrets out of it.
package eventlog

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// Event is one line.
type Event struct {
	At      time.Time `json:"at"`
	OrderNo string    `json:"order_no"`
	What    string    `json:"what"`
	Detail  string    `json:"detail"`
	By      string    `json:"by"` // the engine instance
}

// Bounds of the files.
const (
	maxFileBytes = 16 << 20
	keepFiles    = 4 // beside the one that is written
	baseName     = "orders.jsonl"
)

// Log appends events. It is safe for concurrent use; several processes may append
// to the same folder: a line is one write of a file that is opened for appending.
type Log struct {
	dir string
	by  string

	mu   sync.Mutex
	file *os.File
	size int64
	err  error // of the last write: told once, by Close
}

// Open makes the folder (0700) if it is not there. by names the instance.
func Open(dir, by string) (*Log, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the event log: %w", err)
	}
	l := &Log{dir: dir, by: by}
	return l, l.open()
}

func (l *Log) path(i int) string { return filePath(l.dir, i) }

func filePath(dir string, i int) string {
	if i == 0 {
		return filepath.Join(dir, baseName)
	}
	return filepath.Join(dir, baseName+"."+strconv.Itoa(i))
}

func (l *Log) open() error {
	f, err := os.OpenFile(l.path(0), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the event log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(fmt.Errorf("open the event log: %w", err), f.Close())
	}
	l.file, l.size = f, info.Size()
	return nil
}

// Add appends an event. A payment never waits or fails for it: what cannot be
// written is dropped, and Close says so.
func (l *Log) Add(e Event) {
	e.By = l.by
	line, err := json.Marshal(e)
	if err != nil {
		return // an Event always marshals
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size > maxFileBytes {
		l.rotate()
	}
	if l.file == nil {
		return
	}
	n, err := l.file.Write(append(line, '\n'))
	l.size += int64(n)
	if err != nil {
		l.err = fmt.Errorf("append to the event log: %w", err)
	}
}

// rotate renames orders.jsonl to .1, .1 to .2 and so on. Another process that did so
// a moment ago is noticed by the size of what is there now.
func (l *Log) rotate() {
	_ = l.file.Close() // appended already
	l.file = nil
	if info, err := os.Stat(l.path(0)); err == nil && info.Size() > maxFileBytes {
		for i := keepFiles; i > 0; i-- {
			if err := os.Rename(l.path(i-1), l.path(i)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				l.err = fmt.Errorf("rotate the event log: %w", err)
			}
		}
	}
	if err := l.open(); err != nil {
		l.err = err
	}
}

// Close closes the file and returns the last error of writing, if there was one.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return l.err
	}
	err := l.file.Close()
	l.file = nil
	return errors.Join(l.err, err)
}

// Read returns the events of the given orders in the folder's files, the oldest
// first. A folder without files has none; a torn line is passed over.
func Read(dir string, orders ...string) ([]Event, error) {
	want := map[string]bool{}
	for _, no := range orders {
		want[no] = true
	}
	var found []Event
	for i := keepFiles; i >= 0; i-- {
		events, err := readFile(filePath(dir, i), want)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return found, fmt.Errorf("read the event log: %w", err)
		}
		found = append(found, events...)
	}
	return found, nil
}

func readFile(path string, want map[string]bool) (found []Event, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read: nothing can be lost
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e Event
		if json.Unmarshal(lines.Bytes(), &e) == nil && want[e.OrderNo] {
			found = append(found, e)
		}
	}
	return found, lines.Err()
}
