package drill

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// fakeFile is a disk that knows what would survive a crash. A sync takes a while,
// so that others can write meanwhile.
type fakeFile struct {
	syncTakes time.Duration
	failSync  int // the sync that fails, counted from 1; 0 for none
	failWrite int // likewise; half of the line is written

	mu      sync.Mutex
	written bytes.Buffer
	durable []byte
	syncs   int
	writes  int
}

var errDiskFull = errors.New("no space left on device")

func (f *fakeFile) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes++
	if f.writes == f.failWrite {
		n, _ := f.written.Write(p[:len(p)/2])
		return n, errDiskFull
	}
	return f.written.Write(p)
}

func (f *fakeFile) Sync() error {
	f.mu.Lock()
	seen := bytes.Clone(f.written.Bytes()) // what is written later may miss this sync
	f.syncs++
	fails := f.syncs == f.failSync
	f.mu.Unlock()
	if f.syncTakes > 0 {
		time.Sleep(f.syncTakes) // the bubble's clock
	}
	if fails {
		return errDiskFull
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.durable = seen
	return nil
}

func (f *fakeFile) Close() error { return nil }

// holds reports whether the intent of a key would survive a crash now.
func (f *fakeFile) holds(key string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return bytes.Contains(f.durable, fmt.Appendf(nil, `{"t":"intent","key":%q`, key))
}

func TestLedgerRoundTrip(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger")
	l, err := CreateLedger(path, testHeader())
	if err != nil {
		t.Fatal(err)
	}
	at := testHeader().Started
	no, _ := pay.NewOrderNo(at, 7, 1, 2, 1)
	for i := range 5 {
		if err := l.Intent(key(i), pay.Fen(10+i), 1, at); err != nil {
			t.Fatal(err)
		}
	}
	for i, r := range []Result{
		{Answer: Acked, Order: order.Order{No: no, Amount: 10, Group: 2}},
		{Answer: Unknown, Code: order.CodeUnknownOutcome},
		{Answer: Failed, Code: order.CodeNoGroup},
		{Answer: Rejected, Code: order.CodeOverloaded},
	} {
		r.Key, r.At = key(i), at
		if err := l.Result(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	run, err := ReadLedger(bytes.NewReader(text), path)
	if err != nil {
		t.Fatal(err)
	}
	want := testHeader()
	want.Version = ledgerVersion
	if diff := cmp.Diff(want, run.Header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	for i, a := range []Answer{Acked, Unknown, Failed, Rejected, Unknown} {
		if got := run.Intents[key(i)]; got.Answer() != a || got.Amount != pay.Fen(10+i) || got.Attempt != 1 {
			t.Errorf("intent %d: got %+v, answer %s; want answer %s", i, got, got.Answer(), a)
		}
	}
	acks := run.Intents[key(0)].Acks
	if diff := cmp.Diff([]Ack{{No: no, Amount: 10}}, acks, cmpopts.EquateComparable(pay.OrderNo{})); diff != "" {
		t.Errorf("acks (-want +got):\n%s", diff)
	}
}

func TestCreateLedgerRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	full, empty := filepath.Join(dir, "full"), filepath.Join(dir, "empty")
	for path, text := range map[string]string{full: "something\n", empty: ""} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := CreateLedger(full, testHeader()); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a file that holds something: got %v, want a refusal", err)
	}
	if kept, _ := os.ReadFile(full); string(kept) != "something\n" {
		t.Errorf("the refused file now holds %q", kept)
	}
	if _, err := CreateLedger(filepath.Join(dir, "none", "ledger"), testHeader()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there: got %v, want %v", err, os.ErrNotExist)
	}
	l, err := CreateLedger(empty, testHeader())
	if err != nil {
		t.Fatalf("an empty file: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// Each intent is on disk when Intent returns, and a few syncs carry them all.
func TestLedgerSharesSyncs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeFile{syncTakes: 10 * time.Millisecond}
		l, err := newLedger(f, "ledger", testHeader())
		if err != nil {
			t.Fatal(err)
		}
		const writers = 100
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() {
				if err := l.Intent(key(i), 1, 1, time.Now()); err != nil {
					t.Error(err)
				}
				if !f.holds(key(i)) {
					t.Errorf("intent %d is not on disk", i)
				}
			})
		}
		wg.Wait()
		if f.syncs > 4 { // the header's, the first writer's, that of all who came meanwhile
			t.Errorf("%d syncs for %d writers at once, want a few", f.syncs, writers)
		}
	})
}

func TestLedgerStopsAtFirstError(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]*fakeFile{
		"sync":  {failSync: 3},
		"write": {failWrite: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := newLedger(f, "ledger", testHeader())
			if err != nil {
				t.Fatal(err)
			}
			now := testHeader().Started
			if err := l.Intent(key(0), 1, 1, now); err != nil {
				t.Fatal(err)
			}
			for i := 1; i < 4; i++ {
				if err := l.Intent(key(i), 1, 1, now); !errors.Is(err, errDiskFull) {
					t.Errorf("intent %d: got %v, want %v", i, err, errDiskFull)
				}
			}
			if err := l.Close(); !errors.Is(err, errDiskFull) {
				t.Errorf("close: got %v, want %v", err, errDiskFull)
			}
			if f.writes != 3 || f.syncs > 3 {
				t.Errorf("%d writes and %d syncs, want none after the error", f.writes, f.syncs)
			}
			run, err := ReadLedger(&f.written, "ledger")
			if err != nil || run.Intents[key(0)] == nil {
				t.Errorf("what was written before does not read back: %+v, %v", run, err)
			}
		})
	}
}
