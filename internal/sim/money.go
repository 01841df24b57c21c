package sim

import (
	"fmt"
	"iter"
	"maps"
	"slices"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// The invariants about money that hold at every moment.
const (
	legalMove     = "an order moves as the table of moves says"
	commitFirst   = "the channel is called only for what is committed"
	sentOnce      = "a number is sent to the channel once"
	sentAsOrdered = "the channel gets the order's amount and account"
	refundBeyond  = "refunds never exceed the order"
	guarded       = "no payment starts beside another one of its key, unless the cashier takes the risk"
	truthful      = "an answer to a payment is true"
	laterGoes     = "of two payments of a key the later one is given back"
)

// The invariants about money at rest: nothing is due any more.
const (
	paymentsEnd     = "at rest every payment, revoke, refund and money-back task has ended"
	booksAgree      = "at rest the channel keeps what our books say"
	endedKeepsMoney = "at rest the channel keeps no money of an order that we ended"
	paidOnce        = "at rest no key is paid twice without the later payment given back"
	noContradiction = "a channel that tells the truth raises no contradiction"
)

// moved sees a move become true.
func (t *truth) moved(s *server, before, row *order.Order, m order.Move) {
	if m.OrderNo != row.No || m.Version != row.Version || m.From != before.State || m.To != row.State || m.OpID != row.OpID {
		t.violated(legalMove, "the row of the move says %+v, the order went from %s to %s", m, describe(*before), describe(*row))
	}
	if before.State == row.State {
		return
	}
	if _, err := pay.CheckMove(before.State, row.State, m.By); err != nil {
		t.violated(legalMove, "%s: %v", describe(*row), err)
	}
	t.note("group %d: %s %s -> %s by %s: %s", s.id, row.No, before.State, row.State, m.By, m.Detail)
	t.saw("moved_by_" + string(m.By))
	switch {
	case row.State == pay.Paying:
		t.startedPaying(row)
	case row.State == pay.Paid && before.State == pay.Paying && t.channel.books[row.No].late:
		t.saw("late_success")
	case row.State == pay.Paid && before.State == pay.Revoking:
		t.saw("revoke_refused_paid")
	}
}

// startedPaying looks for another payment of the key that is open or done.
func (t *truth) startedPaying(row *order.Order) {
	if row.RiskDouble {
		t.saw("risk_confirmed")
		return
	}
	for _, s := range t.servers {
		for _, other := range s.live[row.Key] {
			open := other.State == pay.Paying || other.State == pay.Revoking || other.State == pay.Paid
			if other.No != row.No && open && !s.moved(other.No.Tag()) && !other.RiskDouble {
				t.violated(guarded, "%s starts beside %s", describe(*row), describe(*other))
			}
		}
	}
}

func (t *truth) refundWritten(s *server, before, row *order.Refund) {
	t.note("group %d: refund %s of %s: %s", s.id, row.No, row.OrderNo, row.State)
	if before != nil && before.State == pay.RefundUnknown && row.State == pay.RefundDone {
		t.saw("refund_unknown_then_done")
	}
}

func (t *truth) taskWritten(s *server, before, row *order.Task) {
	t.note("group %d: task %s %s: %s %s", s.id, row.ID, row.State, row.Detail, row.Note)
	switch {
	case row.Kind == order.TaskContradiction:
		t.violated(noContradiction, "%s: %s", row.ID, row.Detail)
	case row.Kind != order.TaskMoneyBack:
	case before == nil:
		t.checkLater(t.row(row.OrderNo))
	case row.State == order.TaskDone && before.State == order.TaskOpen:
		t.saw("money_back_done")
	}
}

// checkLater looks at a paid order that is to be given back: an earlier payment of
// its key is there.
func (t *truth) checkLater(o *order.Order) {
	if o.State != pay.Paid {
		return // a success for an order that we ended
	}
	paidAt := t.channel.books[o.No].paidAt
	for _, s := range t.servers {
		for _, other := range s.live[o.Key] {
			b := t.channel.books[other.No]
			if other.No != o.No && !s.moved(other.No.Tag()) && b != nil && b.wasPaid && b.paidAt <= paidAt {
				return
			}
		}
	}
	t.violated(laterGoes, "%s was paid first or alone", describe(*o))
}

// checkPay sees a payment on its way to the channel.
func (t *truth) checkPay(call order.PayCall) {
	row, b := t.row(call.OrderNo), t.channel.books[call.OrderNo]
	if b == nil {
		b = &book{account: call.Account, amount: call.Amount, state: bookSent}
		t.channel.books[call.OrderNo] = b
	}
	if b.sent {
		t.violated(sentOnce, "%s", call.OrderNo)
	}
	b.sent = true
	if row == nil || row.SendBy.IsZero() {
		t.violated(commitFirst, "%s is sent, and no group says that it is paying", call.OrderNo)
		return
	}
	if call.Amount != row.Amount || call.Account != row.Account || !call.SendBy.Equal(row.SendBy) {
		t.violated(sentAsOrdered, "%s: sent are %d fen to %s by %v, the order says %d fen to %s by %v",
			call.OrderNo, call.Amount, call.Account, call.SendBy, row.Amount, row.Account, row.SendBy)
	}
}

// checkRevoke sees a revoke on its way to the channel: its record is committed.
func (t *truth) checkRevoke(call order.RevokeCall) {
	row := t.row(call.OrderNo)
	switch {
	case row == nil || len(t.numbers[call.OrderNo].revokes[call.OrderNo]) == 0:
		t.violated(commitFirst, "a revoke of %s is sent, and no group has a record of it", call.OrderNo)
	case call.Amount != row.Amount || call.Account != row.Account:
		t.violated(sentAsOrdered, "the revoke of %s is over %d fen of %s", describe(*row), call.Amount, call.Account)
	}
}

// checkRefund does the same for a refund, which has to be of a paid order as well.
func (t *truth) checkRefund(call order.RefundCall) {
	row, b := t.row(call.OrderNo), t.channel.books[call.OrderNo]
	if row == nil || b == nil || !b.wasPaid {
		t.violated(commitFirst, "a refund of %s is sent, which was never paid", call.OrderNo)
		return
	}
	same := func(r *order.Refund) bool { return r.No == call.RefundNo && r.Amount == call.Amount }
	if !slices.ContainsFunc(t.numbers[call.OrderNo].refunds[call.OrderNo], same) {
		t.violated(commitFirst, "refund %s of %d fen of %s is sent, and no group has reserved it", call.RefundNo, call.Amount, call.OrderNo)
	}
	if call.Total != row.Amount || call.Account != row.Account {
		t.violated(sentAsOrdered, "refund %s of %s is over a total of %d fen of %s", call.RefundNo, describe(*row), call.Total, call.Account)
	}
}

// paidAnswer sees what a cashier hears of a payment.
func (t *truth) paidAnswer(o order.Order) {
	b := t.channel.books[o.No]
	switch o.State {
	case pay.Paid:
		if b == nil || !b.wasPaid {
			t.violated(truthful, "the cashier hears paid, the channel has taken nothing: %s", describe(o))
		}
	case pay.Closed:
		if b != nil && b.kept() > 0 {
			t.violated(truthful, "the cashier hears closed, the channel keeps %d fen: %s", b.kept(), describe(o))
		}
	default:
	}
}

// unsettled names what still has to happen about money, in no order.
func (t *truth) unsettled() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, s := range t.servers {
			if !s.unsettled(yield) {
				return
			}
		}
	}
}

func (s *server) unsettled(yield func(string) bool) (more bool) {
	for _, o := range s.orders {
		open := o.State == pay.Paying || o.State == pay.Revoking || (o.State == pay.Paid && !o.Due.IsZero())
		if open && !s.moved(o.No.Tag()) && !yield(fmt.Sprintf("%s, due %v", describe(*o), o.Due.Sub(start))) {
			return false
		}
	}
	for _, all := range s.refunds {
		for _, r := range all {
			if !r.Due.IsZero() && !s.moved(r.OrderNo.Tag()) && !yield(fmt.Sprintf("refund %s of %s is %s, due %v", r.No, r.OrderNo, r.State, r.Due.Sub(start))) {
				return false
			}
		}
	}
	for _, task := range s.tasks {
		open := task.Kind == order.TaskMoneyBack && task.State == order.TaskOpen && !s.moved(task.OrderNo.Tag())
		if open && !yield(fmt.Sprintf("task %s is open, due %v", task.ID, task.Due.Sub(start))) {
			return false
		}
	}
	for _, e := range s.journal {
		if e.Answer != nil && !yield(fmt.Sprintf("group %d keeps the answer about %s", s.id, e.OrderNo)) {
			return false
		}
	}
	return true
}

// checkMoney compares our books with the channel's, once nothing is due any more.
func (t *truth) checkMoney() {
	if left := slices.Sorted(t.unsettled()); len(left) > 0 {
		t.violated(paymentsEnd, "%d are left, among them %s", len(left), left[0])
	}
	paid := map[pay.Key]*order.Order{}
	for _, s := range t.servers {
		for _, no := range slices.SortedFunc(maps.Keys(s.orders), pay.OrderNo.Compare) {
			if s.moved(no.Tag()) {
				continue
			}
			o := s.orders[no]
			t.checkBook(o)
			task := s.tasks["money_back-"+no.String()]
			if o.State != pay.Paid || (task != nil && task.State == order.TaskDone) {
				continue
			}
			if other := paid[o.Key]; other != nil {
				t.violated(paidOnce, "%s and %s", describe(*other), describe(*o))
			}
			paid[o.Key] = o
		}
	}
}

func (t *truth) checkBook(o *order.Order) {
	kept, ours := pay.Fen(0), pay.Fen(0)
	if b := t.channel.books[o.No]; b != nil {
		kept = b.kept()
	}
	if o.State == pay.Paid {
		ours = o.Amount - o.Refunded
	}
	switch {
	case kept == ours:
	case ours == 0 && o.State.Final():
		t.violated(endedKeepsMoney, "%d fen of %s", kept, describe(*o))
	default:
		t.violated(booksAgree, "the channel keeps %d fen, our books say %d: %s", kept, ours, describe(*o))
	}
}
