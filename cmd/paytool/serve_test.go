package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"paytool/internal/api/client"
	"paytool/internal/drill"
	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/store/embedded"
)

// serving is embedded groups that outlive the engines on them.
func serving(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "shop")
	set, err := embedded.Open(t.Context(), embedded.Options{Dir: dir, Groups: 3, Sync: embedded.Normal})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := set.Close(); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// instance is one `paytool serve` in this process.
type instance struct {
	url   string
	stop  context.CancelFunc // as SIGTERM does
	ended chan int           // its exit status
}

func startInstance(t *testing.T, args ...string) *instance {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	i := &instance{stop: stop, ended: make(chan int, 1)}
	r, w := io.Pipe()
	go func() {
		i.ended <- run(ctx, append([]string{"serve"}, args...), strings.NewReader(""), io.Discard, w)
		_ = w.Close()
	}()
	urls := make(chan string, 1)
	var said strings.Builder
	var mu sync.Mutex
	go func() {
		for lines := bufio.NewScanner(r); lines.Scan(); {
			mu.Lock()
			_, _ = fmt.Fprintln(&said, lines.Text())
			mu.Unlock()
			if _, url, ok := strings.Cut(lines.Text(), "serving on "); ok {
				urls <- url
			}
		}
	}()
	t.Cleanup(stop)
	select {
	case i.url = <-urls:
	case <-time.After(30 * time.Second):
		mu.Lock()
		defer mu.Unlock()
		t.Fatalf("no engine after half a minute:\n%s", said.String())
	}
	return i
}

// end stops the instance and wants a clean exit.
func (i *instance) end(t *testing.T) {
	t.Helper()
	i.stop()
	select {
	case status := <-i.ended:
		if status != exitDone {
			t.Errorf("it ended with %d", status)
		}
	case <-time.After(time.Minute):
		t.Error("it did not end")
	}
}

// freePort is a port that is free now and stays the same over restarts.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// verifyLedger demands that a ledger is proven in full, and that no number was given
// to two keys.
func verifyLedger(t *testing.T, dir, ledger string) {
	t.Helper()
	var out, errOut strings.Builder
	status := run(t.Context(), []string{"order", "verify", "--dir", dir, "--ledger", ledger, "-o", "json"}, strings.NewReader(""), &out, &errOut)
	var v drill.Verify
	if err := json.Unmarshal([]byte(out.String()), &v); err != nil || status != exitDone || !v.OK || v.Acked == 0 || v.Found != v.Acked {
		t.Errorf("verify ended with %d: %v\n%s\n%s", status, err, out.String(), errOut.String())
	}
	f, err := os.Open(ledger)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	written, err := drill.ReadLedger(f, ledger)
	if err != nil {
		t.Fatal(err)
	}
	given := map[pay.OrderNo]string{}
	for key, intent := range written.Intents {
		for _, ack := range intent.Acks {
			if other, twice := given[ack.No]; twice {
				t.Errorf("number %s was given to %s and to %s", ack.No, other, key)
			}
			given[ack.No] = key
		}
	}
}

// unanswered counts creates to which no instance gave any answer. That a group was too
// slow is an answer.
type unanswered struct {
	*client.Client
	count atomic.Int64
}

func (u *unanswered) Create(ctx context.Context, r order.Request) (order.Order, error) {
	o, err := u.Client.Create(ctx, r)
	var refused *order.Error
	ended := ctx.Err() != nil                                     // the load is over: its client has gone away
	if !ended && errors.As(err, &refused) && refused.Err != nil { // it never came, or the connection broke
		u.count.Add(1)
	}
	return o, err
}

// TestRollingRestart stops and starts one of two instances after the other under load.
// The client goes elsewhere only where a connection is refused; no request of its may
// be left without an answer.
func TestRollingRestart(t *testing.T) {
	dir := serving(t)
	ports := []string{freePort(t), freePort(t)}
	instances := make([]*instance, len(ports))
	start := func(i int) {
		instances[i] = startInstance(t, "--dir", dir, "--listen", ports[i], "--drain", "300ms")
	}
	start(0)
	start(1)
	c, err := client.New(client.Options{URLs: []string{instances[0].url, instances[1].url}, Clock: order.System{}, Patience: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	once := &unanswered{Client: c}
	var done sync.WaitGroup
	ctx, enough := context.WithCancel(t.Context())
	var result drill.LoadResult
	done.Go(func() {
		result, _ = drill.Load(ctx, once, order.System{}, drill.LoadOptions{Rate: 60, For: time.Hour, Shadow: true, RunID: "roll", Seed: 1})
	})
	for i := range ports {
		instances[i].end(t)
		start(i)
	}
	enough()
	done.Wait()
	if lost := once.count.Load(); result.Acked == 0 || lost != 0 {
		t.Errorf("%d requests were left without an answer: %+v", lost, result)
	}
	for _, i := range instances {
		i.end(t)
	}
}

// TestKilledInstance kills one of two instances under load, again and again, and wants
// every acknowledged order once and no number given twice.
func TestKilledInstance(t *testing.T) {
	dir := serving(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "paytool") // by this name the test binary is the program
	if err := os.Symlink(self, binary); err != nil {
		t.Fatal(err)
	}
	steady := startInstance(t, "--dir", dir, "--listen", "127.0.0.1:0", "--drain", "0s")
	port := freePort(t)
	c, err := client.New(client.Options{URLs: []string{steady.url, "http://" + port}, Clock: order.System{}, Patience: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	opts := drill.LoadOptions{Rate: 60, For: time.Hour, Shadow: true, RunID: "kill", Seed: 1}
	ledger := filepath.Join(t.TempDir(), "run.jsonl")
	if opts.Ledger, err = drill.CreateLedger(ledger, opts.LedgerHeader(time.Now())); err != nil {
		t.Fatal(err)
	}
	var result drill.LoadResult
	var done sync.WaitGroup
	ctx, enough := context.WithCancel(t.Context())
	done.Go(func() { result, _ = drill.Load(ctx, c, order.System{}, opts) })
	for range 10 {
		cmd := exec.CommandContext(t.Context(), binary, "serve", "--dir", dir, "--listen", port)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		createsAt(t, "http://"+port, 5)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed
	}
	enough()
	done.Wait()
	if err := opts.Ledger.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", result)
	verifyLedger(t, dir, ledger)
	steady.end(t)
}

// createsAt waits until an instance has answered that many creates.
func createsAt(t *testing.T, url string, n int) {
	t.Helper()
	waitFor(t, fmt.Sprintf("%d creates at %s", n, url), func() bool {
		got, err := http.Get(url + "/metrics")
		if err != nil {
			return false
		}
		defer func() { _ = got.Body.Close() }()
		text, err := io.ReadAll(got.Body)
		_, after, ok := strings.Cut(string(text), "\npaytool_create_seconds_count ")
		count := 0
		_, scanErr := fmt.Sscan(after, &count)
		return err == nil && ok && scanErr == nil && count >= n
	})
}

// waitFor asks until a condition holds.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for tick := time.NewTicker(20 * time.Millisecond); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after a minute", what)
		}
	}
}

// TestServeBeyondThisMachine: with a token and TLS, and never without either.
func TestServeBeyondThisMachine(t *testing.T) {
	dir := serving(t)
	files := t.TempDir()
	tokens, cert, key := filepath.Join(files, "tokens"), filepath.Join(files, "cert.pem"), filepath.Join(files, "key.pem")
	if err := os.WriteFile(tokens, []byte("0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	pool := selfSigned(t, cert, key)
	for _, args := range [][]string{
		{"--listen", "0.0.0.0:0"}, {"--listen", ":0", "--token-file", tokens}, {"--listen", "[::]:0", "--tls-cert", cert, "--tls-key", key},
		{"--tls-cert", cert}, {"--drain", "-1s"},
	} {
		var errOut strings.Builder
		if status := run(t.Context(), append([]string{"serve", "--dir", dir}, args...), strings.NewReader(""), io.Discard, &errOut); status != exitUsage {
			t.Errorf("serve %v: exit %d: %s", args, status, errOut.String())
		}
	}
	i := startInstance(t, "--dir", dir, "--listen", "0.0.0.0:0", "--token-file", tokens, "--tls-cert", cert, "--tls-key", key, "--drain", "0s")
	_, port, _ := strings.Cut(strings.TrimPrefix(i.url, "https://["), "]:")
	if port == "" {
		_, port, _ = strings.Cut(strings.TrimPrefix(i.url, "https://"), ":")
	}
	h := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	defer h.CloseIdleConnections()
	for token, want := range map[string]int{"": http.StatusUnauthorized, "0123456789abcdef": http.StatusOK} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://127.0.0.1:"+port+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		got, err := h.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = got.Body.Close()
		if got.StatusCode != want {
			t.Errorf("token %q got %d, want %d", token, got.StatusCode, want)
		}
	}
	i.end(t)
}

// selfSigned writes a certificate for 127.0.0.1 and its key.
func selfSigned(t *testing.T, cert, key string) *x509.CertPool {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		text := pem.EncodeToMemory(block)
		pool.AppendCertsFromPEM(text)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return pool
}

// TestLimitsLive: a limit that is set is in force within a second on every instance,
// and gone as soon when it is cleared.
func TestLimitsLive(t *testing.T) {
	dir := serving(t)
	instances := []*instance{
		startInstance(t, "--dir", dir, "--listen", "127.0.0.1:0", "--drain", "0s"),
		startInstance(t, "--dir", dir, "--listen", "127.0.0.1:0", "--drain", "0s"),
	}
	change := func(args ...string) {
		t.Helper()
		var out, errOut strings.Builder
		if status := run(t.Context(), append(append([]string{"limit"}, args...), "--dir", dir, "--reason", "test", "--by", "ann"), strings.NewReader(""), &out, &errOut); status != exitDone {
			t.Fatalf("limit %v: exit %d: %s", args, status, errOut.String())
		}
	}
	tries := 0
	status := func(i *instance, merchant string) int {
		tries++
		body := fmt.Sprintf(`{"merchant_id":%q,"merchant_order_no":"L-%d","amount_fen":1}`, merchant, tries)
		got, err := http.Post(i.url+"/v1/orders", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = got.Body.Close() }()
		return got.StatusCode
	}
	change("set", "--merchant", "m1", "--rate", "0")
	for _, i := range instances {
		waitFor(t, "m1 is limited", func() bool { return status(i, "m1") == http.StatusTooManyRequests })
		if got := status(i, "m2"); got == http.StatusTooManyRequests {
			t.Errorf("another merchant got %d", got)
		}
	}
	change("clear", "--merchant", "m1")
	for _, i := range instances {
		waitFor(t, "m1 is free", func() bool { return status(i, "m1") == http.StatusOK })
	}
	var out strings.Builder
	if status := run(t.Context(), []string{"limit", "list", "--merchant", "m1", "--history", "--dir", dir, "-o", "json"}, strings.NewReader(""), &out, io.Discard); status != exitDone ||
		!strings.Contains(out.String(), `"cleared": true`) || !strings.Contains(out.String(), `"version": 2`) || !strings.Contains(out.String(), `"version": 1`) || !strings.Contains(out.String(), `"by": "ann"`) {
		t.Errorf("limit list: exit %d: %s", status, out.String())
	}
	for _, i := range instances {
		i.end(t)
	}
}
