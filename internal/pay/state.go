package pay

import "fmt"

// State is the state of an order.
type State string

// The states of an order (money rules, section 1).
const (
	Created  State = "created"
	Paying   State = "paying"
	Paid     State = "paid"
	Revoking State = "revoking"
	Revoked  State = "revoked"
	Closed   State = "closed"
	Void     State = "void"
)

// States lists every state of an order.
func States() []State {
	return []State{Created, Paying, Paid, Revoking, Revoked, Closed, Void}
}

// Valid reports whether s is a state of an order.
func (s State) Valid() bool {
	switch s {
	case Created, Paying, Paid, Revoking, Revoked, Closed, Void:
		return true
	case None:
		return false
	}
	return false
}

// Final reports whether an order ends here. PAID is final for payment; its
// refunds are records beside it.
func (s State) Final() bool { return s == Closed || s == Void || s == Revoked }

// Sent reports whether a channel may know the number of an order in this state.
// CLOSED is left out: an order closes unsent (expiry) as well as sent (a definite
// failure), and the buyer was charged in neither.
func (s State) Sent() bool {
	return s == Paying || s == Paid || s == Revoking || s == Revoked
}

// RefundState is the state of a refund record.
type RefundState string

// The states of a refund (money rules, section 1).
const (
	RefundRequested    RefundState = "requested"
	RefundProcessing   RefundState = "processing"
	RefundUnknown      RefundState = "unknown"
	RefundWaitingFunds RefundState = "waiting_funds"
	RefundAccepted     RefundState = "accepted"
	RefundDone         RefundState = "done"
	RefundAbnormal     RefundState = "abnormal"
	RefundClosed       RefundState = "closed"
	RefundFailed       RefundState = "failed"
)

// Valid reports whether s is a state of a refund.
func (s RefundState) Valid() bool {
	switch s {
	case RefundRequested, RefundProcessing, RefundUnknown, RefundWaitingFunds, RefundAccepted,
		RefundDone, RefundAbnormal, RefundClosed, RefundFailed:
		return true
	}
	return false
}

// Money is what a revoke did with the buyer's money.
type Money string

// What becomes of the money of a revoke. Some channels do not say which: then the
// bill does.
const (
	MoneyRefunded Money = "refunded" // it was taken and given back
	MoneyClosed   Money = "closed"   // it was never taken
	MoneyUnknown  Money = "unknown"
)

// MoveError is a move that the table does not have.
type MoveError struct {
	From, To State
	By       Mover
}

func (e *MoveError) Error() string {
	return fmt.Sprintf("an order does not go from %s to %s by %s (money rules, section 1)", e.From, e.To, e.By)
}

// ErrorCode is the stable code of the refusal.
func (e *MoveError) ErrorCode() string { return CodeMoveRefused }
