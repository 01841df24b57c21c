package fetch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paytool/internal/bill"
	"paytool/internal/bill/generate"
	"paytool/internal/channel/sim"
	"paytool/internal/pay"
)

func TestFetchEveryWay(t *testing.T) {
	t.Parallel()
	for way := range accounts() {
		for _, fund := range []bool{false, true} {
			t.Run(way+map[bool]string{true: " fund"}[fund], func(t *testing.T) {
				t.Parallel()
				b := newBench(t)
				req := b.request(way, fund)
				r, err := b.fetcher(way).Fetch(t.Context(), req)
				if err != nil {
					t.Fatal(err)
				}
				b.wantFiles(filepath.Base(r.Path), filepath.Base(r.NotePath))
				report, err := bill.Inspect(t.Context(), r.Path, nil, bill.Options{Date: testDate, Type: req.Type})
				if err != nil || !report.OK() || r.State != Ready || r.Unchanged {
					t.Errorf("the bill that landed: %+v, %v; result %+v", report, err, r)
				}
				var note Note
				data, err := os.ReadFile(r.NotePath)
				if err != nil || json.Unmarshal(data, &note) != nil || note.SHA256 != r.SHA256 || note.Size == 0 || note.File != filepath.Base(r.Path) {
					t.Errorf("note %s, %v", data, err)
				}
				if strings.Contains(string(data), "token") {
					t.Errorf("the note holds a token: %s", data)
				}
			})
		}
	}
}

// TestFaults is what a channel can do wrong, for every way that can meet it: a
// bill that another try gets, a state, or an error that says why; and never a half
// file.
func TestFaults(t *testing.T) {
	t.Parallel()
	all, wechat := []string{"v3", "v2", "alipay"}, []string{"v3"}
	for _, tc := range []struct {
		fault sim.Fault
		times int
		ways  []string
		state State
		err   error
		words string
	}{
		{fault: sim.NotReady, times: sim.Forever, ways: []string{"v3", "v2"}, state: NotReady},
		{fault: sim.NoBill, times: sim.Forever, ways: all, state: NoBill},
		{fault: sim.WrongSHA1, times: 1, ways: wechat, state: Ready},
		{fault: sim.WrongSHA1, times: sim.Forever, ways: wechat, err: ErrDigest, words: "announced"},
		{fault: sim.ExpiredURL, times: 1, ways: []string{"v3", "alipay"}, state: Ready},
		{fault: sim.ExpiredURL, times: sim.Forever, ways: []string{"v3"}, words: "run out"},
		{fault: sim.ExpiredURL, times: sim.Forever, ways: []string{"alipay"}, err: ErrWrongBill, words: "ran out"},
		{fault: sim.WrongSignature, times: sim.Forever, ways: []string{"v3", "alipay"}, err: ErrSignature, words: "public key"},
		{fault: sim.Hang, times: 1, ways: all, state: Ready},
		{fault: sim.Hang, times: sim.Forever, ways: all, err: ErrSilent, words: "fell silent"},
		{fault: sim.Stall, times: 1, ways: all, state: Ready},
		{fault: sim.Stall, times: sim.Forever, ways: all, err: ErrSilent},
		{fault: sim.Cut, times: 2, ways: all, state: Ready},
		{fault: sim.Cut, times: sim.Forever, ways: all, words: "EOF"},
		{fault: sim.ServerError, times: 1, ways: all, state: Ready},
		{fault: sim.ServerError, times: sim.Forever, ways: all, words: "call http"},
		{fault: sim.DeadHost, times: sim.Forever, ways: all, state: Ready},
	} {
		for _, way := range tc.ways {
			t.Run(strings.Join([]string{string(tc.fault), map[bool]string{true: "forever", false: "once"}[tc.times < 0], way}, "/"), func(t *testing.T) {
				t.Parallel()
				b := newBench(t)
				b.sim.Inject(tc.fault, tc.times)
				if tc.fault == sim.Hang || tc.fault == sim.Stall {
					b.patience = time.Second
				}
				r, err := b.fetch(way)
				switch {
				case tc.state != "":
					if err != nil || r.State != tc.state {
						t.Fatalf("%+v, %v; want state %s", r, err, tc.state)
					}
				case err == nil || tc.err != nil && !errors.Is(err, tc.err) || !strings.Contains(err.Error(), tc.words):
					t.Fatalf("%+v, %v; want an error with %q", r, err, tc.words)
				default:
					b.wantFiles()
				}
				if told := b.log.String() + errorText(err); strings.Contains(told, "token=") || strings.Contains(told, testKeys().API) {
					t.Errorf("a secret was told: %s", told)
				}
			})
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestBothHostsDead(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	b.hosts = []string{server.URL, server.URL}
	_, err := b.fetch("v3")
	if err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("%v", err)
	}
	b.wantFiles()
}

func TestStatesByTheClock(t *testing.T) {
	t.Parallel()
	at := func(day, hour int) time.Time { return time.Date(2026, 11, day, hour, 0, 0, 0, pay.Beijing) }
	for _, tc := range []struct {
		name  string
		now   time.Time
		fault sim.Fault
		want  State
		retry time.Time
	}{
		{"the day is not over: nobody is asked", at(20, 23), sim.ServerError, NotReady, at(21, 10)},
		{"before ten there is no no", at(21, 9), sim.NoBill, NotReady, at(21, 10)},
		{"after ten there is", at(21, 10), sim.NoBill, NoBill, time.Time{}},
		{"overdue", at(21, 11), sim.NotReady, NotReady, at(21, 11).Add(10 * time.Minute)},
		{"early but there", at(21, 9), "", Ready, time.Time{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.now = tc.now
			b.sim.Inject(tc.fault, sim.Forever)
			r, err := b.fetch("v3")
			if err != nil || r.State != tc.want {
				t.Fatalf("%+v, %v; want %s", r, err, tc.want)
			}
			if tc.want == NotReady {
				b.wantFiles()
				if !r.RetryAt.Equal(tc.retry) {
					t.Errorf("retry at %s, want %s", r.RetryAt, tc.retry)
				}
			}
		})
	}
}

func TestFetchedAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first, err := b.fetch("v3")
	if err != nil {
		t.Fatal(err)
	}
	before := b.files()
	again, err := b.fetch("v3")
	if err != nil || !again.Unchanged || again.Path != first.Path {
		t.Fatalf("%+v, %v", again, err)
	}
	b.wantFiles(before...)

	// A kill between the bill and its note: the note comes with the next fetch.
	if err := os.Remove(first.NotePath); err != nil {
		t.Fatal(err)
	}
	if again, err = b.fetch("v3"); err != nil || !again.Unchanged {
		t.Fatalf("%+v, %v", again, err)
	}
	b.wantFiles(before...)
}

func TestDifferingBillIsKeptBeside(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	path := filepath.Join(b.dir, "wechat_1900000109_2026-11-20_trade_all.csv")
	if err := os.WriteFile(path, []byte("an earlier bill"), 0o600); err != nil {
		t.Fatal(err)
	}
	first, err := b.fetch("v3")
	if err != nil || first.Differs != path || first.Unchanged {
		t.Fatalf("%+v, %v", first, err)
	}
	files := b.files()
	if len(files) != 3 {
		t.Errorf("the folder has %q", files)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "an earlier bill" {
		t.Errorf("the earlier bill is now %q, %v", data, err)
	}
	again, err := b.fetch("v3")
	if err != nil || again.Path != first.Path || again.Differs != path || !again.Unchanged {
		t.Errorf("%+v, %v", again, err)
	}
	b.wantFiles(files...)
}

func TestNoBillMark(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.sim.Inject(sim.NoBill, 1)
	r, err := b.fetch("v3")
	if err != nil || r.State != NoBill {
		t.Fatalf("%+v, %v", r, err)
	}
	b.wantFiles("wechat_1900000109_2026-11-20_trade_all.json")
	// The channel finds one after all, and then loses it.
	if r, err = b.fetch("v3"); err != nil || r.State != Ready {
		t.Fatalf("%+v, %v", r, err)
	}
	b.wantFiles("wechat_1900000109_2026-11-20_trade_all.csv", "wechat_1900000109_2026-11-20_trade_all.json")
	b.sim.Inject(sim.NoBill, 1)
	if _, err = b.fetch("v3"); !errors.Is(err, ErrVanished) {
		t.Errorf("%v", err)
	}
}

// TestWrongBill: a bill of another merchant, day or type is signed and whole, and
// still does not land.
func TestWrongBill(t *testing.T) {
	t.Parallel()
	for name, day := range map[string]struct {
		opts generate.Options
		fund bool
		want string
	}{
		"another day":      {generate.Options{Date: "2026-11-19"}, false, "date"},
		"another merchant": {generate.Options{Date: testDate, Merchant: "1900000999"}, false, "merchant"},
		"another type":     {generate.Options{Date: testDate}, true, "type"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recorded := t.TempDir()
			paths := generate.Paths{Bill: filepath.Join(recorded, "wechat_1900000109_2026-11-20_trade_all.csv")}
			if day.fund {
				paths = generate.Paths{Fund: paths.Bill}
			}
			if _, err := generate.Files(t.Context(), day.opts, paths, false); err != nil {
				t.Fatal(err)
			}
			b := newBenchOf(t, sim.Options{Recorded: recorded})
			if _, err := b.fetch("v3"); !errors.Is(err, ErrWrongBill) || !strings.Contains(err.Error(), day.want+": ") {
				t.Errorf("%v", err)
			}
			b.wantFiles()
		})
	}
}

// TestHalfBillWithoutDigest: v2 announces no digest, and an answer may end early
// without an error.
func TestHalfBillWithoutDigest(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	whole := new(bytes.Buffer)
	if _, err := generate.Day(t.Context(), generate.Options{Date: testDate, Rows: 100}, generate.Outputs{Bill: whole}); err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(whole.Bytes(), []byte("\n"))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(bytes.Join(lines[:50], nil))
	}))
	t.Cleanup(server.Close)
	b.hosts = []string{server.URL}
	if _, err := b.fetch("v2"); !errors.Is(err, ErrWrongBill) || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("%v", err)
	}
	b.wantFiles()
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, req := range []Request{
		{Type: bill.AlipayTrade, Date: testDate},
		{Type: bill.TradeAll, Date: "2026-11"},
		{Type: bill.TradeAll, Date: "../../x"},
	} {
		req.Dir = b.dir
		if _, err := b.fetcher("v3").Fetch(t.Context(), req); !errors.Is(err, ErrRequest) {
			t.Errorf("%+v: %v", req, err)
		}
	}
	// What the channel refuses for good is asked once.
	f := b.fetcher("v3")
	opts := f.opts
	opts.Account.Serial = "another"
	f, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	var no *ChannelError
	if _, err := f.Fetch(t.Context(), b.request("v3", false)); !errors.As(err, &no) || no.Code != "SIGN_ERROR" || b.log.Len() != 0 {
		t.Errorf("%v; log %s", err, b.log.String())
	}
	b.wantFiles()
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	b := newBenchOf(t, sim.Options{Rows: longDay})
	b.sim.Inject(sim.Stall, sim.Forever)
	f := b.fetcher("v3")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error)
	go func() { _, err := f.Fetch(ctx, b.request("v3", false)); done <- err }()
	waitForPart(t, b.dir)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	b.wantFiles()
}
