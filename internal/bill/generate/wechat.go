package generate

import (
	"fmt"
	"strconv"
	"time"

	"paytool/internal/pay"
)

const (
	bom          = "\ufeff"
	wechatHeader = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额," +
		"微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注\r\n"
	wechatOldHeader = "交易时间,公众账号ID,商户号,子商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,总金额,企业红包金额," +
		"微信退款单号,商户退款单号,退款金额,企业红包退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率\r\n"
	wechatOldTotals  = "总交易单数,总交易额,总退款金额,总企业红包退款金额,手续费总金额\r\n"
	wechatTotals     = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\r\n"
	wechatFundHeader = "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号\r\n"
	wechatFundTotals = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额\r\n"

	openingFen = 100_000_000_00 // a hundred million yuan: no refund of a generated day can overdraw it
)

// wechat writes a trade bill of type ALL and its fund bill: UTF-8 with a byte
// order mark, CRLF, a backtick before every value, nothing quoted.
type wechat struct {
	m          *maker
	bill, fund *sheet
	rate       string
	rows       int64
	settle     pay.Fen
	refund     pay.Fen
	fee        pay.Fen
	amount     pay.Fen
	apply      pay.Fen
	flows      int64
	balance    pay.Fen
	in, out    pay.Fen
}

func newWechat(m *maker, out Outputs) *wechat {
	w := &wechat{m: m, bill: newSheet(out.Bill), fund: newSheet(out.Fund), balance: openingFen}
	w.rate = pay.Fen(m.opts.RateE5/10).Yuan() + "%"
	if d := m.opts.RateE5 % 10; d != 0 {
		w.rate = pay.Fen(m.opts.RateE5/10).Yuan() + strconv.FormatInt(d, 10) + "%"
	}
	if m.opts.Old {
		w.bill.raw(bom + wechatOldHeader)
	} else {
		w.bill.raw(bom + wechatHeader)
	}
	w.fund.raw(bom + wechatFundHeader)
	return w
}

func (w *wechat) pay(o *order) error {
	w.rows++
	w.settle += o.settle
	w.amount += o.amount
	w.fee += o.fee
	w.start(o, o.time, "SUCCESS")
	w.bill.yuan(o.settle).yuan(o.amount - o.settle)
	w.bill.cell("0").cell("0").yuan(0).yuan(0).cell("").cell("")
	w.end(o, o.fee, o.amount, 0)
	return w.bill.flush()
}

func (w *wechat) back(b back) error {
	w.rows++
	w.refund += b.settle
	w.apply += b.amount
	w.fee -= b.fee
	state, id, no := "REFUND", b.id, b.no
	if b.kind == pay.EntryRevoke {
		state = "REVOKED"
		switch w.m.rng.IntN(3) { // which numbers a revoke carries is not proven: all that were reported
		case 0:
			id, no = "0", "0"
		case 1:
			id, no = "", ""
		}
	}
	w.start(b.order, b.time, state)
	w.bill.yuan(0).yuan(0)
	w.bill.cell(id).cell(no).yuan(b.settle).yuan(0).cell("ORIGINAL").cell("SUCCESS")
	w.end(b.order, -b.fee, 0, b.amount)
	return w.bill.flush()
}

// start writes the columns up to 货币种类, end those from 商品名称 on.
func (w *wechat) start(o *order, t time.Time, state string) {
	w.bill.time(t).cell("wx0000000000000001").cell(w.m.opts.Merchant).cell("0").cell(o.terminal).cell(o.tradeNo).cell(o.no)
	w.bill.cell("o0000000000000000000000000001").cell("MICROPAY").cell(state).cell("OTHERS").cell("CNY")
}

func (w *wechat) end(o *order, fee, amount, apply pay.Fen) {
	w.bill.cell(o.subject).cell(o.attach).fee(fee).cell(w.rate)
	if !w.m.opts.Old {
		w.bill.yuan(amount).yuan(apply).cell("")
	}
}

func (w *wechat) fundPay(o *order) error {
	w.flow(o.time, o.tradeNo, "交易", "交易", o.settle, "system", "", o.no)
	if o.fee != 0 {
		w.flow(o.time, o.tradeNo, "交易", "扣除交易手续费", -o.fee, "system", "", o.no)
	}
	return w.fund.flush()
}

func (w *wechat) fundBack(b back) error {
	note := fmt.Sprintf("退款总金额%s元;含手续费%s元", b.settle.Yuan(), b.fee.Yuan())
	w.flow(b.time, b.id, "退款", "退款", -(b.settle - b.fee), w.m.opts.Merchant+"API", note, b.no)
	return w.fund.flush()
}

// fundReturned writes that a refund came back: it could not be paid out.
func (w *wechat) fundReturned(b back) error {
	w.flow(b.time, b.id, "退款", "退款关闭", b.settle-b.fee, "system", "", b.no)
	return w.fund.flush()
}

// flow writes one movement; money that leaves is negative. Nothing moves for 0.
func (w *wechat) flow(t time.Time, no, business, kind string, amount pay.Fen, who, note, voucher string) {
	if w.fund == nil || amount == 0 {
		return
	}
	w.flows++
	w.balance += amount
	direction := "收入"
	if amount > 0 {
		w.in += amount
		w.m.made.Kinds.In++
	} else {
		direction, amount = "支出", -amount
		w.out += amount
		w.m.made.Kinds.Out++
	}
	flowNo := w.m.opts.Merchant + t.Format("20060102") + pad(scatter(w.flows, w.m.salt), 10)
	w.fund.time(t).cell(no).cell(flowNo).cell(business).cell(kind).cell(direction).yuan(amount).yuan(w.balance).cell(who).cell(note).cell(voucher)
	w.fund.end()
}

// withdraw takes out at the end of the day what the account has gained, or puts in what
// it has lost.
func (w *wechat) withdraw() {
	business := "提现"
	if w.balance < openingFen {
		business = "充值"
	}
	no := "W" + w.m.day.Format("20060102")
	w.flow(w.m.day.Add(24*time.Hour-time.Second), no, business, business, openingFen-w.balance, "system", "", no)
}

func (w *wechat) close() error {
	if w.m.opts.Old {
		w.bill.raw(wechatOldTotals)
	} else {
		w.bill.raw(wechatTotals)
	}
	w.bill.cell(strconv.FormatInt(w.rows, 10)).yuan(w.settle).yuan(w.refund).yuan(0).fee(w.fee)
	if !w.m.opts.Old {
		w.bill.yuan(w.amount).yuan(w.apply)
	}
	if w.m.opts.Withdraw {
		w.withdraw()
	}
	w.fund.raw(wechatFundTotals)
	k := w.m.made.Kinds
	w.fund.cell(strconv.FormatInt(w.flows, 10)).cell(strconv.FormatInt(k.In, 10)).yuan(w.in).cell(strconv.FormatInt(k.Out, 10)).yuan(w.out)
	if err := w.bill.done(); err != nil {
		return err
	}
	return w.fund.done()
}
