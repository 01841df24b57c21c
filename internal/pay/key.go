package pay

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Widths of text fields in characters. The columns of every group have the same
// widths, so that what passes here is never cut there.
const (
	MaxMerchantID      = 32
	MaxMerchantOrderNo = 64
	MaxTerminalID      = 64
	MaxChannel         = 16
	MaxAccount         = 32
	MaxTradeNo         = 64
	MaxSubject         = 127
)

// ShadowMerchant is the reserved merchant of drills, loads and canaries. Its
// orders are shadow orders and no others are.
const ShadowMerchant = "paytool-shadow"

// Key is the idempotency key of a payment: the merchant and the merchant's own
// number for it.
type Key struct {
	MerchantID      string `json:"merchant_id"`
	MerchantOrderNo string `json:"merchant_order_no"`
}

// String is the key for logs and messages.
func (k Key) String() string { return k.MerchantID + "/" + k.MerchantOrderNo }

// Check refuses a key that a group could not keep exactly.
func (k Key) Check() error {
	if err := CheckField("merchant_id", k.MerchantID, 1, MaxMerchantID); err != nil {
		return err
	}
	return CheckField("merchant_order_no", k.MerchantOrderNo, 1, MaxMerchantOrderNo)
}

// CheckField refuses a text field that is shorter than least or longer than most
// characters, is not UTF-8, holds control characters, or starts or ends with
// white space: databases pad when they compare, and "a" and "a " must not
// become one key.
func CheckField(field, value string, least, most int) error {
	reason := ""
	switch n := utf8.RuneCountInString(value); {
	case !utf8.ValidString(value):
		reason = "is not UTF-8"
	case n < least:
		reason = "is missing"
	case n > most:
		reason = fmt.Sprintf("has %d characters, at most %d are kept", n, most)
	case strings.IndexFunc(value, unicode.IsControl) >= 0:
		reason = "holds a control character"
	case strings.TrimSpace(value) != value:
		reason = "starts or ends with white space"
	}
	if reason == "" {
		return nil
	}
	return &InputError{Code: CodeInvalidField, Field: field, Reason: reason}
}
