package order

import (
	"context"
	"log/slog"
	"time"

	"paytool/internal/pay"
)

// Channel moves money. Every call may take effect though no answer comes back; an
// answer is read from a whitelist, and what is not on it is Unclear (money rules,
// rule 3). Calls are safe for concurrent use and end with their context.
type Channel interface {
	// Name is what orders carry: "wechat", "alipay", "builtin".
	Name() string
	// Simulated: no real money moves. Shadow orders go to no other channel.
	Simulated() bool
	// Account is the account that new payments use.
	Account() string
	Limits() ChannelLimits
	// Pay sends a payment code, once. It must not send anything after SendBy, and
	// answers NotSent when it did not.
	Pay(ctx context.Context, c PayCall) Answer
	// Query asks what became of a payment.
	Query(ctx context.Context, account string, no pay.OrderNo) Answer
	// Revoke asks the channel to end a payment and give the money back if it was
	// taken. It may be repeated.
	Revoke(ctx context.Context, c RevokeCall) RevokeAnswer
	// Refund asks for a refund; the same number and amount may be sent again.
	Refund(ctx context.Context, c RefundCall) RefundAnswer
	QueryRefund(ctx context.Context, c RefundCall) RefundAnswer
}

// ChannelLimits are a channel's own rules.
type ChannelLimits struct {
	// RevokeAfter is how long after the payment was sent a revoke may be sent at the
	// earliest, RevokeWithin at the latest.
	RevokeAfter, RevokeWithin time.Duration
	RefundWithin              time.Duration // since the payment
	RefundGap                 time.Duration // between two refunds of an order
	MaxRefunds                int           // of an order
}

// AuthCode is a buyer's payment code. It never shows in a log, an error or a
// report.
type AuthCode string

func (AuthCode) String() string       { return "(payment code)" }
func (AuthCode) GoString() string     { return "(payment code)" }
func (AuthCode) LogValue() slog.Value { return slog.StringValue("(payment code)") }

// PayCall is one payment to be sent.
type PayCall struct {
	OrderNo  pay.OrderNo
	Account  string
	Amount   pay.Fen
	AuthCode AuthCode
	Subject  string
	Terminal string
	SendBy   time.Time
}

// Verdict is what a channel's answer means for a payment.
type Verdict string

// The verdicts. Only Success, Failed, ClosedByChannel and RevokedByChannel are
// definite.
const (
	Success          Verdict = "success"
	Failed           Verdict = "failed"            // whitelisted: the buyer was not charged
	ClosedByChannel  Verdict = "closed_by_channel" // timed out there, the buyer was not charged
	RevokedByChannel Verdict = "revoked_by_channel"
	Pending          Verdict = "pending" // the buyer is typing a password
	PayError         Verdict = "pay_error"
	Unclear          Verdict = "unclear" // no answer, or one that is not understood
	NotFoundThere    Verdict = "not_found_at_channel"
	NotSent          Verdict = "not_sent" // the send deadline had passed
)

// Answer is what a channel says of a payment.
type Answer struct {
	Verdict Verdict   `json:"verdict"`
	TradeNo string    `json:"trade_no"`
	Account string    `json:"account"` // "" where the channel does not say
	Amount  pay.Fen   `json:"amount_fen"`
	At      time.Time `json:"at"`   // of success, the channel's clock
	Code    string    `json:"code"` // the channel's code and sub-code
}

// Definite reports whether the answer says what became of the money.
func (a Answer) Definite() bool {
	switch a.Verdict {
	case Success, Failed, ClosedByChannel, RevokedByChannel:
		return true
	case Pending, PayError, Unclear, NotFoundThere, NotSent:
		return false
	}
	return false
}

// knowsNumber reports whether the answer shows that the payment has arrived at the
// channel.
func (a Answer) knowsNumber() bool {
	return a.Verdict != Unclear && a.Verdict != NotFoundThere && a.Verdict != NotSent
}

// RevokeCall is one revoke to be sent.
type RevokeCall struct {
	OrderNo  pay.OrderNo
	Account  string
	Amount   pay.Fen
	RevokeNo string
}

// RevokeVerdict is what a channel's answer means for a revoke.
type RevokeVerdict string

// The verdicts on a revoke.
const (
	RevokeTaken   RevokeVerdict = "done"
	RevokeTooLate RevokeVerdict = "refused" // definite: too late, or a refund exists
	RevokeUnclear RevokeVerdict = "unclear" // ask again
)

// RevokeAnswer is what a channel says of a revoke.
type RevokeAnswer struct {
	Verdict RevokeVerdict
	Money   pay.Money // what became of it, MoneyUnknown where the channel does not say
	Code    string
}

// RefundCall is one refund to be sent or asked for.
type RefundCall struct {
	OrderNo  pay.OrderNo
	Account  string
	RefundNo string
	Amount   pay.Fen // of the refund
	Total    pay.Fen // of the order
}

// RefundAnswer is what a channel says of a refund.
type RefundAnswer struct {
	// State is where the refund is; RefundUnknown where the answer does not say,
	// RefundRequested where the channel does not know the number.
	State     pay.RefundState
	ChannelNo string
	Amount    pay.Fen // 0 where the channel does not say
	Accepted  time.Time
	Done      time.Time
	Code      string
}
