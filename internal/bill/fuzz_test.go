package bill

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// The fuzz targets: one for each layout, whose seeds and prefix keep the fuzzer
// within it, and one for whatever a person may hand over.

func FuzzWechatTrade(f *testing.F) {
	f.Add(paidRow + "\r\n" + backRow + "\n" + voidRow + "\n" + allTotals + "\n" + allFooter)
	f.Add(strings.Replace(paidRow, "茶", ",`\"{}", 1))
	f.Fuzz(func(t *testing.T, body string) { checkAny(t, []byte(utf8BOM+allHeader+"\r\n"+body)) })
}

func FuzzWechatFund(f *testing.F) {
	f.Add(fundIn + "\r\n" + fundFee + "\n" + fundBack + "\n" + fundTotals + "\n" + fundFooter)
	f.Fuzz(func(t *testing.T, body string) { checkAny(t, []byte(fundHeader+"\r\n"+body)) })
}

func FuzzAlipayTrade(f *testing.F) {
	head, body, _ := strings.Cut(tradeBill, gbk("分润（元）,备注\r\n"))
	f.Add(body)
	f.Fuzz(func(t *testing.T, body string) { checkAny(t, []byte(head+gbk("分润（元）,备注\r\n")+body)) })
}

func FuzzAlipayAccount(f *testing.F) {
	head, body, _ := strings.Cut(accountBill, gbk("业务类型,备注\r\n"))
	f.Add(body)
	f.Fuzz(func(t *testing.T, body string) { checkAny(t, []byte(head+gbk("业务类型,备注\r\n")+body)) })
}

func FuzzAlipaySummary(f *testing.F) {
	f.Add(tradeSummary)
	f.Add(accountSummary)
	f.Fuzz(func(t *testing.T, file string) { checkAny(t, []byte(file)) })
}

func FuzzUnionpay(f *testing.F) {
	first, rest, _ := strings.Cut(zmBill, "\r\n")
	f.Add(rest, zmSummary)
	f.Fuzz(func(t *testing.T, rest, summary string) {
		checkAny(t, []byte(first+"\r\n"+rest))
		readUnionpaySummary(summary)
	})
}

func FuzzAnyFile(f *testing.F) {
	for _, text := range []string{allBill, fundBill, tradeBill, accountBill, tradeSummary, zmBill, zmSummary, "", "<xml>", "{", "锟斤拷"} {
		f.Add([]byte(text))
		f.Add(gzipped(f, text))
		f.Add(zipped(f, "a", text))
	}
	f.Add(zipped(f, "a", accountBill, "b", accountSummary))
	f.Fuzz(func(t *testing.T, file []byte) { checkAny(t, file) })
}

// checkAny holds what must be true of every file: it is refused with a reason, or
// each of its rows is counted once, as it is or as rejected, and the rows that are
// written are sound.
func checkAny(t *testing.T, file []byte) {
	t.Helper()
	var out bytes.Buffer
	r, err := Convert(context.Background(), &out, Stdin, bytes.NewReader(file), Options{MaxBytes: 1 << 24})
	var refused *RefusedError
	if errors.As(err, &refused) {
		if refused.Reason == "" || refused.Code == "" {
			t.Fatalf("refused without a reason: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatalf("neither read nor refused: %v", err)
	}
	accepted := r.Kinds.Pay + r.Kinds.Refund + r.Kinds.Revoke + r.Kinds.In + r.Kinds.Out
	if r.Type.Detail() && r.Rows != accepted+r.RejectedRows {
		t.Fatalf("%d rows are %d accepted and %d rejected", r.Rows, accepted, r.RejectedRows)
	}
	if r.RejectedRows > 0 && r.OK() {
		t.Fatal("a bill with rejected rows is trusted")
	}
	records, err := csv.NewReader(&out).ReadAll()
	if err != nil || int64(len(records)) != accepted+1 {
		t.Fatalf("%d records for %d rows: %v", len(records), accepted, err)
	}
	for _, record := range records[1:] {
		if n, err := parseDecimal([]byte(record[6]), 0); err != nil || n < 0 {
			t.Fatalf("amount %s: %v", record[6], err)
		}
		if !utf8.ValidString(strings.Join(record, "")) {
			t.Fatalf("record %q is not UTF-8", record)
		}
	}
}
