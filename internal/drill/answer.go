package drill

import (
	"errors"
	"strings"

	"paytool/internal/order"
)

// Answer is how a create ended as its client saw it.
type Answer string

// The answers. Failed and Rejected promise that nothing was committed; the judge
// holds the engine to it.
const (
	Acked    Answer = "acked"    // an order came back
	Unknown  Answer = "unknown"  // an order may exist
	Failed   Answer = "failed"   // tried, and surely not committed
	Rejected Answer = "rejected" // refused before anything was tried
)

// AnswerOf reads the answer from a create's error, and the stable code that came
// with it. What is not surely a failure is Unknown, errors of a foreign type
// included: calling a committed order failed is the one mistake that a judge
// could not see through.
func AnswerOf(err error) (a Answer, code string) {
	if err == nil {
		return Acked, ""
	}
	var e *order.Error
	if !errors.As(err, &e) {
		return Unknown, ""
	}
	switch {
	case e.Outcome != order.NotCommitted:
		return Unknown, e.Code
	case refusal(e.Code):
		return Rejected, e.Code
	}
	return Failed, e.Code
}

// codeOverLimit is the HTTP API's word for a merchant, terminal or channel that has
// had its share.
const codeOverLimit = "over_limit"

// refusal reports whether a code says no to the request itself, or turns it away
// at the door, rather than tell of groups that failed.
func refusal(code string) bool {
	switch code {
	case order.CodeOverloaded, codeOverLimit, order.CodeAmountMismatch, order.CodeAttemptOpen, order.CodeAttemptUnclear:
		return true
	}
	return strings.HasPrefix(code, "invalid_")
}
