package bill

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// The files that the tests of this package read: made here, row by row.

const (
	allHeader = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额," +
		"微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
	allTotals = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
	paidRow   = "`2026-03-05 10:00:01,`wxa,`1900000109,`0,`dev,`4200001,`A001,`oA,`MICROPAY,`SUCCESS,`OTHERS,`CNY,`10.00,`0.00,`0,`0,`0.00,`0.00,`,`,`茶,`,`0.06000,`0.60%,`12.00,`0.00,`"
	backRow   = "`2026-03-05 11:00:01,`wxa,`1900000109,`0,`dev,`4200001,`A001,`oA,`MICROPAY,`REFUND,`OTHERS,`CNY,`0.00,`0.00,`50300001,`R001,`2.50,`0.00,`ORIGINAL,`PROCESSING,`茶,`,`-0.02000,`0.60%,`0.00,`3.00,`"
	voidRow   = "`2026-03-05 12:00:01,`wxa,`1900000109,`0,`dev,`4200002,`A002,`oA,`MICROPAY,`REVOKED,`OTHERS,`CNY,`0.00,`0.00,`0,`0,`5.00,`0.00,`,`,`茶,`,`0.00000,`0.60%,`0.00,`5.00,`"
	allFooter = "`3,`10.00,`7.50,`0.00,`0.04000,`12.00,`8.00"

	fundHeader = "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号"
	fundTotals = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额"
	fundIn     = "`2026-03-05 10:00:01,`4200001,`F1,`交易,`交易,`收入,`10.00,`110.00,`system,`,`A001"
	fundFee    = "`2026-03-05 10:00:01,`4200001,`F2,`交易,`扣除交易手续费,`支出,`0.06,`109.94,`system,`,`A001"
	fundBack   = "`2026-03-05 11:00:01,`50300001,`F3,`退款,`退款,`支出,`2.48,`107.46,`1900000109API,`退款总金额2.50元;含手续费0.02元,`R001"
	fundFooter = "`3.0,`1.0,`10.00,`2.0,`2.54"

	tradeTitle  = "#支付宝业务明细查询"
	tradeHead   = "#账号：[20880000000000010156]\n#起始日期：[2026年03月05日 00:00:00]   终止日期：[2026年03月06日 00:00:00]"
	tradeHeader = "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）," +
		"集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注"
	tradePaid = "2026030522001\t,A001\t,交易\t,茶,2026-03-05 10:00:00,2026-03-05 10:00:02,\t,\t,\t,\t,*a\t,12.00,10.00,0.00,0.00,0.00,2.00,0.00,,0.00\t,0.00,\t,-0.06,0.00,"
	tradeBack = "2026030522001\t,A001\t,退款\t,茶,2026-03-05 10:00:00,2026-03-05 11:00:02,\t,\t,\t,\t,*a\t,-3.00,-2.50,0.00,0.00,0.00,-0.50,0.00,,0.00\t,0.00,R001\t,0.00,0.00,"
	tradeVoid = "2026030522002\t,A002\t,退款\t,茶,2026-03-05 10:00:00,2026-03-05 12:00:02,\t,\t,\t,\t,*a\t,-5.00,-5.00,0.00,0.00,0.00,0.00,0.00,,0.00\t,0.00,2026030522002\t,0.00,0.00,"
	tradeEnd  = "#---业务明细列表结束---"
	tradeSums = "#交易合计：1笔，商家实收共10.00元，商家优惠共2.00元\n#退款合计：2笔，商家实收退款共-7.50元，商家优惠退款共-0.50元\n#导出时间：[2026年03月06日 05:46:49]"
)

var (
	allBill     = wechatText(allHeader, paidRow, backRow, voidRow, allTotals, allFooter)
	fundBill    = wechatText(fundHeader, fundIn, fundFee, fundBack, fundTotals, fundFooter)
	tradeBill   = alipayText(tradeTitle, tradeHead, "#---业务明细列表---", tradeHeader, tradePaid, tradeBack, tradeVoid, tradeEnd, tradeSums)
	accountBill = alipayText("#支付宝账务明细查询", tradeHead, "#---账务明细列表---",
		"账务流水号,业务流水号,商户订单号,商品名称,发生时间,对方账号,收入金额（+元）,支出金额（-元）,账户余额（元）,交易渠道,业务类型,备注",
		"F1\t,2026030522001\t,A001\t,茶\t,2026-03-05 10:00:02,**\t,10.00,0.00,110.00,支付宝,在线支付,\t",
		"F2\t,2026030522001\t,A001\t,茶\t,2026-03-05 11:00:02,**\t,0.00,-2.50,107.50,支付宝,交易退款,\t",
		"#---账务明细列表结束---", "#支出合计：1笔，共-2.50元", "#收入合计：1笔，共10.00元")
	accountSummary = alipayText("#支付宝账务汇总查询", tradeHead, "#---账务汇总列表---", "类型,收入笔数,收入金额（+元）,支出笔数,支出金额（-元）,总金额（元）",
		"在线支付\t,1\t,10.00\t,0\t,0.00\t,10.00\t", "交易退款\t,0\t,0.00\t,1\t,-2.50\t,-2.50\t", "合计\t,1\t,10.00\t,1\t,-2.50\t,7.50\t",
		"#---账务汇总列表结束---")
	tradeSummary = alipayText("#支付宝业务汇总查询", tradeHead, "#---业务汇总列表---",
		"门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,支付宝优惠（元）,商家优惠（元）,卡消费金额（元）,服务费（元）,分润（元）,实收净额（元）",
		"s1\t,店\t,1,2,4.00,2.50,0.00,1.50,0.00,-0.06,0.00,2.44", "合计\t,\t,1,2,4.00,2.50,0.00,1.50,0.00,-0.06,0.00,2.44", "#---业务汇总列表结束---")
	zmBill = zmRow("S22", "A001", "20260305100001000001", "", 1000, "D000000000006", "C000000000994") +
		zmRow("S30", "R001", "20260305110001000002", "20260305100001000001", 250, "C000000000002", "D000000000248")
	zmSummary = gbk("   中国银联全渠道商户交易汇总表  \r\n\r\n商户代码:123456789012345    清算币种:人民币\r\n收单机构:1   清算日期:20260305\r\n" +
		"总计   2   2.50   10.00   0.06   0.02   2.48   9.94\r\n总计 9 9 9 9 9 9 9\r\n")
)

func wechatText(lines ...string) string { return utf8BOM + strings.Join(lines, "\r\n") + "\r\n" }

func alipayText(lines ...string) string {
	return gbk(strings.ReplaceAll(strings.Join(lines, "\n"), "\n", "\r\n") + "\r\n")
}

func gbk(s string) string {
	b, err := simplifiedchinese.GB18030.NewEncoder().String(s)
	if err != nil {
		panic(err)
	}
	return b
}

// zmRow is a ZM row by the table of widths.
func zmRow(code, orderNo, query, original string, fen int64, fee, net string) string {
	cells := map[int]string{
		upCode: code, 3: "000001", upSent: query[4:14], 5: "622609******0000", upAmount: pad0(fen, 12), upQueryNo: query, upOrderNo: orderNo,
		upFee: fee, upOriginal: original, upMerchant: "123456789012345", upNet: net,
	}
	row := make([]string, 0, len(unionpayWidths))
	for i, w := range unionpayWidths {
		row = append(row, cells[i]+strings.Repeat(" ", w-len(cells[i])))
	}
	return strings.Join(row, " ") + "\r\n"
}

func pad0(n int64, width int) string {
	s := formatDecimal(n, 0)
	return strings.Repeat("0", width-len(s)) + s
}

// zipped is a zip with names and texts in turn; the names are raw GBK.
func zipped(t testing.TB, namesAndTexts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(namesAndTexts); i += 2 {
		w, err := z.CreateHeader(&zip.FileHeader{Name: gbk(namesAndTexts[i]), NonUTF8: true, Method: zip.Deflate})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(namesAndTexts[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// inspect inspects bytes as they come from standard input.
func inspect(t testing.TB, file []byte, opts Options) *Report {
	t.Helper()
	r, err := Inspect(context.Background(), Stdin, bytes.NewReader(file), opts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// refusal is the error with which bytes are refused.
func refusal(t testing.TB, file []byte, opts Options) *RefusedError {
	t.Helper()
	_, err := Inspect(context.Background(), Stdin, bytes.NewReader(file), opts)
	var refused *RefusedError
	if !errors.As(err, &refused) {
		t.Fatalf("error %v: want a RefusedError", err)
	}
	return refused
}

// rows reads all rows as text, one a line, as Convert writes them.
func rows(t testing.TB, file []byte, opts Options) string {
	t.Helper()
	var b bytes.Buffer
	if _, err := Convert(context.Background(), &b, Stdin, bytes.NewReader(file), opts); err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(b.String(), convertHeader)
}
