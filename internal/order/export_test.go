package order

import (
	"context"

	"paytool/internal/pay"
)

// Force asks the engine's one write path for a move, whatever the move.
func (e *Engine) Force(ctx context.Context, no pay.OrderNo, to pay.State, by pay.Mover) (Order, error) {
	return e.change(ctx, no, func(_ *change, o *Order) (why, error) {
		o.State = to
		return why{by, "forced by a test"}, nil
	})
}

// Conclude carries out a channel's answer that arrives for an order as it was read
// at some time.
func (e *Engine) Conclude(ctx context.Context, o Order, a Answer) (Order, error) {
	return e.conclude(ctx, o, a)
}
