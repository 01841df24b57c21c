package bill

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"io"
	"strconv"
	"strings"

	"paytool/internal/pay"
)

// days watches the days of the rows. A reader sets stated, or want, where the
// bill or the caller names one.
type days struct {
	first, from, until int64 // day numbers; from and until bound the stated period
	unchecked          bool  // rows may lie on other days by design
	strays             int64
	strayLine          int
	strayDay           int64
}

func (d *days) add(row *Row) {
	day := dayOf(row.Time)
	if d.first == 0 {
		d.first = day
		if d.from == 0 {
			d.from, d.until = day, day+1
		}
	}
	if d.unchecked || day >= d.from && day < d.until {
		return
	}
	if d.strays++; d.strays == 1 {
		d.strayLine, d.strayDay = row.Line, day
	}
}

// proveDays compares the bill's date with the one asked for, and names the first
// row of another day.
func (r *Reader) proveDays() {
	p, d := &r.report, &r.days
	if p.BillDate == "" && !d.unchecked {
		p.BillDate = dayName(d.first)
	}
	if want := r.opts.Date; want != "" && p.BillDate != "" && want != p.BillDate {
		p.find(Finding{Check: CheckDate, What: "the bill is of another date than the one asked for", Want: want, Got: p.BillDate})
	}
	if d.strays > 0 {
		p.find(Finding{Check: CheckDate, Line: d.strayLine, What: strconv.FormatInt(d.strays, 10) + " rows are of another day than the bill, the first one here",
			Want: p.BillDate, Got: dayName(d.strayDay)})
	}
}

func (r *Reader) proveDigest() {
	if want := strings.ToLower(r.opts.SHA1); want != "" && want != r.report.SHA1 {
		r.report.find(Finding{Check: CheckDigest, What: "the SHA-1 is not the one that the channel announced; " + hintFetchAgain, Want: want, Got: r.report.SHA1})
	}
}

// merchants holds the account of every row against the one asked for.
type merchants struct {
	want   []byte
	strays int64
	line   int
	got    string
}

func (m *merchants) add(r *Report, line int, account, sub []byte) {
	if r.Merchant == "" {
		r.Merchant = string(account)
	}
	if len(m.want) == 0 || bytes.Equal(account, m.want) || bytes.Equal(sub, m.want) {
		return
	}
	if m.strays++; m.strays == 1 {
		m.line, m.got = line, string(account)
	}
}

func (m *merchants) prove(r *Report) {
	if m.strays > 0 {
		r.find(Finding{Check: CheckMerchant, Line: m.line, What: strconv.FormatInt(m.strays, 10) + " rows are of another merchant, the first one here",
			Want: string(m.want), Got: excerpt([]byte(m.got))})
	}
}

// balance follows the balances of a fund bill, which may run down or up the file:
// no order of rows is promised. A bill is unbroken if one direction is.
type balance struct {
	rows              int64
	signed, after     pay.Fen // of the last row
	firstSigned       pay.Fen
	firstAfter        pay.Fen
	breaks, upBreaks  int64 // with time running down the file, and up
	line              int   // of the first break downwards
	wantHere, gotHere pay.Fen
}

func (b *balance) add(line int, signed, after pay.Fen) {
	if b.rows == 0 {
		b.firstSigned, b.firstAfter = signed, after
	} else {
		if want := b.after + signed; want != after {
			if b.breaks++; b.breaks == 1 {
				b.line, b.wantHere, b.gotHere = line, want, after
			}
		}
		if b.after-b.signed != after {
			b.upBreaks++
		}
	}
	b.rows++
	b.signed, b.after = signed, after
}

// prove sets the opening and closing balance and tells a break. advisory: the
// channel does not promise that balances are continuous.
func (b *balance) prove(r *Report, advisory bool) {
	if b.rows == 0 {
		return
	}
	r.HasBalance = true
	if b.breaks > 0 && b.upBreaks == 0 {
		r.Opening, r.Closing = b.after-b.signed, b.firstAfter
		return
	}
	r.Opening, r.Closing = b.firstAfter-b.firstSigned, b.after
	if b.breaks > 0 {
		r.find(Finding{Check: CheckBalance, Line: b.line, Advisory: advisory, Want: b.wantHere.Yuan(), Got: b.gotHere.Yuan(),
			What: "the balance does not follow from the row before, " + strconv.FormatInt(b.breaks, 10) + " times, the first one here"})
	}
}

// proveCompanion reads the summary that lay beside the detail file.
func (r *Reader) proveCompanion() {
	if r.src.companion == nil {
		return
	}
	values, err := readSummary(r.name, r.src.companion)
	if err != nil {
		r.report.find(Finding{Check: CheckSummary, What: "the summary in the zip cannot be read: " + err.Error()})
		return
	}
	r.format.compare(&r.report, values)
}

// packedError reports whether err is how a damaged zip or gzip ends.
func packedError(err error) bool {
	var corrupt flate.CorruptInputError
	for _, known := range []error{io.ErrUnexpectedEOF, gzip.ErrChecksum, gzip.ErrHeader, zip.ErrChecksum, zip.ErrFormat, zip.ErrAlgorithm} {
		if errors.Is(err, known) {
			return true
		}
	}
	return errors.As(err, &corrupt)
}
