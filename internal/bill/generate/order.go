package generate

import (
	"fmt"
	"strconv"
	"time"

	"paytool/internal/pay"
)

// order is a payment of the day, or one of an earlier day that is refunded today.
type order struct {
	no, tradeNo     string
	merchantID      string
	merchantOrderNo string
	terminal        string
	subject, attach string
	amount, settle  pay.Fen
	fee             pay.Fen
	time            time.Time
	refunded        pay.Fen
	revoked         bool
	ourState        pay.State
	ourAmount       pay.Fen
}

// back is a refund or revoke.
type back struct {
	*order
	kind           pay.EntryKind
	no, id         string // the merchant's and the channel's number
	amount, settle pay.Fen
	fee            pay.Fen // given back, positive
	time           time.Time
}

// subjects are what shops sell, with the characters that parsers stumble over.
var subjects = []string{
	"拿铁咖啡", "牛肉面", "停车费", "地铁出行", "Orange juice 500ml", "面包,牛奶,鸡蛋", "\"新品\" 蛋糕", "it`s tea", "充值 100 元", "门票(成人)",
}

// attaches are merchants' own data: mostly none, sometimes JSON.
var attaches = []string{"", "", "", "", "", "", "store=12", "{\"store\":\"12\",\"desk\":7}", "a,b,c", ""}

// newOrder makes the i-th order, paid at t.
func (m *maker) newOrder(i int64, t time.Time) *order {
	no, err := pay.NewOrderNo(t, int(i/100_000%100), int(i%100_000), pay.Tag(1+i%5), 1)
	if err != nil {
		panic(err) // the parts are in range: options were checked
	}
	day := t.Format("20060102")
	o := &order{
		no:              no.String(),
		tradeNo:         m.tradeNo(i, day),
		merchantID:      fmt.Sprintf("m%04d", m.rng.IntN(500)),
		merchantOrderNo: "S" + day + pad(i, 10),
		terminal:        fmt.Sprintf("t%03d", m.rng.IntN(200)),
		subject:         subjects[m.rng.IntN(len(subjects))],
		attach:          attaches[m.rng.IntN(len(attaches))],
		amount:          pay.Fen(1 + m.rng.Int64N(50_000)),
		time:            t,
		ourState:        pay.Paid,
	}
	o.settle = o.amount
	if m.rng.IntN(20) == 0 && !m.opts.Old { // a coupon that is not prepaid lowers what is settled
		o.settle -= pay.Fen(m.rng.Int64N(int64(o.amount)))
	}
	o.fee = m.fee(o.settle)
	o.ourAmount = o.amount
	return o
}

// fee is settled amount times rate, rounded half up to the fen.
func (m *maker) fee(settle pay.Fen) pay.Fen {
	if m.opts.Channel != wechatChannel && !m.opts.Fees {
		return 0
	}
	return (settle*pay.Fen(m.opts.RateE5) + 50_000) / 100_000
}

// tradeNo is a channel's number: of a channel's look, and one for each i. The
// factor has no divisor in common with 10, so that no two i meet.
func (m *maker) tradeNo(i int64, day string) string {
	n := scatter(i, m.salt)
	if m.opts.Channel == wechatChannel {
		return "4200002" + pad(100+i%900, 3) + day + pad(n, 10)
	}
	return day + "22001" + pad(458860+i%9, 6) + pad(n, 10)[1:]
}

func (m *maker) refundID(i int64, day string) string {
	return "5030310" + pad(100+i%900, 3) + day + "0" + pad(scatter(i, m.salt), 10)
}

func scatter(i, salt int64) int64 { return (i*7_368_787_621 + salt) % 10_000_000_000 }

// pad writes n with at least width digits.
func pad(n int64, width int) string {
	s := strconv.FormatInt(n, 10)
	for len(s) < width {
		s = "0" + s
	}
	return s
}

// take makes a refund or revoke of o at t: a revoke and a refund with a coupon
// give back all, others a part.
func (m *maker) take(o *order, kind pay.EntryKind, t time.Time) back {
	m.backs++
	day := t.Format("20060102")
	left := o.amount - o.refunded
	b := back{order: o, kind: kind, no: "R" + day + pad(m.backs, 12), id: m.refundID(m.backs, day), amount: left, settle: o.settle, time: t}
	if o.settle == o.amount {
		if kind == pay.EntryRefund && left > 1 && m.rng.IntN(2) == 0 {
			b.amount = 1 + pay.Fen(m.rng.Int64N(int64(left-1)))
		}
		b.settle = b.amount
	}
	b.fee = m.fee(b.settle)
	o.refunded += b.amount
	o.revoked = o.revoked || kind == pay.EntryRevoke
	return b
}
