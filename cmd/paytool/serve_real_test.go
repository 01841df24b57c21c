package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"paytool/internal/drill"
	"paytool/internal/sandbox"
)

// serve starts an instance on the bench's groups.
func (b *bench) serve(t *testing.T) *instance {
	t.Helper()
	return startInstance(t, "--config", b.config, "--listen", "127.0.0.1:0", "--drain", "0s")
}

// TestFailuresCostNoOrderOverHTTP fails a primary under load on two instances and
// wants every order.
func TestFailuresCostNoOrderOverHTTP(t *testing.T) {
	b := newBench(t, 4)
	one, two := b.serve(t), b.serve(t)
	for _, fault := range []struct {
		name         string
		inject, heal func()
	}{
		{"hang", func() { b.signal(1, syscall.SIGSTOP) }, func() { b.signal(1, syscall.SIGCONT) }},
		{"semisync", func() { b.sql(b.nodes(2, sandbox.RoleReplica), "STOP SLAVE IO_THREAD") },
			func() { b.sql(b.nodes(2, sandbox.RoleReplica), "START SLAVE IO_THREAD") }},
	} {
		t.Run(fault.name, func(t *testing.T) {
			ledger := filepath.Join(t.TempDir(), "run.jsonl")
			healed := make(chan struct{})
			timer := time.AfterFunc(2*time.Second, func() { // the load is real time, and so is its fault
				fault.inject()
				time.AfterFunc(3*time.Second, func() {
					fault.heal()
					close(healed)
				})
			})
			defer timer.Stop()
			var out, errOut bytes.Buffer
			status := run(t.Context(), []string{"load", "--url", one.url, "--url", two.url, "--rate", "100", "--for", "8s", "--ledger", ledger, "-o", "json"},
				strings.NewReader(""), &out, &errOut)
			<-healed
			var load drill.LoadResult
			if err := json.Unmarshal(out.Bytes(), &load); err != nil || status != exitDone || load.Attempted != 800 || load.Acked != 800 {
				t.Errorf("exit %d, %v, not every order was acknowledged: %s%s", status, err, out.String(), errOut.String())
			}
			(&bench{T: t, config: b.config, dir: b.dir}).verify(ledger)
		})
	}
	one.end(t)
	two.end(t)
}

// TestOldOrdersOfAFailedGroup: a replica still shows an order, what would change it is
// told at once to come again and which group it waits for, and new orders go on.
func TestOldOrdersOfAFailedGroup(t *testing.T) {
	b := newBench(t, 2)
	i := b.serve(t)
	ask := func(method, path, body string) (status int, answer map[string]any, header http.Header) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, i.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		got, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = got.Body.Close() }()
		text, err := io.ReadAll(got.Body)
		if err != nil || json.Unmarshal(text, &answer) != nil {
			t.Fatalf("%s %s: %v: %s", method, path, err, text)
		}
		return got.StatusCode, answer, got.Header
	}
	status, old, _ := ask("POST", "/v1/orders", `{"merchant_id":"m1","merchant_order_no":"old","amount_fen":1250}`)
	if status != http.StatusOK {
		t.Fatalf("create: %d %v", status, old)
	}
	group, path := int(old["group"].(float64)), "/v1/orders/"+fmt.Sprint(old["order_no"])

	b.signal(group, syscall.SIGSTOP)
	waitFor(t, "the group is ejected", func() bool {
		got, err := http.Get(i.url + "/metrics")
		if err != nil {
			return false
		}
		defer func() { _ = got.Body.Close() }()
		text, _ := io.ReadAll(got.Body)
		return strings.Contains(string(text), fmt.Sprintf("paytool_group_admitted{group=\"%d\"} 0", group))
	})
	if status, read, _ := ask("GET", path, ""); status != http.StatusOK || read["order_no"] != old["order_no"] {
		t.Errorf("get while the primary hangs: %d %v", status, read)
	}
	for _, update := range []struct{ path, body string }{
		{path + "/pay", `{"auth_code":"success"}`}, {path + "/revoke", ""}, {path + "/refunds", `{"refund_no":"R","amount_fen":1}`},
	} {
		status, refused, header := ask("POST", update.path, update.body)
		if status != http.StatusServiceUnavailable || refused["code"] != "group_down" || header.Get("Retry-After") != "1" ||
			!strings.Contains(fmt.Sprint(refused["message"]), fmt.Sprintf("group %d", group)) ||
			!strings.Contains(fmt.Sprint(refused["message"]), "it is out (hang)") { // known, and so not asked
			t.Errorf("%s: %d %v, Retry-After %q", update.path, status, refused, header.Get("Retry-After"))
		}
	}
	for n := range 4 {
		if status, o, _ := ask("POST", "/v1/orders", fmt.Sprintf(`{"merchant_id":"m1","merchant_order_no":"new-%d","amount_fen":1}`, n)); status != http.StatusOK || o["group"] == old["group"] {
			t.Errorf("a new order: %d %v", status, o)
		}
	}
	b.signal(group, syscall.SIGCONT)
	waitFor(t, "the order can be paid", func() bool {
		status, _, _ := ask("POST", path+"/pay", `{"auth_code":"success"}`)
		return status == http.StatusOK
	})
	i.end(t)
}
