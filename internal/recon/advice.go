package recon

import (
	"paytool/internal/bill"
	"paytool/internal/pay"
)

// advice says what follows from a difference if our books are right, and if the
// channel is.
func advice(d Difference) string {
	switch d.Class {
	case StateMismatch:
		return stateAdvice(d)
	case MissingInOurs:
		switch d.Kind {
		case pay.EntryPay:
			return "money was taken that we know nothing of: look for the order in every group; if it is ours, ask for a 补单, if not, refund it"
		case pay.EntryRefund:
			return "a refund that we did not send: if it was made in the channel's console, record it so that it counts against the order; if nobody made it, ask the channel"
		default:
			return "a revoke of an order that we do not have: find the order; if it was delivered, collect the money again"
		}
	case MissingInChannel:
		if d.Kind == pay.EntryPay {
			return "we delivered for money that the channel does not show: query the order; if the channel has no payment, collect it or write it off; if it has, ask for a corrected bill"
		}
		return "the buyer may not have the money back: query the " + string(d.Kind) + "; if the channel does not know it, send it again with the same number; if it does, wait for the next bill"
	case AmountMismatch:
		return "compare with the channel's query: if our books are right, ask for a corrected bill; if the bill is, correct the entry by an adjustment, never by editing it"
	case KindMismatch:
		return "the money agrees, only its name differs: correct our record to a " + string(d.Kind) + "; no money is to be moved"
	case DuplicatePayment:
		return "the buyer paid twice for one merchant order: give the later payment back, unless both were delivered"
	case DuplicateInChannel:
		return "query the order: if the buyer was charged more than once, refund what is too much; if not, ask for a corrected bill"
	case DuplicateInOurs:
		return "our books have it more than once: if the channel's query shows one, take the extra entry out by an adjustment"
	case RefundReturned:
		return "the refund did not reach the buyer and the money came back: reopen it and refund under a new number, or settle it with the buyer"
	case FeeMismatch:
		return "if the rate of the contract is the bill's, ask the channel for the fee charged too much; if not, correct the rate that we hold"
	case FundMissing, FundExtra, FundAmount:
		return fundAdvice(d)
	case RejectedRow:
		return "read the line and its reason; export or download the file again"
	}
	return ""
}

func stateAdvice(d Difference) string {
	switch d.Kind {
	case pay.EntryPay:
		return "the channel has the buyer's money: query the order; if it says SUCCESS with this amount, ask for a 补单, or refund it if nothing was delivered"
	case pay.EntryRevoke:
		return "the buyer has the money back and we hold the order as paid: if it was delivered, collect it again; if not, record the revoke"
	default:
		return "the channel has refunded what we hold as not done: query the refund; if it says SUCCESS, record it, and do not send it again under a new number"
	}
}

func fundAdvice(d Difference) string {
	switch {
	case d.Class == FundExtra:
		return "money moved without a trade of this day: look for the trade in the bills of the days around it; if there is none, ask the channel"
	case d.Class == FundAmount:
		return "the money is not what the trade says: look for a fee or a coupon that the trade bill does not show; else ask the channel"
	case d.Kind == bill.In:
		return "the channel shows the trade and has not paid it out to the account: look in tomorrow's fund bill, then ask the channel"
	default:
		return "the channel shows the refund and has not taken the money from the account: look in tomorrow's fund bill, then ask the channel"
	}
}
