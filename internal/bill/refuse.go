package bill

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// Refusal is why a file is refused whole. Callers compare it, so that a name is
// never changed.
type Refusal string

// The refusals.
const (
	RefusedEmpty     Refusal = "empty"        // no byte, or blanks alone
	RefusedTruncated Refusal = "truncated"    // a zip or gzip that ends early or fails its checksum
	RefusedBomb      Refusal = "too_large"    // beyond the limits of size, ratio or line length
	RefusedEncoding  Refusal = "encoding"     // UTF-16, or text that was read in the wrong encoding and saved
	RefusedPersonal  Refusal = "personal"     // a person's export, not a merchant's bill
	RefusedWorkbook  Refusal = "workbook"     // xlsx or xls
	RefusedOverseas  Refusal = "overseas"     // a layout of the channels' products abroad
	RefusedAnswer    Refusal = "error_answer" // an error that was saved in place of a bill
	RefusedNoBill    Refusal = "no_bill"      // the channel's answer "there is none"
	RefusedNotReady  Refusal = "not_ready"    // the channel's answer "not built yet"
	RefusedExpired   Refusal = "expired_url"  // Alipay's page about a download URL that ran out
	RefusedParts     Refusal = "parts"        // a zip with several detail files
	RefusedLayout    Refusal = "layout"       // a known bill with columns that are missing or twice
	RefusedUnknown   Refusal = "unknown"      // nothing that is known here
)

// RefusedError is a file that no row is taken from. Its text says what the file
// is and what to do instead.
type RefusedError struct {
	File   string
	Line   int // 0 where no line is at fault
	Code   Refusal
	Reason string
	Err    error
}

func (e *RefusedError) Error() string {
	where := e.File
	if e.Line > 0 {
		where = fmt.Sprintf("%s line %d", e.File, e.Line)
	}
	return fmt.Sprintf("read bill %s: %s", where, e.Reason)
}

func (e *RefusedError) Unwrap() error { return e.Err }

// ErrorCode is the stable code of the refusal.
func (e *RefusedError) ErrorCode() string { return string(e.Code) }

func refused(code Refusal, format string, args ...any) *RefusedError {
	return &RefusedError{Code: code, Reason: fmt.Sprintf(format, args...)}
}

// in names the file, where it has no name yet.
func (e *RefusedError) in(file string) *RefusedError {
	if e.File == "" {
		e.File = file
	}
	return e
}

// RowError is a line that is not taken: the reader goes on after it.
type RowError struct {
	File   string
	Line   int
	Reason string
}

func (e *RowError) Error() string {
	return fmt.Sprintf("read bill %s line %d: %s", e.File, e.Line, e.Reason)
}

// cellError is a cell that cannot be read.
func cellError(column string, value []byte, err error) error {
	return fmt.Errorf("%s %s %w", column, excerpt(value), err)
}

var (
	errEmptyCell = errors.New("is empty")
	errRounded   = errors.New("was rounded by a spreadsheet and is lost; download the bill again and do not open it before it is read")
	errBytes     = errors.New("holds bytes that are no text in the bill's encoding")
	errControl   = errors.New("holds a control character")
	errNegative  = errors.New("is negative")
	errNotAbove0 = errors.New("is not above 0")
)

// excerpt quotes the beginning of a value: enough to find it, not enough to fill
// a log.
func excerpt(b []byte) string {
	const limit = 40
	if len(b) <= limit {
		return fmt.Sprintf("%q", b)
	}
	cut := limit
	for cut > limit-utf8.UTFMax && !utf8.RuneStart(b[cut]) {
		cut--
	}
	return fmt.Sprintf("%q...", b[:cut])
}

// plainNumber reports whether a number needs no closer look: what nearly all of
// them are, seen in one pass.
func plainNumber(b []byte) bool {
	odd := byte(0)
	for _, c := range b { // without a branch: most are plain to their end
		odd |= oddBytes[c]
	}
	return odd == 0
}

// oddBytes has 1 for every byte that plain numbers do not have.
var oddBytes = func() (odd [256]byte) {
	for c := range odd {
		if c <= ' ' || c == '+' || c >= 0x7f {
			odd[c] = 1
		}
	}
	return odd
}()

// checkNumber refuses an order or refund number that is not what the channel
// wrote. The value is decoded already.
func checkNumber(column string, b []byte) error {
	if rounded(b) {
		return cellError(column, b, errRounded)
	}
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] < ' ' || b[i] == 0x7f:
			return cellError(column, b, errControl)
		case b[i] >= utf8.RuneSelf:
			r, size := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError {
				return cellError(column, b, errBytes)
			}
			i += size - 1
		}
	}
	return nil
}

// rounded reports whether b looks like 4.00123E+27: what spreadsheets make of
// long numbers.
func rounded(b []byte) bool {
	digits, exponent := 0, false
	for i, c := range b {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c == '.' && !exponent && digits > 0:
		case (c == 'E' || c == 'e') && digits > 0 && !exponent && i+2 < len(b) && b[i+1] == '+':
			exponent = true
		case c == '+' && exponent && (b[i-1] == 'E' || b[i-1] == 'e'):
		default:
			return false
		}
	}
	return exponent
}
