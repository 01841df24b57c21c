package pay

// refundMoves are the moves between the states of a refund, as the channel's
// answers bring them. DONE and CLOSED are the ends: after CLOSED a new number is
// allowed, FAILED is tried again under the same number, and ABNORMAL waits for a
// person at the channel, after whom the channel may say anything.
var refundMoves = map[RefundState][]RefundState{
	RefundRequested:    {RefundProcessing, RefundUnknown, RefundWaitingFunds, RefundAccepted, RefundDone, RefundAbnormal, RefundClosed, RefundFailed},
	RefundUnknown:      {RefundRequested, RefundProcessing, RefundWaitingFunds, RefundAccepted, RefundDone, RefundAbnormal, RefundClosed, RefundFailed},
	RefundWaitingFunds: {RefundRequested, RefundUnknown, RefundProcessing, RefundAccepted, RefundDone, RefundAbnormal, RefundClosed, RefundFailed},
	RefundFailed:       {RefundRequested, RefundUnknown, RefundProcessing, RefundWaitingFunds, RefundAccepted, RefundDone, RefundAbnormal, RefundClosed},
	RefundAccepted:     {RefundProcessing, RefundDone, RefundAbnormal, RefundClosed},
	RefundProcessing:   {RefundAccepted, RefundDone, RefundAbnormal, RefundClosed},
	RefundAbnormal:     {RefundProcessing, RefundAccepted, RefundDone, RefundClosed},
}

// CanMoveRefund reports whether a refund may go from one state to another. Staying
// where it is is no move.
func CanMoveRefund(from, to RefundState) bool {
	for _, s := range refundMoves[from] {
		if s == to {
			return true
		}
	}
	return false
}

// Ended reports whether nothing more happens to a refund.
func (s RefundState) Ended() bool { return s == RefundDone || s == RefundClosed }

// MustSend reports whether the channel still has to be sent the request: it never
// accepted it.
func (s RefundState) MustSend() bool {
	return s == RefundRequested || s == RefundWaitingFunds || s == RefundFailed
}
