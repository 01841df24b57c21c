package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// startChannelSim runs `paytool channel sim` and returns the config that it wrote.
func startChannelSim(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	done := make(chan int, 1)
	dir := t.TempDir()
	go func() {
		status := run(ctx, append([]string{"channel", "sim", "--dir", dir, "--rows", "50", "-o", "json"}, args...), nil, in, io.Discard)
		_ = in.Close()
		done <- status
	}()
	t.Cleanup(func() {
		cancel()
		if status := <-done; status != exitDone {
			t.Errorf("channel sim ended with %d", status)
		}
	})
	var started struct{ Config string }
	if err := json.NewDecoder(out).Decode(&started); err != nil {
		t.Fatal("channel sim did not start:", err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // until the command closes it
	return started.Config
}

// billFetch runs `paytool bill fetch` on the day before yesterday.
func billFetch(t *testing.T, config, dir string, args ...string) (status int, out, errOut string) {
	t.Helper()
	var stdout, stderr strings.Builder
	date := time.Now().Add(-48 * time.Hour).Format(time.DateOnly)
	status = run(t.Context(), append([]string{"bill", "fetch", "--config", config, "--date", date, "--out", dir}, args...), nil, &stdout, &stderr)
	return status, stdout.String(), stderr.String()
}

func TestBillFetchFromChannelSim(t *testing.T) {
	t.Parallel()
	config := startChannelSim(t)
	dir := t.TempDir()
	for _, account := range []string{"wechat", "wechat_v2", "alipay"} {
		for _, kind := range []string{"trade", "fund"} {
			status, out, errOut := billFetch(t, config, filepath.Join(dir, account), "--account", account, "--type", kind, "-o", "json")
			var r struct{ State, Path string }
			if status != exitDone || json.Unmarshal([]byte(out), &r) != nil || r.State != "ready" {
				t.Fatalf("%s %s: %d\n%s%s", account, kind, status, out, errOut)
			}
			var inspected strings.Builder
			if status := run(t.Context(), []string{"bill", "inspect", r.Path}, nil, &inspected, &inspected); status != exitDone {
				t.Errorf("%s: %s", r.Path, &inspected)
			}
		}
	}
	status, out, _ := billFetch(t, config, filepath.Join(dir, "wechat"), "--account", "wechat")
	if status != exitDone || !strings.Contains(out, "unchanged") {
		t.Errorf("fetched again: %d %s", status, out)
	}
	// The other protocol has the same bill under the same name.
	if status, out, _ := billFetch(t, config, filepath.Join(dir, "wechat"), "--account", "wechat_v2"); status != exitDone || !strings.Contains(out, "unchanged") {
		t.Errorf("fetched over v2: %d %s", status, out)
	}
}

func TestBillFetchStatuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		fault, account string
		args           []string
		status         int
		words          string
	}{
		{"not_ready", "wechat", nil, exitNotReady, "not ready"},
		{"no_bill", "alipay", nil, exitDone, "no bill"},
		{"wrong_signature", "wechat", nil, exitFailed, "signature"},
		{"", "wechat", []string{"--type", "alipay_trade"}, exitUsage, "trade_refund"},
		{"", "wechat", []string{"--date", "yesterday"}, exitUsage, "want a day"},
		{"", "nobody", nil, exitUsage, "wechat, wechat_v2, alipay"},
	} {
		t.Run(tc.fault+tc.account+strings.Join(tc.args, ""), func(t *testing.T) {
			t.Parallel()
			var faults []string
			if tc.fault != "" {
				faults = []string{"--fault", tc.fault}
			}
			config := startChannelSim(t, faults...)
			status, out, errOut := billFetch(t, config, t.TempDir(), append([]string{"--account", tc.account}, tc.args...)...)
			if status != tc.status || !strings.Contains(out+errOut, tc.words) {
				t.Errorf("%d\n%s%s\nwant %d and %q", status, out, errOut, tc.status, tc.words)
			}
		})
	}
}

// TestBillFetchDiffers: another bill of the same day fails, and both are there.
func TestBillFetchDiffers(t *testing.T) {
	t.Parallel()
	config := startChannelSim(t)
	dir := t.TempDir()
	if status, out, errOut := billFetch(t, config, dir, "--account", "wechat"); status != exitDone {
		t.Fatalf("%d %s%s", status, out, errOut)
	}
	other := startChannelSim(t, "--seed", "9")
	status, _, errOut := billFetch(t, other, dir, "--account", "wechat")
	if status != exitFailed || !strings.Contains(errOut, "paytool bill diff") {
		t.Errorf("%d %s", status, errOut)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 4 {
		t.Errorf("%v, %v; want two bills and two notes", files, err)
	}
}

// TestBillFetchKeyThatOthersRead: a key with loose permissions is not used.
func TestBillFetchKeyThatOthersRead(t *testing.T) {
	t.Parallel()
	config := startChannelSim(t)
	if err := os.Chmod(filepath.Join(filepath.Dir(config), "merchant_key.pem"), 0o644); err != nil {
		t.Fatal(err)
	}
	status, _, errOut := billFetch(t, config, t.TempDir(), "--account", "wechat")
	if status != exitFailed || !strings.Contains(errOut, "chmod 600") {
		t.Errorf("%d %s", status, errOut)
	}
}
