package sift

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sides is how many rows of each side a key has, by their lines.
type sides struct{ a, b []uint32 }

// TestJoinIsAGroupBy: against a map, in any order, with and without memory.
func TestJoinIsAGroupBy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		budget := NewBudget(rapid.SampledFrom([]int64{0, 3 * chunkRows * wide * wordSize, 1 << 30}).Draw(t, "budget"))
		a, b := NewStore(budget, dir), NewStore(budget, dir)
		defer func() {
			if err := a.Close(); err != nil {
				t.Error(err)
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		}()
		spread := rapid.SampledFrom([]uint64{1, 0x9e3779b97f4a7c15}).Draw(t, "spread") // 1: all in one partition
		keys := rapid.SliceOfN(rapid.Uint64Range(0, 2000), 0, 50).Draw(t, "keys")
		repeat := rapid.IntRange(1, 100).Draw(t, "repeat")
		want := map[uint64]*sides{}
		line := uint32(0)
		for range repeat {
			for _, k := range keys {
				line++
				key := k * spread
				if want[key] == nil {
					want[key] = &sides{}
				}
				store, lines := a, &want[key].a
				if line%3 == 0 {
					store, lines = b, &want[key].b
				}
				*lines = append(*lines, line)
				if err := store.Add(Record{Key: key, Row: key + 1, Fen: -int64(line), Line: line, Meta: line * 3}); err != nil {
					t.Fatal(err)
				}
			}
		}
		got := joined(t, a, b)
		if !maps.EqualFunc(got, want, func(x, y *sides) bool { return slices.Equal(x.a, y.a) && slices.Equal(x.b, y.b) }) {
			t.Errorf("joined %v, want %v", got, want)
		}
	})
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v %v", left, err)
	}
}

func joined(t *rapid.T, a, b *Store) map[uint64]*sides {
	t.Helper()
	got := map[uint64]*sides{}
	var mu sync.Mutex
	err := Join(context.Background(), a, b, 2, func() func(a, b []Record) error {
		return func(a, b []Record) error {
			mu.Lock()
			defer mu.Unlock()
			s := &sides{a: lines(t, a), b: lines(t, b)}
			key := slices.Concat(a, b)[0].Key
			if got[key] != nil {
				t.Errorf("key %d came twice", key)
			}
			got[key] = s
			return nil
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func lines(t *rapid.T, rows []Record) (all []uint32) {
	for _, r := range rows {
		if r.Row != r.Key+1 || r.Fen != -int64(r.Line) || r.Meta != r.Line*3 {
			t.Errorf("record %+v came back changed", r)
		}
		all = append(all, r.Line)
	}
	slices.Sort(all)
	return all
}

func TestJoinStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s := NewStore(NewBudget(0), "")
	if err := Join(ctx, s, s, 2, func() func(a, b []Record) error { return func(_, _ []Record) error { return nil } }); err == nil {
		t.Error("a cancelled join ended well")
	}
}

// TestNarrowStores: what they keep comes back, with and without memory.
func TestNarrowStores(t *testing.T) {
	t.Parallel()
	testNarrow(t, narrow, NewKeyStore, 0)
	testNarrow(t, lean, NewLeanStore, 1)
}

func testNarrow(t *testing.T, width int64, newStore func(*Budget, string) *Store, line uint32) {
	t.Helper()
	const rows = 300_000
	for _, memory := range []int64{0, 1 << 20, 1 << 30} {
		s := newStore(NewBudget(memory), t.TempDir())
		for i := range uint64(rows) {
			if err := s.Add(Record{Key: i * 0x9e3779b97f4a7c15, Row: i, Line: line * uint32(i), Meta: 7 * line}); err != nil {
				t.Fatal(err)
			}
		}
		if spilled := s.Spilled() > 0; spilled != (memory < rows*width*wordSize) {
			t.Errorf("with %d bytes of memory %d were spilled", memory, s.Spilled())
		}
		seen := make([]bool, rows)
		err := Join(context.Background(), s, NewKeyStore(NewBudget(0), ""), 1, func() func(a, b []Record) error {
			return func(a, b []Record) error {
				if len(a) != 1 || len(b) != 0 || a[0].Key != a[0].Row*0x9e3779b97f4a7c15 || a[0].Line != line*uint32(a[0].Row) || a[0].Meta != 7*line || seen[a[0].Row] {
					t.Errorf("joined %v and %v", a, b)
				}
				seen[a[0].Row] = true
				return nil
			}
		})
		if err = errors.Join(err, s.Close()); err != nil || slices.Contains(seen, false) {
			t.Errorf("with %d bytes of memory: rows are missing, or %v", memory, err)
		}
	}
}
