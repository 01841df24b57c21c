package bill

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"paytool/internal/pay"
)

// unionpayWidths are the fields of a ZM row in bytes of GBK, one blank between
// two. Newer files split the last one; the length of a row stays.
var unionpayWidths = []int{
	3, 11, 11, 6, 10, 19, 12, 4, 2, 21, 2, 32, 2, 6, 10, 13, 13, 4, 15, 2, 2, 6, 2, 4, 32, 1, 21, 15, 1, 15, 32, 13, 13, 8, 32, 13, 13,
	12, 2, 1, 32, 98,
}

// Fields of a ZM row, by their place in unionpayWidths.
const (
	upCode     = 0  // 交易代码
	upSent     = 4  // 交易传输时间, MMDDhhmmss without a year
	upAmount   = 6  // in fen
	upQueryNo  = 9  // 查询流水号: begins with the time, year included
	upOrderNo  = 11 // 商户订单号
	upFee      = 15 // D for paid by the merchant or C, then fen
	upOriginal = 26 // 查询流水号 of the original transaction
	upMerchant = 27
	upNet      = 32 // 清算净额, D or C, then fen
)

// unionpayCodes are the transaction codes that are understood. UnionPay's full
// list is not public: another code is a rejected row, never a guess.
var unionpayCodes = map[string]pay.EntryKind{
	"S22": pay.EntryPay,    // 消费
	"S56": pay.EntryPay,    // 自助消费
	"S30": pay.EntryRefund, // 退货
}

// unionpayLength is the length of a row without its line end.
var unionpayLength = func() int {
	n := len(unionpayWidths) - 1
	for _, w := range unionpayWidths {
		n += w
	}
	return n
}()

// looksLikeUnionpay reports whether a line begins like any of UnionPay's rows.
func looksLikeUnionpay(line string) bool {
	return len(line) > 200 && line[0] >= 'A' && line[0] <= 'Z' && line[3] == ' ' && line[15] == ' ' && line[27] == ' ' &&
		allDigits([]byte(line[28:34])) && allDigits([]byte(line[35:45]))
}

// isUnionpayZM reports whether a line is a row of layout ZM: the files of other
// layouts begin alike and differ from the query number on.
func isUnionpayZM(line []byte) bool {
	if len(line) != unionpayLength || !looksLikeUnionpay(string(line)) {
		return false
	}
	u := unionpay{}
	u.split(line)
	return len(u.fields[upQueryNo]) >= 14 && allDigits(u.fields[upQueryNo]) && allDigits(u.fields[upAmount])
}

func allDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// unionpay reads ZM files. They have no totals: those lie in a summary file
// beside them, RD2010.
type unionpay struct {
	*codec
	fields    [][]byte
	merchants merchants
	report    *Report
	alone     bool // no summary lies beside the file
	rows      total
	in, out   total // amounts of payments and of refunds
	fee, net  total
}

func newUnionpay(r *Reader, c *codec) (*unionpay, error) {
	p := &r.report
	p.Channel, p.Type, p.Columns = UnionPay, UnionpayZM, len(unionpayWidths)
	r.days.unchecked = true // a settlement day has transactions of the days around it
	return &unionpay{codec: c, report: p, alone: r.src.companion == nil, merchants: merchants{want: []byte(r.opts.Merchant)}}, nil
}

func (u *unionpay) line(no int, line []byte, row *Row) (bool, error) {
	u.reset()
	if len(bytes.TrimSpace(line)) == 0 {
		return false, nil
	}
	if len(line) != unionpayLength {
		return false, fmt.Errorf("has %d bytes, a row of ZM has %d: it was cut, or saved in another encoding", len(line), unionpayLength)
	}
	u.split(line)
	fee, net, err := u.read(row)
	if err != nil {
		return false, err
	}
	u.merchants.add(u.report, no, u.fields[upMerchant], nil)
	u.rows.add(1)
	u.fee.add(fee)
	u.net.add(net)
	if row.Kind == pay.EntryPay {
		u.in.add(int64(row.Amount))
	} else {
		u.out.add(int64(row.Amount))
	}
	return true, nil
}

// split cuts a row by the table, in bytes: a GBK character has two of them.
func (u *unionpay) split(line []byte) {
	u.fields = u.fields[:0]
	for _, w := range unionpayWidths {
		u.fields = append(u.fields, bytes.TrimSpace(line[:w]))
		line = line[min(w+1, len(line)):]
	}
}

// read fills the row and returns fee and net amount in fen, both as the merchant
// sees them: a fee that is paid and a net amount that is received are positive.
func (u *unionpay) read(row *Row) (fee, net int64, err error) {
	kind, known := unionpayCodes[string(u.fields[upCode])]
	if !known {
		return 0, 0, cellError("交易代码", u.fields[upCode], errors.New("is not known; known are S22, S56 (payments) and S30 (refunds)"))
	}
	amount, err := u.fen("交易金额", u.fields[upAmount])
	if err != nil {
		return 0, 0, err
	}
	if amount == 0 {
		return 0, 0, cellError("交易金额", u.fields[upAmount], errNotAbove0)
	}
	if fee, err = u.signed("商户手续费", u.fields[upFee], 'D'); err != nil {
		return 0, 0, err
	}
	if net, err = u.signed("清算净额", u.fields[upNet], 'C'); err != nil {
		return 0, 0, err
	}
	if row.Time, err = u.time(); err != nil {
		return 0, 0, err
	}
	row.Kind, row.Amount, row.Settle = kind, pay.Fen(amount), pay.Fen(max(net, -net))
	row.Fee = FeeE5(fee * 1000)
	row.State = u.text(u.fields[upCode])
	return fee, net, u.numbers(row)
}

// numbers fills the numbers. A refund has an order number of its own and names
// the original by its query number.
func (u *unionpay) numbers(row *Row) error {
	order, query := u.text(u.fields[upOrderNo]), u.text(u.fields[upQueryNo])
	if len(order) == 0 {
		return cellError("商户订单号", order, errEmptyCell)
	}
	if row.Kind == pay.EntryRefund {
		row.RefundNo, row.ChannelRefundNo, row.ChannelTradeNo = order, query, u.text(u.fields[upOriginal])
	} else {
		row.OrderNo, row.ChannelTradeNo = order, query
	}
	return errors.Join(checkNumber("商户订单号", order), checkNumber("查询流水号", query))
}

// time joins the time that the row was sent with the year, which only the query
// number has.
func (u *unionpay) time() (time.Time, error) {
	sent, query := u.fields[upSent], u.fields[upQueryNo]
	if len(query) < 14 || !bytes.Equal(query[4:14], sent) {
		return time.Time{}, cellError("查询流水号", query, errors.New("does not begin with the year and 交易传输时间, so that the year is not known"))
	}
	t, err := time.ParseInLocation("20060102150405", string(query[:14]), pay.Beijing)
	if err != nil {
		return time.Time{}, cellError("交易传输时间", sent, errTime)
	}
	return t, nil
}

func (u *unionpay) fen(name string, b []byte) (int64, error) {
	if !allDigits(b) {
		return 0, cellError(name, b, errAmount)
	}
	n, err := parseDecimal(b, 0)
	if err != nil {
		return 0, cellError(name, b, err)
	}
	return n, nil
}

// signed reads a letter and digits; plus is the letter of positive amounts, D for
// what the merchant pays and C for what it receives.
func (u *unionpay) signed(name string, b []byte, plus byte) (int64, error) {
	if len(b) < 2 || b[0] != 'C' && b[0] != 'D' {
		return 0, cellError(name, b, errors.New("does not begin with C or D"))
	}
	n, err := u.fen(name, b[1:])
	if b[0] != plus {
		n = -n
	}
	return n, err
}

func (u *unionpay) prove(r *Report) {
	u.merchants.prove(r)
	if !u.alone {
		return
	}
	r.find(Finding{Check: CheckNoFooter, Advisory: true, What: "ZM has no totals of its own; a zip that also holds its summary RD2010 proves them"})
}
