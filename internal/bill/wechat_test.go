package bill

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWechatRows(t *testing.T) {
	t.Parallel()
	want := `2,pay,A001,,4200001,,1200,1000,6000,SUCCESS,2026-03-05T10:00:01+08:00,茶
3,refund,A001,R001,4200001,50300001,300,250,-2000,PROCESSING,2026-03-05T11:00:01+08:00,茶
4,revoke,A002,0,4200002,0,500,500,0,REVOKED,2026-03-05T12:00:01+08:00,茶
`
	for name, text := range map[string]string{
		"as it is":              allBill,
		"LF, no BOM, no end":    strings.TrimSuffix(strings.NewReplacer("\r\n", "\n", utf8BOM, "").Replace(allBill), "\n"),
		"GBK from the console":  gbk(strings.TrimPrefix(allBill, utf8BOM)),
		"blanks in the header":  strings.Replace(allBill, "退款金额,充值券退款金额", "退款金额, 充值券退款金额", 1),
		"full-width commas":     strings.Replace(allBill, "退款类型,退款状态", "退款类型，退款状态", 1),
		"sub-merchant's alias":  strings.Replace(allBill, "特约商户号", "子商户号", 1),
		"totals without ticks":  strings.Replace(allBill, "`3,`10.00", "3,10.00", 1),
		"count like a float":    strings.Replace(allBill, "`3,`10.00", "`3.0,`10.0", 1),
		"one more empty line":   allBill + "\r\n",
		"an unknown new column": strings.NewReplacer("费率备注", "费率备注,新列", "`12.00,`0.00,`", "`12.00,`0.00,`,`", "`3.00,`\r", "`3.00,`,`\r", "`5.00,`\r", "`5.00,`,`\r").Replace(allBill),
	} {
		if diff := cmp.Diff(want, rows(t, []byte(text), Options{})); diff != "" {
			t.Errorf("%s: rows differ (-want +got):\n%s", name, diff)
		}
		if r := inspect(t, []byte(text), Options{}); !r.OK() {
			t.Errorf("%s: findings %v, rejected %v", name, r.Findings, r.Rejected)
		}
	}
}

func TestInspectJSON(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(inspect(t, []byte(allBill), Options{}))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"channel":"wechat","type":"trade_all","generation":"current","columns":27,"rows":3,` +
		`"kinds":{"pay":1,"refund":1,"revoke":1,"in":0,"out":0},"amount_fen":{"pay":1200,"refund":300,"revoke":500,"in":0,"out":0},` +
		`"settle_fen":{"pay":1000,"refund":250,"revoke":500,"in":0,"out":0},"fee_e5":4000,"footer_ok":true,` +
		`"footer":{"充值券退款总金额":"0.00","应结订单总金额":"10.00","总交易单数":"3","手续费总金额":"0.04000","申请退款总金额":"8.00","订单总金额":"12.00","退款总金额":"7.50"},` +
		`"rejected":[],"sha1":"` + newDigest(allBill) + `","bill_date":"2026-03-05"}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("JSON differs (-want +got):\n%s", diff)
	}
}

func newDigest(text string) string {
	sum := sha1.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// TestWechatTexts: what people type survives, and the numbers beside it too.
func TestWechatTexts(t *testing.T) {
	t.Parallel()
	for _, subject := range []string{
		"a,b", `say "hi"`, "it`s", "``", `{"a":"b,c"}`, `line\r\nend`, "总交易单数", "x,`y", ",`", "茶,`,`叶", " padded ", "",
	} {
		text := strings.Replace(allBill, "`茶,`,`0.06000", "`"+subject+",`,`0.06000", 1)
		got := Row{}
		r, err := NewReader("made", strings.NewReader(text), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Next(&got); err != nil {
			t.Errorf("subject %q: %v", subject, err)
		}
		if string(got.Subject) != subject || got.Amount != 1200 || got.Fee != 6000 || string(got.Rate) != "0.60%" {
			t.Errorf("subject %q became %q, amount %d, fee %d, rate %s", subject, got.Subject, got.Amount, got.Fee, got.Rate)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestWechatLayouts(t *testing.T) {
	t.Parallel()
	oldHeader := "交易时间,公众账号ID,商户号,子商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,总金额,企业红包金额,微信退款单号,商户退款单号,退款金额,企业红包退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率"
	oldRow := "`2018-08-21 18:13:12,`wxa,`1510000000,`1511000000,`,`4200001,`A1,`oD,`NATIVE,`REFUND,`CFT,`CNY,`0.00,`0.00,`5000,`R1,`0.01,`0.00,`ORIGINAL,`SUCCESS,`茶,`,`0.00000,`1.00%"
	oldTotals, oldFooter := "总交易单数,总交易额,总退款金额,总企业红包退款金额,手续费总金额", "`1,`0.00,`0.01,`0.00,`0.00000"
	success := strings.NewReplacer("微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,", "", ",申请退款金额", "").Replace(allHeader)
	successRow := strings.NewReplacer("`0,`0,`0.00,`0.00,`,`,`茶", "`茶", "`12.00,`0.00,`", "`12.00,`").Replace(paidRow)
	refunds := strings.Replace(allHeader, "微信退款单号", "退款申请时间,退款成功时间,微信退款单号", 1)
	refundRow := strings.NewReplacer("2026-03-05 11:00:01", "2026-02-28 09:00:00", "`50300001", "`2026-03-05 11:00:01,`2026-03-05 11:00:09,`50300001").Replace(backRow)
	for _, c := range []struct {
		name, text      string
		asked           Type
		wantType        Type
		generation      string
		columns         int
		date            string
		pay, refund     int64
		amount, settled int64
	}{
		{"old ALL", wechatText(oldHeader, oldRow, oldTotals, oldFooter), "", TradeAll, Old, 24, "2018-08-21", 0, 1, 1, 1},
		{"old ALL of coupons", wechatText(strings.NewReplacer("企业红包金额", "代金券或立减优惠金额", "企业红包退款金额", "代金券或立减优惠退款金额").Replace(oldHeader), oldRow,
			strings.Replace(oldTotals, "总企业红包退款金额", "总代金券或立减优惠退款金额", 1), oldFooter), "", TradeAll, Old, 24, "2018-08-21", 0, 1, 1, 1},
		{"SUCCESS, totals of ALL", wechatText(success, successRow, allTotals, "`1,`10.00,`0.00,`0.00,`0.06000,`12.00,`0.00"), "", TradeSuccess, Current, 20, "2026-03-05", 1, 0, 1200, 1000},
		{"SUCCESS, four totals", wechatText(success, successRow, "总交易单数,应结订单总金额,手续费总金额,订单总金额", "`1,`10.00,`0.06000,`12.00"), "", TradeSuccess, Current, 20, "2026-03-05", 1, 0, 1200, 1000},
		{"REFUND", wechatText(refunds, refundRow, allTotals, "`1,`0.00,`2.50,`0.00,`-0.02000,`0.00,`3.00"), "", TradeRefund, Current, 29, "2026-03-05", 0, 1, 300, 250},
		{"RECHARGE_REFUND", wechatText(refunds, refundRow, allTotals, "`1,`0.00,`2.50,`0.00,`-0.02000,`0.00,`3.00"), TradeRechargeRefund, TradeRechargeRefund, Current, 29, "2026-03-05", 0, 1, 300, 250},
		{"no rows", wechatText(allHeader, allTotals, "`0,`0.00,`0.00,`0.00,`0.00000,`0.00,`0.00"), "", TradeAll, Current, 27, "", 0, 0, 0, 0},
	} {
		r := inspect(t, []byte(c.text), Options{Type: c.asked})
		if !r.OK() || r.Type != c.wantType || r.Generation != c.generation || r.Columns != c.columns || r.BillDate != c.date {
			t.Errorf("%s: %s, %s, %d columns, %s, findings %v, rejected %v", c.name, r.Type, r.Generation, r.Columns, r.BillDate, r.Findings, r.Rejected)
		}
		if r.Kinds.Pay != c.pay || r.Kinds.Refund != c.refund || r.AmountFen.Pay+r.AmountFen.Refund != c.amount || r.SettleFen.Pay+r.SettleFen.Refund != c.settled {
			t.Errorf("%s: kinds %+v, amounts %+v, settled %+v", c.name, r.Kinds, r.AmountFen, r.SettleFen)
		}
	}
}

func TestWechatRejects(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, old, new, want string }{
		{"E-notation", "`4200001,`A001,`oA,`MICROPAY,`SUCCESS", "`4.00123E+27,`A001,`oA,`MICROPAY,`SUCCESS", "rounded by a spreadsheet"},
		{"cut time", "`2026-03-05 10:00:01", "`2026/3/5 10:00", "lost its seconds"},
		{"no such day", "`2026-03-05 10:00:01", "`2026-02-30 10:00:01", "is not a time"},
		{"two blanks", "`2026-03-05 10:00:01", "`2026-03-05  10:00:01", "is not a time"},
		{"hour 24", "`2026-03-05 10:00:01", "`2026-03-05 24:00:01", "is not a time"},
		{"unreadable amount", "`12.00,`0.00,`", "`twelve,`0.00,`", "订单金额"},
		{"unreadable amount of no use", "`0,`0,`0.00,`0.00,`,`", "`0,`0,`0.00,`x,`,`", "充值券退款金额"},
		{"empty amount", "`12.00,`0.00,`", "`,`0.00,`", "is not an amount"},
		{"negative amount", "`12.00,`0.00,`", "`-12.00,`0.00,`", "is negative"},
		{"zero amount", "`12.00,`0.00,`", "`0.00,`0.00,`", "is not above 0"},
		{"another currency", "`SUCCESS,`OTHERS,`CNY", "`SUCCESS,`OTHERS,`USD", "is not CNY"},
		{"new state", "`SUCCESS,`OTHERS", "`FROZEN,`OTHERS", "is not SUCCESS"},
		{"no order number", "`4200001,`A001,`oA,`MICROPAY,`SUCCESS", "`4200001,`,`oA,`MICROPAY,`SUCCESS", "is empty"},
		{"control character", "`4200001,`A001,`oA,`MICROPAY,`SUCCESS", "`4200001,`A\x01001,`oA,`MICROPAY,`SUCCESS", "control character"},
		{"bytes that are no text", "`4200001,`A001,`oA,`MICROPAY,`SUCCESS", "`4200001,`A\xff001,`oA,`MICROPAY,`SUCCESS", "no text"},
		{"a field short", "`SUCCESS,`OTHERS,`CNY", "`SUCCESS,`CNY", "has 26 fields where the header has 27"},
		{"a field too many on the left", "`wxa,`1900000109,`0,`dev,`4200001,`A001,`oA,`MICROPAY,`SUCCESS", "`wxa,`x,`1900000109,`0,`dev,`4200001,`A001,`oA,`MICROPAY,`SUCCESS", "is not CNY"},
		{"a torn line", "`茶,`,`0.06000", "`茶\r\n叶,`,`0.06000", "has 21 fields"},
		{"no backtick", "`2026-03-05 10:00:01", "2026-03-05 10:00:01", "backtick"},
	} {
		text := strings.Replace(allBill, c.old, c.new, 1)
		if text == allBill {
			t.Fatalf("%s: nothing was replaced", c.name)
		}
		r := inspect(t, []byte(text), Options{})
		if len(r.Rejected) == 0 || r.Rejected[0].Line != 2 || !strings.Contains(r.Rejected[0].Reason, c.want) {
			t.Errorf("%s: rejected %v: want line 2 with %q", c.name, r.Rejected, c.want)
		}
		if r.OK() || r.FooterOK {
			t.Errorf("%s: the bill is trusted", c.name)
		}
		if got := r.Kinds.Refund + r.Kinds.Revoke; got != 2 {
			t.Errorf("%s: %d of the 2 other rows were read", c.name, got)
		}
	}
}

// TestRejectedRowsAreCounted: the footer counts lines, those that could not be read
// too, so that a rejected row is not told a second time as a wrong count.
func TestRejectedRowsAreCounted(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"trade": strings.Replace(allBill, "`CNY,`10.00", "`CNY,`ten", 1),
		"fund":  strings.Replace(fundBill, "`收入,`10.00", "`收入,`ten", 1),
	} {
		r := inspect(t, []byte(text), Options{})
		if r.RejectedRows != 1 || r.Rows != 3 {
			t.Errorf("%s: %d of %d rows rejected", name, r.RejectedRows, r.Rows)
		}
		for _, f := range r.Findings {
			if strings.HasPrefix(f.What, "总交易单数") || strings.HasPrefix(f.What, "资金流水总笔数") {
				t.Errorf("%s: %v", name, f)
			}
		}
	}
}

func TestRefundWithoutNumberIsRejected(t *testing.T) {
	t.Parallel()
	for _, number := range []string{"0", ""} {
		r := inspect(t, []byte(strings.Replace(allBill, "`R001", "`"+number, 1)), Options{})
		if len(r.Rejected) != 1 || !strings.Contains(r.Rejected[0].Reason, "商户退款单号") {
			t.Errorf("refund number %q: rejected %v", number, r.Rejected)
		}
	}
	for _, number := range []string{"0", "", "R9"} { // what a revoke carries is not proven
		text := strings.Replace(allBill, "`CNY,`0.00,`0.00,`0,`0,`5.00", "`CNY,`0.00,`0.00,`"+number+",`"+number+",`5.00", 1)
		if r := inspect(t, []byte(text), Options{}); !r.OK() || r.Kinds.Revoke != 1 {
			t.Errorf("revoke with number %q: kinds %+v, rejected %v", number, r.Kinds, r.Rejected)
		}
	}
}

func TestWechatFund(t *testing.T) {
	t.Parallel()
	want := `2,in,A001,,4200001,,1000,1000,0,交易,2026-03-05T10:00:01+08:00,
3,out,A001,,4200001,,6,6,0,扣除交易手续费,2026-03-05T10:00:01+08:00,
4,out,,R001,,50300001,248,248,0,退款,2026-03-05T11:00:01+08:00,退款总金额2.50元;含手续费0.02元
`
	upwards := wechatText(fundHeader, fundBack, fundFee, fundIn, fundTotals, fundFooter)
	for name, text := range map[string]string{
		"as it is":            fundBill,
		"full-width brackets": strings.NewReplacer("(元)", "（元）").Replace(fundBill),
		"GBK":                 gbk(strings.TrimPrefix(fundBill, utf8BOM)),
	} {
		if diff := cmp.Diff(want, rows(t, []byte(text), Options{})); diff != "" {
			t.Errorf("%s: rows differ (-want +got):\n%s", name, diff)
		}
	}
	for name, text := range map[string]string{"down": fundBill, "up": upwards} {
		if r := inspect(t, []byte(text), Options{}); !r.OK() || r.Opening != 10000 || r.Closing != 10746 {
			t.Errorf("%s: opening %d, closing %d, findings %v", name, r.Opening, r.Closing, r.Findings)
		}
	}
	broken := inspect(t, []byte(strings.Replace(fundBill, "`109.94", "`109.93", 1)), Options{})
	if len(broken.Findings) != 1 || broken.Findings[0].Check != CheckBalance || broken.Findings[0].Line != 3 || broken.OK() {
		t.Errorf("a broken balance is found as %v", broken.Findings)
	}
	typed := inspect(t, []byte(strings.Replace(fundBill, "元;含", "元,`含", 1)), Options{})
	if !typed.OK() {
		t.Errorf("a note with the separator: findings %v, rejected %v", typed.Findings, typed.Rejected)
	}
}
