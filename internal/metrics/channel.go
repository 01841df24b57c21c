package metrics

import (
	"context"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// Channel counts and times the calls of a channel, by what their answers mean.
func (m *Metrics) Channel(ch order.Channel) order.Channel {
	for _, call := range []string{"pay", "query", "revoke"} { // as in begin
		m.calls.WithLabelValues(ch.Name(), call, string(order.Unclear))
	}
	return &counted{ch, m}
}

type counted struct {
	order.Channel
	m *Metrics
}

func (c *counted) done(call, verdict string, since time.Time) {
	c.m.calls.WithLabelValues(c.Name(), call, verdict).Inc()
	c.m.callTime.WithLabelValues(c.Name(), call).Observe(time.Since(since).Seconds())
}

// Pay is the channel's own, counted.
func (c *counted) Pay(ctx context.Context, p order.PayCall) order.Answer {
	since := time.Now()
	a := c.Channel.Pay(ctx, p)
	c.done("pay", string(a.Verdict), since)
	return a
}

// Query is the channel's own, counted.
func (c *counted) Query(ctx context.Context, account string, no pay.OrderNo) order.Answer {
	since := time.Now()
	a := c.Channel.Query(ctx, account, no)
	c.done("query", string(a.Verdict), since)
	return a
}

// Revoke is the channel's own, counted.
func (c *counted) Revoke(ctx context.Context, r order.RevokeCall) order.RevokeAnswer {
	since := time.Now()
	a := c.Channel.Revoke(ctx, r)
	c.done("revoke", string(a.Verdict), since)
	return a
}

// Refund is the channel's own, counted.
func (c *counted) Refund(ctx context.Context, r order.RefundCall) order.RefundAnswer {
	since := time.Now()
	a := c.Channel.Refund(ctx, r)
	c.done("refund", string(a.State), since)
	return a
}

// QueryRefund is the channel's own, counted.
func (c *counted) QueryRefund(ctx context.Context, r order.RefundCall) order.RefundAnswer {
	since := time.Now()
	a := c.Channel.QueryRefund(ctx, r)
	c.done("query_refund", string(a.State), since)
	return a
}
