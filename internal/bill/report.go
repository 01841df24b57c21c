package bill

import (
	"fmt"
	"strconv"

	"paytool/internal/pay"
)

// maxKept bounds the rejected rows and findings that a report keeps, so that a
// file of ten million bad lines does not end in memory.
const maxKept = 10_000

// PerKind is a figure for each kind of row.
type PerKind struct {
	Pay    int64 `json:"pay"`
	Refund int64 `json:"refund"`
	Revoke int64 `json:"revoke"`
	In     int64 `json:"in"`
	Out    int64 `json:"out"`
}

func (p *PerKind) of(k pay.EntryKind) *int64 {
	switch k {
	case pay.EntryPay:
		return &p.Pay
	case pay.EntryRefund:
		return &p.Refund
	case pay.EntryRevoke:
		return &p.Revoke
	case In:
		return &p.In
	default:
		return &p.Out
	}
}

// Rejection is a line that was not taken.
type Rejection struct {
	Line   int    `json:"line"`
	Reason string `json:"reason"`
}

// Check names what a finding is about.
type Check string

// The checks. All findings but Advisory ones decide whether a bill can be trusted.
const (
	CheckFooter      Check = "footer"      // count or sum of the footer against the rows
	CheckSummary     Check = "summary"     // the summary file in the zip against the rows
	CheckDigest      Check = "digest"      // SHA-1 as the channel announced it
	CheckDate        Check = "date"        // the bill's day, or that of a row
	CheckMerchant    Check = "merchant"    // the account, or that of a row
	CheckType        Check = "type"        // another type than the one asked for
	CheckBalance     Check = "balance"     // the running balance of a fund bill
	CheckOverflow    Check = "overflow"    // sums beyond 64 bits
	CheckSpreadsheet Check = "spreadsheet" // marks of a file that was saved by a spreadsheet
	CheckNoFooter    Check = "no_footer"   // a format without totals of its own
	CheckUnread      Check = "unread"      // another file in the zip
)

// Finding is a disagreement, with both values where there are two.
type Finding struct {
	Check Check
	Line  int // 0 where no line is at fault
	What  string
	Want  string // what the bill or the caller says
	Got   string // what was found
	// Advisory findings are told but do not make the bill untrusted.
	Advisory bool
}

func (f Finding) String() string {
	s := string(f.Check) + ": " + f.What
	if f.Line > 0 {
		s = fmt.Sprintf("line %d: %s", f.Line, s)
	}
	if f.Want != "" || f.Got != "" {
		s += fmt.Sprintf(": expected %s, found %s", f.Want, f.Got)
	}
	return s
}

// Report is what a bill turned out to be. Its JSON is that of `bill inspect`.
type Report struct {
	Channel    string `json:"channel"`
	Type       Type   `json:"type"`
	Generation string `json:"generation"`
	// Columns is the number of columns in the header, or of fields in a fixed row.
	Columns int `json:"columns"`
	// Rows is the number of detail lines, rejected ones included.
	Rows      int64   `json:"rows"`
	Kinds     PerKind `json:"kinds"`
	AmountFen PerKind `json:"amount_fen"`
	SettleFen PerKind `json:"settle_fen"`
	FeeE5     FeeE5   `json:"fee_e5"`
	// FooterOK says that every count and sum of the footer was proven from the rows.
	FooterOK bool `json:"footer_ok"`
	// Footer has the names and values of the footer as the bill writes them.
	Footer   map[string]string `json:"footer"`
	Rejected []Rejection       `json:"rejected"`
	// SHA1 is the digest of the uncompressed bytes: of the detail file of a zip.
	SHA1 string `json:"sha1"`
	// SHA256 is the digest of the file as it lies there, packed or not, where
	// Options.SHA256 asked for it.
	SHA256 string `json:"-"`
	// BillDate is the day, "2006-01-02", or the month, "2006-01", of the bill.
	BillDate string `json:"bill_date"`

	// Merchant is the account as the bill writes it, the first row's where rows
	// have it.
	Merchant string `json:"-"`
	// Findings has at most 10,000 of the disagreements.
	Findings []Finding `json:"-"`
	// RejectedRows counts the rejected rows: Rejected has the first 10,000 alone.
	RejectedRows int64 `json:"-"`
	// Opening and Closing are the balances around a fund bill's rows, valid if
	// HasBalance.
	Opening, Closing pay.Fen `json:"-"`
	HasBalance       bool    `json:"-"`

	unkept int64 // findings that found no place
}

// OK reports whether the bill can be trusted: no row rejected, the footer proven,
// no finding but advice.
func (r *Report) OK() bool {
	for _, f := range r.Findings {
		if !f.Advisory {
			return false
		}
	}
	return r.FooterOK && r.RejectedRows == 0 && r.unkept == 0
}

func (r *Report) find(f Finding) {
	if f.Check == CheckFooter || f.Check == CheckSummary {
		r.FooterOK = false
	}
	if len(r.Findings) >= maxKept {
		r.unkept++
		return
	}
	r.Findings = append(r.Findings, f)
}

// reject keeps a rejected row. The last place says how many found none.
func (r *Report) reject(line int, reason string) {
	r.RejectedRows++
	switch {
	case len(r.Rejected) < maxKept:
		r.Rejected = append(r.Rejected, Rejection{Line: line, Reason: reason})
	case len(r.Rejected) == maxKept:
		r.Rejected = append(r.Rejected, Rejection{Line: line})
		fallthrough
	default:
		r.Rejected[maxKept].Reason = fmt.Sprintf("and %d more rows from here on", r.RejectedRows-maxKept)
	}
}

// prove compares one value of a footer with the rows.
func (r *Report) prove(check Check, line int, what, written string, decimals int, got total) {
	want, err := parseDecimal([]byte(written), decimals)
	switch {
	case err != nil:
		r.find(Finding{Check: check, Line: line, What: what + " cannot be read", Want: "a number", Got: excerpt([]byte(written))})
	case got.overflow:
		r.find(Finding{Check: CheckOverflow, Line: line, What: what + " is beyond 64 bits"})
		r.FooterOK = false
	case want != got.sum:
		r.find(Finding{Check: check, Line: line, What: what + " does not agree with the rows", Want: written, Got: formatDecimal(got.sum, decimals)})
	}
}

// formatDecimal writes units of 10^-decimals as a decimal number.
func formatDecimal(n int64, decimals int) string {
	sign, abs := "", uint64(n) //nolint:gosec // two's complement: the next lines restore the magnitude
	if n < 0 {
		sign, abs = "-", -abs
	}
	digits := strconv.FormatUint(abs, 10)
	for len(digits) <= decimals {
		digits = "0" + digits
	}
	if decimals == 0 {
		return sign + digits
	}
	return sign + digits[:len(digits)-decimals] + "." + digits[len(digits)-decimals:]
}
