package order

import (
	"fmt"
	"time"

	"paytool/internal/pay"
)

// Timetable says when an open payment is looked at, and when it is given up. Zero
// durations mean the defaults in the comments.
type Timetable struct {
	SendWithin    time.Duration // from the commit of PAYING to the last byte sent (3 s)
	PayFor        time.Duration // how long a buyer may take, once it is sent, before it is revoked (30 s)
	NotFoundAfter time.Duration // from the send deadline until "not found" concludes anything (2 min)
	// Handover is how long whoever works at an order keeps it from others (10 s).
	Handover       time.Duration
	MaxRevokes     int           // tries of a revoke before a person is told (8)
	PersonDeadline time.Duration // by when a person should have acted (30 min)
}

func (t Timetable) withDefaults() Timetable {
	t.SendWithin = orDefault(t.SendWithin, 3*time.Second)
	t.PayFor = orDefault(t.PayFor, 30*time.Second)
	t.NotFoundAfter = orDefault(t.NotFoundAfter, 2*time.Minute)
	t.Handover = orDefault(t.Handover, 10*time.Second)
	t.MaxRevokes = orDefault(t.MaxRevokes, 8)
	t.PersonDeadline = orDefault(t.PersonDeadline, 30*time.Minute)
	return t
}

// travel is how long a request may be on its way after it has left.
const travel = time.Second

// revokeFrom is when a revoke may be sent at the earliest: it must not overtake the
// payment, or the channel would revoke nothing and take the payment after that.
func (t Timetable) revokeFrom(o Order, limits ChannelLimits) time.Time {
	return o.SendBy.Add(max(limits.RevokeAfter, travel))
}

// step is what follows from a channel's answer: a move, or another look later.
type step struct {
	to     pay.State // None: the order stays as it is
	by     pay.Mover
	wait   time.Duration // until the next look, where it stays
	task   TaskKind      // to be opened, "" for none
	detail string
}

// onAnswer judges an answer about a PAYING order. What is not definite never ends
// the order: it is asked again, and revoked when its time is over. Pure.
func (t Timetable) onAnswer(o Order, a Answer, now time.Time) step {
	said := string(a.Verdict)
	if a.Code != "" {
		said += " (" + a.Code + ")"
	}
	since := now.Sub(o.SendBy)
	switch a.Verdict {
	case Success:
		if reason := contradicts(o, a); reason != "" {
			return step{wait: time.Minute, task: TaskContradiction, detail: reason}
		}
		return step{to: pay.Paid, by: pay.BySuccess, detail: said}
	case Failed:
		return step{to: pay.Closed, by: pay.ByFailure, detail: said}
	case ClosedByChannel:
		return step{to: pay.Closed, by: pay.ByChannel, detail: said}
	case RevokedByChannel:
		return step{to: pay.Revoked, by: pay.ByChannel, detail: said}
	case PayError:
		return step{to: pay.Revoking, by: pay.ByTimetable, detail: said}
	case NotFoundThere, NotSent:
		if over := o.SendBy.Add(t.NotFoundAfter).Sub(now); over > 0 {
			return step{wait: min(over, t.pollAfter(since)), detail: said}
		}
		next := step{to: pay.Revoking, by: pay.ByTimetable, detail: said}
		if a.Verdict == NotFoundThere {
			next.task, next.detail = TaskNotFound, "the channel does not know the payment: "+said+"; it is revoked, see what the bill says"
		}
		return next
	case Pending, Unclear:
	}
	if since >= t.PayFor {
		return step{to: pay.Revoking, by: pay.ByTimetable, detail: said + ", time is over"}
	}
	return step{wait: min(t.PayFor-since, t.pollAfter(since)), detail: said}
}

// contradicts says how a success does not fit the order, "" if it does.
func contradicts(o Order, a Answer) string {
	switch {
	case a.Amount != o.Amount:
		return fmt.Sprintf("the channel says success over %d fen, the order is over %d fen", a.Amount, o.Amount)
	case a.Account != "" && o.Account != "" && a.Account != o.Account:
		return fmt.Sprintf("the channel says success for account %s, the order was sent to account %s", a.Account, o.Account)
	}
	return ""
}

// pollAfter is the pause between two looks: short while the buyer is at the till.
func (t Timetable) pollAfter(since time.Duration) time.Duration {
	switch {
	case since < 5*time.Second:
		return time.Second
	case since < 15*time.Second:
		return 2 * time.Second
	}
	return 5 * time.Second
}

// retryAfter is the pause before the next try of a revoke, refund or task.
func retryAfter(tries int) time.Duration {
	const most = 10 * time.Minute
	if tries > 9 {
		return most
	}
	return min(2*time.Second<<max(tries, 0), most)
}
