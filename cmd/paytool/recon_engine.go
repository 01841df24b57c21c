package main

import (
	"context"
	"errors"
	"fmt"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/recon/ledger"
)

// carryOut lets the order engine do what two persons have approved. An error says that
// nobody knows yet; not done is the engine's definite no, with its words.
func (e *engine) carryOut(ctx context.Context, i instruction) (done bool, words string, err error) {
	no, err := pay.ParseOrderNo(i.OrderNo)
	if err != nil {
		return false, fmt.Sprintf("not an order of ours: %v", err), nil
	}
	in := order.Instruction{ID: string(i.ID), Approvers: i.Approvers, Reason: i.Reason, Amount: i.AmountFen}
	switch i.Action {
	case ledger.Reissue:
		var o order.Order
		o, err = e.Supplement(ctx, no, in)
		words = fmt.Sprintf("order %s is %s", no, o.State)
	case ledger.ConsoleRefund:
		var r order.Refund
		_, r, err = e.RecordRefund(ctx, no, order.ConsoleRefund{No: i.RefundNo}, in)
		words = fmt.Sprintf("refund %s of order %s is %s", r.No, no, r.State)
	default:
		return false, fmt.Sprintf("%s is nothing for the order engine", i.Action), nil
	}
	var refused *order.Error
	switch {
	case err == nil:
		return true, words, nil
	case errors.As(err, &refused) && refused.Outcome == order.NotCommitted && refused.RetryAfter == 0:
		return false, refused.Error(), nil
	default:
		return false, "", err
	}
}
