// Package sift joins two sides of many rows by fingerprint, in bounded memory. It
// keeps 32 bytes of a row, partitioned by key, so that each partition fits the
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
	recordSize = 32
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
	parts  [partitions]part
	rows   int64
	file   *os.File // of what found no room; nil while all did
	end    int64    // of the file
	buf    []byte
}

type part struct {
	active  []Record
	kept    [][]Record
	spilled []int64 // where chunks begin in the file
}

// NewStore makes a store; dir is for its temporary file ("": the system's).
func NewStore(budget *Budget, dir string) *Store { return &Store{budget: budget, dir: dir} }

// Rows is the number of rows added.
func (s *Store) Rows() int64 { return s.rows }

// Spilled is the number of bytes in the temporary file.
func (s *Store) Spilled() int64 { return s.end }

// Add adds a row.
func (s *Store) Add(r Record) error {
	s.rows++
	p := &s.parts[r.Key>>partShift]
	p.active = append(p.active, r)
	if len(p.active) < chunkRows {
		return nil
	}
	if s.budget.take(chunkRows * recordSize) {
		p.kept = append(p.kept, p.active)
		p.active = make([]Record, 0, chunkRows)
		return nil
	}
	return s.spill(p)
}

func (s *Store) spill(p *part) error {
	if s.file == nil {
		f, err := os.CreateTemp(s.dir, "paytool-recon-*.tmp")
		if err != nil {
			return fmt.Errorf("make room for rows beyond the memory: %w", err)
		}
		s.file = f
		s.buf = make([]byte, 0, chunkRows*recordSize)
	}
	s.buf = s.buf[:0]
	for _, r := range p.active {
		s.buf = binary.LittleEndian.AppendUint64(s.buf, r.Key)
		s.buf = binary.LittleEndian.AppendUint64(s.buf, r.Row)
		s.buf = binary.LittleEndian.AppendUint64(s.buf, uint64(r.Fen)) //nolint:gosec // read back as it is written
		s.buf = binary.LittleEndian.AppendUint32(s.buf, r.Line)
		s.buf = binary.LittleEndian.AppendUint32(s.buf, r.Meta)
	}
	if _, err := s.file.WriteAt(s.buf, s.end); err != nil {
		return fmt.Errorf("write rows beyond the memory to %s: %w; free space there, or allow more memory", s.file.Name(), err)
	}
	p.spilled = append(p.spilled, s.end)
	s.end += int64(len(s.buf))
	p.active = p.active[:0]
	return nil
}

// load appends the rows of a partition.
func (s *Store) load(i int, to []Record, buf []byte) ([]Record, error) {
	p := &s.parts[i]
	for _, chunk := range p.kept {
		to = append(to, chunk...)
	}
	for _, at := range p.spilled {
		b := buf[:chunkRows*recordSize]
		if _, err := s.file.ReadAt(b, at); err != nil {
			return to, fmt.Errorf("read rows beyond the memory from %s: %w", s.file.Name(), err)
		}
		for ; len(b) > 0; b = b[recordSize:] {
			to = append(to, Record{
				Key: binary.LittleEndian.Uint64(b), Row: binary.LittleEndian.Uint64(b[8:]), Fen: int64(binary.LittleEndian.Uint64(b[16:])), //nolint:gosec // as it was written
				Line: binary.LittleEndian.Uint32(b[24:]), Meta: binary.LittleEndian.Uint32(b[28:]),
			})
		}
	}
	return append(to, p.active...), nil
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
			w := worker{visit: visit, buf: make([]byte, chunkRows*recordSize)}
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
