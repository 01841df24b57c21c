package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"paytool/internal/api/limit"
	"paytool/internal/order"
	"paytool/internal/pay"
)

// Stable codes of the API's own refusals, beside those of order and pay.
const (
	CodeInvalidRequest = "invalid_request"
	CodeTooLarge       = "invalid_request_too_large"
	CodeMediaType      = "invalid_media_type"
	CodeNoRoute        = "no_such_path"
	CodeMethod         = "method_not_allowed"
	CodeUnauthorized   = "unauthorized"
	CodeForeignHost    = "foreign_host"
	CodeOverLimit      = "over_limit"
	CodeDraining       = "draining"
	CodeInternal       = "internal"
)

// refusal is the API's own answer when it is not an order's.
type refusal struct {
	status     int
	code       string
	message    string
	hint       string
	retryAfter time.Duration
}

func (r *refusal) Error() string { return r.message }

// errorJSON is the contract of every error.
type errorJSON struct {
	Code         string `json:"code"`
	Message      string `json:"message"`
	Hint         string `json:"hint"`
	RetryAfterMS int64  `json:"retry_after_ms"`
}

// errorAnswer is the status and body that tell an error. What it does not know is told
// as "internal" without its words, which may hold anything.
func errorAnswer(err error) (status int, body errorJSON) {
	var refused *order.Error
	var turnedAway *limit.Rejected
	var own *refusal
	switch {
	case errors.As(err, &own):
		return own.status, errorJSON{own.code, own.message, own.hint, own.retryAfter.Milliseconds()}
	case errors.As(err, &turnedAway):
		if turnedAway.Reason == limit.OverRule {
			return http.StatusTooManyRequests, errorJSON{CodeOverLimit, turnedAway.Error(), "wait, or ask for a higher limit (`paytool limit list`)", wholeMS(turnedAway.RetryAfter)}
		}
		return http.StatusServiceUnavailable, errorJSON{order.CodeOverloaded, turnedAway.Error(), "nothing was done; send the same request again", wholeMS(turnedAway.RetryAfter)}
	case errors.As(err, &refused):
		return statusOf(refused), errorJSON{refused.Code, refused.Message, refused.Hint, wholeMS(retryAfter(refused))}
	case errors.Is(err, context.Canceled):
		return http.StatusServiceUnavailable, errorJSON{order.CodeCancelled, "the caller has gone", "nothing was done", 0}
	}
	return http.StatusInternalServerError, errorJSON{CodeInternal, "something went wrong here, and what became of the request is not known", "send the same request again; the log has the details under the request's id", time.Second.Milliseconds()}
}

// statusOf is the HTTP status of the engine's refusal.
func statusOf(e *order.Error) int {
	if e.Outcome == order.Unknown {
		return http.StatusGatewayTimeout
	}
	switch e.Code {
	case pay.CodeInvalidAmount, pay.CodeInvalidOrderNo, pay.CodeInvalidField, order.CodeChannelUnknown:
		return http.StatusBadRequest
	case order.CodeNotFound, pay.CodeUnknownTag:
		return http.StatusNotFound
	case order.CodeAmountMismatch, order.CodeAttemptOpen, order.CodeOrderOpen, order.CodeNotPaid, order.CodeRiskDouble,
		order.CodeShadowChannel, order.CodeRandomChoice, order.CodeRevokeRefused, order.CodeRefundRefused, order.CodeMoved, pay.CodeMoveRefused:
		return http.StatusConflict
	case order.CodeOrderEnded, order.CodeOrderExpired:
		return http.StatusGone
	case order.CodeNoGroup, order.CodeOverloaded, order.CodeClockBack, order.CodeGroupDown, order.CodeCancelled, order.CodeGuardSilent, order.CodeAttemptUnclear:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// retryAfter is the engine's word on when to ask again; whatever is answered with a
// 5xx may be asked again, so it always has one.
func retryAfter(e *order.Error) time.Duration {
	if e.RetryAfter == 0 && statusOf(e) >= http.StatusInternalServerError {
		return time.Second
	}
	return e.RetryAfter
}

// wholeMS rounds up: a caller that comes too early comes in vain.
func wholeMS(d time.Duration) int64 {
	return int64(math.Ceil(float64(d) / float64(time.Millisecond)))
}

// writeError answers with an error. The Retry-After header has whole seconds, the body
// the milliseconds.
func writeError(w http.ResponseWriter, status int, body errorJSON) error {
	if body.RetryAfterMS > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt((body.RetryAfterMS+999)/1000, 10))
	}
	return writeJSON(w, status, body)
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(text)+1))
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // a caller that has gone is told by nobody
	return nil
}
