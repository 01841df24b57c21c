package bill

import (
	"bytes"
	"strings"
)

// What people and programs save in place of a bill, and what to do then. A new
// stranger is one line in one of these tables.

const (
	hintMerchantCSV = "download the merchant's bill as CSV from the merchant platform, or with `paytool bill fetch`"
	hintFetchAgain  = "fetch the bill again"
)

// refuseBinary refuses what is no text at all.
func refuseBinary(head []byte) error {
	for _, s := range []struct {
		magic  string
		code   Refusal
		reason string
	}{
		{"\xff\xfe", RefusedEncoding, "is UTF-16, as spreadsheets save \"Unicode text\"; " + hintFetchAgain + " and do not save it with a spreadsheet"},
		{"\xfe\xff", RefusedEncoding, "is UTF-16, as spreadsheets save \"Unicode text\"; " + hintFetchAgain + " and do not save it with a spreadsheet"},
		{"\xd0\xcf\x11\xe0", RefusedWorkbook, "is an Excel workbook; " + hintMerchantCSV},
		{"PK\x03\x04", RefusedUnknown, "is a zip inside a zip or gzip; unpack it once"},
		{"\x1f\x8b", RefusedUnknown, "is a gzip inside a zip or gzip; unpack it once"},
		{"%PDF", RefusedUnknown, "is a PDF; " + hintMerchantCSV},
	} {
		if bytes.HasPrefix(head, []byte(s.magic)) {
			return refused(s.code, "%s", s.reason)
		}
	}
	if len(bytes.TrimSpace(bytes.TrimPrefix(head, []byte(utf8BOM)))) == 0 {
		return refused(RefusedEmpty, "is empty; a channel has no empty bills, it answers that there is none: %s", hintFetchAgain)
	}
	if bytes.IndexByte(head, 0) >= 0 {
		return refused(RefusedEncoding, "holds zero bytes: it is not text, or it is UTF-16; %s", hintFetchAgain)
	}
	return nil
}

// strangers are texts by which a file is known, in the order in which they are
// tried.
var strangers = []struct {
	marks  []string // any of them
	code   Refusal
	reason string
}{
	{[]string{"下载超时"}, RefusedExpired, "is Alipay's page that the download URL ran out (it lives 30 s); " + hintFetchAgain},
	{[]string{"No Bill Exist", "NO_STATEMENT_EXIST", "NO_BILL_EXIST", "isp.bill_not_exist", "请求的账单文件不存在"}, RefusedNoBill,
		"is the channel's answer that there is no bill for that day; before 10:00 Beijing time the bill may not be built yet, ask again then"},
	{[]string{"Bill Creating", "STATEMENT_CREATING", "BILL_CREATING"}, RefusedNotReady,
		"is the channel's answer that the bill is not built yet; ask again after 10:00 Beijing time"},
	{[]string{"微信支付账单明细"}, RefusedPersonal, "is a person's WeChat export, not a merchant's bill; " + hintMerchantCSV},
	{[]string{"支付宝交易记录明细查询", "导出信息：", "支付宝（中国）网络技术有限公司", "支付宝(中国)网络技术有限公司"}, RefusedPersonal,
		"is a person's Alipay export, not a merchant's bill; " + hintMerchantCSV},
	{[]string{"交易时间,交易类型,交易对方", "交易时间,交易分类,交易对方"}, RefusedPersonal, "has the columns of a person's export; " + hintMerchantCSV},
	{[]string{"锟斤拷", "\uFFFD"}, RefusedEncoding, "was read in a wrong encoding and saved so, its Chinese text is lost; " + hintFetchAgain},
	{[]string{"浜ゆ槗鏃", "璁拌处鏃", "鏀粯瀹"}, RefusedEncoding, "is UTF-8 that was read as GBK and saved so; " + hintFetchAgain},
	{[]string{"Ö§¸¶", "½»Ò×", "¼ÇÕË", "äº¤æ˜", "æ”¯ä»˜"}, RefusedEncoding, "was read as Latin-1 and saved so; " + hintFetchAgain},
	{[]string{"|PAYMENT|", "|REVERSAL|", "|REFUND|", "|CANCEL|", "Partner_transaction_id", "partner_transaction_id"}, RefusedOverseas,
		"is a settlement file of Alipay's products abroad; its layout is another product's and is not read"},
	{[]string{"Transaction time", "Transaction Time", "Merchant ID", "Wechatpay", "汇率"}, RefusedOverseas,
		"has the columns of a channel's product abroad; only bills of mainland merchants in CNY are read"},
}

// refuseText says what a text is that is no bill.
func refuseText(first, rest string) error {
	for _, s := range strangers {
		for _, mark := range s.marks {
			if strings.Contains(first, mark) || strings.Contains(rest, mark) {
				return refused(s.code, "%s", s.reason)
			}
		}
	}
	switch trimmed := strings.TrimSpace(first); {
	case looksLikeUnionpay(trimmed):
		return refused(RefusedUnknown, "looks like a UnionPay file, but not of the layout ZM; only ZM is read")
	case strings.HasPrefix(strings.ToLower(trimmed), "<!doctype html"), strings.HasPrefix(strings.ToLower(trimmed), "<html"):
		return refused(RefusedAnswer, "is a web page in place of a bill; %s", hintFetchAgain)
	case strings.HasPrefix(trimmed, "<"):
		return refused(RefusedAnswer, "is an error answer in place of a bill: %s; correct the request and %s", answerWords(first+rest, "return_msg>", "<"), hintFetchAgain)
	case strings.HasPrefix(trimmed, "{"):
		return refused(RefusedAnswer, "is an error answer in place of a bill: %s; correct the request and %s", answerWords(first+rest, "\"message\":\"", "\""), hintFetchAgain)
	}
	return refused(RefusedUnknown, "begins with %s, which no known bill does; `paytool bill inspect --help` lists what is read", excerpt([]byte(first)))
}

// answerWords are the words of an answer between two marks, or its beginning.
func answerWords(answer, from, to string) string {
	_, after, ok := strings.Cut(strings.ReplaceAll(answer, "\": \"", "\":\""), from)
	if !ok {
		return excerpt([]byte(answer))
	}
	words, _, _ := strings.Cut(strings.TrimPrefix(after, "<![CDATA["), to)
	return excerpt([]byte(strings.TrimSuffix(words, "]]>")))
}

// refuseHeader refuses a known header that cannot be followed by rows.
func refuseHeader(header string) error {
	switch {
	case strings.Contains(header, ",`"):
		return refused(RefusedLayout, "has no line ends: whoever saved it dropped them; %s", hintFetchAgain)
	case strings.Contains(header, "汇率"):
		return refused(RefusedOverseas, "has the columns of a channel's product abroad; only bills of mainland merchants in CNY are read")
	}
	return nil
}
