package bill

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRefusals(t *testing.T) {
	t.Parallel()
	encrypted := zipped(t, "a.csv", tradeBill)
	for _, magic := range []string{"PK\x03\x04", "PK\x01\x02"} { // the flag lies at 6 in a local header, at 8 in the list
		at := bytes.Index(encrypted, []byte(magic))
		encrypted[at+map[string]int{"PK\x03\x04": 6, "PK\x01\x02": 8}[magic]] |= 1
	}
	plainZip, plainGzip := zipped(t, "a.csv", tradeBill), gzipped(t, allBill)
	for _, c := range []struct {
		name string
		file string
		code Refusal
		want string
	}{
		{"nothing", "", RefusedEmpty, "is empty"},
		{"blanks", utf8BOM + " \r\n", RefusedEmpty, "is empty"},
		{"packed nothing", string(gzipped(t, "")), RefusedEmpty, "is empty"},
		{"UTF-16", "\xff\xfe\xa4\x4e", RefusedEncoding, "UTF-16"},
		{"UTF-16 without a mark", "\x4e\xa4\x00,\x00", RefusedEncoding, "zero bytes"},
		{"lost characters", "锟斤拷锟斤拷,锟斤拷", RefusedEncoding, "is lost"},
		{"UTF-8 read as GBK", "浜ゆ槗鏃堕棿,鍏紬", RefusedEncoding, "read as GBK"},
		{"GBK read as Latin-1", "#Ö§¸¶±¦ÒµÎñ", RefusedEncoding, "Latin-1"},
		{"personal WeChat", utf8BOM + "微信支付账单明细,,,\n微信昵称：[a]\n", RefusedPersonal, "a person's WeChat export"},
		{"personal WeChat, list alone", "交易时间,交易类型,交易对方,商品,收/支,金额(元)\n", RefusedPersonal, "a person's export"},
		{"personal Alipay", gbk("------------\n导出信息：\n姓名：a\n"), RefusedPersonal, "a person's Alipay export"},
		{"old personal Alipay", gbk("支付宝交易记录明细查询\n账号:[a]\n"), RefusedPersonal, "a person's Alipay export"},
		{"encrypted zip", string(encrypted), RefusedPersonal, "encrypted"},
		{"xlsx", string(zipped(t, "[Content_Types].xml", "<Types/>", "a.xml", "x")), RefusedWorkbook, "Excel workbook"},
		{"xls", "\xd0\xcf\x11\xe0\xa1\xb1", RefusedWorkbook, "Excel workbook"},
		{"overseas Alipay", "1|PAYMENT|2088|10.00\n", RefusedOverseas, "abroad"},
		{"overseas WeChat", "Transaction time,Merchant ID\n", RefusedOverseas, "abroad"},
		{"overseas columns", allHeader + ",汇率\n" + paidRow + "\n", RefusedOverseas, "abroad"},
		{"XML, no bill", "<xml><return_code><![CDATA[FAIL]]></return_code>\n<return_msg><![CDATA[No Bill Exist]]></return_msg></xml>", RefusedNoBill, "no bill"},
		{"XML, not ready", "<xml><return_msg><![CDATA[Bill Creating]]></return_msg></xml>", RefusedNotReady, "not built yet"},
		{"XML, another error", "<xml><return_msg><![CDATA[SIGN ERROR]]></return_msg></xml>", RefusedAnswer, `"SIGN ERROR"`},
		{"JSON, no bill", `{"code":"NO_STATEMENT_EXIST","message":"请求的账单文件不存在"}`, RefusedNoBill, "no bill"},
		{"JSON, another error", `{"code":"SIGN_ERROR","message": "bad signature"}`, RefusedAnswer, `"bad signature"`},
		{"expired URL", gbk("下载超时，请重新下载"), RefusedExpired, "30 s"},
		{"expired URL, page", "<html><body>下载超时，请重新下载</body></html>", RefusedExpired, "30 s"},
		{"page", "<!DOCTYPE html><html>login</html>", RefusedAnswer, "web page"},
		{"no line ends", strings.ReplaceAll(allBill, "\r\n", ",`"), RefusedLayout, "line ends"},
		{"header alone", strings.Split(allHeader, "手续费")[0], RefusedLayout, "lacks the column"},
		{"column twice", strings.Replace(allBill, "费率备注", "总金额", 1), RefusedLayout, "twice"},
		{"Alipay preamble alone", gbk(tradeTitle + "\r\n" + "#账号：[1]\r\n"), RefusedLayout, "before its first row"},
		{"zip cut off", string(plainZip[:len(plainZip)-30]), RefusedTruncated, "cut off"},
		{"gzip cut off", string(plainGzip[:len(plainGzip)-12]), RefusedTruncated, "cut off"},
		{"gzip header alone", string(plainGzip[:5]), RefusedTruncated, "cut off"},
		{"gzip with a wrong checksum", string(plainGzip[:len(plainGzip)-8]) + "12345678", RefusedTruncated, "cut off"},
		{"zip in zip", string(zipped(t, "a.zip", string(plainZip))), RefusedUnknown, "unpack it once"},
		{"gzip in gzip", string(gzipped(t, string(plainGzip))), RefusedUnknown, "unpack it once"},
		{"empty zip", string(zipped(t)), RefusedEmpty, "holds no file"},
		{"two parts", string(zipped(t, "账务明细_1.csv", accountBill, "账务明细_2.csv", accountBill)), RefusedParts, "账务明细_2.csv"},
		{"many entries", string(zipped(t, make([]string, 2*(maxEntries+1))...)), RefusedBomb, "65 entries"},
		{"a line without end", strings.Repeat("x", 3*maxLine), RefusedUnknown, "begins with"},
		{"a row without end", wechatText(allHeader) + strings.Repeat("x", 2*maxLine), RefusedBomb, "1 MiB"},
		{"zeros", string(gzipped(t, allHeader+"\n"+strings.Repeat("\x00", 2*maxLine))), RefusedEncoding, "zero bytes"},
		{"UnionPay ZME", strings.Replace(zmBill, "20260305100001000001", "ab260305100001000001", 1), RefusedUnknown, "layout ZM"},
		{"UnionPay summary", zmSummary, RefusedUnknown, "without its detail file"},
		{"a stranger", "id,name\n1,a\n", RefusedUnknown, `"id,name"`},
	} {
		got := refusal(t, []byte(c.file), Options{})
		if got.Code != c.code || !strings.Contains(got.Error(), c.want) || !strings.Contains(got.Error(), "(standard input)") {
			t.Errorf("%s: refused as %s: %v\nwant %s with %q", c.name, got.Code, got, c.code, c.want)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	if got := refusal(t, []byte(allBill), Options{MaxBytes: 100}); got.Code != RefusedBomb {
		t.Errorf("beyond MaxBytes: %v", got)
	}
	bomb := gzipped(t, wechatText(allHeader)+strings.Repeat(strings.Repeat(" ", 1<<18)+"\n", 100))
	if got := refusal(t, bomb, Options{}); got.Code != RefusedBomb || !errors.Is(got, errRatio) {
		t.Errorf("%d bytes that unpack to 26 MB: %v", len(bomb), got)
	}
}

// TestFromFile: a zip on disk is read in place, one from a pipe through a copy
// that is gone afterwards.
func TestFromFile(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	file := zipped(t, "a.csv", tradeBill)
	path := filepath.Join(dir, "bill.zip")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{path, Stdin} {
		r, err := Inspect(context.Background(), path, bytes.NewReader(file), Options{})
		if err != nil || r.Rows != 3 {
			t.Errorf("%s: %v", path, err)
		}
		if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 1 {
			t.Errorf("%s: left behind are %v, %v", path, left, err)
		}
	}
	if _, err := Inspect(context.Background(), filepath.Join(dir, "none"), nil, Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	many := strings.NewReader(wechatText(allHeader) + strings.Repeat(paidRow+"\n", ctxEvery))
	if _, err := Inspect(ctx, Stdin, many, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of its context: %v", err)
	}
}

func TestChecks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		text string
		opts Options
		want Check
		line int
	}{
		{"count", strings.Replace(allBill, "`3,`10.00", "`4,`10.00", 1), Options{}, CheckFooter, 6},
		{"sum", strings.Replace(allBill, "`12.00,`8.00", "`12.01,`8.00", 1), Options{}, CheckFooter, 6},
		{"fee", strings.Replace(allBill, "`0.04000,", "`0.05000,", 1), Options{}, CheckFooter, 6},
		{"unreadable total", strings.Replace(allBill, "`0.04000,", "`-,", 1), Options{}, CheckFooter, 6},
		{"no totals", strings.Split(allBill, "总交易单数")[0], Options{}, CheckFooter, 0},
		{"totals cut off", strings.Split(allBill, "`3,`10.00")[0], Options{}, CheckFooter, 0},
		{"a total short", strings.Replace(allBill, "`12.00,`8.00", "`12.00", 1), Options{}, CheckFooter, 6},
		{"Alipay without totals", strings.Split(tradeBill, gbk("#交易合计"))[0], Options{}, CheckFooter, 0},
		{"Alipay cut off", strings.Split(tradeBill, gbk(tradeEnd))[0], Options{}, CheckFooter, 0},
		{"Alipay count", strings.Replace(tradeBill, gbk("2笔"), gbk("3笔"), 1), Options{}, CheckFooter, 11},
		{"digest", allBill, Options{SHA1: strings.Repeat("0", 40)}, CheckDigest, 0},
		{"date", allBill, Options{Date: "2026-03-06"}, CheckDate, 0},
		{"day of a row", strings.Replace(allBill, "`2026-03-05 11", "`2026-03-06 11", 1), Options{}, CheckDate, 3},
		{"Alipay's date", tradeBill, Options{Date: "2026-03-06"}, CheckDate, 0},
		{"Alipay's period", strings.Replace(tradeBill, gbk("2026年03月06日 00"), gbk("2026年03月04日 00"), 1), Options{}, CheckDate, 3},
		{"merchant", allBill, Options{Merchant: "1900000110"}, CheckMerchant, 2},
		{"Alipay's account", tradeBill, Options{Merchant: "2088000000000002"}, CheckMerchant, 2},
		{"type", allBill, Options{Type: TradeSuccess}, CheckType, 0},
	} {
		r := inspect(t, []byte(c.text), c.opts)
		if r.OK() || len(r.Findings) == 0 || r.Findings[0].Check != c.want || r.Findings[0].Line != c.line {
			t.Errorf("%s: findings %v: want %s at line %d", c.name, r.Findings, c.want, c.line)
		}
	}
	good := Options{SHA1: strings.ToUpper(newDigest(allBill)), Date: "2026-03-05", Merchant: "1900000109", Type: TradeAll}
	if r := inspect(t, []byte(allBill), good); !r.OK() {
		t.Errorf("what was asked for: %v", r.Findings)
	}
	twice := inspect(t, []byte(allBill+paidRow+"\r\n"), Options{})
	if len(twice.Rejected) != 1 || !strings.Contains(twice.Rejected[0].Reason, "after the totals") {
		t.Errorf("a row after the totals: %v", twice.Rejected)
	}
}

func TestUnreadEntriesAreTold(t *testing.T) {
	t.Parallel()
	r := inspect(t, zipped(t, "说明.txt", "hello", "明细.csv", tradeBill), Options{})
	if !r.OK() || len(r.Findings) != 1 || r.Findings[0].Check != CheckUnread || !strings.Contains(r.Findings[0].What, "说明.txt") {
		t.Errorf("findings %v", r.Findings)
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"line 7: footer: 总交易单数 does not agree: expected 3, found 4": Finding{Check: CheckFooter, Line: 7, What: "总交易单数 does not agree", Want: "3", Got: "4"}.String(),
		"digest: is another":                   Finding{Check: CheckDigest, What: "is another"}.String(),
		"read bill a.csv line 9: is empty":     (&RowError{File: "a.csv", Line: 9, Reason: "is empty"}).Error(),
		"read bill a.csv: is empty":            (&RefusedError{File: "a.csv", Code: RefusedEmpty, Reason: "is empty"}).Error(),
		"empty":                                (&RefusedError{Code: RefusedEmpty}).ErrorCode(),
		`"` + strings.Repeat("茶", 13) + `"...`: excerpt([]byte(strings.Repeat("茶", 20))),
	} {
		if got != want {
			t.Errorf("%s: want %s", got, want)
		}
	}
}

func TestReportKeepsABoundedNumber(t *testing.T) {
	t.Parallel()
	r := inspect(t, []byte(wechatText(allHeader)+strings.Repeat("x\n", maxKept+5)), Options{})
	if len(r.Rejected) != maxKept+1 || r.RejectedRows != maxKept+5 || r.Rows != maxKept+5 || r.Rejected[maxKept].Reason != "and 5 more rows from here on" {
		t.Errorf("%d rejections are kept of %d, the last is %v", len(r.Rejected), r.RejectedRows, r.Rejected[len(r.Rejected)-1])
	}
}
