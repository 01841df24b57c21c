package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// orderJSON is an order as the API writes it.
type orderJSON struct {
	OrderNo         pay.OrderNo   `json:"order_no"`
	MerchantID      string        `json:"merchant_id"`
	MerchantOrderNo string        `json:"merchant_order_no"`
	Attempt         int           `json:"attempt"`
	Group           shard.GroupID `json:"group"`
	State           pay.State     `json:"state"`
	AmountFen       pay.Fen       `json:"amount_fen"`
	RefundedFen     pay.Fen       `json:"refunded_fen"`
	Channel         string        `json:"channel"`
	Account         string        `json:"account"`
	ChannelTradeNo  string        `json:"channel_trade_no"`
	TerminalID      string        `json:"terminal_id"`
	Created         time.Time     `json:"created"`
	PaidAt          *time.Time    `json:"paid_at"`
	TwinOf          pay.OrderNo   `json:"twin_of"`
	Shadow          bool          `json:"shadow"`
}

func (o orderJSON) order(status int) order.Order {
	r := order.Order{
		No: o.OrderNo, Key: pay.Key{MerchantID: o.MerchantID, MerchantOrderNo: o.MerchantOrderNo}, Attempt: o.Attempt, Group: o.Group,
		State: o.State, Amount: o.AmountFen, Refunded: o.RefundedFen, Channel: o.Channel, Account: o.Account,
		ChannelTradeNo: o.ChannelTradeNo, TerminalID: o.TerminalID, Created: o.Created, TwinOf: o.TwinOf, Shadow: o.Shadow,
		Recording: o.State == pay.Paid && status == http.StatusAccepted,
	}
	if o.PaidAt != nil {
		r.PaidAt = *o.PaidAt
	}
	return r
}

// read decodes an answer. One that does not read says nothing of what was done.
func (a answer) read(into any) error {
	if err := json.Unmarshal(a.body, into); err != nil {
		return errBroken(err)
	}
	return nil
}

func (c *Client) askOrder(ctx context.Context, method, path string, body any) (order.Order, error) {
	a, err := c.send(ctx, method, path, body)
	if err != nil {
		return order.Order{}, err
	}
	var o orderJSON
	if err := a.read(&o); err != nil {
		return order.Order{}, err
	}
	return o.order(a.status), nil
}

// Create creates an order. Where the connection breaks, or the engine does not know
// what became of it, it asks again with the same key until it knows or its patience
// ends; an error with Outcome Unknown is one that stayed unknown.
func (c *Client) Create(ctx context.Context, r order.Request) (order.Order, error) {
	body := struct {
		MerchantID      string  `json:"merchant_id"`
		MerchantOrderNo string  `json:"merchant_order_no"`
		AmountFen       pay.Fen `json:"amount_fen"`
		Channel         string  `json:"channel"`
		TerminalID      string  `json:"terminal_id"`
		Subject         string  `json:"subject"`
		NewAttempt      bool    `json:"new_attempt"`
	}{r.Key.MerchantID, r.Key.MerchantOrderNo, r.Amount, r.Channel, r.TerminalID, r.Subject, r.NewAttempt}
	var unknown error // of the first try whose outcome is not known
	giveUp := c.opts.Clock.Now().Add(c.opts.Patience)
	for {
		o, err := c.askOrder(ctx, http.MethodPost, "/v1/orders", body)
		switch {
		case err == nil:
			return o, nil
		case unknown == nil && !isUnknown(err):
			return o, err
		case unknown == nil:
			unknown = err
		case !isUnknown(err) && !mayChange(err): // refused, and an earlier try may have been carried out all the same
			return o, unknown
		}
		if c.opts.Clock.Now().After(giveUp) || c.opts.Clock.Sleep(ctx, againAfter) != nil {
			return o, unknown
		}
	}
}

func isUnknown(err error) bool {
	var e *order.Error
	return !errors.As(err, &e) || e.Outcome != order.NotCommitted
}

func mayChange(err error) bool {
	var e *order.Error
	return errors.As(err, &e) && e.RetryAfter > 0
}

// Ready asks whether the next instance should get requests.
func (c *Client) Ready(ctx context.Context) error {
	_, err := c.send(ctx, http.MethodGet, "/readyz", nil)
	return err
}

// Instances are the addresses of the instances.
func (c *Client) Instances() []string { return slices.Clone(c.urls) }

// Metrics is the text of one instance's /metrics.
func (c *Client) Metrics(ctx context.Context, instance string) ([]byte, error) {
	a, err := c.sendTo(ctx, instance, http.MethodGet, "/metrics", nil)
	if err == nil && a.status >= http.StatusMultipleChoices {
		err = a.refusal()
	}
	return a.body, err
}

// Get reads an order.
func (c *Client) Get(ctx context.Context, no pay.OrderNo) (order.Order, error) {
	return c.askOrder(ctx, http.MethodGet, "/v1/orders/"+no.String(), nil)
}

// Pay sends a payment code. It is sent once: where the outcome is unknown the caller
// reads the order, or pays again, which the engine answers with what it knows.
func (c *Client) Pay(ctx context.Context, no pay.OrderNo, r order.PayRequest) (order.Order, error) {
	return c.askOrder(ctx, http.MethodPost, "/v1/orders/"+no.String()+"/pay", struct {
		AuthCode    string `json:"auth_code"`
		Channel     string `json:"channel"`
		ConfirmRisk bool   `json:"confirm_risk"`
	}{string(r.AuthCode), r.Channel, r.ConfirmRisk})
}

// Revoke ends an order.
func (c *Client) Revoke(ctx context.Context, no pay.OrderNo) (order.Order, error) {
	return c.askOrder(ctx, http.MethodPost, "/v1/orders/"+no.String()+"/revoke", struct{}{})
}

// Refund gives money back. Of the refund only number, amount and state are read.
func (c *Client) Refund(ctx context.Context, no pay.OrderNo, r order.RefundRequest) (order.Order, order.Refund, error) {
	a, err := c.send(ctx, http.MethodPost, "/v1/orders/"+no.String()+"/refunds", struct {
		RefundNo  string  `json:"refund_no"`
		AmountFen pay.Fen `json:"amount_fen"`
	}{r.No, r.Amount})
	if err != nil {
		return order.Order{}, order.Refund{}, err
	}
	var body struct {
		Order  orderJSON `json:"order"`
		Refund struct {
			RefundNo  string          `json:"refund_no"`
			AmountFen pay.Fen         `json:"amount_fen"`
			State     pay.RefundState `json:"state"`
		} `json:"refund"`
	}
	if err := a.read(&body); err != nil {
		return order.Order{}, order.Refund{}, err
	}
	return body.Order.order(a.status), order.Refund{OrderNo: no, No: body.Refund.RefundNo, Amount: body.Refund.AmountFen, State: body.Refund.State}, nil
}
