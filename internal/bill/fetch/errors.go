package fetch

import (
	"errors"
	"fmt"
)

// The states of a bill that is not there, on their way to a Result.
var (
	errNoBill   = errors.New("the channel has no bill of that day")
	errNotReady = errors.New("the channel has not built the bill yet")
)

// Errors that callers may ask for.
var (
	// ErrRequest: there can be no such bill.
	ErrRequest = errors.New("there is no such bill")
	// ErrSignature: an answer was not signed by the channel's key.
	ErrSignature = errors.New("the answer's signature is not the channel's")
	// ErrDigest: the bill's bytes are not the ones that the channel announced.
	ErrDigest = errors.New("the bill's SHA-1 is not the one that the channel announced")
	// ErrSilent: a server sent nothing for longer than Options.Patience.
	ErrSilent = errors.New("the server fell silent")
	// ErrWrongBill: what came is no bill, or not the one that was asked for.
	ErrWrongBill = errors.New("this is not the bill that was asked for")
	// ErrVanished: a bill was fetched before, and now the channel says there is none.
	ErrVanished = errors.New("the channel now says that it has no bill of that day, but there is one from before")
)

// ChannelError is a channel's definite "no": asking again would not help.
type ChannelError struct {
	Origin  string // host and path that were asked
	Status  int    // of HTTP
	Code    string // the channel's own
	Message string // the channel's own
}

func (e *ChannelError) Error() string {
	hint := ""
	switch e.Code {
	case "SIGN_ERROR", "SIGN ERROR", "isv.invalid-signature":
		hint = "; check the private key, or API key, and the serial number of the account"
	case "NO_AUTH", "isv.insufficient-isv-permissions":
		hint = "; the account may not fetch this bill: have it allowed at the channel"
	case "PARAM_ERROR", "INVALID_REQUEST", "missing parameter", "data format error", "invalid bill_type":
		hint = "; check the date (three months back at most, Alipay more) and the type"
	}
	return fmt.Sprintf("%s answers %s (HTTP %d): %s%s", e.Origin, clean(e.Code), e.Status, clean(e.Message), hint)
}

// retryError wraps what another try may mend.
type retryError struct{ err error }

func (e *retryError) Error() string { return e.err.Error() }
func (e *retryError) Unwrap() error { return e.err }

func retry(format string, args ...any) error { return &retryError{fmt.Errorf(format, args...)} }

// clean makes a channel's words fit for one line of a log.
func clean(s string) string {
	const limit = 200
	out := make([]rune, 0, min(len(s), limit))
	for _, r := range s {
		if len(out) == limit {
			return string(out) + "..."
		}
		if r < ' ' || r == 0x7f {
			r = ' '
		}
		out = append(out, r)
	}
	return string(out)
}
