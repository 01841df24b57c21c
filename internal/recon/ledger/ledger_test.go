package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"paytool/internal/pay"
	"paytool/internal/recon"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(runChild())
	}
	goleak.VerifyTestMain(m)
}

// morning is when the tests begin: a Sunday.
var morning = time.Date(2026, 11, 22, 9, 0, 0, 0, pay.Beijing)

var wechat = Book{"wechat", "shop"}

// clock is a clock that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// bench is a ledger under test.
type bench struct {
	testing.TB
	*Ledger
	ctx   context.Context
	clock *clock
}

func newBench(t testing.TB) *bench {
	t.Helper()
	return openBench(t, t.TempDir())
}

func openBench(t testing.TB, dir string) *bench {
	t.Helper()
	b := &bench{TB: t, ctx: context.Background(), clock: &clock{now: morning}}
	var err error
	if b.Ledger, err = Open(b.ctx, dir, Options{Now: b.clock.Now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// must is for what a test takes for granted.
func must[V any](v V, err error) func(testing.TB) V {
	return func(t testing.TB) V {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// lacking is a payment of an order that one side lacks.
func lacking(class recon.Class, date, order string, amount pay.Fen) recon.Difference {
	day, err := time.ParseInLocation(time.DateOnly, date, pay.Beijing)
	if err != nil {
		panic(err)
	}
	d := recon.Difference{
		ID: recon.ID(fmt.Sprintf("D-%s-%s-%s", date, class, order)), Class: class, Kind: pay.EntryPay, OrderNo: order,
		TheirsFen: amount, DifferenceFen: amount, Time: day.Add(12 * time.Hour), File: "bill.csv", Line: 7,
	}
	if class == recon.MissingInChannel {
		d.OursFen, d.TheirsFen, d.DifferenceFen = amount, 0, -amount
	}
	return d
}

// result is what a run of a day found.
func result(runID, date string, differences ...recon.Difference) *recon.Result {
	r := &recon.Result{
		RunID: runID, Channel: wechat.Channel, Account: wechat.Account, Date: date, Counts: map[recon.Class]int64{}, Differences: append([]recon.Difference{}, differences...),
		Files: []recon.File{{Role: recon.RoleTrade, Name: "bill.csv", SHA256: strings.Repeat("ab", 32), Rows: 9}},
		Rows:  map[recon.Side]*recon.Conserved{recon.Ours: {Read: 9, Matched: 9}},
	}
	for _, d := range differences {
		r.Counts[d.Class]++
	}
	return r
}

// run records a result, with the opening that the ledger gives.
func (b *bench) run(r *recon.Result, supersede string) (Recorded, error) {
	b.Helper()
	opening := must(b.Opening(b.ctx, wechat, r.Date))(b)
	return b.Record(b.ctx, Run{Account: wechat.Account, Result: r, Opening: opening, Actor: "li", Supersede: supersede})
}

func (b *bench) mustRun(r *recon.Result, supersede string) Recorded {
	b.Helper()
	return must(b.run(r, supersede))(b)
}

func (b *bench) entry(id recon.ID) Entry {
	b.Helper()
	found := must(b.Differences(b.ctx, Query{Text: string(id)}))(b)
	if len(found) != 1 {
		b.Fatalf("%d differences are %s", len(found), id)
	}
	return found[0]
}

func (b *bench) want(id recon.ID, state State, reason string) {
	b.Helper()
	if e := b.entry(id); e.State != state || e.Reason != reason {
		b.Errorf("%s is %s (%q), want %s (%q)", id, e.State, e.Reason, state, reason)
	}
}

// whole: the ledger verifies, from the head that it had too.
func (b *bench) whole(known *Head) {
	b.Helper()
	if r := must(b.Verify(b.ctx, known))(b); len(r.Problems) > 0 {
		b.Errorf("the ledger does not verify: %q", r.Problems)
	}
}

func (b *bench) types(id recon.ID) (types []string) {
	b.Helper()
	for _, e := range must(b.History(b.ctx, id))(b) {
		types = append(types, e.Type)
	}
	return types
}

func TestOpen(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, tt := range []struct {
		name  string
		files map[string]string
		opts  Options
		want  string // in the error; "" for none
	}{
		{name: "made where there is none"},
		{name: "not made where it must exist", opts: Options{MustExist: true}, want: "there is no ledger here"},
		{name: "a file of something else", files: map[string]string{databaseName: "this is my shopping list, it is long enough to be a page"}, want: "no ledger"},
		{name: "the chain is gone", files: map[string]string{headName: `{"seq":3,"hash":"` + strings.Repeat("0", 64) + `"}`}, want: "changed by something else"},
		{name: "the chain is empty", files: map[string]string{databaseName: "", headName: `{"seq":3,"hash":"` + strings.Repeat("0", 64) + `"}`}, want: "changed by something else"},
		{name: "a kill came before the tables", files: map[string]string{databaseName: ""}, opts: Options{MustExist: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, text := range tt.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			l, err := Open(ctx, dir, tt.opts)
			if err == nil {
				err = l.Close()
			}
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func TestOpenRefusesOtherLayouts(t *testing.T) {
	t.Parallel()
	for pragma, want := range map[string]string{"user_version = 2": "layout 2", "application_id = 7": "another program"} {
		dir := filepath.Join(t.TempDir(), "new")
		l := must(Open(context.Background(), dir, Options{}))(t)
		if _, err := l.db.ExecContext(context.Background(), "PRAGMA "+pragma); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(context.Background(), dir, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", pragma, err, want)
		}
	}
}

func TestParseHead(t *testing.T) {
	t.Parallel()
	hash := strings.Repeat("0a", 32)
	for text, ok := range map[string]bool{
		`{"seq":0,"hash":""}`:                      true,
		`{"seq":7,"hash":"` + hash + `"}` + "\n":   true,
		`{"seq":0,"hash":"` + hash + `"}`:          false,
		`{"seq":7,"hash":""}`:                      false,
		`{"seq":7,"hash":"` + hash[2:] + `"}`:      false,
		`{"seq":-1,"hash":"` + hash + `"}`:         false,
		`{"seq":7,"hash":"` + hash + `","more":1}`: false,
		`{"seq":7,"hash":"` + hash + `"}{}`:        false,
		`{"seq":7.5,"hash":"` + hash + `"}`:        false,
		`[]`:                                       false,
		``:                                         false,
	} {
		if head, err := parseHead([]byte(text)); (err == nil) != ok {
			t.Errorf("%q: %v, %v", text, head, err)
		}
	}
}

func TestSeveralAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const writers, days = 4, 5
	var wg sync.WaitGroup
	for w := range writers {
		b := openBench(t, dir) // handles of their own, as processes have them
		wg.Go(func() {
			for d := range days {
				date := morning.AddDate(0, 0, d).Format(time.DateOnly)
				r := result(fmt.Sprintf("run-%d", d), date, lacking(recon.MissingInOurs, date, "A", 100))
				for { // all of them run the same days
					opening, err := b.Opening(b.ctx, wechat, date)
					if err == nil {
						_, err = b.Record(b.ctx, Run{Account: "shop", Result: r, Opening: opening, Actor: fmt.Sprintf("writer %d", w)})
					}
					if _, again := errors.AsType[*OpeningChangedError](err); again {
						continue
					}
					if err != nil {
						t.Error(err)
					}
					break
				}
			}
		})
	}
	wg.Wait()
	b := openBench(t, dir)
	b.whole(nil)
	if head := must(b.Head(b.ctx))(t); head.Seq != 2*days {
		t.Errorf("%d events, want a run and a difference for each of %d days", head.Seq, days)
	}
	if f := must(readHead(filepath.Join(dir, headName)))(t); f.Head != must(b.Head(b.ctx))(t) {
		t.Errorf("%s has %v", headName, f)
	}
}

func TestClockSetBack(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.mustRun(result("r1", "2026-11-20"), "")
	b.clock.pass(-time.Hour)
	b.mustRun(result("r2", "2026-11-21", lacking(recon.MissingInOurs, "2026-11-21", "A", 5)), "")
	if e := b.entry("D-2026-11-21-missing_in_ours-A"); !e.First.Equal(morning) {
		t.Errorf("first reported at %v", e.First)
	}
	b.whole(nil)
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	_, err := b.Record(ctx, Run{Account: "shop", Result: result("r", "2026-11-20"), Actor: "li"})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if head := must(b.Head(b.ctx))(t); head.Seq != 0 {
		t.Errorf("%d events were written", head.Seq)
	}
}

func ids(entries []Entry) (all []recon.ID) {
	for _, e := range entries {
		all = append(all, e.ID)
	}
	return all
}

func equal[V comparable](t testing.TB, what string, got, want []V) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
