package pay

import (
	"fmt"
	"strconv"
)

// Fen is an amount of money in fen, a hundredth of a yuan. Amounts are never
// floating-point numbers.
type Fen int64

// ParseFen reads a whole number of fen. "12.50", "1e3", "+5" and "" are refused:
// an amount that has to be guessed at is not an amount.
func ParseFen(s string) (Fen, error) {
	digits := s
	if len(digits) > 0 && digits[0] == '-' {
		digits = digits[1:]
	}
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return 0, amountError(fmt.Sprintf("%s is not a whole number of fen", excerpt(s)))
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, amountError(fmt.Sprintf("%s is not a whole number of fen that fits in 64 bits", excerpt(s)))
	}
	return Fen(n), nil
}

// CheckAmount refuses what cannot be the amount of an order: zero, a negative
// sum, or more than limit.
func CheckAmount(amount, limit Fen) error {
	switch {
	case amount <= 0:
		return amountError(fmt.Sprintf("%d fen: an amount is at least 1 fen", amount))
	case amount > limit:
		return amountError(fmt.Sprintf("%d fen is over the limit of %d fen (engine.max_amount_fen)", amount, limit))
	}
	return nil
}

// Yuan writes the amount in yuan with two digits, for people: -5 fen is "-0.05".
func (f Fen) Yuan() string {
	sign, abs := "", uint64(f) //nolint:gosec // two's complement: the next lines restore the magnitude of a negative amount
	if f < 0 {
		sign, abs = "-", -abs
	}
	return fmt.Sprintf("%s%d.%02d", sign, abs/100, abs%100)
}

func amountError(reason string) error {
	return &InputError{Code: CodeInvalidAmount, Field: "amount_fen", Reason: reason}
}
