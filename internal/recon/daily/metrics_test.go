package daily

import (
	"slices"
	"strings"
	"testing"
	"time"

	"paytool/internal/pay"
	"paytool/internal/recon"
	"paytool/internal/recon/ledger"
)

// TestMetricsText: the last day of an account counts, and a day that could not be
// reconciled has a status and no totals.
func TestMetricsText(t *testing.T) {
	t.Parallel()
	shop, kiosk := ledger.Book{Channel: "wechat", Account: "shop"}, ledger.Book{Channel: "alipay", Account: "kiosk"}
	result := func(ours pay.Fen) *recon.Result {
		return &recon.Result{Ours: recon.Total{Amount: ours}, Counts: map[recon.Class]int64{recon.AmountMismatch: 2}}
	}
	text := MetricsText([]Outcome{
		{Book: shop, Date: "2026-11-20", Status: Balanced, Result: result(5)},
		{Book: shop, Date: "2026-11-21", Status: Differences, Result: result(7), Overdue: 1},
		{Book: kiosk, Date: "2026-11-21", Status: NotReady},
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
	named := MetricNames()
	for _, line := range lines {
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, _, _ = strings.Cut(name, " ")
			if _, known := named[name]; !known {
				t.Errorf("MetricNames lacks %s", name)
			}
			delete(named, name)
		}
	}
	if len(named) > 0 {
		t.Errorf("not written: %v", named)
	}
	if strings.Contains(text, `paytool_recon_ours_fen{channel="alipay"`) {
		t.Error("a day without a result has a total")
	}
}
