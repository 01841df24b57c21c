package order_test

import (
	"context"
	"slices"
	"sync"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// words are what a till answers. They are asked under no lock and may block.
type words struct {
	pay         func(c order.PayCall) order.Answer
	query       func(no pay.OrderNo) order.Answer
	revoke      func(c order.RevokeCall) order.RevokeAnswer
	refund      func(c order.RefundCall) order.RefundAnswer
	queryRefund func(c order.RefundCall) order.RefundAnswer
}

// till is a channel that answers as a test tells it and remembers what it was
// asked. Untold, it takes every payment, revoke and refund.
type till struct {
	name string
	now  func() time.Time

	mu      sync.Mutex
	words   words
	account string
	limits  order.ChannelLimits
	pays    []order.PayCall
	asked   []asked
	revokes []order.RevokeCall
	refunds []order.RefundCall
	asks    []order.RefundCall // about refunds
}

type asked struct {
	account string
	no      pay.OrderNo
}

func (c *till) Name() string    { return c.name }
func (c *till) Simulated() bool { return true }

func (c *till) Account() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.account
}

func (c *till) Limits() order.ChannelLimits {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.limits
}

// says changes what the till answers from now on.
func (c *till) says(change func(w *words)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.words)
}

func (c *till) Pay(_ context.Context, call order.PayCall) order.Answer {
	c.mu.Lock()
	c.pays = append(c.pays, call)
	answer := c.words.pay
	c.mu.Unlock()
	if answer == nil {
		return c.success(call.OrderNo)
	}
	return answer(call)
}

func (c *till) Query(_ context.Context, account string, no pay.OrderNo) order.Answer {
	c.mu.Lock()
	c.asked = append(c.asked, asked{account, no})
	answer := c.words.query
	known := slices.ContainsFunc(c.pays, func(p order.PayCall) bool { return p.OrderNo == no })
	revoked := slices.ContainsFunc(c.revokes, func(r order.RevokeCall) bool { return r.OrderNo == no })
	c.mu.Unlock()
	switch {
	case answer != nil:
		return answer(no)
	case revoked:
		return said(order.RevokedByChannel)
	case known:
		return c.success(no)
	}
	return said(order.NotFoundThere)
}

func (c *till) Revoke(_ context.Context, call order.RevokeCall) order.RevokeAnswer {
	c.mu.Lock()
	c.revokes = append(c.revokes, call)
	answer := c.words.revoke
	c.mu.Unlock()
	if answer == nil {
		return order.RevokeAnswer{Verdict: order.RevokeTaken, Money: pay.MoneyRefunded}
	}
	return answer(call)
}

func (c *till) Refund(_ context.Context, call order.RefundCall) order.RefundAnswer {
	c.mu.Lock()
	c.refunds = append(c.refunds, call)
	answer := c.words.refund
	c.mu.Unlock()
	if answer == nil {
		return order.RefundAnswer{State: pay.RefundDone, Done: c.now()}
	}
	return answer(call)
}

func (c *till) QueryRefund(_ context.Context, call order.RefundCall) order.RefundAnswer {
	c.mu.Lock()
	c.asks = append(c.asks, call)
	answer := c.words.queryRefund
	c.mu.Unlock()
	if answer == nil {
		return order.RefundAnswer{State: pay.RefundRequested}
	}
	return answer(call)
}

// count is how often a number arrived, as each kind of request.
type count struct{ pays, asked, revokes, refunds, asks int }

func (c *till) count(no pay.OrderNo) (n count) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.pays {
		n.pays += one(p.OrderNo == no)
	}
	for _, a := range c.asked {
		n.asked += one(a.no == no)
	}
	for _, r := range c.revokes {
		n.revokes += one(r.OrderNo == no)
	}
	for _, r := range c.refunds {
		n.refunds += one(r.OrderNo == no)
	}
	for _, r := range c.asks {
		n.asks += one(r.OrderNo == no)
	}
	return n
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// success is the answer that an order over the amount of all tests was paid.
func (c *till) success(no pay.OrderNo) order.Answer {
	return order.Answer{Verdict: order.Success, TradeNo: "T" + no.String(), Account: c.Account(), Amount: amount, At: c.now()}
}

// said is an answer of which nothing but the verdict matters.
func said(v order.Verdict) order.Answer { return order.Answer{Verdict: v, Code: "AS_TOLD"} }

// always answers every number alike.
func always(v order.Verdict) func(pay.OrderNo) order.Answer {
	return func(pay.OrderNo) order.Answer { return said(v) }
}

func paysWith(v order.Verdict) func(order.PayCall) order.Answer {
	return func(order.PayCall) order.Answer { return said(v) }
}

func revokesWith(v order.RevokeVerdict) func(order.RevokeCall) order.RevokeAnswer {
	return func(order.RevokeCall) order.RevokeAnswer {
		return order.RevokeAnswer{Verdict: v, Money: pay.MoneyUnknown, Code: "AS_TOLD"}
	}
}

func refundsWith(s pay.RefundState) func(order.RefundCall) order.RefundAnswer {
	return func(order.RefundCall) order.RefundAnswer { return order.RefundAnswer{State: s, Code: "AS_TOLD"} }
}
