package generate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"paytool/internal/bill"
	"paytool/internal/pay"
)

// class is a class of differences, as reconciliation names it.
type class string

const (
	missingInOurs      class = "missing_in_ours"
	missingInChannel   class = "missing_in_channel"
	amountMismatch     class = "amount_mismatch"
	stateMismatch      class = "state_mismatch"
	kindMismatch       class = "kind_mismatch"
	feeMismatch        class = "fee_mismatch"
	duplicateInChannel class = "duplicate_in_channel"
	duplicateInOurs    class = "duplicate_in_ours"
	fundMissing        class = "fund_missing"
	fundExtra          class = "fund_extra"
	fundAmount         class = "fund_amount"
	duplicatePayment   class = "duplicate_payment"
	refundReturned     class = "refund_returned"
)

// Difference is one planted difference. Ours and theirs are positive, 0 where a
// side has nothing; the difference is signed by cash effect, theirs less ours. Of
// the fund classes, ours is the trade bill and theirs the fund bill.
type Difference struct {
	Class          string `json:"class"`
	Kind           string `json:"kind"`
	OrderNo        string `json:"order_no"`
	RefundNo       string `json:"refund_no"`
	ChannelTradeNo string `json:"channel_trade_no"`
	OursFen        int64  `json:"ours_fen"`
	TheirsFen      int64  `json:"theirs_fen"`
	DifferenceFen  int64  `json:"difference_fen"`
}

// plan says when a difference falls due, and keeps what was planted.
type plan struct {
	classes []class
	every   int64
	left    int
	planted []Difference
}

func newPlan(opts Options, fund bool) plan {
	p := plan{
		classes: []class{missingInOurs, missingInChannel, amountMismatch, stateMismatch, kindMismatch, duplicateInChannel, duplicateInOurs, duplicatePayment},
		left:    opts.Plant, planted: []Difference{},
	}
	if opts.Channel == bill.WeChat || opts.Fees {
		p.classes = append(p.classes, feeMismatch)
	}
	if fund {
		p.classes = append(p.classes, fundMissing, fundExtra, fundAmount)
	}
	if fund && opts.Channel == bill.WeChat {
		p.classes = append(p.classes, refundReturned)
	}
	if opts.Plant > 0 {
		p.every = max(1, int64(opts.Rows)*9/10/int64(opts.Plant)) // all before 23:00
	}
	return p
}

// due reports whether the next difference is planted now.
func (p *plan) due(rows int64) bool {
	return p.left > 0 && rows >= p.every*int64(len(p.planted))
}

func (p *plan) add(c class, kind pay.EntryKind, o *order, refundNo string, ours, theirs, difference pay.Fen) {
	p.left--
	p.planted = append(p.planted, Difference{
		Class: string(c), Kind: string(kind), OrderNo: o.no, RefundNo: refundNo, ChannelTradeNo: o.tradeNo,
		OursFen: int64(ours), TheirsFen: int64(theirs), DifferenceFen: int64(difference),
	})
}

// plant makes one order with the next class of difference. It is not one of
// the recent orders: nothing else happens to it.
func (m *maker) plant(t time.Time) error {
	c := m.plan.classes[len(m.plan.planted)%len(m.plan.classes)]
	o := m.nextOrder(t)
	back := m.rng.IntN(3) == 0 // of a refund or revoke rather than of a payment
	switch c {
	case missingInOurs, missingInChannel, amountMismatch, duplicateInChannel, duplicateInOurs:
		if back {
			return m.plantRefund(o, t, c)
		}
	case stateMismatch:
		if back {
			return m.plantBackState(o, t)
		}
	case kindMismatch:
		return m.plantKind(o, t)
	case fundMissing, fundExtra, fundAmount:
		return m.plantFund(o, c)
	case refundReturned:
		return m.plantReturned(o, t)
	case feeMismatch, duplicatePayment:
	}
	return m.plantPay(o, t, c)
}

// plantPay: one book lacks a payment, has it twice or has it otherwise.
func (m *maker) plantPay(o *order, t time.Time, c class) error {
	switch c {
	case missingInChannel:
		m.plan.add(c, pay.EntryPay, o, "", o.amount, 0, -o.amount)
		return m.settle(o)
	case missingInOurs:
		m.plan.add(c, pay.EntryPay, o, "", 0, o.amount, o.amount)
		return m.writePay(o)
	case amountMismatch:
		o.ourAmount += 1 + pay.Fen(m.rng.Int64N(100))
		m.plan.add(c, pay.EntryPay, o, "", o.ourAmount, o.amount, o.amount-o.ourAmount)
	case stateMismatch:
		states := []pay.State{pay.Created, pay.Paying, pay.Closed, pay.Void}
		o.ourState = states[m.rng.IntN(len(states))]
		m.plan.add(c, pay.EntryPay, o, "", o.amount, o.amount, o.amount)
	case feeMismatch:
		o.fee += 5
		m.plan.add(c, pay.EntryPay, o, "", o.amount, o.amount, 0)
	case duplicateInChannel:
		m.plan.add(c, pay.EntryPay, o, "", o.amount, o.amount, o.amount)
		if err := m.writePay(o); err != nil {
			return err
		}
	case duplicatePayment:
		first := m.nextOrder(t)
		first.no, first.tradeNo, o.no, o.tradeNo = o.no, o.tradeNo, first.no, first.tradeNo
		first.merchantID, first.merchantOrderNo = o.merchantID, o.merchantOrderNo
		m.plan.add(c, pay.EntryPay, o, "", o.amount, o.amount, 0)
		if err := errors.Join(m.writePay(first), m.settle(first)); err != nil {
			return err
		}
	case duplicateInOurs:
		m.plan.add(c, pay.EntryPay, o, "", o.amount, o.amount, -o.amount)
		if err := m.settle(o); err != nil {
			return err
		}
	default: // not of payments
	}
	if err := m.writePay(o); err != nil {
		return err
	}
	return m.settle(o)
}

// plantReturned: a refund that both books have came back to the account.
func (m *maker) plantReturned(o *order, t time.Time) error {
	o.amount, o.settle, o.ourAmount = max(o.amount, 100), max(o.amount, 100), max(o.amount, 100) // the refund is above 0 without its fee
	o.fee = m.fee(o.settle)
	b := m.take(o, pay.EntryRefund, t)
	b.amount, b.settle, b.fee = o.amount, o.settle, o.fee
	m.plan.add(refundReturned, pay.EntryRefund, o, b.no, b.settle-b.fee, 0, b.settle-b.fee)
	err := errors.Join(m.writePay(o), m.writeBack(b), m.out.fundReturned(b))
	if err != nil || m.ours == nil {
		return err
	}
	return errors.Join(m.ours.back(b), m.settle(o))
}

// plantFund: the trade is in both books, and the fund bill lacks it, has another
// amount, or has one that nobody traded.
func (m *maker) plantFund(o *order, c class) error {
	fund := *o
	switch c {
	case fundMissing:
		m.plan.add(c, bill.In, o, "", o.settle, 0, -o.settle)
	case fundExtra:
		fund = *m.nextOrder(o.time)
		fund.fee = 0 // one row that nobody explains, not two
		m.plan.add(c, bill.In, &fund, "", 0, fund.settle, fund.settle)
		if err := m.out.fundPay(o); err != nil {
			return err
		}
	default:
		fund.settle += 1 + pay.Fen(m.rng.Int64N(100))
		m.plan.add(c, bill.In, o, "", o.settle, fund.settle, fund.settle-o.settle)
	}
	m.made.Rows++
	m.made.Kinds.Pay++
	m.made.AmountFen.Pay += int64(o.amount)
	if err := m.out.pay(o); err != nil {
		return err
	}
	if c != fundMissing {
		if err := m.out.fundPay(&fund); err != nil {
			return err
		}
	}
	return m.settle(o)
}

// write writes the truth.
func (p *plan) write(w io.Writer, opts Options) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	err := enc.Encode(struct {
		Channel     string       `json:"channel"`
		Date        string       `json:"date"`
		Seed        uint64       `json:"seed"`
		Differences []Difference `json:"differences"`
	}{opts.Channel, opts.Date, opts.Seed, p.planted})
	if err != nil {
		return fmt.Errorf("write the truth: %w", err)
	}
	return nil
}
