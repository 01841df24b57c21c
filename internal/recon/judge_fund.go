package recon

import (
	"cmp"
	"fmt"
	"slices"

	"paytool/internal/bill"
	"paytool/internal/pay"
)

// fundSums are the parts of the fund flow's bridge, by cash effect.
type fundSums struct {
	missing, extra, amount, returned, carried, unpaidFees pay.Fen
}

// fundKind is what a row of a fund bill belongs to.
type fundKind int

const (
	fundTrade    fundKind = iota // a payment, refund or revoke
	fundFee                      // the fee of a payment, where it is a row of its own
	fundReturned                 // a refund that came back
	fundOther                    // withdrawals, top-ups, profit sharing: lines of the bridge
)

// kindOfFund reads the channel's words. What is not known moves money outside of
// trades: it stands in the bridge by its amount.
func kindOfFund(channel string, row *bill.Row) fundKind {
	if channel == bill.Alipay {
		switch string(row.State) {
		case "在线支付", "交易付款", "交易退款", "退款":
			return fundTrade
		}
		return fundOther
	}
	switch string(row.State) {
	case "交易", "退款":
		return fundTrade
	case "扣除交易手续费":
		return fundFee
	case "退款关闭":
		return fundReturned
	}
	return fundOther
}

// netOf is what a row of the trade bill moves on the account. WeChat takes the fee
// of a payment in a row of its own and keeps what it gives back out of the refund.
func netOf(channel string, kind pay.EntryKind, settle pay.Fen, fee bill.FeeE5) pay.Fen {
	if kind == pay.EntryPay {
		return settle
	}
	if channel == bill.Alipay {
		return -settle
	}
	return -(settle + feeFen(fee))
}

// feeFen is a fee in fen; the bills that have fund bills round fees to the fen.
func feeFen(f bill.FeeE5) pay.Fen { return pay.Fen(f / e5PerFen) }

// fundItem is one movement, expected by the trade bill or found in the fund bill.
type fundItem struct {
	item
	fee      bool    // of a payment, in a row of its own
	returned bool    // a refund that came back
	net      pay.Fen // signed
}

func compareFund(a, b *fundItem) int {
	byFee := 0
	if a.fee != b.fee {
		byFee = 1
		if b.fee {
			byFee = -1
		}
	}
	return cmp.Or(byFee, compareItems(&a.item, &b.item), cmp.Compare(a.net, b.net))
}

// movements judges the movements of one trade: what the trade bill makes expected
// against what the fund bill has.
func (t *tally) movements(want, got []*fundItem) {
	slices.SortFunc(want, compareFund)
	slices.SortFunc(got, compareFund)
	for _, g := range got {
		if g.returned {
			t.returned(g, want)
		}
	}
	pair := func(fits func(w, g *fundItem) bool, take func(w, g *fundItem)) {
		for _, w := range want {
			for _, g := range got {
				if w.open() && g.open() && w.fee == g.fee && fits(w, g) {
					take(w, g)
				}
			}
		}
	}
	pair(func(w, g *fundItem) bool { return w.net == g.net && w.Time.Equal(g.Time) }, func(w, g *fundItem) { w.verdict, g.verdict = matched, matched })
	pair(func(w, g *fundItem) bool { return w.net == g.net }, func(w, g *fundItem) { w.verdict, g.verdict = matched, matched })
	pair(func(w, g *fundItem) bool { return (w.net < 0) == (g.net < 0) }, func(w, g *fundItem) {
		t.fund.amount += t.differFund(w, g, FundAmount, fmt.Sprintf("the trade bill makes it %s yuan, the fund bill has %s", w.net.Yuan(), g.net.Yuan()))
	})
	unpaid := slices.ContainsFunc(want, func(w *fundItem) bool { return w.open() && !w.fee && w.Kind == pay.EntryPay })
	for _, w := range want {
		switch {
		case !w.open():
		case t.waitFund(w):
		case w.fee && unpaid: // no fee is taken of what was not paid out
			w.verdict = matched
			t.fund.unpaidFees -= w.net
		default:
			t.fund.missing += t.differFund(w, nil, FundMissing, "the trade bill has it, the fund bill does not")
		}
	}
	for _, g := range got {
		if g.open() && !t.waitFund(g) {
			t.fund.extra += t.differFund(nil, g, FundExtra, "the fund bill has it, no trade explains it")
		}
	}
	for _, i := range slices.Concat(want, got) {
		t.countFund(i)
	}
}

func (t *tally) waitFund(i *fundItem) bool {
	if !t.wait(FundFlow, &i.item, false) {
		return false
	}
	c := &t.closing[len(t.closing)-1]
	c.Net, c.Fee = i.net, i.fee
	return true
}

// differFund records a difference of the fund flow and returns its effect.
func (t *tally) differFund(w, g *fundItem, class Class, detail string) pay.Fen {
	var wi, gi *item
	var ours, theirs pay.Fen
	if w != nil {
		wi, ours = &w.item, w.net
	}
	if g != nil {
		gi, theirs = &g.item, g.net
	}
	if w != nil && w.fee || g != nil && g.fee {
		detail = "the fee: " + detail
	}
	t.differ(wi, gi, class, theirs-ours, detail)
	d := &t.differences[len(t.differences)-1]
	d.OursFen, d.TheirsFen = max(ours, -ours), max(theirs, -theirs)
	if d.Kind = bill.In; ours < 0 || ours == 0 && theirs < 0 {
		d.Kind = bill.Out
	}
	if w != nil { // the trade bill knows the order
		d.OrderNo, d.RefundNo, d.ChannelTradeNo = w.OrderNo, w.RefundNo, w.ChannelTradeNo
	}
	d.Advice = advice(*d)
	return theirs - ours
}

// countFund books the verdict of a movement. Rows of the trade bill are conserved in
// the trade flow already.
func (t *tally) countFund(i *fundItem) {
	sign := pay.Fen(1)
	if i.Side == Trade {
		sign = -1
	}
	if i.carry == nil {
		if i.Side == Fund {
			t.rows[Fund].add(i.verdict)
		}
		if i.verdict == carried {
			t.fund.carried += sign * i.net
		}
		return
	}
	switch {
	case i.verdict == carried:
		return
	case i.alone:
		t.roll.Expired++
	default:
		t.roll.Cleared++
	}
	t.fund.carried -= sign * i.net
}

// returned records a refund that came back to the account; the order is known where
// the trade bill of the day has the refund.
func (t *tally) returned(i *fundItem, want []*fundItem) {
	t.differ(&i.item, nil, RefundReturned, i.net, "the money of the refund came back (退款关闭)")
	d := &t.differences[len(t.differences)-1]
	d.Kind = pay.EntryRefund
	if len(want) > 0 {
		d.OrderNo, d.ChannelTradeNo = want[0].OrderNo, want[0].ChannelTradeNo
	}
	d.Advice = advice(*d)
	t.fund.returned += i.net
}
