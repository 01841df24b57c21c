package bill

import (
	"errors"
)

// Columns of Alipay's 账务明细.
const (
	aaFlowNo column = iota
	aaBusinessNo
	aaOrderNo
	aaSubject
	aaTime
	aaIn
	aaOut
	aaBalance
	aaChannel
	aaType
	aaColumns
)

// Newer exports add columns and order them anew; what they add is not needed.
var alipayAccountColumns = layout{
	names: map[string]column{
		"账务流水号": aaFlowNo, "业务流水号": aaBusinessNo, "商户订单号": aaOrderNo, "商品名称": aaSubject, "发生时间": aaTime,
		"收入金额(+元)": aaIn, "支出金额(-元)": aaOut, "账户余额(元)": aaBalance, "交易渠道": aaChannel, "业务类型": aaType,
	},
	count:    int(aaColumns),
	required: []column{aaFlowNo, aaBusinessNo, aaOrderNo, aaTime, aaIn, aaOut, aaBalance, aaType},
}

// alipayAccount reads 账务明细, Alipay's fund bill: every movement of the account.
type alipayAccount struct {
	*alipayFile
	balance       balance
	ins, outs     total
	inSum, outSum total
}

func newAlipayAccount(r *Reader, c *codec) (*alipayAccount, error) {
	f, err := newAlipayFile(r, c, alipayAccountColumns)
	if err != nil {
		return nil, err
	}
	r.report.Type = AlipayAccount
	f.subject, f.timeNext = aaSubject, aaTime
	return &alipayAccount{alipayFile: f}, nil
}

func (a *alipayAccount) line(no int, line []byte, row *Row) (bool, error) {
	if taken, err := a.take(no, line); taken || err != nil {
		return false, err
	}
	a.read(row)
	if a.bad != nil {
		return false, a.bad
	}
	signed := row.Amount
	if row.Kind == In {
		a.ins.add(1)
		a.inSum.add(int64(signed))
	} else {
		signed = -signed
		a.outs.add(1)
		a.outSum.add(int64(signed))
	}
	a.balance.add(no, signed, row.Balance)
	return true, nil
}

func (a *alipayAccount) read(row *Row) {
	row.FlowNo = a.needed(aaFlowNo)
	row.ChannelTradeNo = a.number(aaBusinessNo)
	row.OrderNo = a.number(aaOrderNo)
	row.Subject, row.State, row.Business = a.show(aaSubject), a.show(aaType), a.show(aaChannel)
	row.Balance = a.fen(aaBalance)
	in, out := a.fen(aaIn), a.fen(aaOut)
	t, err := a.parse(a.raw(aaTime))
	if err != nil {
		a.fail(aaTime, err)
	}
	row.Time = t
	switch {
	case in > 0 && out == 0:
		row.Kind, row.Amount = In, in
	case in == 0 && out < 0:
		row.Kind, row.Amount = Out, -out
	default:
		a.fail(aaIn, errors.New("and 支出金额 do not tell a direction: income is above 0 or expense below, and the other is 0"))
	}
	row.Settle = row.Amount
}

func (a *alipayAccount) prove(r *Report) {
	a.balance.prove(r, true)
	a.proveEnd(r)
	a.proveTotals(r, "支出合计", a.outs, a.outSum)
	a.proveTotals(r, "收入合计", a.ins, a.inSum)
}

func (a *alipayAccount) compare(r *Report, summary map[string]string) {
	r.proveSummary(summary, "收入笔数", 0, a.ins)
	r.proveSummary(summary, "支出笔数", 0, a.outs)
	r.proveSummary(summary, "收入金额(+元)", fenDecimals, a.inSum)
	r.proveSummary(summary, "支出金额(-元)", fenDecimals, a.outSum)
}
