package bill

import (
	"bytes"
	"errors"

	"paytool/internal/pay"
)

// Columns of Alipay's 业务明细.
const (
	atTradeNo column = iota
	atOrderNo
	atType
	atSubject
	atCreated
	atDone
	atAmount
	atReceived
	atDiscount
	atRefundNo
	atFee
	atColumns
)

var alipayTradeColumns = layout{
	names: map[string]column{
		"支付宝交易号": atTradeNo, "交易号": atTradeNo, "商户订单号": atOrderNo, "业务类型": atType, "商品名称": atSubject,
		"创建时间": atCreated, "完成时间": atDone, "订单金额(元)": atAmount, "商家实收(元)": atReceived, "商家优惠(元)": atDiscount,
		"退款批次号/请求号": atRefundNo, "服务费(元)": atFee,
	},
	count:    int(atColumns),
	required: []column{atTradeNo, atOrderNo, atType, atSubject, atDone, atAmount, atReceived, atDiscount, atRefundNo, atFee},
}

// alipayTrade reads 业务明细. Refunds have negative amounts, and 完成时间 is theirs
// while 创建时间 is that of the order.
type alipayTrade struct {
	*alipayFile
	subjects         bool // somebody looks at 商品名称
	rule             RevokeRule
	paid, refunded   []byte // 交易 and 退款 in the bill's encoding
	pays, refunds    total
	received, given  total // 商家实收 of both
	discount, undone total // 商家优惠 of both
}

func newAlipayTrade(r *Reader, c *codec) (*alipayTrade, error) {
	f, err := newAlipayFile(r, c, alipayTradeColumns)
	if err != nil {
		return nil, err
	}
	r.report.Type = AlipayTrade
	f.subject, f.timeNext = atSubject, atDone
	if f.has(atCreated) && f.pos[atCreated] < f.pos[atDone] {
		f.timeNext = atCreated
	}
	return &alipayTrade{alipayFile: f, subjects: !r.opts.NoSubject, rule: r.opts.AlipayRevoke, paid: c.encode("交易"), refunded: c.encode("退款")}, nil
}

func (a *alipayTrade) line(no int, line []byte, row *Row) (bool, error) {
	if taken, err := a.take(no, line); taken || err != nil {
		return false, err
	}
	a.read(row)
	return a.bad == nil, a.bad
}

func (a *alipayTrade) read(row *Row) {
	row.ChannelTradeNo = a.needed(atTradeNo)
	row.OrderNo = a.needed(atOrderNo)
	row.RefundNo = a.number(atRefundNo)
	row.State = a.show(atType)
	if a.subjects {
		row.Subject = a.show(atSubject)
	}
	row.Fee = FeeE5(a.decimal(atFee, e5Decimals))
	amount, received, discount := a.fen(atAmount), a.fen(atReceived), a.fen(atDiscount)
	t, err := a.parse(a.raw(atDone))
	if err != nil {
		a.fail(atDone, err)
	}
	row.Time = t
	switch kind := a.raw(atType); {
	case bytes.Equal(kind, a.paid):
		row.Kind = pay.EntryPay
		row.Amount, row.Settle = amount, received
	case bytes.Equal(kind, a.refunded):
		row.Kind = a.refundKind(row)
		row.Amount, row.Settle = -amount, -received
	default:
		a.fail(atType, errors.New("is neither 交易 nor 退款: the row is shifted, or Alipay has a new type"))
	}
	switch {
	case a.bad != nil:
		return
	case row.Amount <= 0 || row.Settle < 0:
		a.fail(atAmount, errors.New("has the wrong sign: payments are above 0, refunds below"))
		return
	}
	a.add(row, int64(received), int64(discount))
}

// refundKind tells a revoke from a refund by the rule of the account.
func (a *alipayTrade) refundKind(row *Row) pay.EntryKind {
	if a.rule == RevokeByTradeNo && bytes.Equal(row.RefundNo, row.ChannelTradeNo) {
		return pay.EntryRevoke
	}
	return pay.EntryRefund
}

func (a *alipayTrade) add(row *Row, received, discount int64) {
	if row.Kind == pay.EntryPay {
		a.pays.add(1)
		a.received.add(received)
		a.discount.add(discount)
		return
	}
	a.refunds.add(1)
	a.given.add(received)
	a.undone.add(discount)
}

func (a *alipayTrade) prove(r *Report) {
	a.proveEnd(r)
	a.proveTotals(r, "交易合计", a.pays, a.received, a.discount)
	a.proveTotals(r, "退款合计", a.refunds, a.given, a.undone)
}

// compare holds the counts against 业务明细(汇总). Whether its amounts are before or
// after refunds is not known, so that they are not compared.
func (a *alipayTrade) compare(r *Report, summary map[string]string) {
	r.proveSummary(summary, "交易订单总笔数", 0, a.pays)
	r.proveSummary(summary, "退款订单总笔数", 0, a.refunds)
}
