package pay

import (
	"fmt"
	"time"
)

// EntryKind is the kind of an entry.
type EntryKind string

// The kinds of entries.
const (
	EntryPay    EntryKind = "pay"
	EntryRefund EntryKind = "refund"
	EntryRevoke EntryKind = "revoke"
)

// RevokeDone and RevokeUnknown are the states of a revoke entry. Unknown: both
// "payment and reverse refund" and "nothing" in the bill explain it.
const (
	RevokeDone    = "revoked"
	RevokeUnknown = "unknown"
)

// Entry is one movement of money as our own books have it, the input of
// reconciliation. Amounts are positive fen, the kind tells the direction.
type Entry struct {
	Kind            EntryKind
	OrderNo         string
	RefundNo        string
	MerchantID      string
	MerchantOrderNo string
	TerminalID      string
	Channel         string
	Account         string
	ChannelTradeNo  string
	ChannelRefundNo string
	Amount          Fen
	Fee             Fen
	State           string
	// Time is the channel's success time of a payment, and the time at which the
	// channel accepted a refund or revoke.
	Time time.Time
}

// Check refuses an entry that reconciliation could not place: an unknown kind or
// state, no order number, an amount that is not positive, no time, a refund
// without its number.
func (e Entry) Check() error {
	bad := func(field, reason string) error {
		return &InputError{Code: CodeInvalidField, Field: field, Reason: reason}
	}
	switch {
	case e.OrderNo == "":
		return bad("order_no", "is missing")
	case e.Amount <= 0:
		return amountError(fmt.Sprintf("%d fen: an entry's amount is positive, its kind tells the direction", e.Amount))
	case e.Time.IsZero():
		return bad("time", "is missing")
	}
	valid := false
	switch e.Kind {
	case EntryPay:
		valid = State(e.State).Valid()
	case EntryRefund:
		if e.RefundNo == "" {
			return bad("refund_no", "is missing, a refund needs its number")
		}
		valid = RefundState(e.State).Valid()
	case EntryRevoke:
		valid = e.State == RevokeDone || e.State == RevokeUnknown
	default:
		return bad("kind", fmt.Sprintf("%s is not pay, refund or revoke", excerpt(string(e.Kind))))
	}
	if !valid {
		return bad("state", fmt.Sprintf("%s is not a state of a %s entry", excerpt(e.State), e.Kind))
	}
	return nil
}
