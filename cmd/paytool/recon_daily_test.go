package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"paytool/internal/bill"
	"paytool/internal/bill/generate"
	"paytool/internal/channel/sim"
	"paytool/internal/pay"
)

// morning is a shop with accounts at the simulated channel.
type morning struct {
	t      *testing.T
	config string
	ledger string
	bills  string
}

func newMorning(t *testing.T, simArgs ...string) *morning {
	t.Helper()
	dir := t.TempDir()
	return &morning{
		t: t, config: startChannelSim(t, append([]string{"--seed", "1"}, simArgs...)...),
		ledger: filepath.Join(dir, "ledger"), bills: filepath.Join(dir, "bills"),
	}
}

// day is a day in Beijing, so many days ago.
func (m *morning) day(ago int) string {
	return time.Now().In(pay.Beijing).AddDate(0, 0, -ago).Format(time.DateOnly)
}

// ours are the entries that agree with the simulator's bill of a day.
func (m *morning) ours(channel, date string) string {
	m.t.Helper()
	merchant := sim.WeChatMerchant
	if channel == bill.Alipay {
		merchant = sim.AlipayMerchant
	}
	number, err := strconv.ParseUint(strings.ReplaceAll(date, "-", ""), 10, 64)
	if err != nil {
		m.t.Fatal(err)
	}
	path := filepath.Join(m.t.TempDir(), "ours.csv")
	f, err := os.Create(path)
	if err != nil {
		m.t.Fatal(err)
	}
	opts := generate.Options{Channel: channel, Date: date, Merchant: merchant, Rows: 50, Seed: 1<<32 | number, Refunds: 0.05, Revokes: 0.01}
	if _, err := generate.Day(context.Background(), opts, generate.Outputs{Ours: f}); err != nil {
		m.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		m.t.Fatal(err)
	}
	return path
}

func (m *morning) recon(args ...string) (status int, out, errOut string) {
	m.t.Helper()
	var stdout, stderr strings.Builder
	args = append([]string{"recon"}, args...)
	status = run(m.t.Context(), append(args, "--config", m.config, "--ledger", m.ledger), nil, &stdout, &stderr)
	return status, stdout.String(), stderr.String()
}

func (m *morning) run(account, channel, date string, args ...string) (status int, out, errOut string) {
	m.t.Helper()
	return m.recon(append([]string{"run", "--account", account, "--date", date, "--bills", m.bills, "--ours", m.ours(channel, date)}, args...)...)
}

// TestMorning: bills are fetched, days follow one another, a day that is done is not
// fetched again, and status knows what is missing.
func TestMorning(t *testing.T) {
	t.Parallel()
	m := newMorning(t)
	for _, ago := range []int{3, 2} {
		for account, channel := range map[string]string{"wechat": bill.WeChat, "alipay": bill.Alipay} {
			if status, out, errOut := m.run(account, channel, m.day(ago)); status != exitDone || !strings.Contains(out, "balanced") {
				t.Fatalf("%s %s: %d\n%s%s", account, m.day(ago), status, out, errOut)
			}
		}
	}
	status, out, _ := m.recon("status", "--days", "4", "-o", "json")
	var survey reconSurvey
	if err := json.Unmarshal([]byte(out), &survey); err != nil || status != 3 {
		t.Fatalf("%d, %v\n%s", status, err, out)
	}
	standings := map[string]int{}
	for _, d := range survey.Days {
		if d.Account != "wechat_v2" {
			standings[string(d.Standing)]++
		}
	}
	if standings["balanced"] != 4 || standings["missing"] != 2 {
		t.Errorf("%v\n%s", standings, out)
	}
	reports := t.TempDir()
	status, out, errOut := m.run("wechat", bill.WeChat, m.day(1), "--reports", reports, "--metrics", filepath.Join(reports, "recon.prom"), "-o", "json")
	if status != exitDone || !strings.Contains(out, `"status": "balanced"`) {
		t.Fatalf("yesterday: %d\n%s%s", status, out, errOut)
	}
	for _, name := range []string{"recon.prom", "recon_wechat_wechat_" + m.day(1) + ".xlsx", "recon_wechat_wechat_" + m.day(1) + ".html"} {
		if info, err := os.Stat(filepath.Join(reports, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if status, _, errOut := m.run("wechat", bill.WeChat, m.day(1)); status != exitDone || !strings.Contains(errOut, "nothing changed") {
		t.Errorf("once more: %d %s", status, errOut)
	}
}

// TestMorningWaits: a bill that is not ready is 3, the days after it wait, and nothing
// is recorded.
func TestMorningWaits(t *testing.T) {
	t.Parallel()
	m := newMorning(t, "--fault", "not_ready=1")
	status, out, errOut := m.recon("run", "--account", "wechat", "--from", m.day(3), "--bills", m.bills, "--ours", "db", "-o", "json")
	var told struct {
		Days []struct{ Status, Error string }
		Exit int
	}
	if err := json.Unmarshal([]byte(out), &told); err != nil || status != 3 || told.Exit != 3 || len(told.Days) != 3 {
		t.Fatalf("%d, %v\n%s%s", status, err, out, errOut)
	}
	if told.Days[0].Status != "not_ready" || told.Days[1].Status != "waiting" || told.Days[2].Status != "waiting" {
		t.Errorf("%+v", told.Days)
	}
	if status, out, errOut := m.run("wechat", bill.WeChat, m.day(3)); status != exitDone {
		t.Errorf("later: %d\n%s%s", status, out, errOut)
	}
}
