package drill

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// creatorFunc is an engine made of one function.
type creatorFunc func(ctx context.Context, r order.Request) (order.Order, error)

func (f creatorFunc) Create(ctx context.Context, r order.Request) (order.Order, error) {
	return f(ctx, r)
}

// created answers with an order at once.
func created(r order.Request) (order.Order, error) {
	no, err := pay.NewOrderNo(testHeader().Started, 7, 1, 2, 1)
	return order.Order{No: no, Key: r.Key, Amount: r.Amount, State: pay.Created, Group: 2}, err
}

func loadOptions() LoadOptions {
	return LoadOptions{Rate: 100, For: 10 * time.Second, RunID: "cafe0001", Shadow: true}
}

// inBubble runs a test on a clock of its own.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

// A freeze of two seconds shows in full: every order that was due meanwhile
// waited. A closed loop would have sent one and called the rest on time.
func TestLoadCountsFromIntendedStart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		start := time.Now()
		frozen, thawed := start.Add(3*time.Second), start.Add(5*time.Second)
		got, err := Load(t.Context(), creatorFunc(func(_ context.Context, r order.Request) (order.Order, error) {
			time.Sleep(2 * time.Millisecond)
			if now := time.Now(); now.After(frozen) && now.Before(thawed) {
				time.Sleep(thawed.Sub(now))
			}
			return created(r)
		}), order.System{}, loadOptions())
		if err != nil {
			t.Fatal(err)
		}
		if got.Attempted != 1000 || got.Acked != 1000 || got.Rate != 100 {
			t.Errorf("got %+v, want 1000 orders acked at 100/s", got)
		}
		if got.P50Ms != 2 || got.P99Ms < 1850 || got.P99Ms > 2000 || got.MaxMs != 2000 {
			t.Errorf("p50 %v, p99 %v, max %v ms; want 2, 1850 to 2000, and 2000", got.P50Ms, got.P99Ms, got.MaxMs)
		}
	})
}

// An order that waited for its ledger waited for its client.
func TestLoadCountsWaitForLedger(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		opts := loadOptions()
		f := &fakeFile{}
		opts.Ledger = ledgerOn(t, f, opts)
		f.syncTakes = 100 * time.Millisecond
		got, err := Load(t.Context(), creatorFunc(func(_ context.Context, r order.Request) (order.Order, error) { return created(r) }),
			order.System{}, opts)
		if err != nil || got.P50Ms < 100 || got.Acked != 1000 {
			t.Errorf("got %+v, %v; want 1000 acked and a p50 of at least 100 ms", got, err)
		}
	})
}

func TestLoadDropsWhatFindsNoPlace(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var underWay, most, told, toldDropped atomic.Int64
		opts := loadOptions()
		opts.MaxInFlight = 10
		opts.Told = func(s Sample) {
			switch {
			case s.Dropped() && s.Done.Equal(s.Due):
				toldDropped.Add(1)
			case s.Answer == Acked && s.Done.Sub(s.Due) == 995*time.Millisecond && s.Order.Key.MerchantOrderNo == s.Key:
				told.Add(1)
			}
		}
		got, err := Load(t.Context(), creatorFunc(func(_ context.Context, r order.Request) (order.Order, error) {
			most.Store(max(most.Load(), underWay.Add(1)))
			defer underWay.Add(-1)
			time.Sleep(995 * time.Millisecond)
			return created(r)
		}), order.System{}, opts)
		if err != nil {
			t.Fatal(err)
		}
		want := LoadResult{Attempted: 1000, Acked: 100, Dropped: 900, P50Ms: 995, P99Ms: 995, MaxMs: 995, Rate: 9.916}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("result (-want +got):\n%s", diff)
		}
		if told.Load() != 100 || toldDropped.Load() != 900 {
			t.Errorf("told of %d acked and %d dropped orders, want 100 and 900", told.Load(), toldDropped.Load())
		}
		if most.Load() != 10 {
			t.Errorf("%d orders under way at once, want 10", most.Load())
		}
	})
}

// When the caller gives up, no more orders arrive, and those under way end as they
// would have.
func TestLoadInterrupted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ctx, interrupt := context.WithCancel(t.Context())
		time.AfterFunc(1005*time.Millisecond, interrupt)
		got, err := Load(ctx, creatorFunc(func(ctx context.Context, r order.Request) (order.Order, error) {
			select {
			case <-ctx.Done():
				return order.Order{}, ctx.Err()
			case <-time.After(500 * time.Millisecond):
				return created(r)
			}
		}), order.System{}, loadOptions())
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "after 101 of 1000 orders") {
			t.Errorf("got error %v, want that of the context, after 101 of 1000 orders", err)
		}
		if got.Attempted != 101 || got.Acked != 101 {
			t.Errorf("got %+v, want 101 orders, all acked", got)
		}
	})
}

func TestLoadAnswers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		answers := []struct {
			err  error
			want Answer
		}{
			{nil, Acked},
			{&order.Error{Code: order.CodeUnknownOutcome, Outcome: order.Unknown}, Unknown},
			{fmt.Errorf("wrapped: %w", &order.Error{Code: order.CodeUnknownOutcome, Outcome: order.Unknown}), Unknown},
			{&order.Error{Code: order.CodeOverloaded, Outcome: order.Unknown}, Unknown},
			{&order.Error{Code: order.CodeNoGroup}, Unknown}, // an outcome that nobody filled in
			{errors.New("foreign"), Unknown},
			{context.DeadlineExceeded, Unknown},
			{&order.Error{Code: order.CodeNoGroup, Outcome: order.NotCommitted}, Failed},
			{&order.Error{Code: order.CodeClockBack, Outcome: order.NotCommitted}, Failed},
			{fmt.Errorf("wrapped: %w", &order.Error{Code: order.CodeOverloaded, Outcome: order.NotCommitted}), Rejected},
			{&order.Error{Code: pay.CodeInvalidAmount, Outcome: order.NotCommitted}, Rejected},
			{&order.Error{Code: order.CodeAmountMismatch, Outcome: order.NotCommitted}, Rejected},
			{&order.Error{Code: order.CodeAttemptOpen, Outcome: order.NotCommitted}, Rejected},
		}
		opts := loadOptions()
		opts.Rate, opts.For = 1, time.Duration(len(answers))*time.Second
		f := &fakeFile{}
		opts.Ledger = ledgerOn(t, f, opts)
		var next atomic.Int64
		got, err := Load(t.Context(), creatorFunc(func(_ context.Context, r order.Request) (order.Order, error) {
			a := answers[next.Add(1)-1]
			switch a.want {
			case Acked:
				return created(r)
			case Rejected: // not part of the latency
				time.Sleep(500 * time.Millisecond)
			case Unknown, Failed:
				time.Sleep(10 * time.Millisecond)
			}
			return order.Order{}, a.err
		}), order.System{}, opts)
		if err != nil {
			t.Fatal(err)
		}
		if got.Attempted != 13 || got.Acked != 1 || got.Unknown != 6 || got.Failed != 2 || got.Rejected != 4 || got.Dropped != 0 {
			t.Errorf("got %+v, want 1 acked, 6 unknown, 2 failed, 4 rejected of 13", got)
		}
		if got.MaxMs != 10 {
			t.Errorf("max %v ms, want the 10 of what was tried", got.MaxMs)
		}
		run, err := ReadLedger(&f.written, "ledger")
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range answers {
			if got := run.Intents[opts.LedgerHeader(time.Time{}).key(i)].Answer(); got != a.want {
				t.Errorf("order %d (%v): the ledger says %s, want %s", i, a.err, got, a.want)
			}
		}
	})
}

func ledgerOn(t *testing.T, f *fakeFile, opts LoadOptions) *Ledger {
	t.Helper()
	l, err := newLedger(f, "ledger", opts.LedgerHeader(time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Nothing is sent that is not on disk, and the same seed sends the same orders.
func TestLoadSendsWhatIsOnDisk(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var runs [2]map[pay.Key]pay.Fen
		for n := range runs {
			runs[n] = map[pay.Key]pay.Fen{}
			opts := loadOptions()
			opts.Seed = 42
			f := &fakeFile{syncTakes: 30 * time.Millisecond}
			opts.Ledger = ledgerOn(t, f, opts)
			var mu sync.Mutex
			_, err := Load(t.Context(), creatorFunc(func(_ context.Context, r order.Request) (order.Order, error) {
				if !f.holds(r.Key.MerchantOrderNo) {
					t.Errorf("%s is sent and not on disk", r.Key)
				}
				mu.Lock()
				defer mu.Unlock()
				runs[n][r.Key] = r.Amount
				return created(r)
			}), order.System{}, opts)
			if err != nil {
				t.Fatal(err)
			}
		}
		if len(runs[0]) != 1000 {
			t.Errorf("%d keys, want 1000 different ones", len(runs[0]))
		}
		if diff := cmp.Diff(runs[0], runs[1]); diff != "" {
			t.Errorf("two runs of one seed differ:\n%s", diff)
		}
	})
}

func TestLoadStopsWhenLedgerBreaks(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			disk            *fakeFile
			acked, attempts int
		}{
			// The header is the first write and sync; an order takes two writes and one sync.
			"sync of an intent":  {&fakeFile{failSync: 20}, 18, 19},
			"write of an intent": {&fakeFile{failWrite: 20}, 9, 10},
			"write of a result":  {&fakeFile{failWrite: 21}, 10, 10},
		} {
			f := c.disk
			opts := loadOptions()
			opts.Ledger = ledgerOn(t, f, opts)
			got, err := Load(t.Context(), creatorFunc(func(_ context.Context, r order.Request) (order.Order, error) {
				if !f.holds(r.Key.MerchantOrderNo) {
					t.Errorf("%s: %s is sent and not on disk", name, r.Key)
				}
				return created(r)
			}), order.System{}, opts)
			if !errors.Is(err, errDiskFull) || !strings.Contains(err.Error(), "ledger") {
				t.Errorf("%s: got error %v, want that of the disk, and that it is the ledger's", name, err)
			}
			if got.Attempted != c.attempts || got.Acked != c.acked || got.Dropped != c.attempts-c.acked {
				t.Errorf("%s: got %+v, want %d of %d acked and the rest dropped", name, got, c.acked, c.attempts)
			}
		}
	})
}

func TestLoadReportsProgress(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var seen []int
		opts := loadOptions()
		opts.For = 3500 * time.Millisecond
		opts.Progress = func(r LoadResult) { seen = append(seen, r.Attempted) }
		if _, err := Load(t.Context(), creatorFunc(func(_ context.Context, r order.Request) (order.Order, error) {
			time.Sleep(5 * time.Millisecond)
			return created(r)
		}), order.System{}, opts); err != nil {
			t.Fatal(err)
		}
		if len(seen) != 3 || seen[0] < 100 || seen[2] > 301 {
			t.Errorf("progress at %v orders, want three reports, a second apart", seen)
		}
	})
}

func TestLoadRefusesOptions(t *testing.T) {
	t.Parallel()
	ledger, err := newLedger(&fakeFile{}, "ledger", testHeader())
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(o *LoadOptions){
		"rate of zero":         func(o *LoadOptions) { o.Rate = 0 },
		"rate below zero":      func(o *LoadOptions) { o.Rate = -1 },
		"no rate":              func(o *LoadOptions) { o.Rate = math.NaN() },
		"endless rate":         func(o *LoadOptions) { o.Rate = math.Inf(1) },
		"no duration":          func(o *LoadOptions) { o.For = 0 },
		"negative bound":       func(o *LoadOptions) { o.MaxInFlight = -1 },
		"no run":               func(o *LoadOptions) { o.RunID = "" },
		"run that is too long": func(o *LoadOptions) { o.RunID = strings.Repeat("f", pay.MaxMerchantOrderNo) },
		"no merchant":          func(o *LoadOptions) { o.Shadow = false },
		"another's ledger":     func(o *LoadOptions) { o.RunID, o.Ledger = "beef0002", ledger },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := loadOptions()
			change(&opts)
			_, err := Load(t.Context(), creatorFunc(func(context.Context, order.Request) (order.Order, error) {
				t.Error("an order was sent")
				return order.Order{}, nil
			}), order.System{}, opts)
			if err == nil || !strings.HasPrefix(err.Error(), "load: ") {
				t.Errorf("got error %v, want a refusal", err)
			}
		})
	}
}
