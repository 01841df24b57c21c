package pay

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Sizes of an order number. The channels take at most 32 characters as
// out_trade_no, and 21 of them are date, instance and sequence.
const (
	BaseLen     = 21
	MaxNoLen    = 32
	MaxTagWidth = MaxNoLen - BaseLen
	// MaxInstance and MaxSequence are the largest values of their digits.
	MaxInstance = 99
	MaxSequence = 99_999

	secondLayout = "20060102150405"
)

// Beijing is the time zone of order numbers and business days: a fixed +08:00,
// so that no zone files are needed.
var Beijing = time.FixedZone("+08:00", 8*60*60)

// Tag is the group tag at the end of an order number. It names the group in
// which the order was created; where the order lies today is the topology's
// answer. Tags start at 1.
type Tag int64

// OrderNo is an order number: yyyyMMddHHmmss in Beijing time, two digits of the
// engine instance, five of a sequence, and the group tag. A legacy number has
// the 21 digits alone. It is comparable and can be a map key; the zero value is
// no number.
type OrderNo struct {
	base  string
	tag   Tag
	width int8
}

// NewOrderNo makes a number from its parts. width is the number of digits of
// the tag; the tag is padded with zeros to it.
func NewOrderNo(second time.Time, instance, sequence int, tag Tag, width int) (OrderNo, error) {
	switch {
	case instance < 0 || instance > MaxInstance:
		return OrderNo{}, noError(fmt.Sprintf("instance %d is not in 0..%d", instance, MaxInstance))
	case sequence < 0 || sequence > MaxSequence:
		return OrderNo{}, noError(fmt.Sprintf("sequence %d is not in 0..%d", sequence, MaxSequence))
	case width < 1 || width > MaxTagWidth:
		return OrderNo{}, noError(fmt.Sprintf("tag width %d is not in 1..%d", width, MaxTagWidth))
	case tag < 1 || len(strconv.FormatInt(int64(tag), 10)) > width:
		return OrderNo{}, noError(fmt.Sprintf("tag %d does not fit in %d digits", tag, width))
	}
	local := second.In(Beijing)
	if y := local.Year(); y < 1000 || y > 9999 {
		return OrderNo{}, noError(fmt.Sprintf("year %d does not have four digits", y))
	}
	buf := make([]byte, 0, BaseLen)
	buf = local.AppendFormat(buf, secondLayout)
	buf = appendPadded(buf, instance, 2)
	buf = appendPadded(buf, sequence, 5)
	return OrderNo{base: string(buf), tag: tag, width: int8(width)}, nil
}

// ParseOrderNo reads a number and checks all that can be checked without a
// topology: digits only, a date that exists, a tag that is at least 1. A number
// of 21 digits is a legacy number without a tag.
func ParseOrderNo(s string) (OrderNo, error) {
	if len(s) < BaseLen || len(s) > MaxNoLen {
		return OrderNo{}, noError(fmt.Sprintf("%s has %d characters, an order number has %d to %d", excerpt(s), len(s), BaseLen, MaxNoLen))
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return OrderNo{}, noError(fmt.Sprintf("%s has something other than a digit at position %d", excerpt(s), i+1))
		}
	}
	if _, err := time.ParseInLocation(secondLayout, s[:14], Beijing); err != nil {
		return OrderNo{}, noError(fmt.Sprintf("%s does not start with a date and time that exists", excerpt(s)))
	}
	no := OrderNo{base: strings.Clone(s[:BaseLen]), width: int8(len(s) - BaseLen)} //nolint:gosec // <= MaxTagWidth
	if no.width == 0 {
		return no, nil
	}
	tag, err := strconv.ParseInt(s[BaseLen:], 10, 64)
	if err != nil || tag < 1 {
		return OrderNo{}, noError(fmt.Sprintf("%s ends in tag %s, tags start at 1", excerpt(s), s[BaseLen:]))
	}
	no.tag = Tag(tag)
	return no, nil
}

// IsZero reports whether there is no number.
func (n OrderNo) IsZero() bool { return n.base == "" }

// Legacy reports whether the number has no tag; its group comes from the config.
func (n OrderNo) Legacy() bool { return n.width == 0 }

// Base is the 21 digits before the tag.
func (n OrderNo) Base() string { return n.base }

// Tag is the group tag, 0 for a legacy number.
func (n OrderNo) Tag() Tag { return n.tag }

// TagWidth is the number of digits of the tag, 0 for a legacy number.
func (n OrderNo) TagWidth() int { return int(n.width) }

// Second is the time in the number, to the second.
func (n OrderNo) Second() time.Time {
	if n.IsZero() {
		return time.Time{}
	}
	t, _ := time.ParseInLocation(secondLayout, n.base[:14], Beijing) // checked when the number was made
	return t
}

// Instance is the two digits of the engine instance.
func (n OrderNo) Instance() int { return n.digits(14, 16) }

// Sequence is the five digits of the sequence within the second.
func (n OrderNo) Sequence() int { return n.digits(16, BaseLen) }

func (n OrderNo) digits(from, to int) int {
	if n.IsZero() {
		return 0
	}
	v, _ := strconv.Atoi(n.base[from:to]) // digits by construction
	return v
}

// String is the number as the channels see it, "" for the zero value.
func (n OrderNo) String() string {
	if n.width == 0 {
		return n.base
	}
	buf := make([]byte, 0, MaxNoLen)
	buf = append(buf, n.base...)
	return string(appendPadded(buf, int(n.tag), int(n.width)))
}

// Compare orders numbers by their base and then by their tag.
func (n OrderNo) Compare(other OrderNo) int {
	if c := strings.Compare(n.base, other.base); c != 0 {
		return c
	}
	switch {
	case n.tag < other.tag:
		return -1
	case n.tag > other.tag:
		return 1
	}
	return int(n.width) - int(other.width)
}

// MarshalText writes the number; the zero value is the empty text.
func (n OrderNo) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText reads a number; the empty text is the zero value.
func (n *OrderNo) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*n = OrderNo{}
		return nil
	}
	parsed, err := ParseOrderNo(string(text))
	if err != nil {
		return err
	}
	*n = parsed
	return nil
}

func appendPadded(buf []byte, v, width int) []byte {
	var digits [20]byte
	i := len(digits)
	for v > 0 || width > 0 {
		i--
		digits[i] = byte('0' + v%10)
		v /= 10
		width--
	}
	return append(buf, digits[i:]...)
}

func noError(reason string) error {
	return &InputError{Code: CodeInvalidOrderNo, Field: "order_no", Reason: reason}
}
