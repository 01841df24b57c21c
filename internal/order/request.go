package order

import "paytool/internal/pay"

// Request asks for an order.
type Request struct {
	Key        pay.Key
	Amount     pay.Fen
	Channel    string
	TerminalID string
	Subject    string
	Shadow     bool
	// NewAttempt asks for a further attempt of a key whose last one has ended
	// (money rules, rule 5).
	NewAttempt bool
}

func (r Request) check(limit pay.Fen) error {
	if err := r.Key.Check(); err != nil {
		return err
	}
	if err := pay.CheckAmount(r.Amount, limit); err != nil {
		return err
	}
	for _, f := range []struct {
		name, value string
		most        int
	}{
		{"channel", r.Channel, pay.MaxChannel},
		{"terminal_id", r.TerminalID, pay.MaxTerminalID},
		{"subject", r.Subject, pay.MaxSubject},
	} {
		if err := pay.CheckField(f.name, f.value, 0, f.most); err != nil {
			return err
		}
	}
	if r.Shadow != (r.Key.MerchantID == pay.ShadowMerchant) {
		return &pay.InputError{Code: pay.CodeInvalidField, Field: "merchant_id", Reason: "shadow orders, and only they, belong to " + pay.ShadowMerchant}
	}
	return nil
}
