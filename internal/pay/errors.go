package pay

import "fmt"

// Stable codes of refusals. Callers, the HTTP API and scripts compare them, so a
// code is never renamed.
const (
	CodeInvalidAmount  = "invalid_amount"
	CodeInvalidOrderNo = "invalid_order_no"
	CodeInvalidField   = "invalid_field"
	CodeUnknownTag     = "unknown_tag"
	CodeMoveRefused    = "move_refused"
)

// InputError is bad input: which field, and what is wrong with it. It never
// carries more than the first characters of the value, so that a pasted secret
// or a megabyte does not end up in a log.
type InputError struct {
	Code   string
	Field  string
	Reason string
}

func (e *InputError) Error() string { return fmt.Sprintf("%s: %s", e.Field, e.Reason) }

// ErrorCode is the stable code of the refusal.
func (e *InputError) ErrorCode() string { return e.Code }

// excerpt shortens a value for an error text.
func excerpt(s string) string {
	const limit = 40
	if len(s) <= limit {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("%q and %d bytes more", s[:limit], len(s)-limit)
}
