package recon

import "paytool/internal/pay"

// expectation is whether the bill has to show one of our rows.
type expectation int

const (
	expected   expectation = iota
	possible               // the bill says which
	unexpected             // a row of the bill is a state mismatch
)

// expect is by the state alone. A payment that was revoked is expected here; what
// becomes of it when the bill has neither payment nor revoke, judge says.
func expect(k pay.EntryKind, state string) expectation {
	switch k {
	case pay.EntryPay:
		switch pay.State(state) {
		case pay.Paid, pay.Revoked:
			return expected
		case pay.Revoking:
			return possible
		default:
			return unexpected
		}
	case pay.EntryRefund:
		switch pay.RefundState(state) {
		case pay.RefundDone, pay.RefundProcessing, pay.RefundAccepted, pay.RefundAbnormal:
			return expected
		case pay.RefundUnknown:
			return possible
		default:
			return unexpected
		}
	default:
		if state == pay.RevokeUnknown {
			return possible
		}
		return expected
	}
}
