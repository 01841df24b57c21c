package generate

import (
	"errors"
	"time"

	"paytool/internal/pay"
)

// plantKind: the channel revoked what our books refunded in full, or the reverse,
// which in Alipay's bills is no difference: who marks revokes there is not proven.
func (m *maker) plantKind(o *order, t time.Time) error {
	theirs, ours := pay.EntryRevoke, pay.EntryRefund
	if m.opts.Channel == wechatChannel && m.rng.IntN(2) == 0 {
		theirs, ours = ours, theirs
	}
	b := m.take(o, pay.EntryRevoke, t)
	b.kind = theirs
	m.plan.add(kindMismatch, theirs, o, b.no, b.amount, b.amount, 0)
	if err := errors.Join(m.writePay(o), m.writeBack(b)); err != nil || m.ours == nil {
		return err
	}
	b.kind = ours
	return errors.Join(m.ours.back(b), m.settle(o))
}

// plantRefund: an order that both books have, with a refund that one lacks, has
// twice or has with another amount.
func (m *maker) plantRefund(o *order, t time.Time, c class) error {
	if c == missingInChannel && m.rng.IntN(2) == 0 {
		o.ourState = pay.Revoked // and the bill has the payment alone
		m.plan.add(c, pay.EntryRevoke, o, "", o.amount, 0, o.amount)
		return errors.Join(m.writePay(o), m.settle(o))
	}
	b := m.take(o, pay.EntryRefund, t)
	own, theirs := []back{b}, []back{b}
	ours, channel := b.amount, b.amount
	difference := pay.Fen(0) // a refund that the channel has is money that it has not
	switch c {
	case missingInOurs:
		own, ours, difference = nil, 0, -channel
	case missingInChannel:
		theirs, channel, difference = nil, 0, ours
	case duplicateInChannel:
		theirs, difference = append(theirs, b), -channel
	case duplicateInOurs:
		own, difference = append(own, b), ours
	default:
		own[0].amount += 1 + pay.Fen(m.rng.Int64N(100))
		ours = own[0].amount
		difference = ours - channel
	}
	m.plan.add(c, pay.EntryRefund, o, b.no, ours, channel, difference)
	err := m.writePay(o)
	for _, b := range theirs {
		err = errors.Join(err, m.writeBack(b))
	}
	if m.ours == nil {
		return err
	}
	for _, b := range own {
		err = errors.Join(err, m.ours.back(b))
	}
	return errors.Join(err, m.settle(o))
}

// plantBackState: the channel gave back what our books say was not given back.
func (m *maker) plantBackState(o *order, t time.Time) error {
	states := []pay.RefundState{"", pay.RefundRequested, pay.RefundWaitingFunds, pay.RefundFailed, pay.RefundClosed}
	state := states[m.rng.IntN(len(states))]
	kind := pay.EntryRefund
	if state == "" {
		kind = pay.EntryRevoke // and our books have the order as paid
	}
	b := m.take(o, kind, t)
	number := b.no
	if kind == pay.EntryRevoke {
		number = "" // not part of a revoke's identity
	}
	m.plan.add(stateMismatch, kind, o, number, b.amount, b.amount, -b.amount)
	err := errors.Join(m.writePay(o), m.writeBack(b))
	if err == nil && kind == pay.EntryRefund && m.ours != nil {
		err = m.ours.refund(b, state)
	}
	return errors.Join(err, m.settle(o))
}
