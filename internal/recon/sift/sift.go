// Package sift joins two sides of many rows by fingerprint, in bounded memory. It
// keeps at most 32 bytes of a row, partitioned by key, so that each partition fits the
// cache; beyond a budget they go to a temporary file. It knows no money: what makes
// a group of rows clean is the caller's to say.
package sift

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

const (
	partitions = 256
	partShift  = 64 - 8
	chunkRows  = 512
	wordSize   = 8
	wide       = 4 // words of a Record
	lean       = 3 // words without Fen
	narrow     = 2 // words of its Key and Row
)

// Record is what is kept of a row.
type Record struct {
	Key  uint64 // fingerprint of what the rows of a group share
	Row  uint64 // fingerprint of the row's identity
	Fen  int64
	Line uint32
	Meta uint32 // the caller's
}

// Budget is the memory that stores may share.
type Budget struct{ left atomic.Int64 }

// NewBudget allows so many bytes of records.
func NewBudget(bytes int64) *Budget {
	b := &Budget{}
	b.left.Store(bytes)
	return b
}

func (b *Budget) take(n int64) bool {
	if b.left.Add(-n) >= 0 {
		return true
	}
	b.left.Add(n)
	return false
}

// Store takes the rows of one side. One goroutine adds; once all are added, several
// may read. Close must be called.
type Store struct {
	budget *Budget
	dir    string
	width  int // words that are kept of a row
	parts  [partitions]part
	rows   int64
	file   *os.File // of what found no room; nil while all did
	end    int64    // of the file
	buf    []byte
}

// part is the rows of one partition, as words: chunk after chunk.
type part struct {
	active  []uint64
	kept    [][]uint64
	spilled []int64 // where chunks begin in the file
}

// NewStore makes a store; dir is for its temporary file ("": the system's).
func NewStore(budget *Budget, dir string) *Store {
	return &Store{budget: budget, dir: dir, width: wide}
}

// NewLeanStore makes a store that does not keep Fen.
func NewLeanStore(budget *Budget, dir string) *Store {
	return &Store{budget: budget, dir: dir, width: lean}
}

// NewKeyStore makes a store that keeps Key and Row alone, in half the memory.
func NewKeyStore(budget *Budget, dir string) *Store {
	return &Store{budget: budget, dir: dir, width: narrow}
}

// Rows is the number of rows added.
func (s *Store) Rows() int64 { return s.rows }

// Spilled is the number of bytes in the temporary file.
func (s *Store) Spilled() int64 { return s.end }

// Add adds a row.
func (s *Store) Add(r Record) error {
	s.rows++
	p := &s.parts[r.Key>>partShift]
	switch place := uint64(r.Line)<<32 | uint64(r.Meta); s.width {
	case wide:
		p.active = append(p.active, r.Key, r.Row, place, uint64(r.Fen)) //nolint:gosec // read back as it is written
	case lean:
		p.active = append(p.active, r.Key, r.Row, place)
	default:
		p.active = append(p.active, r.Key, r.Row)
	}
	if len(p.active) < chunkRows*s.width {
		return nil
	}
	if s.budget.take(s.chunkSize()) {
		p.kept = append(p.kept, p.active)
		p.active = make([]uint64, 0, chunkRows*s.width)
		return nil
	}
	return s.spill(p)
}

// chunkSize is the bytes of a full chunk.
func (s *Store) chunkSize() int64 { return int64(chunkRows * s.width * wordSize) }

func (s *Store) spill(p *part) error {
	if s.file == nil {
		f, err := os.CreateTemp(s.dir, "paytool-recon-*.tmp")
		if err != nil {
			return fmt.Errorf("make room for rows beyond the memory: %w", err)
		}
		s.file = f
	}
	s.buf = s.buf[:0]
	for _, word := range p.active {
		s.buf = binary.LittleEndian.AppendUint64(s.buf, word)
	}
	if _, err := s.file.WriteAt(s.buf, s.end); err != nil {
		return fmt.Errorf("write rows beyond the memory to %s: %w; free space there, or allow more memory", s.file.Name(), err)
	}
	p.spilled = append(p.spilled, s.end)
	s.end += int64(len(s.buf))
	p.active = p.active[:0]
	return nil
}

// load appends the rows of a partition. buf has room for a chunk.
func (s *Store) load(i int, to []Record, buf []byte) ([]Record, error) {
	p := &s.parts[i]
	for _, chunk := range p.kept {
		to = s.records(to, chunk)
	}
	var words []uint64
	if len(p.spilled) > 0 {
		words = make([]uint64, chunkRows*s.width)
	}
	for _, at := range p.spilled {
		b := buf[:s.chunkSize()]
		if _, err := s.file.ReadAt(b, at); err != nil {
			return to, fmt.Errorf("read rows beyond the memory from %s: %w", s.file.Name(), err)
		}
		for i := range words {
			words[i] = binary.LittleEndian.Uint64(b[i*wordSize:])
		}
		to = s.records(to, words)
	}
	return s.records(to, p.active), nil
}

// records appends the rows that words are.
func (s *Store) records(to []Record, words []uint64) []Record {
	for ; len(words) >= s.width; words = words[s.width:] {
		r := Record{Key: words[0], Row: words[1]}
		if s.width >= lean {
			r.Line, r.Meta = uint32(words[2]>>32), uint32(words[2]) //nolint:gosec // as they were written
		}
		if s.width == wide {
			r.Fen = int64(words[3]) //nolint:gosec // as it was written
		}
		to = append(to, r)
	}
	return to
}

// Close removes the temporary file.
func (s *Store) Close() error {
	if s.file == nil {
		return nil
	}
	err := errors.Join(s.file.Close(), os.Remove(s.file.Name()))
	s.file = nil
	return err
}

// Join hands every group to a visitor: all rows of one key, of both sides, in no
// promised order. Each worker has a visitor of its own, from newVisitor; the slices
// are valid during the call.
func Join(ctx context.Context, a, b *Store, workers int, newVisitor func() func(a, b []Record) error) error {
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range workers {
		visit := newVisitor()
		g.Go(func() error {
			w := worker{visit: visit, buf: make([]byte, chunkRows*wide*wordSize)}
			for {
				i := int(next.Add(1)) - 1
				if i >= partitions {
					return nil
				}
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				if err := w.join(a, b, i); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// worker joins one partition after the other, in the same memory.
type worker struct {
	visit  func(a, b []Record) error
	buf    []byte
	rows   []Record // those of a, then those of b
	order  []uint32 // their indices, by key
	starts []uint32
	a, b   []Record // of the group
}

func (w *worker) join(a, b *Store, i int) (err error) {
	if w.rows, err = a.load(i, w.rows[:0], w.buf); err != nil {
		return err
	}
	split := len(w.rows)
	if w.rows, err = b.load(i, w.rows, w.buf); err != nil {
		return err
	}
	w.sort()
	for from := 0; from < len(w.order); {
		key := w.rows[w.order[from]].Key
		w.a, w.b = w.a[:0], w.b[:0]
		for ; from < len(w.order) && w.rows[w.order[from]].Key == key; from++ {
			if at := int(w.order[from]); at < split {
				w.a = append(w.a, w.rows[at])
			} else {
				w.b = append(w.b, w.rows[at])
			}
		}
		if err := w.visit(w.a, w.b); err != nil {
			return err
		}
	}
	return nil
}

// sort puts the rows into buckets of a few keys by counting, then sorts each
// bucket by insertion: one key of a million rows is in order already.
func (w *worker) sort() {
	bits := uint(1)
	for 1<<bits < len(w.rows) {
		bits++
	}
	bucket := func(r *Record) uint32 { return uint32(r.Key << 8 >> (64 - bits)) } //nolint:gosec // at most 32 bits: a partition has fewer rows
	w.starts = append(w.starts[:0], make([]uint32, 1<<bits+1)...)
	for i := range w.rows {
		w.starts[bucket(&w.rows[i])+1]++
	}
	for i := 1; i < len(w.starts); i++ {
		w.starts[i] += w.starts[i-1]
	}
	if cap(w.order) < len(w.rows) {
		w.order = make([]uint32, len(w.rows))
	}
	w.order = w.order[:len(w.rows)]
	for i := range w.rows {
		b := bucket(&w.rows[i])
		w.order[w.starts[b]] = uint32(i)
		w.starts[b]++
	}
	for i := 1; i < len(w.order); i++ {
		for j := i; j > 0 && w.rows[w.order[j]].Key < w.rows[w.order[j-1]].Key; j-- {
			w.order[j], w.order[j-1] = w.order[j-1], w.order[j]
		}
	}
}
