package order

import (
	"encoding/json"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// orderJSON is the contract of an order's JSON: every key is always there, money
// in fen, times in RFC 3339 with +08:00, null for what is not.
type orderJSON struct {
	OrderNo         pay.OrderNo   `json:"order_no"`
	MerchantID      string        `json:"merchant_id"`
	MerchantOrderNo string        `json:"merchant_order_no"`
	Attempt         int           `json:"attempt"`
	Group           shard.GroupID `json:"group"`
	Tag             pay.Tag       `json:"tag"`
	State           pay.State     `json:"state"`
	AmountFen       pay.Fen       `json:"amount_fen"`
	RefundedFen     pay.Fen       `json:"refunded_fen"`
	Channel         string        `json:"channel"`
	Account         string        `json:"account"`
	ChannelTradeNo  string        `json:"channel_trade_no"`
	TerminalID      string        `json:"terminal_id"`
	Created         *time.Time    `json:"created"`
	PaidAt          *time.Time    `json:"paid_at"`
	TwinOf          *pay.OrderNo  `json:"twin_of"`
	Shadow          bool          `json:"shadow"`
}

// MarshalJSON writes the order as the API and the commands show it.
func (o Order) MarshalJSON() ([]byte, error) {
	v := orderJSON{
		OrderNo: o.No, MerchantID: o.Key.MerchantID, MerchantOrderNo: o.Key.MerchantOrderNo, Attempt: o.Attempt,
		Group: o.Group, Tag: o.No.Tag(), State: o.State, AmountFen: o.Amount, RefundedFen: o.Refunded,
		Channel: o.Channel, Account: o.Account, ChannelTradeNo: o.ChannelTradeNo, TerminalID: o.TerminalID,
		Created: beijing(o.Created), PaidAt: beijing(o.PaidAt), Shadow: o.Shadow,
	}
	if !o.TwinOf.IsZero() {
		v.TwinOf = &o.TwinOf
	}
	return json.Marshal(v)
}

func beijing(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.In(pay.Beijing).Truncate(time.Millisecond)
	return &t
}

// MarshalJSON writes the contract of an error: code, message, hint and when to
// try again.
func (e *Error) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Code         string `json:"code"`
		Message      string `json:"message"`
		Hint         string `json:"hint"`
		RetryAfterMS int64  `json:"retry_after_ms"`
	}{e.Code, e.Message, e.Hint, e.RetryAfter.Milliseconds()})
}
