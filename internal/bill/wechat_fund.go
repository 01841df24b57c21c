package bill

import (
	"bytes"
	"errors"
	"fmt"
)

// Columns of WeChat's fund bills.
const (
	wfTime column = iota
	wfBusinessNo
	wfFlowNo
	wfBusiness
	wfType
	wfDirection
	wfAmount
	wfBalance
	wfNote
	wfVoucher
	wfColumns
)

var wechatFundColumns = layout{
	names: map[string]column{
		"记账时间": wfTime, "微信支付业务单号": wfBusinessNo, "资金流水单号": wfFlowNo, "业务名称": wfBusiness, "业务类型": wfType,
		"收支类型": wfDirection, "收支金额(元)": wfAmount, "账户结余(元)": wfBalance, "备注": wfNote, "业务凭证号": wfVoucher,
	},
	count:    int(wfColumns),
	required: []column{wfTime, wfBusinessNo, wfFlowNo, wfBusiness, wfType, wfDirection, wfAmount, wfBalance, wfNote, wfVoucher},
}

// wechatFund reads WeChat's fund bills. Their amounts have no sign: 收支类型 tells
// the direction.
type wechatFund struct {
	*cells
	footer   wechatFooter
	balance  balance
	in, out  []byte // 收入 and 支出 in the bill's encoding
	refundOf []byte // 退款
	rows     total
	ins      total
	outs     total
	inSum    total
	outSum   total
}

func newWechatFund(r *Reader, c *codec) (*wechatFund, error) {
	header, err := r.header(c)
	if err != nil {
		return nil, err
	}
	cells, err := newCells(c, wechatFundColumns, header)
	if err != nil {
		return nil, err
	}
	p := &r.report
	p.Channel, p.Type, p.Columns = WeChat, Fundflow, len(cells.names)
	return &wechatFund{
		cells: cells, footer: wechatFooter{first: "资金流水总笔数"},
		in: c.encode("收入"), out: c.encode("支出"), refundOf: c.encode("退款"),
	}, nil
}

func (w *wechatFund) line(no int, line []byte, row *Row) (bool, error) {
	w.reset()
	if taken, err := w.footer.take(w.codec, no, line); taken || err != nil {
		return false, err
	}
	w.bad = nil
	w.ticks(line)
	n := w.count() - len(w.names)
	if n < 0 {
		return false, fmt.Errorf("has %d fields where the header has %d: the row was torn apart or shifted", w.count(), len(w.names))
	}
	w.join(w.pos[wfNote], n) // the note is where people type
	w.read(row)
	if w.bad != nil {
		return false, w.bad
	}
	w.add(no, row)
	return true, nil
}

func (w *wechatFund) read(row *Row) {
	row.Amount = w.plus(wfAmount)
	row.Settle = row.Amount
	row.Balance = w.fen(wfBalance)
	row.FlowNo = w.needed(wfFlowNo)
	row.Business = w.show(wfBusiness)
	row.State = w.show(wfType)
	row.Subject = w.show(wfNote)
	if bytes.Equal(w.raw(wfBusiness), w.refundOf) {
		row.ChannelRefundNo, row.RefundNo = w.number(wfBusinessNo), w.number(wfVoucher)
	} else {
		row.ChannelTradeNo, row.OrderNo = w.number(wfBusinessNo), w.number(wfVoucher)
	}
	switch direction := w.raw(wfDirection); {
	case bytes.Equal(direction, w.in):
		row.Kind = In
	case bytes.Equal(direction, w.out):
		row.Kind = Out
	default:
		w.fail(wfDirection, errors.New("is neither 收入 nor 支出"))
	}
	t, err := w.parse(w.raw(wfTime))
	if err != nil {
		w.fail(wfTime, err)
	}
	row.Time = t
}

func (w *wechatFund) add(no int, row *Row) {
	w.rows.add(1)
	signed := row.Amount
	if row.Kind == In {
		w.ins.add(1)
		w.inSum.add(int64(row.Amount))
	} else {
		signed = -signed
		w.outs.add(1)
		w.outSum.add(int64(row.Amount))
	}
	w.balance.add(no, signed, row.Balance)
}

func (w *wechatFund) prove(r *Report) {
	w.balance.prove(r, false)
	rows := w.rows
	rows.add(r.RejectedRows)
	w.footer.prove(r, func(name string) (total, int, bool) {
		switch name {
		case "资金流水总笔数":
			return rows, 0, true
		case "收入笔数":
			return w.ins, 0, true
		case "支出笔数":
			return w.outs, 0, true
		case "收入金额":
			return w.inSum, fenDecimals, true
		case "支出金额":
			return w.outSum, fenDecimals, true
		}
		return total{}, 0, false
	})
}

func (w *wechatFund) compare(r *Report, _ map[string]string) {
	r.find(Finding{Check: CheckSummary, What: "a summary of another channel lies in the zip"})
}
