package fetch

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"paytool/internal/bill"
	"paytool/internal/channel/sim"
	"paytool/internal/pay"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(runChild())
	}
	goleak.VerifyTestMain(m)
}

// testKeys are made once, and not in a child: they cost a second.
var testKeys = sync.OnceValue(func() sim.Keys {
	keys, err := sim.NewKeys()
	if err != nil {
		panic(err)
	}
	return keys
})

const testDate = "2026-11-20"

// longDay is a number of rows whose first half is more than gzip holds back.
const longDay = 2_000

// afterwards is a time at which the bills of testDate are built.
var afterwards = time.Date(2026, 11, 21, 12, 0, 0, 0, pay.Beijing)

// bench is a simulated channel, its two hosts and a folder for bills.
type bench struct {
	t     *testing.T
	sim   *sim.Sim
	hosts []string
	dir   string
	now   time.Time
	log   strings.Builder
	// patience is short only where a server is to fall silent: a loaded machine makes
	// others slow.
	patience time.Duration
}

func newBench(t *testing.T) *bench { return newBenchOf(t, sim.Options{Rows: 200}) }

func newBenchOf(t *testing.T, opts sim.Options) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir(), now: afterwards, patience: time.Minute}
	opts.Keys, opts.Now = testKeys(), func() time.Time { return b.now }
	b.sim = sim.New(opts)
	for host := range 2 {
		server := httptest.NewUnstartedServer(b.sim.Handler(host))
		server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
		server.Start()
		t.Cleanup(server.Close)
		b.hosts = append(b.hosts, server.URL)
	}
	return b
}

// accounts are the ways to ask, by name.
var accounts = sync.OnceValue(func() map[string]Account {
	return map[string]Account{
		"v3": {Channel: bill.WeChat, Merchant: sim.WeChatMerchant, Serial: sim.WeChatSerial,
			Keys: Keys{Private: testKeys().Merchant, Channel: &testKeys().Channel.PublicKey, ChannelID: sim.WeChatKeyID}},
		"v2":     {Channel: bill.WeChat, Protocol: V2, Merchant: sim.WeChatMerchant, AppID: sim.WeChatAppID, Keys: Keys{API: []byte(testKeys().API)}},
		"v2 md5": {Channel: bill.WeChat, Protocol: V2, SignType: MD5, Merchant: sim.WeChatMerchant, AppID: sim.WeChatAppID, Keys: Keys{API: []byte(testKeys().API)}},
		"alipay": {Channel: bill.Alipay, Merchant: sim.AlipayMerchant, AppID: sim.AlipayAppID,
			Keys: Keys{Private: testKeys().Merchant, Channel: &testKeys().Channel.PublicKey}},
	}
})

func (b *bench) fetcher(way string) *Fetcher {
	b.t.Helper()
	a := accounts()[way]
	a.Name, a.Hosts = "test", b.hosts
	client := &http.Client{Transport: &http.Transport{}}
	b.t.Cleanup(client.CloseIdleConnections)
	f, err := New(Options{
		Account: a, Client: client, Now: func() time.Time { return b.now }, Chance: func() float64 { return 0 },
		Log: slog.New(slog.NewTextHandler(&b.log, nil)), Patience: b.patience, Wait: time.Millisecond,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return f
}

func (b *bench) request(way string, fund bool) Request {
	types := map[bool]bill.Type{false: bill.TradeAll, true: bill.Fundflow}
	if way == "alipay" {
		types = map[bool]bill.Type{false: bill.AlipayTrade, true: bill.AlipayAccount}
	}
	return Request{Type: types[fund], Date: testDate, Dir: b.dir}
}

func (b *bench) fetch(way string) (Result, error) {
	return b.fetcher(way).Fetch(b.t.Context(), b.request(way, false))
}

// files are the names in the folder, hidden ones too.
func (b *bench) files() []string {
	b.t.Helper()
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func (b *bench) wantFiles(names ...string) {
	b.t.Helper()
	slices.Sort(names)
	if got := b.files(); !slices.Equal(got, names) {
		b.t.Errorf("the folder has %q, want %q", got, names)
	}
}

// waitForPart waits until part of a bill is on disk.
func waitForPart(t *testing.T, dir string) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for time.Now().Before(deadline) {
		parts, err := filepath.Glob(filepath.Join(dir, ".*.part"))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range parts {
			if info, err := os.Stat(p); err == nil && info.Size() > 0 {
				return
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("no part of the bill arrived within two minutes")
}
