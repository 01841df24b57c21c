package metrics_test

import (
	"context"
	"testing"

	"paytool/internal/metrics"
	"paytool/internal/order"
	"paytool/internal/pay"
)

// till answers every call in one way.
type till struct{ order.Channel }

func (till) Name() string    { return "till" }
func (till) Account() string { return "a1" }
func (till) Pay(context.Context, order.PayCall) order.Answer {
	return order.Answer{Verdict: order.Success}
}
func (till) Query(context.Context, string, pay.OrderNo) order.Answer {
	return order.Answer{Verdict: order.Unclear}
}
func (till) Revoke(context.Context, order.RevokeCall) order.RevokeAnswer {
	return order.RevokeAnswer{Verdict: order.RevokeTaken}
}
func (till) Refund(context.Context, order.RefundCall) order.RefundAnswer {
	return order.RefundAnswer{State: pay.RefundProcessing}
}
func (till) QueryRefund(context.Context, order.RefundCall) order.RefundAnswer {
	return order.RefundAnswer{State: pay.RefundDone}
}

func TestChannel(t *testing.T) {
	t.Parallel()
	m := metrics.New()
	ch := m.Channel(till{})
	ctx := t.Context()
	if a := ch.Pay(ctx, order.PayCall{AuthCode: "secret"}); a.Verdict != order.Success {
		t.Errorf("pay became %v", a)
	}
	ch.Query(ctx, "a1", pay.OrderNo{})
	ch.Revoke(ctx, order.RevokeCall{})
	ch.Refund(ctx, order.RefundCall{})
	ch.QueryRefund(ctx, order.RefundCall{})
	if ch.Account() != "a1" {
		t.Error("what is not a call does not reach the channel")
	}
	want(t, scrape(t, m),
		`paytool_channel_calls_total{call="pay",channel="till",verdict="success"} 1`,
		`paytool_channel_calls_total{call="query",channel="till",verdict="unclear"} 1`,
		`paytool_channel_calls_total{call="revoke",channel="till",verdict="done"} 1`,
		`paytool_channel_calls_total{call="refund",channel="till",verdict="processing"} 1`,
		`paytool_channel_calls_total{call="query_refund",channel="till",verdict="done"} 1`,
		`paytool_channel_seconds_count{call="pay",channel="till"} 1`,
	)
}
