package generate

import (
	"fmt"
	"strings"
	"time"

	"paytool/internal/pay"
)

const (
	alipayHeader = "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）," +
		"集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注\r\n"
	alipaySummaryHeader        = "门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,支付宝优惠（元）,商家优惠（元）,卡消费金额（元）,服务费（元）,分润（元）,实收净额（元）\r\n"
	alipayAccountHeader        = "账务流水号,业务流水号,商户订单号,商品名称,发生时间,对方账号,收入金额（+元）,支出金额（-元）,账户余额（元）,交易渠道,业务类型,备注\r\n"
	alipayAccountSummaryHeader = "类型,收入笔数,收入金额（+元）,支出笔数,支出金额（-元）,总金额（元）\r\n"
)

// alipay writes 业务明细 and 账务明细, each as a zip with its 汇总 in it: GBK text,
// GBK entry names without the flag that says so, CRLF, TABs behind the texts.
type alipay struct {
	m             *maker
	bill, fund    *archive
	pays, refunds int64
	sold, given   amounts
	flows         int64
	balance       pay.Fen
	in, out       pay.Fen
}

// amounts are sums of 订单金额, 商家实收 and 商家优惠; negative of refunds.
type amounts struct{ amount, settle, discount pay.Fen }

func (a *amounts) add(amount, settle pay.Fen) {
	a.amount += amount
	a.settle += settle
	a.discount += amount - settle
}

func newAlipay(m *maker, out Outputs) (*alipay, error) {
	a := &alipay{m: m, balance: openingFen, bill: newArchive(m, out.Bill), fund: newArchive(m, out.Fund)}
	if err := a.bill.begin("业务明细.csv", "业务明细", alipayHeader); err != nil {
		return nil, err
	}
	if err := a.fund.begin("账务明细_1.csv", "账务明细", alipayAccountHeader); err != nil {
		return nil, err
	}
	return a, nil
}

func (a *alipay) pay(o *order) error {
	a.pays++
	a.sold.add(o.amount, o.settle)
	return a.trade(o, "交易", o.time, o.amount, o.settle, o.fee, "")
}

// back: a revoke is told by its number, which is the trade number.
func (a *alipay) back(b back) error {
	a.refunds++
	a.given.add(-b.amount, -b.settle)
	no := b.no
	if b.kind == pay.EntryRevoke {
		no = b.tradeNo
	}
	return a.trade(b.order, "退款", b.time, -b.amount, -b.settle, -b.fee, no)
}

func (a *alipay) trade(o *order, kind string, done time.Time, amount, settle, fee pay.Fen, refundNo string) error {
	if a.bill == nil {
		return nil
	}
	subject := strings.ReplaceAll(o.subject, ",", "，")
	s := a.bill.buf[:0]
	for _, cell := range [...]string{o.tradeNo + "\t", o.no + "\t", kind + "\t", subject} {
		s = append(append(s, cell...), ',')
	}
	s = append(o.time.AppendFormat(s, timeLayout), ',')
	s = append(done.AppendFormat(s, timeLayout), ',')
	s = append(append(s, "store1\t,store1\t,\t,"...), o.terminal...)
	s = append(s, "\t,*(a***@example.com)\t,"...)
	s = append(appendYuan(s, amount), ',')
	s = append(appendYuan(s, settle), ",0.00,0.00,0.00,"...)
	s = append(appendYuan(s, amount-settle), ",0.00,,0.00\t,0.00,"...)
	s = append(append(s, refundNo...), "\t,"...)
	s = append(appendYuan(s, fee), ",0.00,\r\n"...)
	return a.bill.write(s)
}

func (a *alipay) fundPay(o *order) error {
	return a.flow(o.time, o.tradeNo, o.no, "在线支付", o.settle)
}

func (a *alipay) fundBack(b back) error {
	return a.flow(b.time, b.tradeNo, b.order.no, "交易退款", -b.settle)
}

// fundReturned writes nothing: no bill of Alipay's that shows it was seen.
func (a *alipay) fundReturned(back) error { return nil }

func (a *alipay) flow(t time.Time, tradeNo, orderNo, kind string, amount pay.Fen) error {
	if a.fund == nil || amount == 0 {
		return nil
	}
	a.flows++
	a.balance += amount
	s := append(a.fund.buf[:0], "10700"+pad(scatter(a.flows, a.m.salt), 10)+"11\t,"+tradeNo+"\t,"+orderNo+"\t,\t,"...)
	s = append(t.AppendFormat(s, timeLayout), ",****\t,"...)
	if amount > 0 {
		a.in += amount
		a.m.made.Kinds.In++
		s = append(appendYuan(s, amount), ",0.00,"...)
	} else {
		a.out += amount
		a.m.made.Kinds.Out++
		s = append(appendYuan(append(s, "0.00,"...), amount), ',')
	}
	s = append(appendYuan(s, a.balance), ",支付宝,"+kind+",\t\r\n"...)
	return a.fund.write(s)
}

func (a *alipay) close() error {
	net := a.sold
	net.amount, net.settle, net.discount = net.amount+a.given.amount, net.settle+a.given.settle, net.discount+a.given.discount
	figures := fmt.Sprintf("%d,%d,%s,%s,0.00,%s,0.00,0.00,0.00,%s\r\n", a.pays, a.refunds, net.amount.Yuan(), net.settle.Yuan(), net.discount.Yuan(), net.settle.Yuan())
	err := a.bill.end("业务明细", fmt.Sprintf("#交易合计：%d笔，商家实收共%s元，商家优惠共%s元\r\n#退款合计：%d笔，商家实收退款共%s元，商家优惠退款共%s元\r\n",
		a.pays, a.sold.settle.Yuan(), a.sold.discount.Yuan(), a.refunds, a.given.settle.Yuan(), a.given.discount.Yuan()),
		"业务明细(汇总).csv", "业务汇总", alipaySummaryHeader+"store1\t,store1\t,"+figures+"合计\t,\t,"+figures)
	if err != nil {
		return err
	}
	k := a.m.made.Kinds
	figures = fmt.Sprintf("%d\t,%s\t,%d\t,%s\t,%s\t\r\n", k.In, a.in.Yuan(), k.Out, a.out.Yuan(), (a.in + a.out).Yuan())
	return a.fund.end("账务明细", fmt.Sprintf("#支出合计：%d笔，共%s元\r\n#收入合计：%d笔，共%s元\r\n", k.Out, a.out.Yuan(), k.In, a.in.Yuan()),
		"账务明细(汇总)_1.csv", "账务汇总", alipayAccountSummaryHeader+"在线支付\t,"+figures+"合计\t,"+figures)
}
