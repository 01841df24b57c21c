package order

import (
	"context"
	"errors"
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
	ctx, cancel := e.env.WithTimeout(ctx, e.opts.CreateTimeout)
	defer cancel()
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
	g, err := e.fleet.Topology().Locate(no)
	if err != nil {
		return Order{}, &Error{Code: pay.CodeUnknownTag, Outcome: NotCommitted, Message: err.Error(), Err: err}
	}
	m, ok := e.member(g)
	if !ok {
		return Order{}, &Error{Code: pay.CodeUnknownTag, Outcome: NotCommitted,
			Message: fmt.Sprintf("order %s lies in group %d, which the config does not have", no, g), Hint: "add the group to the config"}
	}
	down := !e.fleet.Admitted(g) && !m.primaryAnswers()
	o, err := m.Find(ctx, no, down)
	switch {
	case err == nil:
		return e.journaled(ctx, o), nil
	case errors.Is(err, ErrNotFound):
		return Order{}, errNotFound(no, g, err)
	}
	return Order{}, errGroupDown(g, no, err)
}
