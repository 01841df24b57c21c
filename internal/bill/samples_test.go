package bill

import (
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"paytool/internal/pay"
)

// samplesDir is a folder of real bills, which are not part of the project.
func samplesDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("PAYTOOL_SAMPLES")
	if dir == "" {
		t.Skip("left out: PAYTOOL_SAMPLES names no folder of real bills")
	}
	return dir
}

// TestSamples holds what is known of each real bill against what is read.
func TestSamples(t *testing.T) {
	t.Parallel()
	dir := samplesDir(t)
	for _, c := range []struct {
		file          string
		opts          Options
		kind          Type
		generation    string
		columns       int
		kinds, amount PerKind
		feeE5         FeeE5
		date          string
		footer        map[string]string // some of it
	}{
		{"wechat_trade_ALL_45rows.csv", Options{Merchant: "1921000401", Date: "2019-02-19", Type: TradeAll}, TradeAll, Current, 27,
			PerKind{Pay: 31, Refund: 14}, PerKind{Pay: 47, Refund: 14}, 8000, "2019-02-19", map[string]string{"总交易单数": "45.0", "手续费总金额": "0.08", "申请退款总金额": "0.14"}},
		{"wechat_trade_ALL_3rows.csv", Options{SHA1: "dcd7ceb3d382a1181798368bb15d8437de46c00f", Merchant: "1601959334", Date: "2021-01-28"}, TradeAll, Current, 27,
			PerKind{Pay: 3}, PerKind{Pay: 3}, 0, "2021-01-28", map[string]string{"总交易单数": "3", "订单总金额": "0.03"}},
		{"wechat_trade_ALL_partial_refunds.csv", Options{}, TradeAll, Current, 27,
			PerKind{Pay: 1, Refund: 2}, PerKind{Pay: 2, Refund: 2}, 0, "2024-01-16", map[string]string{"总交易单数": "3"}},
		{"wechat_trade_SUCCESS.csv", Options{}, TradeSuccess, Current, 20, PerKind{Pay: 1}, PerKind{Pay: 1}, 0, "2021-02-01", map[string]string{"总交易单数": "1"}},
		{"wechat_trade_REFUND.csv", Options{Date: "2021-02-01"}, TradeRefund, Current, 29, PerKind{Refund: 2}, PerKind{Refund: 2}, 0, "2021-02-01", map[string]string{"退款总金额": "0.02"}},
		{"wechat_trade_ALL_24col_refund_only_day.csv", Options{Merchant: "1511458511"}, TradeAll, Old, 24,
			PerKind{Refund: 3}, PerKind{Refund: 3}, 0, "2018-08-21", map[string]string{"总企业红包退款金额": "0.00"}},
		{"alipay_signcustomer_month.zip", Options{Merchant: "2088202991815014", Date: "2021-11"}, AlipayAccount, Current, 12,
			PerKind{In: 6, Out: 6}, PerKind{In: 2513356, Out: 2513356}, 0, "2021-11", map[string]string{"支出合计金额": "-25133.56", "收入合计笔数": "6"}},
		{"alipay_trade_detail_gb18030.csv", Options{Merchant: "2088021109625633", Date: "2019-09-16"}, AlipayTrade, Current, 25,
			PerKind{Pay: 6, Refund: 4}, PerKind{Pay: 6, Refund: 4}, 0, "2019-09-16", map[string]string{"交易合计商家实收": "0.06", "退款合计商家实收退款": "-0.04"}},
		{"unionpay_zm_20150905.zip", Options{Merchant: "802310048993424", Date: "2015-09-05"}, UnionpayZM, Current, 42,
			PerKind{Pay: 8}, PerKind{Pay: 1322700}, 7936000, "2015-09-05", map[string]string{"交易金额贷": "13227.00", "费用借": "79.36", "资金清算差额贷": "13147.64"}},
	} {
		r, err := Inspect(context.Background(), filepath.Join(dir, c.file), nil, c.opts)
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		if !r.OK() || len(r.Findings) > 0 {
			t.Errorf("%s: findings %v, rejected %v", c.file, r.Findings, r.Rejected)
		}
		if r.Type != c.kind || r.Generation != c.generation || r.Columns != c.columns || r.BillDate != c.date {
			t.Errorf("%s: %s, %s, %d columns, %s", c.file, r.Type, r.Generation, r.Columns, r.BillDate)
		}
		if r.Kinds != c.kinds || r.AmountFen != c.amount || r.FeeE5 != c.feeE5 {
			t.Errorf("%s: kinds %+v, amounts %+v, fee %d", c.file, r.Kinds, r.AmountFen, r.FeeE5)
		}
		some := maps.Clone(r.Footer)
		maps.DeleteFunc(some, func(name, _ string) bool { return c.footer[name] == "" })
		if !maps.Equal(some, c.footer) {
			t.Errorf("%s: footer %v: want %v", c.file, r.Footer, c.footer)
		}
	}
}

// TestSamplesRefused: what cannot be trusted is said to be so.
func TestSamplesRefused(t *testing.T) {
	t.Parallel()
	dir := samplesDir(t)
	sandbox, err := Inspect(context.Background(), filepath.Join(dir, "wechat_trade_ALL_sandbox_broken.csv"), nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if sandbox.OK() || len(sandbox.Rejected) != 7 || sandbox.Rows != 7 || sandbox.Findings[0].Check != CheckSpreadsheet {
		t.Errorf("sandbox: rejected %v, findings %v", sandbox.Rejected, sandbox.Findings)
	}
	for i, want := range []string{"rounded", "rounded", "25 fields", "rounded", "25 fields", "rounded", "backtick"} {
		if got := sandbox.Rejected[i]; got.Line != i+2 || !strings.Contains(got.Reason, want) {
			t.Errorf("sandbox line %d: %v: want %q", i+2, got, want)
		}
	}
	fund, err := Inspect(context.Background(), filepath.Join(dir, "wechat_fundflow_fullwidth_header.csv"), nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if fund.Type != Fundflow || fund.Columns != 11 || fund.Kinds != (PerKind{Out: 1}) || fund.Footer["资金流水总笔数"] != "20.0" {
		t.Errorf("fund bill: %s, %d columns, kinds %+v, footer %v", fund.Type, fund.Columns, fund.Kinds, fund.Footer)
	}
	if fund.FooterOK || len(fund.Rejected) > 0 {
		t.Error("the documentation's example has one of its 20 rows: its footer must not be proven")
	}
	if r := refusalOf(t, filepath.Join(dir, "SOURCES.md")); r.Code != RefusedUnknown {
		t.Errorf("a text: %v", r)
	}
}

func refusalOf(t *testing.T, path string) *RefusedError {
	t.Helper()
	_, err := Open(path, Options{})
	var refused *RefusedError
	if !errors.As(err, &refused) {
		t.Fatalf("error %v: want a RefusedError", err)
	}
	return refused
}

// TestSamplesRows looks at single rows of the real bills.
func TestSamplesRows(t *testing.T) {
	t.Parallel()
	dir := samplesDir(t)
	for _, c := range []struct {
		file               string
		row                int // of all rows, from 0
		kind               pay.EntryKind
		order, refund      string
		trade, backID      string
		amount             pay.Fen
		when, state, title string
	}{
		{"wechat_trade_ALL_partial_refunds.csv", 1, pay.EntryRefund, "1747268229775183872", "R1747268742516264960",
			"4200002086202401160745964084", "50303108562024011601487282563", 1, "2024-01-16 22:45:16", "SUCCESS", "测试支付4"},
		{"wechat_trade_ALL_partial_refunds.csv", 2, pay.EntryRefund, "1747268229775183872", "R1747275041228390400",
			"4200002086202401160745964084", "50303108562024011683774350275", 1, "2024-01-16 23:10:18", "SUCCESS", "测试支付4"},
		{"wechat_trade_REFUND.csv", 0, pay.EntryRefund, "S20210124161554311546", "S20210201143320649393",
			"4200000844202101245866928772", "50300807172021020106006664916", 1, "2021-02-01 14:33:21", "SUCCESS", "for testing"},
		{"alipay_trade_detail_gb18030.csv", 1, pay.EntryRefund, "service_1568601259302", "re_test_1568602607356",
			"2019091622001458860515315453", "", 1, "2019-09-16 10:56:48", "退款", "下单测试"},
		{"alipay_signcustomer_month.zip", 1, Out, "16360247938202991815014", "", "2021110422001415011402609363", "", 9700, "2021-11-04 19:20:03", "在线支付", "收钱码收款"},
		{"unionpay_zm_20150905.zip", 0, pay.EntryPay, "10078087", "", "201509061122031906248", "", 476800, "2015-09-06 11:22:03", "S56", ""},
	} {
		row := nthRow(t, filepath.Join(dir, c.file), c.row)
		if row.Kind != c.kind || string(row.OrderNo) != c.order || string(row.RefundNo) != c.refund || row.Amount != c.amount {
			t.Errorf("%s row %d: %s %s %s %d fen", c.file, c.row, row.Kind, row.OrderNo, row.RefundNo, row.Amount)
		}
		if string(row.ChannelTradeNo) != c.trade || string(row.ChannelRefundNo) != c.backID || string(row.State) != c.state || string(row.Subject) != c.title {
			t.Errorf("%s row %d: %s %s %s %s", c.file, c.row, row.ChannelTradeNo, row.ChannelRefundNo, row.State, row.Subject)
		}
		if got := row.Time.Format("2006-01-02 15:04:05 -0700"); got != c.when+" +0800" {
			t.Errorf("%s row %d: at %s", c.file, c.row, got)
		}
	}
}

// nthRow is a row of a file; its texts stay as the reader is read no further.
func nthRow(t *testing.T, path string, n int) Row {
	t.Helper()
	r, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	var row Row
	for range n + 1 {
		if err := r.Next(&row); err != nil || errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	}
	return row
}
