package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"paytool/internal/pay"
	"paytool/internal/recon"
	"paytool/internal/recon/daily"
	"paytool/internal/recon/ledger"
)

// TestReconDays: days are Beijing's, whatever the machine's zone says.
func TestReconDays(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 17, 0, 0, 0, time.UTC) // the 23rd, 01:00, in Beijing
	for _, tc := range []struct {
		o    reconRunOptions
		want string
	}{
		{reconRunOptions{date: "yesterday"}, "2026-11-22"},
		{reconRunOptions{date: "2026-11-20"}, "2026-11-20"},
		{reconRunOptions{from: "2026-11-20"}, "2026-11-20 2026-11-21 2026-11-22"},
		{reconRunOptions{from: "2026-02-28", to: "2026-03-01"}, "2026-02-28 2026-03-01"},
		{reconRunOptions{from: "yesterday", to: "yesterday"}, "2026-11-22"},
		{reconRunOptions{from: "2026-11-20", to: "2026-11-19"}, "--to"},
		{reconRunOptions{date: "20261120"}, "--date"},
		{reconRunOptions{from: "x"}, "--from"},
		{reconRunOptions{from: "2026-11-20", to: "x"}, "--to"},
		{reconRunOptions{from: "2016-11-20"}, "more than"},
	} {
		days, err := tc.o.days(now)
		if err != nil {
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%+v: %v", tc.o, err)
			}
			continue
		}
		if got := strings.Join(days, " "); got != tc.want {
			t.Errorf("%+v: %s, want %s", tc.o, got, tc.want)
		}
	}
}

// TestMetricsText: the last day of an account counts, and a day that could not be
// reconciled has a status and no totals.
func TestMetricsText(t *testing.T) {
	t.Parallel()
	shop, kiosk := ledger.Book{Channel: "wechat", Account: "shop"}, ledger.Book{Channel: "alipay", Account: "kiosk"}
	result := func(ours pay.Fen) *recon.Result {
		return &recon.Result{Ours: recon.Total{Amount: ours}, Counts: map[recon.Class]int64{recon.AmountMismatch: 2}}
	}
	text := metricsText([]daily.Outcome{
		{Book: shop, Date: "2026-11-20", Status: daily.Balanced, Result: result(5)},
		{Book: shop, Date: "2026-11-21", Status: daily.Differences, Result: result(7), Overdue: 1},
		{Book: kiosk, Date: "2026-11-21", Status: daily.NotReady},
	}, ledger.Buckets{Beyond: ledger.AgeTotal{Rows: 3}}, time.Unix(1_800_000_000, 0))
	lines := strings.Split(text, "\n")
	for _, want := range []string{
		`paytool_recon_exit_status{channel="wechat",account="shop"} 2`,
		`paytool_recon_exit_status{channel="alipay",account="kiosk"} 3`,
		`paytool_recon_ours_fen{channel="wechat",account="shop"} 7`,
		`paytool_recon_differences{channel="wechat",account="shop"} 2`,
		`paytool_recon_open{up_to_days="older"} 3`,
		`paytool_recon_last_run_timestamp_seconds 1800000000`,
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("%s is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, `paytool_recon_ours_fen{channel="alipay"`) {
		t.Error("a day without a result has a total")
	}
}
