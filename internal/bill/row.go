package bill

import (
	"time"

	"paytool/internal/pay"
)

// FeeE5 is a fee in 10^-5 yuan, the precision of WeChat's bills: 100,000 is one
// yuan.
type FeeE5 int64

// Row is one detail line of a bill. The byte slices are UTF-8, and are valid
// until the next call of Reader.Next: who keeps one copies it.
type Row struct {
	Line int
	Kind pay.EntryKind

	// OrderNo is the merchant's order number: of the original order in refunds and
	// revokes. It is empty in UnionPay's refunds, which name the original by its
	// query number alone, and in WeChat fund rows of refunds.
	OrderNo []byte
	// RefundNo is the merchant's refund number. In a revoke it proves nothing: "0",
	// empty and real numbers occur.
	RefundNo        []byte
	ChannelTradeNo  []byte
	ChannelRefundNo []byte

	// Amount is the order amount of a payment, the applied amount of a refund or
	// revoke, the amount of a fund row; Settle is what is settled of it. Both are
	// never negative: the kind tells the direction.
	Amount, Settle pay.Fen
	// Fee has the sign of the bill. WeChat: positive in payments, negative where a
	// refund gives it back. UnionPay: positive where the merchant pays. Alipay: 服务费 as
	// written; no real bill with another one than 0.00 was seen.
	Fee FeeE5
	// Rate is the fee rate as written ("0.60%"), empty where the bill has none.
	Rate []byte

	// State is the channel's own word: WeChat's refund state where the row has one,
	// else its trade state; the business type in Alipay's and in fund bills;
	// UnionPay's transaction code.
	State []byte
	// Time is when a payment succeeded, when a refund or revoke was accepted, when a
	// fund row was booked. In pay.Beijing.
	Time    time.Time
	Subject []byte

	// Of fund rows: the number of the movement, what it belongs to (交易, 退款, ...)
	// and the account's balance after it.
	FlowNo   []byte
	Business []byte
	Balance  pay.Fen
}
