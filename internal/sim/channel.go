package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// channelName is the name of the one channel.
const channelName = "sim"

// Times of the simulated channel. A request arrives within the time that the engine
// allows for (a second), by clocks that are off; its answer may take longer.
const (
	longestWayThere = 550 * time.Millisecond
	longestWayBack  = 1400 * time.Millisecond
	longestBuyer    = 5 * time.Second // who types a password
)

// timetable is short, so that a run sees late successes, revokes and money back.
var timetable = order.Timetable{
	SendWithin: time.Second, PayFor: 3 * time.Second, NotFoundAfter: 2500 * time.Millisecond,
	Handover: 2 * time.Second, MaxRevokes: 8, PersonDeadline: time.Minute,
}

const channelTimeout = time.Second

// channel is the payment channel of one world, outside of the groups. Its books are
// right about the money; its answers get lost, come late or say nothing.
type channel struct {
	clock  *clock
	chance *rand.Rand
	truth  *truth
	limits order.ChannelLimits
	// forgets: a revoke of a number that it does not know leaves no trace, so that a
	// payment may still arrive later.
	forgets bool
	calm    bool // answers arrive, soon and clear
	books   map[pay.OrderNo]*book
}

func newChannel(c *clock, t *truth) *channel {
	ch := &channel{clock: c, chance: c.chance, truth: t, books: map[pay.OrderNo]*book{}, forgets: c.chance.IntN(2) == 0}
	ch.limits = order.ChannelLimits{RevokeWithin: time.Hour, RefundWithin: time.Hour, MaxRefunds: 4}
	if c.chance.IntN(2) == 0 {
		ch.limits.RevokeAfter = 1500 * time.Millisecond
	}
	if c.chance.IntN(3) == 0 {
		ch.limits.RevokeWithin = 8 * time.Second
	}
	if c.chance.IntN(2) == 0 {
		ch.limits.RefundGap = 500 * time.Millisecond
	}
	return ch
}

// line is one instance's way to the channel: order.Channel.
type line struct {
	*channel
	env     *venv
	who     string
	account string // of new payments
}

func (l *line) Name() string                { return channelName }
func (l *line) Simulated() bool             { return true }
func (l *line) Account() string             { return l.account }
func (l *line) Limits() order.ChannelLimits { return l.limits }

// ask carries a request to the channel, where arrive is called, and waits for the
// answer. It reports false when none came before the context ended.
func (l *line) ask(ctx context.Context, arrive func()) bool {
	c, me, answered := l.clock, l.clock.running, false
	lostThere, lostBack := l.loses(), l.loses()
	if !lostThere {
		c.after(l.travel(longestWayThere), func() {
			arrive()
			if !lostBack {
				c.after(l.travel(longestWayBack), func() {
					answered = true
					c.wake(me, c.now)
				})
			}
		})
	}
	for !answered {
		if err := c.pause(ctx, forever); err != nil && !answered {
			return false
		}
	}
	return true
}

func (c *channel) loses() bool { return !c.calm && c.chance.IntN(20) == 0 }

// mumbles reports whether an answer says nothing, though the request was heard.
func (c *channel) mumbles() bool { return !c.calm && c.chance.IntN(16) == 0 }

func (c *channel) travel(longest time.Duration) time.Duration {
	if !c.calm && c.chance.IntN(12) == 0 {
		return within(c.chance, longest)
	}
	return 2*time.Millisecond + within(c.chance, 40*time.Millisecond)
}

// Pay sends a payment if its time has not passed.
func (l *line) Pay(ctx context.Context, call order.PayCall) order.Answer {
	l.truth.note("%s: pay %s, %d fen", l.who, call.OrderNo, call.Amount)
	if l.env.Now().After(call.SendBy) {
		l.truth.saw("sent_too_late")
		return order.Answer{Verdict: order.NotSent, Code: "TOO_LATE"}
	}
	l.truth.checkPay(call)
	a := order.Answer{Verdict: order.Unclear, Code: "NO_ANSWER"}
	var said order.Answer
	if l.ask(ctx, func() { said = l.pay(call) }) {
		a = said
	}
	l.truth.note("%s: pay %s is answered: %s %s", l.who, call.OrderNo, a.Verdict, a.Code)
	return a
}

// Query asks for a payment. For a while after its arrival the channel may say that
// it does not know it.
func (l *line) Query(ctx context.Context, account string, no pay.OrderNo) order.Answer {
	a := order.Answer{Verdict: order.Unclear, Code: "NO_ANSWER"}
	var said order.Answer
	if l.ask(ctx, func() { said = l.query(account, no) }) {
		a = said
	}
	l.truth.note("%s: query %s is answered: %s %s", l.who, no, a.Verdict, a.Code)
	return a
}

// Revoke asks to end a payment.
func (l *line) Revoke(ctx context.Context, call order.RevokeCall) order.RevokeAnswer {
	l.truth.checkRevoke(call)
	a := order.RevokeAnswer{Verdict: order.RevokeUnclear, Money: pay.MoneyUnknown, Code: "NO_ANSWER"}
	var said order.RevokeAnswer
	if l.ask(ctx, func() { said = l.revoke(call) }) {
		a = said
	}
	l.truth.note("%s: revoke %s is answered: %s %s, money %s", l.who, call.OrderNo, a.Verdict, a.Code, a.Money)
	return a
}

// Refund asks for a refund.
func (l *line) Refund(ctx context.Context, call order.RefundCall) order.RefundAnswer {
	l.truth.checkRefund(call)
	return l.askRefund(ctx, "refund", call, func() order.RefundAnswer { return l.refund(call) })
}

// QueryRefund asks what became of a refund.
func (l *line) QueryRefund(ctx context.Context, call order.RefundCall) order.RefundAnswer {
	return l.askRefund(ctx, "query refund", call, func() order.RefundAnswer { return l.queryRefund(call) })
}

func (l *line) askRefund(ctx context.Context, what string, call order.RefundCall, arrive func() order.RefundAnswer) order.RefundAnswer {
	a := order.RefundAnswer{State: pay.RefundUnknown, Code: "NO_ANSWER"}
	var said order.RefundAnswer
	if l.ask(ctx, func() { said = arrive() }) {
		a = said
	}
	l.truth.note("%s: %s %s of %s is answered: %s %s", l.who, what, call.RefundNo, call.OrderNo, a.State, a.Code)
	return a
}

// account is what an instance sends new payments to; it changes with its lives.
func account(instance, life int) string { return fmt.Sprintf("acc-%d", (instance+life)%2) }
