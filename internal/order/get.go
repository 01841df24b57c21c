package order

import (
	"context"
	"fmt"
	"time"

	"paytool/internal/pay"
)

const groupDownRetry = time.Second

// maxTwins bounds the walk along twin_of. Each step leads to a lower number or to
// an order that was sent, so a real chain is short.
const maxTwins = 8

// Get reads an order by its number, on a fresh replica or the primary; while the
// primary is out any replica answers. A VOID order is answered with its twin.
//
// An error is an *Error: not_found, unknown_tag, or group_down with the group.
func (e *Engine) Get(ctx context.Context, no pay.OrderNo) (Order, error) {
	for range maxTwins {
		o, err := e.find(ctx, no)
		if err != nil || o.State != pay.Void || o.TwinOf.IsZero() {
			return o, err
		}
		no = o.TwinOf
	}
	return Order{}, &Error{Code: CodeNotFound, Outcome: NotCommitted,
		Message: fmt.Sprintf("order %s: more than %d twins in a row", no, maxTwins), Hint: "run `paytool order verify`"}
}

func (e *Engine) find(ctx context.Context, no pay.OrderNo) (Order, error) {
	o, err := readAt(ctx, e, no, func(ctx context.Context, m *member) (Order, error) {
		return m.Find(ctx, no, !e.fleet.Admitted(m.ID()) && !m.primaryAnswers())
	})
	if err != nil {
		return Order{}, err
	}
	return e.journaled(ctx, o), nil
}
