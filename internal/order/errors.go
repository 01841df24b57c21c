package order

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// Stable codes of the engine's refusals, beside those of pay.
const (
	CodeAmountMismatch = "amount_mismatch"
	CodeAttemptOpen    = "attempt_open"
	CodeAttemptUnclear = "attempt_unclear"
	CodeNoGroup        = "no_group"
	CodeOverloaded     = "overloaded"
	CodeUnknownOutcome = "unknown_outcome"
	CodeClockBack      = "clock_back"
	CodeNotFound       = "not_found"
	CodeGroupDown      = "group_down"
	CodeCancelled      = "cancelled"
	CodeMoved          = "moved_meanwhile"

	CodeOrderEnded     = "order_ended"   // closed, revoked: the answer is 410
	CodeOrderExpired   = "order_expired" // never sent, and too old to be
	CodeOrderOpen      = "order_open"    // a payment or revoke is under way
	CodeNotPaid        = "not_paid"      // a refund needs a paid order
	CodeRiskDouble     = "risk_double"   // the cashier has to confirm
	CodeGuardSilent    = "guard_silent"  // a group did not answer the guard
	CodeChannelUnknown = "unknown_channel"
	CodeShadowChannel  = "shadow_needs_simulated_channel"
	CodeRandomChoice   = "random_selection" // no idempotency, no real money
	CodeRevokeRefused  = "revoke_refused"
	CodeRefundRefused  = "refund_refused"
)

// Error is the engine's answer when it is not an order.
type Error struct {
	Code string
	// Outcome is NotCommitted, or Unknown when an order may exist: then the caller
	// asks again with the same key.
	Outcome    Outcome
	Message    string
	Hint       string        // what to do next
	RetryAfter time.Duration // 0 for "not by waiting"
	Err        error
}

func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + "; " + e.Hint
}

func (e *Error) Unwrap() error { return e.Err }

// ErrorCode is the stable code of the refusal.
func (e *Error) ErrorCode() string { return e.Code }

// refuseInput turns a domain error into the engine's.
func refuseInput(err error) error {
	code := pay.CodeInvalidField
	var coded interface{ ErrorCode() string }
	if errors.As(err, &coded) {
		code = coded.ErrorCode()
	}
	return &Error{Code: code, Outcome: NotCommitted, Message: err.Error(), Err: err}
}

func errAmount(existing Order, asked pay.Fen) error {
	return &Error{
		Code: CodeAmountMismatch, Outcome: NotCommitted,
		Message: fmt.Sprintf("key %s belongs to order %s over %d fen, not %d fen", existing.Key, existing.No, existing.Amount, asked),
		Hint:    "use the first amount, or a new merchant order number",
	}
}

func errUnknown(key pay.Key, doubts []Doubt, err error) error {
	groups := make([]string, 0, len(doubts))
	for _, d := range doubts {
		if g := fmt.Sprint(d.OldGroup); !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	return &Error{
		Code: CodeUnknownOutcome, Outcome: Unknown,
		Message:    fmt.Sprintf("whether an order for key %s was written is unknown (tried in group %s): %v", key, strings.Join(groups, ", "), err),
		Hint:       "ask again with the same key and amount",
		RetryAfter: time.Second, Err: err,
	}
}

// errNoGroup says why no group took the order, group by group. Overloaded: there
// were good groups, but all full of creates that are slow.
func errNoGroup(statuses []shard.Status, failed map[shard.GroupID]error, overloaded bool) error {
	code := CodeNoGroup
	if overloaded {
		code = CodeOverloaded
	}
	causes := make([]string, 0, len(statuses))
	for _, s := range statuses {
		cause := ""
		switch {
		case s.Ejection != nil:
			cause = string(s.Ejection.Cause)
		case failed[s.Group.ID] != nil:
			cause = failed[s.Group.ID].Error()
		case len(s.Group.Pilots) > 0:
			cause = "takes the orders of its first merchants alone"
		case s.Group.Share() == 0:
			cause = "takes no new orders"
		default:
			cause = "full of slow orders, or out of time"
		}
		causes = append(causes, fmt.Sprintf("group %d: %s", s.Group.ID, cause))
	}
	return &Error{
		Code: code, Outcome: NotCommitted,
		Message:    "no group takes the order (" + strings.Join(causes, "; ") + ")",
		Hint:       "nothing was written; try again in a second, and see `paytool shard status`",
		RetryAfter: time.Second,
	}
}

func errNotFound(no pay.OrderNo, g shard.GroupID, err error) error {
	return &Error{Code: CodeNotFound, Outcome: NotCommitted,
		Message: fmt.Sprintf("order %s is not in group %d, where its tag lies", no, g), Err: err}
}

func errUnknownTag(no pay.OrderNo, err error) error {
	return &Error{Code: pay.CodeUnknownTag, Outcome: NotCommitted, Message: fmt.Sprintf("order %s: %v", no, err),
		Hint: "check the number, and that the config has its group", Err: err}
}

func errGroupDown(g shard.GroupID, no pay.OrderNo, err error) error {
	return &Error{
		Code: CodeGroupDown, Outcome: NotCommitted,
		Message:    fmt.Sprintf("group %d, where order %s lies, does not answer: %v", g, no, err),
		Hint:       "its orders wait until it is back; new orders are not affected",
		RetryAfter: time.Second, Err: err,
	}
}
