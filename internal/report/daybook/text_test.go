package daybook

import (
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"paytool/internal/bill"
	"paytool/internal/pay"
	"paytool/internal/recon"
	"paytool/internal/recon/ledger"
)

// hostile are texts that a bill may have to do harm, with what becomes of them.
var hostile = []struct{ in, out string }{
	{"=1+1", "'=1+1"},
	{"=cmd|'/c calc'!A1", "'=cmd|'/c calc'!A1"},
	{"+49", "'+49"},
	{"-2", "'-2"},
	{"@SUM(A1)", "'@SUM(A1)"},
	{"  =1", "'  =1"},
	{"\t=1", "' =1"},
	{"\r=1", "' =1"},
	{"\tplain", "' plain"},
	{"＝1", "'＝1"},
	{"a\x00b\x1b[31m", "a\uFFFDb\uFFFD[31m"},
	{"a\xffb", "a\uFFFDb"},
	{"two\r\nlines", "two  lines"},
	{"202611\u202e20", "202611\uFFFD20"},
	{"a=b", "a=b"},
	{"4200001234567890123456789012", "4200001234567890123456789012"},
	{"<b>&amp;</b>", "<b>&amp;</b>"},
	{"_x003D_1", "_x003D_1"},
}

func TestNeutral(t *testing.T) {
	t.Parallel()
	for _, h := range hostile {
		if got := neutral(h.in); got != h.out {
			t.Errorf("neutral(%q) = %q, want %q", h.in, got, h.out)
		}
	}
	if got := clean(strings.Repeat("字", 5000)); utf8.RuneCountInString(got) != maxText {
		t.Errorf("a long text has %d characters, want %d", utf8.RuneCountInString(got), maxText)
	}
}

// TestNeutralAny: whatever comes in, what goes out is one line of valid XML that no
// spreadsheet computes, and cleaning it again changes nothing.
func TestNeutralAny(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.OneOf(rapid.String(), rapid.Custom(func(t *rapid.T) string { return string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) })).Draw(t, "in")
		out := neutral(in)
		if !utf8.ValidString(out) || strings.ContainsAny(out, "\r\n\t\x00\x1b") || out != clean(out) {
			t.Fatalf("neutral(%q) = %q", in, out)
		}
		if first := strings.TrimLeft(out, " "); first != "" && strings.ContainsAny(first[:1], "=+-@") {
			t.Fatalf("neutral(%q) = %q, which is computed", in, out)
		}
		var doc strings.Builder
		if err := xml.EscapeText(&doc, []byte(out)); err != nil {
			t.Fatal(err)
		}
		if strings.Count(doc.String(), "\uFFFD") != strings.Count(out, "\uFFFD") {
			t.Fatalf("XML cannot bear %q", out)
		}
	})
}

// TestNumber: a number in a cell has the very digits of the integer that it is made
// from, and one that a spreadsheet would round is text.
func TestNumber(t *testing.T) {
	t.Parallel()
	check := func(t interface{ Fatalf(string, ...any) }, digits string, long bool) {
		v := number(digits)
		f, ok := v.(float64)
		if ok == long {
			t.Fatalf("number(%q) is %T", digits, v)
		}
		if !ok {
			if v != digits {
				t.Fatalf("number(%q) = %v", digits, v)
			}
			return
		}
		cell := strconv.FormatFloat(f, 'f', -1, 64) // what the library writes
		want := strings.TrimSuffix(strings.TrimRight(digits, "0"), ".")
		if want == "-0" {
			want = "0"
		}
		if cell != want {
			t.Fatalf("number(%q) is written as %s", digits, cell)
		}
	}
	const limit = 1_000_000_000_000_000 // 15 digits
	for _, f := range []pay.Fen{0, 1, -1, 10, 115, -100, limit - 1, 1 - limit, limit, -limit, math.MaxInt64, math.MinInt64} {
		check(t, f.Yuan(), f >= limit || f <= -limit)
		check(t, fee(bill.FeeE5(f)), f >= limit || f <= -limit)
	}
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.OneOf(rapid.Int64(), rapid.Int64Range(1-limit, limit-1)).Draw(t, "fen")
		long := f >= limit || f <= -limit
		check(t, pay.Fen(f).Yuan(), long)
		check(t, fee(bill.FeeE5(f)), long)
	})
}

func TestYuan(t *testing.T) {
	t.Parallel()
	for f, want := range map[pay.Fen]string{0: "0.00", -5: "-0.05", 123456: "1,234.56", -100000: "-1,000.00", 99999: "999.99", 100000000000: "1,000,000,000.00"} {
		if got := yuan(f); got != want {
			t.Errorf("yuan(%d) = %s, want %s", int64(f), got, want)
		}
	}
	for f, want := range map[bill.FeeE5]string{0: "0.00000", -5: "-0.00005", 123456: "1.23456", -60000: "-0.60000"} {
		if got := fee(f); got != want {
			t.Errorf("fee(%d) = %s, want %s", int64(f), got, want)
		}
	}
}

func TestTypedDay(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"2026-11-30": "2026-11-30", "2026/11/3": "2026-11-03", "2026-1-2": "2026-01-02", "2026年11月30日": "2026-11-30", "46356": "2026-11-30",
		"": "", "30.11.2026": "", "2026-02-30": "", "tomorrow": "", "12": "",
	} {
		if got, ok := typedDay(in); got != want || ok != (want != "") {
			t.Errorf("typedDay(%q) = %q, %t, want %q", in, got, ok, want)
		}
	}
}

func TestWriteCSV(t *testing.T) {
	t.Parallel()
	ds := []recon.Difference{{
		ID: "D-1", Class: recon.AmountMismatch, Kind: pay.EntryPay, OrderNo: "=1+1", OursFen: 5, TheirsFen: 3, DifferenceFen: -2, Time: made, File: "bill,1.csv",
		Line: 7, Detail: "a \"quoted\"\nline",
	}, {}}
	var out bytes.Buffer
	if err := WriteCSV(&out, ds); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"D-1", "amount_mismatch", "pay", "'=1+1", "", "", "5", "3", "-2", "2026-11-21T09:30:00+08:00", "bill,1.csv", "7", `a "quoted" line`, "", ""}
	if len(rows) != 3 || strings.Join(rows[1], "|") != strings.Join(want, "|") {
		t.Errorf("rows %q, want %q second", rows, want)
	}
	if err := WriteCSV(broken{}, ds); !errors.Is(err, errBroken) {
		t.Errorf("a full disk: %v", err)
	}
	out.Reset()
	if err := WriteEntriesCSV(&out, []ledger.Entry{{
		Difference: ds[0], Book: ledger.Book{Channel: "wechat"}, Date: "2026-11-20", State: "carried", Until: "2026-12-01", First: made, Pending: &ledger.Proposal{ID: "P-3"},
	}}); err != nil {
		t.Fatal(err)
	}
	const entry = "D-1,2026-11-20,wechat,,amount_mismatch,pay,'=1+1,,,5,3,-2,carried,2026-12-01,,P-3,2026-11-21T09:30:00+08:00,2026-11-21T09:30:00+08:00,"
	if !strings.Contains(out.String(), "\n"+entry) {
		t.Errorf("entries %s, want %s", out.String(), entry)
	}
}

// broken is a full disk.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }
