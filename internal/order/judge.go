package order

import (
	"fmt"
	"slices"
	"time"

	"paytool/internal/pay"
)

// judgeDossier holds one order against its records. Pure.
func judgeDossier(d Dossier, now time.Time) (all []Finding) {
	found := func(check Check, format string, args ...any) {
		all = append(all, Finding{Check: check, OrderNo: d.No, Group: d.Group, What: fmt.Sprintf(format, args...)})
	}
	for _, t := range d.Tasks {
		if t.State == TaskOpen && now.After(t.Deadline) {
			found(CheckTask, "task %s is open since %s, its deadline was %s", t.ID, clock(t.Created), clock(t.Deadline))
		}
	}
	if d.Order.No.IsZero() {
		found(CheckOrderMissing, "there are %d moves, %d refunds, %d revokes and %d tasks, and no order", len(d.Moves), len(d.Refunds), len(d.Revokes), len(d.Tasks))
		return all
	}
	d.judgeMoves(found)
	d.judgeDue(now, found)
	d.judgeRefunds(found)
	d.judgeRevokes(found)
	return all
}

// finder takes a finding of the dossier that is judged.
type finder func(check Check, format string, args ...any)

// judgeMoves follows the moves from the first one to the order. The first break is
// told: those behind it follow from it. Moves of a program without payments have no
// states, and are believed.
func (d Dossier) judgeMoves(found finder) {
	o := d.Order
	if len(d.Moves) == 0 {
		found(CheckMoves, "the order is at version %d and has no move", o.Version)
		return
	}
	state := pay.None
	for i, m := range d.Moves {
		switch known := i == 0 || state != pay.None; {
		case m.Version != int64(i+1):
			found(CheckMoves, "move %d is of version %d", i+1, m.Version)
			return
		case m.To == pay.None:
		case known && m.From != state:
			found(CheckMoves, "version %d led to %q, version %d starts from %q", i, state, m.Version, m.From)
			return
		case !allowed(m):
			found(CheckMoves, "version %d goes from %q to %q by %s, which the table of moves does not have", m.Version, m.From, m.To, m.By)
			return
		}
		state = m.To
	}
	d.judgeState(d.Moves[len(d.Moves)-1], found)
}

// allowed asks the table of moves. Beside it there are steps without a change of
// state, and tombstones.
func allowed(m Move) bool {
	if m.From == m.To || m.From == pay.None && m.To == pay.Void && m.By == pay.ByResolver {
		return true
	}
	_, err := pay.CheckMove(m.From, m.To, m.By)
	return err == nil
}

func (d Dossier) judgeState(last Move, found finder) {
	o := d.Order
	switch {
	case o.State == pay.Paid && last.To != pay.Paid && last.To != pay.None:
		found(CheckPaidUnproven, "the order is paid, its last move (version %d by %s) says %s", last.Version, last.By, last.To)
	case o.State != last.To && last.To != pay.None:
		found(CheckState, "the order is %s, its last move (version %d by %s) says %s", o.State, last.Version, last.By, last.To)
	case o.Version != last.Version:
		found(CheckState, "the order is at version %d, its last move at version %d", o.Version, last.Version)
	case o.State == pay.Paid && o.PaidAt.IsZero():
		found(CheckPaidUnproven, "the order is paid and has no time of payment")
	}
}

// judgeDue: what waits for the engine has a due time, and it has not long passed.
func (d Dossier) judgeDue(now time.Time, found finder) {
	o := d.Order
	late := func(due time.Time) bool { return due.IsZero() || now.Sub(due) > slack }
	switch o.State {
	case pay.Created, pay.Paying, pay.Revoking:
		if late(o.Due) {
			found(CheckOverdue, "the order is %s since %s and was due at %s", o.State, clock(o.Updated), clock(o.Due))
		}
	default:
		if !o.Due.IsZero() && late(o.Due) {
			found(CheckOverdue, "the order is %s and was to be checked for a second payment of its key at %s", o.State, clock(o.Due))
		}
	}
	for _, r := range d.Refunds {
		if !r.State.Ended() && r.State != pay.RefundFailed && late(r.Due) {
			found(CheckOverdue, "refund %s is %s since %s and was due at %s", r.No, r.State, clock(r.Updated), clock(r.Due))
		}
	}
}

func (d Dossier) judgeRefunds(found finder) {
	o := d.Order
	var done pay.Fen
	for _, r := range d.Refunds {
		if r.State == pay.RefundDone {
			done += r.Amount
		}
	}
	if done != o.Refunded {
		found(CheckRefundSum, "refunded_fen is %d, the refunds that are done are %d fen", o.Refunded, done)
	}
	taken, count, _ := reserved(d.Refunds)
	back := taken
	for _, r := range d.Revokes {
		if r.State == RevokeDone && r.Money == pay.MoneyRefunded && !d.supplemented() {
			back += r.Amount
		}
	}
	if max(back, o.Refunded) > o.Amount {
		found(CheckOverRefunded, "%d fen go back in %d refunds and %d in revokes, of an order over %d fen", taken, count, back-taken, o.Amount)
	}
	if d.wasPaid() {
		return
	}
	for _, r := range d.Refunds {
		if !isMoneyBack(r.No, o.No) {
			found(CheckRefundUnpaid, "refund %s over %d fen is %s, and the order is %s and was never paid", r.No, r.Amount, r.State, o.State)
		}
	}
}

// wasPaid: money came in at some time, as far as we know.
func (d Dossier) wasPaid() bool {
	return d.Order.State == pay.Paid ||
		slices.ContainsFunc(d.Moves, func(m Move) bool { return m.To == pay.Paid }) ||
		slices.ContainsFunc(d.Tasks, func(t Task) bool { return t.Kind == TaskMoneyBack })
}

// supplemented: what the channel had revoked was paid after all, by the word of two
// persons and of the channel.
func (d Dossier) supplemented() bool {
	return slices.ContainsFunc(d.Moves, func(m Move) bool { return m.By == pay.BySupplement })
}

func (d Dossier) judgeRevokes(found finder) {
	o := d.Order
	open, done := 0, 0
	for _, r := range d.Revokes {
		switch r.State {
		case RevokeRequested:
			open++
		case RevokeDone:
			done++
		case RevokeRefused:
		}
	}
	switch {
	case o.State == pay.Revoked && done == 0:
		found(CheckRevoke, "the order is revoked, and none of its %d revokes is done", len(d.Revokes))
	case o.State == pay.Revoking && open == 0:
		found(CheckRevoke, "the order is revoking, and none of its %d revokes is open", len(d.Revokes))
	case !o.State.Final() && done > 0 && !d.supplemented():
		found(CheckRevoke, "the order is %s, and %d of its revokes are done", o.State, done)
	}
}

// judgePair holds two living orders of one key against each other; a zero Finding is
// none. That two are paid is about the later one, which goes back, and none where one of them
// has gone back already. Pure.
func judgePair(a, b Order, now time.Time) Finding {
	if now.Sub(a.Updated) < slack || now.Sub(b.Updated) < slack {
		return Finding{} // the engine may be at it
	}
	if a.State != pay.Paid || b.State != pay.Paid {
		if a.State.Sent() == b.State.Sent() && a.No.Compare(b.No) > 0 || !a.State.Sent() && b.State.Sent() {
			a, b = b, a // the finding is about the one that was not sent, or else is newer
		}
		return Finding{Check: CheckLiveTwice, OrderNo: b.No, Group: b.Group,
			What: fmt.Sprintf("key %s has order %s (attempt %d, %s) and order %s (attempt %d, %s)", a.Key, a.No, a.Attempt, a.State, b.No, b.Attempt, b.State)}
	}
	goes, stays := later(a, b), a
	if goes.No == a.No {
		stays = b
	}
	if goes.Refunded == goes.Amount || stays.Refunded == stays.Amount {
		return Finding{}
	}
	return Finding{Check: CheckPaidTwice, OrderNo: goes.No, Group: goes.Group,
		What: fmt.Sprintf("key %s was paid by order %s (%d fen, %s) and by order %s (%d fen, %s), of which %d fen went back, and no money-back task is open",
			goes.Key, stays.No, stays.Amount, stays.ChannelTradeNo, goes.No, goes.Amount, goes.ChannelTradeNo, goes.Refunded)}
}

// clock is a time for people, in Beijing.
func clock(t time.Time) string {
	if t.IsZero() {
		return "no time"
	}
	return t.In(pay.Beijing).Format("2006-01-02 15:04:05")
}
