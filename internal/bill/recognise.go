package bill

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// layoutKind is which reader takes a file.
type layoutKind int

const (
	wechatTradeLayout layoutKind = iota + 1
	wechatFundLayout
	alipayTradeLayout
	alipayTradeSummaryLayout
	alipayAccountLayout
	alipayAccountSummaryLayout
	unionpayLayout
	unionpaySummaryLayout
)

// companion reports whether a file only sums up the detail file beside it.
func (k layoutKind) companion() bool {
	return k == alipayTradeSummaryLayout || k == alipayAccountSummaryLayout || k == unionpaySummaryLayout
}

// found is what the first bytes tell.
type found struct {
	kind layoutKind
	gbk  bool
	bom  int // bytes of the byte order mark
}

const utf8BOM = "\xef\xbb\xbf"

// recognise tells a bill by its first bytes, or says what else the file is. It is
// the one place that decides about a file.
func recognise(head []byte) (found, error) {
	if err := refuseBinary(head); err != nil {
		return found{}, err
	}
	var f found
	if bytes.HasPrefix(head, []byte(utf8BOM)) {
		f.bom = len(utf8BOM)
	}
	first, rest := firstLines(head[f.bom:])
	f.gbk = f.bom == 0 && !utf8.Valid(first)
	codec := newCodec(f.gbk)
	title := codec.decode(first)
	if f.gbk { // then a U+FFFD is ours, not one that the file was saved with
		title = strings.ReplaceAll(title, "\uFFFD", "?")
	}
	name := strings.Trim(strings.ReplaceAll(title, " ", ""), "\t\r,\"`")
	switch {
	case strings.HasPrefix(name, "交易时间,公众账号ID,"):
		f.kind = wechatTradeLayout
	case strings.HasPrefix(name, "记账时间,微信支付业务单号,"):
		f.kind = wechatFundLayout
	case strings.HasPrefix(name, "#支付宝业务明细查询"):
		f.kind = alipayTradeLayout
	case strings.HasPrefix(name, "#支付宝业务汇总查询"):
		f.kind = alipayTradeSummaryLayout
	case strings.HasPrefix(name, "#支付宝账务明细查询"):
		f.kind = alipayAccountLayout
	case strings.HasPrefix(name, "#支付宝账务汇总查询"):
		f.kind = alipayAccountSummaryLayout
	case isUnionpayZM(first):
		f.kind, f.gbk = unionpayLayout, true
	case strings.HasPrefix(name, "中国银联") && strings.Contains(name, "汇总表"):
		f.kind = unionpaySummaryLayout
	default:
		return found{}, refuseText(title, strings.TrimRight(stranger(rest), "\uFFFD"))
	}
	if f.kind == wechatTradeLayout || f.kind == wechatFundLayout {
		return f, refuseHeader(title)
	}
	return f, nil
}

// stranger is the text of a file that is no bill, in the encoding that fits it.
func stranger(b []byte) string {
	if c := newCodec(false); !strings.Contains(strings.TrimRight(c.decode(b), "\uFFFD"), "\uFFFD") {
		return c.decode(b)
	}
	return strings.ReplaceAll(newCodec(true).decode(b), "\uFFFD", "?")
}

// firstLines is the first line with anything on it, and what follows. A line that
// the head cuts is cut back to whole characters.
func firstLines(head []byte) (first, rest []byte) {
	head = bytes.TrimLeft(head, "\r\n")
	if i := bytes.IndexByte(head, '\n'); i >= 0 {
		return bytes.TrimSuffix(head[:i], []byte{'\r'}), head[i+1:]
	}
	if len(head) >= headSize-len(utf8BOM) { // cut, perhaps within a character
		for i := 1; i < utf8.UTFMax && i < len(head); i++ {
			if utf8.RuneStart(head[len(head)-i]) {
				return head[:len(head)-i], nil
			}
		}
	}
	return head, nil
}
