package bill

import "paytool/internal/pay"

// Type is the kind of a bill file, as `bill inspect` prints it.
type Type string

// The types of bills. A bill of recharge refunds has the layout of a refund
// bill: it is called so only where Options.Type says that it was asked for.
const (
	TradeAll             Type = "trade_all"
	TradeSuccess         Type = "trade_success"
	TradeRefund          Type = "trade_refund"
	TradeRechargeRefund  Type = "trade_recharge_refund"
	Fundflow             Type = "fundflow"
	AlipayTrade          Type = "alipay_trade"
	AlipayTradeSummary   Type = "alipay_trade_summary"
	AlipayAccount        Type = "alipay_account"
	AlipayAccountSummary Type = "alipay_account_summary"
	UnionpayZM           Type = "unionpay_zm"
)

// The channels, as Report.Channel names them.
const (
	WeChat   = "wechat"
	Alipay   = "alipay"
	UnionPay = "unionpay"
)

// The generations of a layout. Only WeChat's trade bills have an old one: 24, 18
// and 26 columns, for merchants who never enabled coupons that are not prepaid.
const (
	Current = "current"
	Old     = "old"
)

// In and Out are the kinds of fund bill rows; trade bills have the kinds of
// pay.Entry.
const (
	In  pay.EntryKind = "in"
	Out pay.EntryKind = "out"
)

// Detail reports whether bills of this type have rows of their own rather than
// totals.
func (t Type) Detail() bool { return t != AlipayTradeSummary && t != AlipayAccountSummary }

// RevokeRule says how a revoke is told from a refund in Alipay's trade bills.
type RevokeRule int

const (
	// RevokeByTradeNo: a refund whose request number is Alipay's own trade number
	// is a revoke. Seen through acquirers, not proven for direct accounts.
	RevokeByTradeNo RevokeRule = iota
	// RevokeNever: every refund row is a refund.
	RevokeNever
)

// Options say what a bill is expected to be. The zero value expects nothing.
type Options struct {
	// Merchant is the account that the bill should be of: WeChat's mch_id (or that
	// of the sub-merchant), Alipay's pid, UnionPay's merchant number.
	Merchant string
	// Date is the day or month that was asked for, "2006-01-02" or "2006-01",
	// Beijing time.
	Date string
	// SHA1 is the digest of the uncompressed bytes that the channel announced, in
	// hex.
	SHA1 string
	// SHA256 asks for the digest of the file as it lies there. The SHA-1 is then taken
	// only where the channel announced one: both would cost as much as all the rest.
	SHA256 bool
	// NoSubject leaves Row.Subject empty: decoding what nobody looks at takes time.
	NoSubject bool
	// Type is the type that was asked for.
	Type Type
	// AlipayRevoke is a setting of the account.
	AlipayRevoke RevokeRule
	// MaxBytes bounds the uncompressed size (64 GiB if zero).
	MaxBytes int64
	// Progress is called now and then with the number of lines that became rows; nil:
	// nobody looks.
	Progress func(rows int64)
}
