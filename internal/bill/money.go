package bill

import (
	"errors"
	"math"
)

var (
	errAmount   = errors.New("is not an amount")
	errDecimals = errors.New("has more decimals than the bill may have")
	errTooLarge = errors.New("does not fit in 64 bits")
)

// Decimals of the units: fen, and fees in 10^-5 yuan.
const (
	fenDecimals = 2
	e5Decimals  = 5
)

// parseDecimal reads a plain decimal number into units of 10^-decimals: an
// optional sign, digits, optionally a point and digits. Zeros beyond the unit are
// allowed, other digits there are not, nor are exponents, blanks and thousands
// separators: an amount that has to be guessed at is not an amount.
func parseDecimal(b []byte, decimals int) (int64, error) {
	if string(b) == "0.00" {
		return 0, nil // what most amounts of a row are
	}
	if n, ok := plainDecimal(b, decimals); ok {
		return n, nil
	}
	digits, negative := b, false
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		digits, negative = b[1:], b[0] == '-'
	}
	var n int64
	point, seen := -1, 0
	for i, c := range digits {
		if c == '.' && point < 0 && i > 0 {
			point = i
			continue
		}
		d := int64(c) - '0'
		if d < 0 || d > 9 {
			return 0, errAmount
		}
		if point >= 0 {
			if seen++; seen > decimals {
				if d != 0 {
					return 0, errDecimals
				}
				continue
			}
		}
		if n > (math.MaxInt64-d)/10 {
			return 0, errTooLarge
		}
		n = 10*n + d
	}
	if len(digits) == 0 || point == len(digits)-1 {
		return 0, errAmount
	}
	for ; seen < decimals; seen++ {
		if n > math.MaxInt64/10 {
			return 0, errTooLarge
		}
		n *= 10
	}
	if negative {
		return -n, nil
	}
	return n, nil
}

// plainDecimal reads the form that nearly all amounts have: up to 17 digits without
// a sign, and as many of them behind a point as the unit has decimals.
func plainDecimal(b []byte, decimals int) (n int64, ok bool) {
	point := len(b) - 1 - decimals
	if point < 1 || len(b) > 18 || b[point] != '.' {
		return 0, false
	}
	other := byte(0)
	for _, c := range b[:point] {
		other |= (c-'0')&^15 | (c-'0'+6)&16
		n = 10*n + int64(c-'0')
	}
	for _, c := range b[point+1:] {
		other |= (c-'0')&^15 | (c-'0'+6)&16
		n = 10*n + int64(c-'0')
	}
	return n, other == 0
}

// ParseRate reads a fee rate such as "0.60%" into 10^-5: 600. A rate with more
// than three decimals is refused.
func ParseRate(b []byte) (int64, error) {
	if len(b) == 0 || b[len(b)-1] != '%' {
		return 0, errors.New("is not a rate in percent")
	}
	n, err := parseDecimal(b[:len(b)-1], 3)
	if err == nil && n < 0 {
		return 0, errors.New("is a negative rate")
	}
	return n, err
}

// total is a sum that remembers whether it overflowed.
type total struct {
	sum      int64
	overflow bool
}

func (t *total) add(n int64) {
	s := t.sum + n
	if (n > 0 && s < t.sum) || (n < 0 && s > t.sum) {
		t.overflow = true
		return
	}
	t.sum = s
}
