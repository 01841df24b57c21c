package order

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"paytool/internal/pay"
)

// Instruction is a decision of reconciliation that two persons have approved. It is
// carried out once: asked again, also after a crash between commit and answer, the
// engine answers as it would have then. The id becomes that of the move, so that the
// move itself is the proof.
type Instruction struct {
	ID        string    // of the difference; at most MaxInstructionID visible ASCII characters
	Approvers [2]string // different persons
	Reason    string
	Amount    pay.Fen // that they approved
}

// MaxInstructionID bounds the id of an instruction.
const MaxInstructionID = 50

func (in Instruction) check() error {
	bad := func(field, reason string) error {
		return refuseInput(&pay.InputError{Code: pay.CodeInvalidField, Field: field, Reason: reason})
	}
	if in.ID == "" || len(in.ID) > MaxInstructionID || slices.ContainsFunc([]byte(in.ID), func(c byte) bool { return c <= ' ' || c > '~' }) {
		return bad("instruction", fmt.Sprintf("want 1 to %d visible ASCII characters", MaxInstructionID))
	}
	for i, person := range in.Approvers {
		if err := pay.CheckField(fmt.Sprintf("approver %d", i+1), person, 1, pay.MaxTerminalID); err != nil {
			return refuseInput(err)
		}
	}
	if in.Approvers[0] == in.Approvers[1] {
		return bad("approver 2", "is the same person as the first one")
	}
	if in.Amount <= 0 {
		return bad("amount", "want what was approved, more than 0 fen")
	}
	return nil
}

// words are the detail of the move. Who approved it comes first: a long reason is cut.
func (in Instruction) words(what string) string {
	return fmt.Sprintf("%s, %s, approved by %s and %s: %s", what, in.ID, in.Approvers[0], in.Approvers[1], in.Reason)
}

// Supplement marks an order that we ended as paid after all (补单). The channel,
// asked afresh, has to say that exactly the approved amount was paid under exactly
// this number; an order whose money went back, or is on its way, stays as it is.
// An error is an *Error.
func (e *Engine) Supplement(ctx context.Context, no pay.OrderNo, in Instruction) (Order, error) {
	if err := in.check(); err != nil {
		return Order{}, err
	}
	op := "supplement:" + in.ID
	for range maxTwins {
		o, done, err := e.carriedOut(ctx, no, op)
		if err != nil || done {
			return o, err
		}
		ch, a, err := e.confirmPaid(ctx, o, in)
		if err != nil {
			return o, err
		}
		o, err = e.changeAs(ctx, no, op, func(c *change, o *Order) (why, error) {
			return c.supplemented(o, ch, a, in)
		})
		switch {
		case isMoved(err): // perhaps by this very instruction
		case errors.Is(err, ErrDuplicateKey):
			return o, &Error{Code: pay.CodeMoveRefused, Outcome: NotCommitted, Err: err,
				Message: fmt.Sprintf("order %s: another order of its key and attempt lives", no), Hint: "see `paytool order trace " + no.String() + "`; refund one of them"}
		default:
			return o, err
		}
	}
	return Order{}, errMovedMeanwhile(no)
}

// carriedOut reads an order, and whether an operation is among its moves.
func (e *Engine) carriedOut(ctx context.Context, no pay.OrderNo, op string) (Order, bool, error) {
	o, err := e.readNow(ctx, no)
	if err != nil {
		return o, false, err
	}
	moves, err := readAt(ctx, e, no, func(ctx context.Context, m *member) ([]Move, error) { return m.Moves(ctx, no) })
	if err != nil {
		return o, false, err
	}
	return o, slices.ContainsFunc(moves, func(m Move) bool { return m.OpID == op }), nil
}

// confirmPaid asks the channel whether an order that we ended was paid as approved.
func (e *Engine) confirmPaid(ctx context.Context, o Order, in Instruction) (Channel, Answer, error) {
	ch, err := e.channelFor(o, "")
	if err != nil {
		return nil, Answer{}, err
	}
	if !o.State.Final() {
		return nil, Answer{}, &Error{Code: pay.CodeMoveRefused, Outcome: NotCommitted,
			Message: fmt.Sprintf("order %s is %s; only one that ended unpaid is marked as paid", o.No, o.State), Hint: "reconcile the day again"}
	}
	if o.Amount != in.Amount {
		return nil, Answer{}, &Error{Code: CodeAmountMismatch, Outcome: NotCommitted,
			Message: fmt.Sprintf("order %s is over %d fen, and %d fen were approved", o.No, o.Amount, in.Amount), Hint: "have the right amount approved"}
	}
	a, err := e.query(ctx, o)
	if err != nil {
		return nil, a, err
	}
	says := strings.TrimSpace(string(a.Verdict) + " " + a.Code)
	if a.Verdict == Success {
		if says = contradicts(o, a); says == "" {
			return ch, a, nil
		}
	}
	refused := &Error{Code: pay.CodeMoveRefused, Outcome: NotCommitted, Hint: "look at the channel's own pages",
		Message: fmt.Sprintf("the channel does not say that order %s was paid as approved: %s", o.No, says)}
	if !a.Definite() {
		refused.RetryAfter, refused.Hint = time.Minute, "the approval stands; ask again"
	}
	return nil, a, refused
}

func (c *change) supplemented(o *Order, ch Channel, a Answer, in Instruction) (why, error) {
	if !o.State.Final() {
		return why{}, errMovedMeanwhile(o.No)
	}
	t, err := c.LockTask(c.ctx, taskID(TaskMoneyBack, o.No))
	switch {
	case err == nil:
		return why{}, &Error{Code: pay.CodeMoveRefused, Outcome: NotCommitted,
			Message: fmt.Sprintf("the money of order %s goes back or went back: task %s is %s", o.No, t.ID, t.State), Hint: "let the buyer pay again"}
	case !errors.Is(err, ErrNotFound):
		return why{}, err
	}
	o.State, o.ChannelTradeNo, o.PaidAt, o.TwinOf = pay.Paid, a.TradeNo, a.At, pay.OrderNo{}
	o.Channel, o.Account = ch.Name(), accountOf(*o, ch)
	o.RiskDouble, o.Due = true, c.e.env.Now() // its key is looked at in every group
	return why{pay.BySupplement, in.words("supplement")}, nil
}

// ConsoleRefund is a refund that was made on the channel's own pages, past us.
type ConsoleRefund struct {
	No        string // the merchant's number for it, as the bill has it
	ChannelNo string // the channel's; "" where the bill has none
}

// RecordRefund records a console refund of the approved amount: as done, under its
// own number, within what is left of the order. The channel, asked afresh, has to
// confirm number, amount and that it is done; one whose query does not tell the
// amount cannot. A refund that we knew and that was still open is done by this. No
// money moves. An error is an *Error.
func (e *Engine) RecordRefund(ctx context.Context, no pay.OrderNo, r ConsoleRefund, in Instruction) (Order, Refund, error) {
	if err := errors.Join(pay.CheckField("refund_no", r.No, 1, maxRefundNo), pay.CheckField("channel_refund_no", r.ChannelNo, 0, maxRefundNo)); err != nil {
		return Order{}, Refund{}, refuseInput(err)
	}
	if err := in.check(); err != nil {
		return Order{}, Refund{}, err
	}
	op := "refund:" + in.ID
	for range maxTwins {
		o, done, err := e.carriedOut(ctx, no, op)
		if err != nil {
			return o, Refund{}, err
		}
		if done {
			refund, err := e.refundOf(ctx, o, r.No)
			return o, refund, err
		}
		a, err := e.confirmRefund(ctx, o, r, in)
		if err != nil {
			return o, Refund{}, err
		}
		var recorded Refund
		o, err = e.changeAs(ctx, no, op, func(c *change, o *Order) (reason why, err error) {
			recorded, reason, err = c.recordRefund(o, r, in, a)
			return reason, err
		})
		if !isMoved(err) {
			return o, recorded, err
		}
	}
	return Order{}, Refund{}, errMovedMeanwhile(no)
}

// refundOf reads the refund that an instruction was carried out for.
func (e *Engine) refundOf(ctx context.Context, o Order, number string) (Refund, error) {
	all, err := e.refundsOf(ctx, o.No)
	if err != nil {
		return Refund{}, err
	}
	if i := slices.IndexFunc(all, func(r Refund) bool { return r.No == number }); i >= 0 {
		return all[i], nil
	}
	return Refund{}, &Error{Code: CodeNotFound, Outcome: NotCommitted,
		Message: fmt.Sprintf("the instruction was carried out on order %s, and not for refund %s", o.No, number), Hint: "one instruction records one refund"}
}

// confirmRefund asks the channel whether a refund was made as approved.
func (e *Engine) confirmRefund(ctx context.Context, o Order, r ConsoleRefund, in Instruction) (RefundAnswer, error) {
	ch, err := e.channelFor(o, "")
	if err != nil {
		return RefundAnswer{}, err
	}
	cctx, cancel := e.env.WithTimeout(ctx, e.opts.ChannelTimeout)
	defer cancel()
	a := ch.QueryRefund(cctx, RefundCall{OrderNo: o.No, Account: accountOf(o, ch), RefundNo: r.No, Amount: in.Amount, Total: o.Amount})
	refuse := func(retry time.Duration, hint, format string, args ...any) (RefundAnswer, error) {
		return a, &Error{Code: CodeRefundRefused, Outcome: NotCommitted, RetryAfter: retry, Hint: hint,
			Message: fmt.Sprintf("the channel does not confirm refund %s of order %s: ", r.No, o.No) + fmt.Sprintf(format, args...)}
	}
	switch {
	case a.State == pay.RefundRequested:
		return refuse(0, "check the number against the bill", "it does not know the number (%s)", a.Code)
	case a.State != pay.RefundDone:
		return refuse(time.Minute, "the approval stands; try again when it is done", "it is %s (%s)", a.State, a.Code)
	case a.Amount == 0:
		return refuse(0, "look at the channel's own pages", "it does not tell the amount")
	case a.Amount != in.Amount:
		return refuse(0, "have the right amount approved", "it is over %d fen, and %d fen were approved", a.Amount, in.Amount)
	case r.ChannelNo != "" && a.ChannelNo != "" && a.ChannelNo != r.ChannelNo:
		return refuse(0, "check the number against the bill", "its number there is %s, in the bill %s", a.ChannelNo, r.ChannelNo)
	}
	a.ChannelNo = orDefault(a.ChannelNo, r.ChannelNo)
	return a, nil
}

func (c *change) recordRefund(o *Order, r ConsoleRefund, in Instruction, a RefundAnswer) (Refund, why, error) {
	if err := c.refuseUnpaid(*o); err != nil {
		return Refund{}, why{}, err
	}
	all, err := c.LockRefunds(c.ctx, o.No)
	if err != nil {
		return Refund{}, why{}, err
	}
	reason := why{byRefund, in.words(fmt.Sprintf("console refund %s of %d fen", r.No, in.Amount))}
	if i := slices.IndexFunc(all, func(have Refund) bool { return have.No == r.No }); i >= 0 {
		return c.doneAtConsole(o, all[i], reason, in, a)
	}
	if sum, _, _ := reserved(all); in.Amount > o.Amount-sum {
		return Refund{}, why{}, &Error{Code: CodeRefundRefused, Outcome: NotCommitted,
			Message: fmt.Sprintf("%d of %d fen of order %s are left to refund, not %d", o.Amount-sum, o.Amount, o.No, in.Amount),
			Hint:    "see `paytool order trace " + o.No.String() + "`: the channel gave back more than was paid, or a refund of ours is still open"}
	}
	now := c.e.env.Now()
	done := Refund{OrderNo: o.No, No: r.No, Amount: in.Amount, State: pay.RefundDone, ChannelNo: a.ChannelNo, Detail: clip("made at the channel's console, " + in.ID),
		Created: now, Accepted: orDefault(a.Accepted, now), Done: orDefault(a.Done, now), Updated: now, Shadow: o.Shadow, Version: 1, OpID: c.e.opID()}
	o.Refunded += in.Amount
	_, err = c.PutRefund(c.ctx, done)
	return done, reason, err
}

// doneAtConsole ends a refund of ours that has the number already.
func (c *change) doneAtConsole(o *Order, have Refund, reason why, in Instruction, a RefundAnswer) (Refund, why, error) {
	refuse := func(code, format string, args ...any) (Refund, why, error) {
		return have, why{}, &Error{Code: code, Outcome: NotCommitted, Message: fmt.Sprintf(format, args...), Hint: "see `paytool order trace " + o.No.String() + "`"}
	}
	switch {
	case have.Amount != in.Amount:
		return refuse(CodeAmountMismatch, "refund %s of order %s is over %d fen in our books, not %d fen", have.No, o.No, have.Amount, in.Amount)
	case have.State == pay.RefundClosed:
		return refuse(CodeRefundRefused, "refund %s of order %s is closed in our books, and the channel says that it is done", have.No, o.No)
	case have.ChannelNo != "" && a.ChannelNo != "" && have.ChannelNo != a.ChannelNo:
		return refuse(CodeRefundRefused, "refund %s of order %s is %s at the channel in our books, not %s", have.No, o.No, have.ChannelNo, a.ChannelNo)
	case have.State == pay.RefundDone:
		return have, why{}, errNothing
	}
	_, err := c.refunded(o, &have, a)
	return have, reason, err
}

// refuseUnpaid: money came in for an order that is paid, and for one that ended if
// its money is on its way back.
func (c *change) refuseUnpaid(o Order) error {
	switch {
	case o.State == pay.Paid:
		return nil
	case !o.State.Final():
		return errOpen(o)
	}
	t, err := c.LockTask(c.ctx, taskID(TaskMoneyBack, o.No))
	switch {
	case err == nil && t.State == TaskOpen:
		return nil
	case err != nil && !errors.Is(err, ErrNotFound):
		return err
	}
	return &Error{Code: CodeNotPaid, Outcome: NotCommitted, Message: fmt.Sprintf("order %s is %s", o.No, o.State), Hint: "where the channel was paid, mark it as paid first (补单)"}
}
