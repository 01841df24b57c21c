package recon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paytool/internal/bill"
	"paytool/internal/pay"
)

// TestSamplesBalance: each complete real bill balances with entries that are derived
// from itself, and does not once a row is removed, changed or doubled.
func TestSamplesBalance(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("PAYTOOL_SAMPLES")
	if dir == "" {
		t.Skip("left out: PAYTOOL_SAMPLES names no folder of real bills")
	}
	for name, channel := range map[string]string{
		"wechat_trade_ALL_45rows.csv": bill.WeChat, "wechat_trade_ALL_3rows.csv": bill.WeChat, "wechat_trade_ALL_partial_refunds.csv": bill.WeChat,
		"wechat_trade_SUCCESS.csv": bill.WeChat, "wechat_trade_REFUND.csv": bill.WeChat, "wechat_trade_ALL_24col_refund_only_day.csv": bill.WeChat,
		"alipay_trade_detail_gb18030.csv": bill.Alipay, "unionpay_zm_20150905.zip": bill.UnionPay,
	} {
		path := filepath.Join(dir, name)
		rows, date := derive(t, path)
		opts := Options{Channel: channel, Date: date, CutWindow: time.Nanosecond}
		run := func(rows []string) *Result {
			t.Helper()
			ours := filepath.Join(t.TempDir(), "ours.csv")
			text := "kind,order_no,refund_no,amount_fen,state,time\n" + strings.Join(rows, "\n")
			if err := os.WriteFile(ours, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			res, err := Run(context.Background(), opts, Books{Trade: []BillBook{&BillFile{Path: path}}, Ours: &OurFile{Path: ours}})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			return res
		}
		if res := run(rows); !res.Balanced || res.Theirs.Amount != res.Ours.Amount || res.Matched != int64(len(rows)) {
			t.Errorf("%s: %+v", name, res)
		}
		changed := append([]string{strings.Replace(rows[0], ",1", ",91", 1)}, rows[1:]...)
		for what, c := range map[string]struct {
			rows []string
			want Class
		}{
			"removed": {rows[1:], MissingInOurs}, "doubled": {append(rows[:1:1], rows...), DuplicateInOurs}, "changed": {changed, ""},
		} {
			res := run(c.rows)
			if res.Balanced || len(res.Differences) > 2 || c.want != "" && res.Counts[c.want] != 1 {
				t.Errorf("%s, a row %s: %v", name, what, found(res.Differences))
			}
		}
	}
}

// derive makes entries of ours from a bill.
func derive(t *testing.T, path string) (rows []string, date string) {
	t.Helper()
	r, err := bill.Open(path, bill.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	var row bill.Row
	for {
		switch err := r.Next(&row); {
		case errors.Is(err, io.EOF):
			return rows, r.Report().BillDate
		case err != nil:
			t.Fatal(err)
		}
		state := map[pay.EntryKind]string{pay.EntryPay: "paid", pay.EntryRefund: "done", pay.EntryRevoke: "revoked"}[row.Kind]
		rows = append(rows, fmt.Sprintf("%s,%s,%s,%d,%s,%s", row.Kind, row.OrderNo, row.RefundNo, row.Amount, state, row.Time.Format(time.RFC3339)))
	}
}
