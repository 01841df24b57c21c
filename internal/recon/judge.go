package recon

import (
	"cmp"
	"slices"
	"time"

	"paytool/internal/bill"
	"paytool/internal/pay"
)

// verdict is what became of a row. Every row of a file gets one: that is what the
// conservation of rows proves.
type verdict int

const (
	undecided verdict = iota
	matched
	differing
	carried
	notExpected
)

// item is a row that is being judged.
type item struct {
	Row
	verdict verdict
	carry   *Carried // the row as it was carried in; nil: it is of today's file
	implied bool     // a revoke that stands in our books as a state of the order alone
	// Of the verdict:
	alone    bool // differing without a counterpart
	maybe    bool // carried although the bill need not have it
	replaced bool // an implied revoke for which our books have a row by now
}

func (i *item) open() bool { return i.verdict == undecided }

func (i *item) expect() expectation { return expect(i.Kind, i.State) }

func (i *item) effect() pay.Fen { return effect(i.Kind, i.Amount) }

// sameNumber: the same identity. A revoke's refund number is not part of it.
func sameNumber(o, t *item) bool {
	return o.Kind == t.Kind && (o.Kind == pay.EntryRevoke || o.RefundNo == t.RefundNo)
}

// judge judges the rows of one order, from the surest pairing to the least sure.
type judge struct {
	*tally
	ours, theirs []*item
}

// order judges the rows of one order number; they are sorted first, so that the
// order in which they came decides nothing.
func (t *tally) order(ours, theirs []*item) {
	j := &judge{tally: t, ours: ours, theirs: theirs}
	slices.SortFunc(j.ours, compareItems)
	slices.SortFunc(j.theirs, compareItems)
	j.imply()
	sure := func(o, t *item) bool { return o.expect() == expected && sameNumber(o, t) }
	maybe := func(o, t *item) bool { return o.expect() == possible && sameNumber(o, t) }
	j.pair(func(o, t *item) bool { return sure(o, t) && o.Amount == t.Amount }, j.match)
	j.pair(func(o, t *item) bool { return maybe(o, t) && o.Amount == t.Amount }, j.match)
	j.pair(j.unnumbered, j.matchByOurs)
	j.pair(j.otherKind, j.kinds)
	j.pair(sure, j.amounts)
	j.pair(maybe, j.amounts)
	j.underway()
	j.givenBack()
	j.pair(func(o, t *item) bool { return o.expect() == unexpected && sameNumber(o, t) }, j.states)
	j.restOfTheirs()
	j.restOfOurs()
	j.paidTwice()
	for _, i := range slices.Concat(j.ours, j.theirs) {
		t.count(i)
	}
}

// compareItems puts what was carried in first: it is matched first.
func compareItems(a, b *item) int {
	rank := func(i *item) int {
		if i.carry != nil {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.RefundNo, b.RefundNo),
		cmp.Compare(a.Amount, b.Amount), a.Time.Compare(b.Time), cmp.Compare(a.State, b.State), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
}

// pair takes every two open rows that fit, in their sorted order.
func (j *judge) pair(fits func(o, t *item) bool, take func(o, t *item)) {
	for _, o := range j.ours {
		for _, t := range j.theirs {
			if o.open() && t.open() && fits(o, t) {
				take(o, t)
			}
		}
	}
}

func find(items []*item, fits func(*item) bool) *item {
	if i := slices.IndexFunc(items, fits); i >= 0 {
		return items[i]
	}
	return nil
}

// imply adds the revoke that a payment `revoked` stands for where our books have no
// row of it, and no refund in its place. One that was carried in gives way to the
// row that our books have by now.
func (j *judge) imply() {
	own := find(j.ours, func(i *item) bool { return i.Kind == pay.EntryRevoke && i.carry == nil })
	for _, i := range j.ours {
		if i.implied && own != nil {
			i.verdict, i.replaced = matched, true
		}
	}
	revoked := find(j.ours, func(i *item) bool {
		return i.Kind == pay.EntryPay && i.State == string(pay.Revoked) && (i.carry == nil || i.carry.Maybe)
	})
	if revoked == nil {
		return
	}
	var back pay.Fen
	for _, i := range j.ours {
		if i.Kind == pay.EntryRevoke {
			return
		}
		if i.Kind == pay.EntryRefund && i.expect() == expected {
			back += i.Amount
		}
	}
	if back >= revoked.Amount {
		return
	}
	implied := &item{Row: revoked.Row, carry: revoked.carry, implied: true}
	implied.Kind, implied.State = pay.EntryRevoke, pay.RevokeDone
	j.ours = append(j.ours, implied)
}

func (j *judge) match(o, t *item) {
	o.verdict, t.verdict = matched, matched
	j.feeOf(o, t)
}

func (j *judge) matchByOurs(o, t *item) {
	if o.Kind == pay.EntryRevoke {
		j.pairedByOurs++
	}
	j.match(o, t)
}

// unnumbered: Alipay shows the order's number where a refund was sent without one,
// and whether a direct account marks revokes by their number is not proven.
func (j *judge) unnumbered(o, t *item) bool {
	if j.opts.Channel != bill.Alipay || t.Kind != pay.EntryRefund || o.Amount != t.Amount || o.expect() == unexpected {
		return false
	}
	switch o.Kind {
	case pay.EntryRefund:
		return t.RefundNo == "" || t.RefundNo == t.OrderNo
	case pay.EntryRevoke:
		return j.onlyRefund(t)
	default:
		return false
	}
}

// onlyRefund: t is the one refund of the order that no row of ours explains.
func (j *judge) onlyRefund(t *item) bool {
	return find(j.theirs, func(i *item) bool { return i != t && i.open() && i.Kind == pay.EntryRefund }) == nil && j.full(t.Amount)
}

// full: the amount is the order's, as far as either side shows the payment.
func (j *judge) full(amount pay.Fen) bool {
	paid := find(slices.Concat(j.theirs, j.ours), func(i *item) bool { return i.Kind == pay.EntryPay })
	return paid == nil || paid.Amount == amount
}

// otherKind: a full refund on one side is a revoke on the other.
func (j *judge) otherKind(o, t *item) bool {
	if o.Amount != t.Amount || o.expect() == unexpected {
		return false
	}
	switch {
	case o.Kind == pay.EntryRefund && t.Kind == pay.EntryRevoke:
		return j.full(t.Amount)
	case o.Kind == pay.EntryRevoke && t.Kind == pay.EntryRefund:
		return j.onlyRefund(t)
	default:
		return false
	}
}

// underway: the channel has done a revoke that our books have as begun.
func (j *judge) underway() {
	begun := find(j.ours, func(i *item) bool { return i.Kind == pay.EntryPay && i.expect() == possible })
	back := find(j.theirs, func(i *item) bool { return i.open() && i.Kind == pay.EntryRevoke })
	if begun != nil && back != nil && begun.Amount == back.Amount {
		back.verdict = matched
		if begun.open() { // the payment stands in the bill of another day
			begun.verdict = notExpected
		}
		j.expected.add(back.Kind, back.Amount)
	}
}

// givenBack: an order that our books closed was paid and given back, and our books
// have both: nothing is left to explain.
func (j *judge) givenBack() {
	for _, o := range j.ours {
		if !o.open() || o.Kind != pay.EntryPay || o.expect() != unexpected {
			continue
		}
		t := find(j.theirs, func(t *item) bool { return t.open() && t.Kind == pay.EntryPay && t.Amount == o.Amount })
		var back pay.Fen
		for _, i := range j.ours {
			if i.Kind != pay.EntryPay && i.verdict == matched {
				back += i.Amount
			}
		}
		if t != nil && back == o.Amount {
			j.match(o, t)
		}
	}
}

// inWindow: a row so late in the day that the other side may have it tomorrow.
func (t *tally) inWindow(when time.Time) bool {
	return !when.Before(t.midnight.Add(-t.opts.CutWindow)) && when.Before(t.midnight)
}
