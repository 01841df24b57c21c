package bill

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"paytool/internal/pay"
)

// Columns of WeChat's trade bills.
const (
	wxTime column = iota
	wxMerchant
	wxSubMerchant
	wxTradeNo
	wxOrderNo
	wxState
	wxCurrency
	wxSettle
	wxApplied // 退款申请时间: bills of refunds
	wxRefundID
	wxRefundNo
	wxRefund
	wxRecharge
	wxRefundState
	wxSubject
	wxAttach
	wxFee
	wxRate
	wxAmount
	wxApply // 申请退款金额
	wxColumns
)

// wechatTradeColumns knows the columns of all generations by name. Layouts differ
// in number and order of columns, so that neither is looked at.
var wechatTradeColumns = layout{
	names: map[string]column{
		"交易时间": wxTime, "商户号": wxMerchant, "特约商户号": wxSubMerchant, "子商户号": wxSubMerchant,
		"微信订单号": wxTradeNo, "商户订单号": wxOrderNo, "交易状态": wxState, "货币种类": wxCurrency,
		"应结订单金额": wxSettle, "总金额": wxSettle,
		"退款申请时间": wxApplied, "微信退款单号": wxRefundID, "商户退款单号": wxRefundNo,
		"退款金额": wxRefund, "充值券退款金额": wxRecharge, "企业红包退款金额": wxRecharge, "代金券或立减优惠退款金额": wxRecharge,
		"退款状态": wxRefundState, "商品名称": wxSubject, "商户数据包": wxAttach,
		"手续费": wxFee, "费率": wxRate, "订单金额": wxAmount, "申请退款金额": wxApply,
	},
	count:    int(wxColumns),
	required: []column{wxTime, wxMerchant, wxTradeNo, wxOrderNo, wxState, wxCurrency, wxSettle, wxSubject, wxFee, wxRate},
}

var (
	errNoTick = errors.New("does not begin with a backtick: the line before was torn apart, or a spreadsheet has saved the file")
	errAfter  = errors.New("stands after the totals: bills were put together, give each on its own")
)

// wechatTrade reads WeChat's trade bills of every type and generation.
type wechatTrade struct {
	*cells
	report    *Report
	merchants merchants
	subjects  bool // somebody looks at 商品名称
	footer    wechatFooter
	row       wechatAmounts
	rows      total
	fee       total
	sums      [5]total // of wechatAmounts, in its order
}

// wechatAmounts are the amounts of a row, 0 where the layout lacks the column.
type wechatAmounts struct{ settle, refund, recharge, amount, apply pay.Fen }

func newWechatTrade(r *Reader, c *codec) (*wechatTrade, error) {
	header, err := r.header(c)
	if err != nil {
		return nil, err
	}
	cells, err := newCells(c, wechatTradeColumns, header)
	if err != nil {
		return nil, err
	}
	p := &r.report
	p.Channel, p.Type, p.Columns = WeChat, TradeAll, len(cells.names)
	switch {
	case cells.has(wxApplied) && r.opts.Type == TradeRechargeRefund:
		p.Type = TradeRechargeRefund
	case cells.has(wxApplied):
		p.Type = TradeRefund
	case !cells.has(wxRefundID):
		p.Type = TradeSuccess
	}
	if p.Type != TradeSuccess && (!cells.has(wxRefundNo) || !cells.has(wxRefund)) {
		return nil, refused(RefusedLayout, "has 微信退款单号 without 商户退款单号 or 退款金额; %s", hintFetchAgain)
	}
	if !cells.has(wxAmount) {
		p.Generation = Old
	}
	return &wechatTrade{
		cells: cells, report: p, merchants: merchants{want: []byte(r.opts.Merchant)},
		subjects: !r.opts.NoSubject, footer: wechatFooter{first: "总交易单数"},
	}, nil
}

func (w *wechatTrade) line(no int, line []byte, row *Row) (bool, error) {
	w.reset()
	if taken, err := w.footer.take(w.codec, no, line); taken || err != nil {
		return false, err
	}
	w.bad = nil
	if err := w.split(line); err != nil {
		return false, err
	}
	w.read(row)
	if w.bad != nil {
		return false, w.bad
	}
	w.merchants.add(w.report, no, w.raw(wxMerchant), w.raw(wxSubMerchant))
	w.add(row)
	return true, nil
}

// split cuts a row into its fields. Fields too many come from a text that holds
// the separator: they are put back into 商品名称, which with 商户数据包 behind it is
// where people type.
func (w *wechatTrade) split(line []byte) error {
	w.ticks(line)
	switch n := w.count() - len(w.names); {
	case n < 0:
		return fmt.Errorf("has %d fields where the header has %d: the row was torn apart or shifted", w.count(), len(w.names))
	case n > 0:
		w.join(w.pos[wxSubject], n)
	}
	return nil
}

// read fills the row. A row is one of three: paid, refunded, revoked.
func (w *wechatTrade) read(row *Row) {
	if !bytes.Equal(w.raw(wxCurrency), []byte("CNY")) {
		w.fail(wxCurrency, errors.New("is not CNY; amounts of other currencies are not read"))
	}
	row.ChannelTradeNo = w.needed(wxTradeNo)
	row.OrderNo = w.needed(wxOrderNo)
	row.State = w.show(wxState)
	if w.subjects {
		row.Subject = w.show(wxSubject)
	}
	row.Rate = w.raw(wxRate)
	row.Fee = FeeE5(w.decimal(wxFee, e5Decimals))
	w.row = wechatAmounts{w.plus(wxSettle), w.plus(wxRefund), w.plus(wxRecharge), w.plus(wxAmount), w.plus(wxApply)}
	row.Settle, row.Amount = w.row.settle, w.row.settle
	when := wxTime
	switch string(row.State) {
	case "SUCCESS":
		row.Kind = pay.EntryPay
		if w.has(wxAmount) {
			row.Amount = w.row.amount
		}
	case "REFUND", "REVOKED":
		row.Kind = pay.EntryRefund
		if row.State[2] == 'V' {
			row.Kind = pay.EntryRevoke
		}
		when = w.readRefund(row)
	default:
		w.fail(wxState, errors.New("is not SUCCESS, REFUND or REVOKED: the row is shifted, or WeChat has a new state"))
		return
	}
	t, err := w.parse(w.raw(when))
	if err != nil {
		w.fail(when, err)
	}
	row.Time = t
	if row.Amount <= 0 && w.bad == nil {
		w.bad = fmt.Errorf("the amount of this %s %w", row.Kind, errNotAbove0)
	}
}

// readRefund fills what refunds and revokes have, and names the column of their
// time: in bills of refunds 交易时间 is when the order was paid.
func (w *wechatTrade) readRefund(row *Row) column {
	if !w.has(wxRefund) || !w.has(wxRefundNo) {
		w.fail(wxState, errors.New("stands in a bill that has no columns for refunds"))
		return wxTime
	}
	row.ChannelRefundNo = w.number(wxRefundID)
	row.RefundNo = w.number(wxRefundNo)
	row.Settle, row.Amount = w.row.refund, w.row.refund
	if w.has(wxApply) {
		row.Amount = w.row.apply
	}
	if row.Kind == pay.EntryRevoke && row.Amount == 0 {
		row.Amount = row.Settle // which of the two a revoke fills is not proven
	}
	if row.Kind == pay.EntryRefund && (len(row.RefundNo) == 0 || string(row.RefundNo) == "0") {
		w.fail(wxRefundNo, errors.New("is no refund number"))
	}
	if state := w.show(wxRefundState); len(state) > 0 {
		row.State = state
	}
	if w.has(wxApplied) {
		return wxApplied
	}
	return wxTime
}

// add adds a row to the sums of its columns, which the footer repeats.
func (w *wechatTrade) add(row *Row) {
	w.rows.add(1)
	w.fee.add(int64(row.Fee))
	for i, n := range [...]pay.Fen{w.row.settle, w.row.refund, w.row.recharge, w.row.amount, w.row.apply} {
		w.sums[i].add(int64(n))
	}
}

func (w *wechatTrade) prove(r *Report) {
	w.merchants.prove(r)
	rows := w.rows
	rows.add(r.RejectedRows)
	w.footer.prove(r, func(name string) (total, int, bool) {
		switch {
		case name == "总交易单数":
			return rows, 0, true
		case name == "手续费总金额":
			return w.fee, e5Decimals, true
		case name == "应结订单总金额", name == "总交易额":
			return w.sums[0], fenDecimals, true
		case name == "退款总金额", name == "总退款金额":
			return w.sums[1], fenDecimals, true
		case name == "订单总金额":
			return w.sums[3], fenDecimals, true
		case name == "申请退款总金额":
			return w.sums[4], fenDecimals, true
		case strings.HasPrefix(name, "充值券退款"), strings.HasPrefix(name, "总企业红包退款"), strings.HasPrefix(name, "总代金券或立减优惠退款"):
			return w.sums[2], fenDecimals, true
		}
		return total{}, 0, false
	})
}

func (w *wechatTrade) compare(r *Report, _ map[string]string) {
	r.find(Finding{Check: CheckSummary, What: "a summary of another channel lies in the zip"})
}
