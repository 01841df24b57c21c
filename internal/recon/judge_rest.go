package recon

import (
	"fmt"

	"paytool/internal/pay"
)

// amounts: both have the row, with other amounts.
func (j *judge) amounts(o, t *item) {
	j.differ(o, t, AmountMismatch, t.effect()-o.effect(), fmt.Sprintf("our books have %s yuan, the channel %s", o.Amount.Yuan(), t.Amount.Yuan()))
	j.feeOf(o, t)
}

// kinds: a refund here is a revoke there, or the reverse.
func (j *judge) kinds(o, t *item) {
	j.differ(o, t, KindMismatch, t.effect()-o.effect(), fmt.Sprintf("our books have a %s, the channel a %s of the same amount", o.Kind, t.Kind))
	d := &j.differences[len(j.differences)-1]
	if o.Kind == pay.EntryRevoke {
		d.PairedBy = string(Ours)
	} else {
		d.RefundNo = o.RefundNo
	}
	j.feeOf(o, t)
}

// states: the channel did what our books say did not happen.
func (j *judge) states(o, t *item) {
	j.differ(o, t, StateMismatch, t.effect(), fmt.Sprintf("our books say %s, the channel's bill has the %s of %s yuan", o.State, t.Kind, t.Amount.Yuan()))
	j.feeOf(o, t)
}

// feeOf adds a wrong fee to what was found of a pair, or of a row that we lack.
func (j *judge) feeOf(o, t *item) {
	if detail := j.rates.complain(&t.Row, j.product(o)); detail != "" {
		j.differ(o, t, FeeMismatch, 0, detail)
	}
}

// product is what was sold: as the paired row of ours says, else as any of the order.
func (j *judge) product(o *item) string {
	if o != nil && o.Product != "" {
		return o.Product
	}
	if i := find(j.ours, func(i *item) bool { return i.Product != "" }); i != nil {
		return i.Product
	}
	return ""
}

// restOfTheirs: rows of the bill that no row of ours was paired with.
func (j *judge) restOfTheirs() {
	paid := find(j.ours, func(i *item) bool { return i.Kind == pay.EntryPay })
	for _, t := range j.theirs {
		if !t.open() {
			continue
		}
		twin := find(j.theirs, func(i *item) bool {
			return i != t && sameNumber(i, t) && i.verdict != undecided && i.verdict != carried
		})
		switch {
		case twin != nil && find(j.ours, func(o *item) bool { return sameNumber(o, t) && !o.open() }) != nil:
			j.differ(nil, t, DuplicateInChannel, t.effect(), "the bill has the "+string(t.Kind)+" more often than our books")
			j.differences[len(j.differences)-1].OursFen = t.Amount
		case j.wait(TradeFlow, t, false):
			continue
		case t.Kind == pay.EntryRevoke && paid != nil:
			j.differ(nil, t, StateMismatch, t.effect(), fmt.Sprintf("our books say %s, the channel has revoked the order", paid.State))
			j.differences[len(j.differences)-1].OursFen = paid.Amount
		default:
			j.differ(nil, t, MissingInOurs, t.effect(), "the channel's bill has the "+string(t.Kind)+", our books do not")
		}
		j.feeOf(nil, t)
	}
}

// restOfOurs: rows of ours that no row of the bill was paired with.
func (j *judge) restOfOurs() {
	inBill := find(j.theirs, func(i *item) bool { return i.Kind == pay.EntryPay }) != nil
	for _, o := range j.ours {
		if !o.open() {
			continue
		}
		twin := find(j.ours, func(i *item) bool {
			return i != o && sameNumber(i, o) && i.verdict != undecided && i.verdict != carried
		})
		switch maybe := j.neverPaid(o); {
		case o.expect() == unexpected:
			o.verdict = notExpected
		case maybe || o.expect() == possible && (!inBill || !j.revokedFor(o)):
			// A revoke of today whose payment stands in no bill: it was never paid.
			if o.implied || o.expect() == possible || !j.wait(TradeFlow, o, true) {
				o.verdict = notExpected
			}
		case twin != nil:
			j.differ(o, nil, DuplicateInOurs, -o.effect(), "our books have the "+string(o.Kind)+" more often than the bill")
			j.differences[len(j.differences)-1].TheirsFen = o.Amount
		case j.wait(TradeFlow, o, false):
		default:
			j.differ(o, nil, MissingInChannel, -o.effect(), j.missingDetail(o))
		}
	}
}

func (j *judge) missingDetail(o *item) string {
	if o.implied {
		return "our books say that the order is revoked, the channel's bill has its payment and no revoke"
	}
	return "our books have the " + string(o.Kind) + ", the channel's bill does not"
}

// neverPaid: a revoke, or a payment that was revoked, of which the bill has neither
// row. A revoke that was carried in had its payment in the bill of its day, unless
// it says that it may be missing.
func (j *judge) neverPaid(o *item) bool {
	if o.carry != nil && !o.carry.Maybe {
		return false
	}
	revoked := o.Kind == pay.EntryRevoke || o.Kind == pay.EntryPay && o.State == string(pay.Revoked)
	if !revoked || find(j.theirs, func(i *item) bool { return i.Kind != pay.EntryRefund }) != nil {
		return false
	}
	return find(j.ours, func(i *item) bool { return i.Kind == pay.EntryPay && i.State == string(pay.Paid) }) == nil
}

// revokedFor: o is a revoke of unknown outcome, and the order says that it was
// revoked: then a payment in the bill needs its reverse.
func (j *judge) revokedFor(o *item) bool {
	return o.Kind == pay.EntryRevoke &&
		find(j.ours, func(i *item) bool { return i.Kind == pay.EntryPay && i.State == string(pay.Revoked) }) != nil
}
