package bill

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const alipayRowsWanted = `6,pay,A001,,2026030522001,,1200,1000,-6000,交易,2026-03-05T10:00:02+08:00,茶
7,refund,A001,R001,2026030522001,,300,250,0,退款,2026-03-05T11:00:02+08:00,茶
8,revoke,A002,2026030522002,2026030522002,,500,500,0,退款,2026-03-05T12:00:02+08:00,茶
`

func utf8Text(t *testing.T, text string) string {
	t.Helper()
	return string(newCodec(true).text([]byte(text)))
}

func TestAlipayTrade(t *testing.T) {
	t.Parallel()
	plain := utf8Text(t, tradeBill)
	spreadsheet := strings.NewReplacer("（", "(", "）", ")", "查询\r\n", "查询,,,,\r\n", "结束---\r\n", "结束---,,,,\r\n").Replace(plain)
	for name, file := range map[string][]byte{
		"loose GBK":              []byte(tradeBill),
		"UTF-8":                  []byte(plain),
		"UTF-8, LF, BOM":         []byte(utf8BOM + strings.ReplaceAll(plain, "\r\n", "\n")),
		"ASCII brackets, commas": []byte(spreadsheet),
		"zip":                    zipped(t, "20880000000000010156_20260305_业务明细.csv", tradeBill),
		"zip with summary":       zipped(t, "业务明细(汇总).csv", tradeSummary, "业务明细.csv", tradeBill),
		"gzip":                   gzipped(t, tradeBill),
	} {
		if diff := cmp.Diff(alipayRowsWanted, rows(t, file, Options{})); diff != "" {
			t.Errorf("%s: rows differ (-want +got):\n%s", name, diff)
		}
		r := inspect(t, file, Options{Merchant: "2088000000000001", Date: "2026-03-05", Type: AlipayTrade})
		if !r.OK() || r.BillDate != "2026-03-05" || r.Merchant != "20880000000000010156" || r.Columns != 25 {
			t.Errorf("%s: date %s, merchant %s, %d columns, findings %v, rejected %v", name, r.BillDate, r.Merchant, r.Columns, r.Findings, r.Rejected)
		}
	}
	never := inspect(t, []byte(tradeBill), Options{AlipayRevoke: RevokeNever})
	if never.Kinds.Revoke != 0 || never.Kinds.Refund != 2 {
		t.Errorf("with the rule off the kinds are %+v", never.Kinds)
	}
}

func TestAlipayTexts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, old, new, subject string }{
		{"commas in the subject", "交易\t,茶,", "交易\t,茶,大,杯,", "茶,大,杯"},
		{"commas in the last column", "-0.06,0.00,\r\n", "-0.06,0.00,a,b,c\r\n", "茶"},
		{"commas in both", "交易\t,茶,", "交易\t,茶,大,", "茶,大"},
		{"quotes", "交易\t,茶,", "交易\t,\"茶\",", `"茶"`},
	} {
		text := strings.Replace(utf8Text(t, tradeBill), c.old, c.new, 1)
		if c.name == "commas in both" {
			text = strings.Replace(text, "-0.06,0.00,\r\n", "-0.06,0.00,a,b\r\n", 1)
		}
		r, err := NewReader("made", strings.NewReader(text), Options{})
		if err != nil {
			t.Fatal(err)
		}
		var row Row
		if err := r.Next(&row); err != nil || string(row.Subject) != c.subject || row.Amount != 1200 || row.Settle != 1000 {
			t.Errorf("%s: %v, subject %q, amount %d", c.name, err, row.Subject, row.Amount)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAlipayRejects(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, old, new, want string }{
		{"time without seconds", "10:00:00,2026-03-05 10:00:02", "10:00:00,2026/3/5 10:00", "lost its seconds"},
		{"E-notation", "2026030522001\t,A001\t,交易", "2.02603E+27\t,A001\t,交易", "rounded"},
		{"new type", "A001\t,交易\t", "A001\t,冻结\t", "neither 交易 nor 退款"},
		{"wrong sign", "12.00,10.00", "-12.00,10.00", "wrong sign"},
		{"comma in a coupon's name", ",,0.00\t,0.00,\t", ",a,b,0.00\t,0.00,\t", "服务费"},
		{"a field short", "*a\t,12.00", "12.00", "24 fields"},
	} {
		text := strings.Replace(utf8Text(t, tradeBill), c.old, c.new, 1)
		r := inspect(t, []byte(text), Options{})
		if len(r.Rejected) != 1 || r.Rejected[0].Line != 6 || !strings.Contains(r.Rejected[0].Reason, c.want) || r.OK() {
			t.Errorf("%s: rejected %v, kinds %+v: want line 6 with %q", c.name, r.Rejected, r.Kinds, c.want)
		}
	}
}

func TestAlipayAccount(t *testing.T) {
	t.Parallel()
	want := `6,in,A001,,2026030522001,,1000,1000,0,在线支付,2026-03-05T10:00:02+08:00,茶
7,out,A001,,2026030522001,,250,250,0,交易退款,2026-03-05T11:00:02+08:00,茶
`
	file := zipped(t, "账务明细(汇总)_1.csv", accountSummary, "账务明细_1.csv", accountBill)
	if diff := cmp.Diff(want, rows(t, file, Options{})); diff != "" {
		t.Errorf("rows differ (-want +got):\n%s", diff)
	}
	r := inspect(t, file, Options{})
	if !r.OK() || r.Type != AlipayAccount || r.Opening != 10000 || r.Closing != 10750 || len(r.Findings) != 0 {
		t.Errorf("%s, opening %d, closing %d, findings %v", r.Type, r.Opening, r.Closing, r.Findings)
	}
	broken := inspect(t, []byte(strings.Replace(accountBill, "107.50", "107.40", 1)), Options{})
	if !broken.OK() || len(broken.Findings) != 1 || !broken.Findings[0].Advisory || broken.Findings[0].Check != CheckBalance {
		t.Errorf("a balance that Alipay does not promise is found as %v", broken.Findings)
	}
	month := strings.NewReplacer(gbk("2026年03月05日"), gbk("2026年03月01日"), gbk("2026年03月06日"), gbk("2026年04月01日")).Replace(accountBill)
	if r := inspect(t, []byte(month), Options{Date: "2026-03"}); !r.OK() || r.BillDate != "2026-03" {
		t.Errorf("a month is of %s, findings %v", r.BillDate, r.Findings)
	}
}

func TestAlipaySummaries(t *testing.T) {
	t.Parallel()
	for want, text := range map[Type]string{AlipayTradeSummary: tradeSummary, AlipayAccountSummary: accountSummary} {
		r := inspect(t, []byte(text), Options{})
		if !r.OK() || r.Type != want || r.Rows == 0 || len(r.Footer) == 0 || r.Kinds != (PerKind{}) {
			t.Errorf("%s: %d rows, footer %v, findings %v, rejected %v", r.Type, r.Rows, r.Footer, r.Findings, r.Rejected)
		}
		wrong := strings.Replace(text, ",2.50,", ",2.60,", 1)
		if want == AlipayAccountSummary {
			wrong = strings.Replace(text, "\t,-2.50\t,-2.50", "\t,-2.60\t,-2.50", 1)
		}
		if r := inspect(t, []byte(wrong), Options{}); r.OK() || r.FooterOK {
			t.Errorf("%s with a wrong sum is trusted", want)
		}
	}
	long := inspect(t, []byte(strings.Replace(accountSummary, "\t,10.00\t,0\t", "\t,10.00\t,0\t,0\t", 1)), Options{})
	if len(long.Rejected) != 1 || !strings.Contains(long.Rejected[0].Reason, "7 fields where the header has 6") {
		t.Errorf("a row with a field too many: %v", long.Rejected)
	}
	other := strings.NewReplacer("\t,6\t", "\t,7\t").Replace(accountSummary)
	other = strings.ReplaceAll(other, "10.00", "11.00")
	file := zipped(t, "a.csv", other, "b.csv", accountBill)
	if r := inspect(t, file, Options{}); r.OK() || r.Findings[0].Check != CheckSummary {
		t.Errorf("a summary of another day is found as %v", r.Findings)
	}
}

func TestUnionpay(t *testing.T) {
	t.Parallel()
	want := `1,pay,A001,,20260305100001000001,,1000,994,6000,S22,2026-03-05T10:00:01+08:00,
2,refund,,R001,20260305100001000001,20260305110001000002,250,248,-2000,S30,2026-03-05T11:00:01+08:00,
`
	file := zipped(t, "INN26030588ZM_1", zmBill, "RD2010_1", zmSummary)
	if diff := cmp.Diff(want, rows(t, file, Options{})); diff != "" {
		t.Errorf("rows differ (-want +got):\n%s", diff)
	}
	r := inspect(t, file, Options{Merchant: "123456789012345", Date: "2026-03-05"})
	if !r.OK() || r.BillDate != "2026-03-05" || r.Type != UnionpayZM || r.Columns != 42 || r.Footer[upsIn] != "10.00" || len(r.Findings) != 0 {
		t.Errorf("%s of %s, footer %v, findings %v", r.Type, r.BillDate, r.Footer, r.Findings)
	}
	alone := inspect(t, []byte(zmBill), Options{})
	if !alone.OK() || len(alone.Findings) != 1 || alone.Findings[0].Check != CheckNoFooter {
		t.Errorf("without its summary: findings %v", alone.Findings)
	}
	unlike := zipped(t, "a", zmBill, "b", strings.Replace(zmSummary, "0.06", "0.07", 1))
	if r := inspect(t, unlike, Options{}); r.OK() || r.FooterOK {
		t.Error("a summary with another fee is taken for proof")
	}
	for name, c := range map[string]struct{ old, new, want string }{
		"unknown code":    {"S30", "S31", "is not known"},
		"no year":         {"0305110001", "0305110002", "the year is not known"},
		"no sign":         {"C000000000002", "X000000000002", "C or D"},
		"letters":         {"000000000250", "00000000O250", "is not an amount"},
		"a byte too many": {"R001 ", "R001  ", "608 bytes"},
	} {
		r := inspect(t, []byte(strings.Replace(zmBill, c.old, c.new, 1)), Options{})
		if len(r.Rejected) != 1 || r.Rejected[0].Line != 2 || !strings.Contains(r.Rejected[0].Reason, c.want) {
			t.Errorf("%s: rejected %v", name, r.Rejected)
		}
	}
}
