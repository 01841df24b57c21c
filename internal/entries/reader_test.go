package entries

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"paytool/internal/pay"
)

// readAll is every row as text, and every reason.
func readAll(t rapid.TB, file string) (rows []string, rejected []string) {
	t.Helper()
	r, err := NewReader("ours.csv", strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var row Row
	for {
		err := r.Next(&row)
		var bad *RowError
		switch {
		case errors.Is(err, io.EOF):
			return rows, rejected
		case errors.As(err, &bad):
			rejected = append(rejected, fmt.Sprintf("%d %s", bad.Line, bad.Reason))
		case err != nil:
			t.Fatal(err)
		default:
			rows = append(rows, fmt.Sprintf("%d %s %s %s %d %s %d %s", row.Line, row.Kind, row.OrderNo, row.RefundNo, row.Amount, row.State, row.Second, row.MerchantOrderNo))
		}
	}
}

func TestReaderTakesColumnsByName(t *testing.T) {
	t.Parallel()
	file := "\ufefftime,colour,state,amount_fen,merchant_order_no,order_no,kind,refund_no\r\n" +
		"2016-09-12T00:00:01+08:00,red,paid,100,A-1,o1,pay,\r\n" +
		"2016-09-11T16:00:02Z,,done,5,\"a,\"\"b\"\"\r\nc\",o1,refund,r1\r\n" +
		"\r\n" +
		"2016-09-12T00:00:03+08:00,,unknown,7,,o2,revoke,"
	rows, rejected := readAll(t, file)
	want := "2 pay o1  100 paid 1473609601 A-1|3 refund o1 r1 5 done 1473609602 a,\"b\"\nc|6 revoke o2  7 unknown 1473609603 "
	if got := strings.Join(rows, "|"); got != want || len(rejected) > 0 {
		t.Errorf("rows\n%s\nwant\n%s\nrejected %v", got, want, rejected)
	}
}

func TestReaderTakesWhatOnlySomeBooksHave(t *testing.T) {
	t.Parallel()
	const header = "kind,order_no,amount_fen,state,time,settle_fen,product,account\n"
	for settle, want := range map[string]Row{
		"":    {},
		"0":   {HasSettle: true}, // the buyer paid with coupons alone
		"990": {HasSettle: true, Settle: 990},
	} {
		r, err := NewReader("f", strings.NewReader(header+"pay,o,1000,paid,2026-11-20T00:00:00+08:00,"+settle+",当面付,mch1\n"))
		if err != nil {
			t.Fatal(err)
		}
		var row Row
		if err := r.Next(&row); err != nil {
			t.Fatal(err)
		}
		if row.Settle != want.Settle || row.HasSettle != want.HasSettle || string(row.Product) != "当面付" || string(row.Account) != "mch1" {
			t.Errorf("settle_fen %q: read %+v", settle, row)
		}
	}
	for _, settle := range []string{"-1", "9.90", "1e2", " 9", "9999999999999999999"} {
		_, rejected := readAll(t, header+"pay,o,1000,paid,2026-11-20T00:00:00+08:00,"+settle+",,\n")
		if len(rejected) != 1 || !strings.Contains(rejected[0], "settle_fen") {
			t.Errorf("settle_fen %q: rejected %v", settle, rejected)
		}
	}
}

func TestReaderRejectsRowsAndGoesOn(t *testing.T) {
	t.Parallel()
	const header = "kind,order_no,refund_no,amount_fen,state,time\n"
	const good = "pay,last,,1,paid,2026-11-20T00:00:00+08:00\n"
	for line, want := range map[string]string{
		"gift,o,,1,paid,2026-11-20T00:00:00+08:00":                  `kind "gift"`,
		"pay,o,,1,done,2026-11-20T00:00:00+08:00":                   `state "done"`,
		"refund,o,r,1,paid,2026-11-20T00:00:00+08:00":               `state "paid"`,
		"revoke,o,,1,closed,2026-11-20T00:00:00+08:00":              `state "closed"`,
		"pay,,,1,paid,2026-11-20T00:00:00+08:00":                    "order_no is empty",
		"refund,o,,1,done,2026-11-20T00:00:00+08:00":                "refund_no is empty",
		"pay,o,,0,paid,2026-11-20T00:00:00+08:00":                   `amount_fen "0"`,
		"pay,o,,-1,paid,2026-11-20T00:00:00+08:00":                  `amount_fen "-1"`,
		"pay,o,,1.00,paid,2026-11-20T00:00:00+08:00":                `amount_fen "1.00"`,
		"pay,o,,1e2,paid,2026-11-20T00:00:00+08:00":                 `amount_fen "1e2"`,
		"pay,o,,,paid,2026-11-20T00:00:00+08:00":                    `amount_fen ""`,
		"pay,o,,9999999999999999999,paid,2026-11-20T00:00:00+08:00": "amount_fen",
		"pay,o,,1,paid,2026-11-20 00:00:00":                         "is not a time",
		"pay,o,,1,paid,2026-11-20T25:00:00+08:00":                   "is not a time",
		"pay,o,,1,paid,0001-01-01T08:00:00+08:00":                   "is not a time",
		"pay,o": "2 fields",
		`pay,"o"x,,1,paid,2026-11-20T00:00:00+08:00`: "quote",
	} {
		rows, rejected := readAll(t, header+line+"\n"+good)
		if len(rows) != 1 || !strings.HasPrefix(rows[0], "3 pay last") {
			t.Errorf("%s: the row behind it: %v", line, rows)
		}
		if len(rejected) != 1 || !strings.HasPrefix(rejected[0], "2 ") || !strings.Contains(rejected[0], want) {
			t.Errorf("%s: rejected %v: want line 2 and %q", line, rejected, want)
		}
	}
}

func TestReaderRefusesHeaders(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"":                                "empty",
		"kind,order_no,state,time\n":      "lacks amount_fen",
		"kind,kind,order_no,amount_fen\n": "twice",
		strings.Repeat("x", 3<<20):        "1 MiB",
		"交易时间,公众账号ID,商户号\n":                     "lacks kind, order_no",
		"kind;order_no;amount_fen;state;time\n": "order export",
	} {
		if _, err := NewReader("f", strings.NewReader(header)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("header %.20q: error %v: want %q", header, err, want)
		}
	}
}

// TestWrittenIsRead: what the Writer writes, the Reader reads, whatever the texts.
func TestWrittenIsRead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a-z,"\n 中]{0,8}`)
		e := pay.Entry{
			Kind: pay.EntryRefund, OrderNo: "o" + text.Draw(t, "order"), RefundNo: "r" + text.Draw(t, "refund"), MerchantOrderNo: text.Draw(t, "key"),
			Amount: pay.Fen(rapid.Int64Range(1, 1e15).Draw(t, "amount")), State: "done",
			Time: time.Unix(rapid.Int64Range(1e9, 2e9).Draw(t, "time"), 0),
		}
		var file strings.Builder
		w, err := NewWriter(&file)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Write(e), w.Flush()); err != nil {
			t.Fatal(err)
		}
		rows, rejected := readAll(t, file.String())
		if len(rejected) > 0 || len(rows) != 1 {
			t.Fatalf("rows %v, rejected %v", rows, rejected)
		}
		_, got, _ := strings.Cut(rows[0], " ")
		if want := fmt.Sprintf("refund %s %s %d done %d %s", e.OrderNo, e.RefundNo, e.Amount, e.Time.Unix(), e.MerchantOrderNo); got != want {
			t.Errorf("read %q, want %q", got, want)
		}
	})
}

// FuzzReader: whatever a file holds, reading comes to an end, each row that is taken
// is one that reconciliation can place, and each that is not says where it is.
func FuzzReader(f *testing.F) {
	const header = "kind,order_no,refund_no,amount_fen,state,time,settle_fen,product\n"
	for _, file := range []string{
		"", header, header + "pay,o,,100,paid,2026-11-20T00:00:00+08:00,99,p\n", header + "refund,o,r,5,done,2026-11-20T00:00:00Z,,\n",
		header + "revoke,\"o\n\"\"2\"\"\",,5,unknown,2026-11-20T00:00:00+08:00\r\n", header + "pay,\"o", "\ufeff" + header + "\n\n,,,\n",
	} {
		f.Add([]byte(file))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := NewReader("f", bytes.NewReader(file))
		if err != nil {
			return
		}
		var row Row
		for last := 1; ; {
			err := r.Next(&row)
			var bad *RowError
			switch {
			case errors.Is(err, io.EOF):
				if r.Offset() != int64(len(file)) {
					t.Fatalf("it ended after %d of %d bytes", r.Offset(), len(file))
				}
				return
			case errors.As(err, &bad):
				if bad.Line <= last || bad.Line > r.Line() {
					t.Fatalf("line %d is rejected after line %d, and %d are read", bad.Line, last, r.Line())
				}
				last = bad.Line
				continue
			case err != nil:
				return // a line that is too long
			}
			e := pay.Entry{Kind: row.Kind, OrderNo: string(row.OrderNo), RefundNo: string(row.RefundNo), Amount: row.Amount, State: row.State, Time: time.Unix(row.Second, 0)}
			if err := e.Check(); err != nil || row.Line <= last || row.Settle < 0 || (row.Settle > 0 && !row.HasSettle) {
				t.Fatalf("line %d after %d is taken: %+v, %v", row.Line, last, row, err)
			}
			last = row.Line
		}
	})
}
