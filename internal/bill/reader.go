package bill

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// format reads the lines of one kind of bill.
type format interface {
	// line reads one line. It reports whether row now holds a detail row; an error
	// is why the line is rejected. Lines of the preamble and footer are kept for
	// prove.
	line(no int, line []byte, row *Row) (bool, error)
	// prove compares the footer with the rows, once all lines were read.
	prove(r *Report)
	// compare holds the totals of a summary file against the rows.
	compare(r *Report, summary map[string]string)
}

// Reader reads one bill, row by row, in constant memory; a goroutine reads ahead
// until Close. Not safe for concurrent use.
type Reader struct {
	name   string
	opts   Options
	src    *source
	pump   *pump
	lines  *lines
	format format
	report Report
	days   days
	done   bool
	failed error
}

// Open opens the bill in a file. A file that is no bill is a *RefusedError. Close
// must be called.
func Open(path string, opts Options) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open bill: %w", err)
	}
	r, err := NewReader(path, f, opts)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	r.src.closers = append([]func() error{f.Close}, r.src.closers...)
	return r, nil
}

// NewReader reads a bill from a stream, such as standard input; name is for
// messages. The stream is not closed, Close must be called all the same. A zip is copied to a temporary file unless
// the stream is a file.
func NewReader(name string, stream io.Reader, opts Options) (*Reader, error) {
	src, err := openSource(stream, opts.MaxBytes, opts.SHA256)
	if err != nil {
		return nil, explain(name, 0, err)
	}
	p := startPump(src, opts.SHA1 != "" || !opts.SHA256)
	src.closers = append(src.closers, func() error { p.close(); return nil }) // before what it reads from
	r := &Reader{name: name, opts: opts, src: src, pump: p, lines: newLines(p)}
	r.report = Report{Generation: Current, FooterOK: true, Footer: map[string]string{}, Rejected: []Rejection{}}
	if err := r.begin(); err != nil {
		return nil, errors.Join(explain(name, r.lines.no, err), src.Close())
	}
	for _, name := range src.unread {
		r.report.find(Finding{Check: CheckUnread, Advisory: true, What: "the zip also holds " + name + ", which is no bill that is known and was not read"})
	}
	if r.opts.Type != "" && r.opts.Type != r.report.Type {
		r.report.find(Finding{Check: CheckType, What: "the bill is of another type than the one asked for", Want: string(r.opts.Type), Got: string(r.report.Type)})
	}
	return r, nil
}

// begin recognises the bill and reads up to its first row.
func (r *Reader) begin() error {
	head, err := r.lines.head(headSize)
	if err != nil {
		return err
	}
	f, err := recognise(head)
	if err != nil {
		return err
	}
	r.lines.skip(f.bom)
	codec := newCodec(f.gbk)
	switch f.kind {
	case wechatTradeLayout:
		r.format, err = newWechatTrade(r, codec)
	case wechatFundLayout:
		r.format, err = newWechatFund(r, codec)
	case alipayTradeLayout:
		r.format, err = newAlipayTrade(r, codec)
	case alipayAccountLayout:
		r.format, err = newAlipayAccount(r, codec)
	case alipayTradeSummaryLayout, alipayAccountSummaryLayout:
		r.format, err = newAlipaySummary(r, codec, f.kind)
	case unionpayLayout:
		r.format, err = newUnionpay(r, codec)
	case unionpaySummaryLayout:
		err = refused(RefusedUnknown, "is UnionPay's summary without its detail file; give the whole zip, or the file INN...ZM_...")
	}
	return err
}

// header is the first line with anything on it, decoded.
func (r *Reader) header(c *codec) (string, error) {
	for {
		line, err := r.lines.next()
		if err != nil {
			return "", err
		}
		if text := c.decode(line); text != "" {
			return text, nil
		}
	}
}

// Report is what is known of the bill: its type from the start, its figures and
// findings once Next has returned io.EOF.
func (r *Reader) Report() *Report { return &r.report }

// Next reads the next row. It returns io.EOF after the last one, a *RowError for a
// row that is rejected, after which reading goes on, and any other error once the
// file itself cannot be read any further.
func (r *Reader) Next(row *Row) error {
	for r.failed == nil && !r.done {
		line, err := r.lines.next()
		if errors.Is(err, io.EOF) {
			r.finish()
			break
		}
		if err != nil {
			r.failed = explain(r.name, r.lines.no+1, err)
			break
		}
		*row = Row{}
		isRow, err := r.format.line(r.lines.no, line, row)
		if err != nil {
			return r.reject(err)
		}
		if isRow {
			row.Line = r.lines.no
			r.add(row)
			return nil
		}
	}
	if r.failed != nil {
		return r.failed
	}
	return io.EOF
}

// SkipTo passes over the lines before the given one without reading rows. What was
// skipped is not in the report, whose sums then prove nothing.
func (r *Reader) SkipTo(line int) error {
	for r.lines.no < line-1 {
		if _, err := r.lines.next(); err != nil {
			return explain(r.name, r.lines.no+1, err)
		}
	}
	return nil
}

// Offset is where the next line begins in the file, -1 in one that is packed.
func (r *Reader) Offset() int64 {
	if r.src.packed {
		return -1
	}
	return r.lines.base + int64(r.lines.start)
}

// Resume reads on at a line that rest begins with. As with SkipTo, the report proves
// nothing afterwards.
func (r *Reader) Resume(line int, rest io.Reader) {
	*r.lines = lines{src: rest, buf: r.lines.buf, no: line - 1}
}

func (r *Reader) reject(err error) error {
	r.report.Rows++
	r.report.reject(r.lines.no, err.Error())
	if r.report.RejectedRows == 1 && (errors.Is(err, errRounded) || errors.Is(err, errCutTime)) {
		r.report.find(Finding{Check: CheckSpreadsheet, Line: r.lines.no, What: "a spreadsheet has changed this file, or it is from a sandbox, whose bills are broken like that"})
	}
	return &RowError{File: r.name, Line: r.lines.no, Reason: err.Error()}
}

// add counts a row in the report.
func (r *Reader) add(row *Row) {
	p := &r.report
	p.Rows++
	*p.Kinds.of(row.Kind)++
	r.sum(p.AmountFen.of(row.Kind), int64(row.Amount))
	r.sum(p.SettleFen.of(row.Kind), int64(row.Settle))
	r.sum((*int64)(&p.FeeE5), int64(row.Fee))
	r.days.add(row)
}

func (r *Reader) sum(to *int64, n int64) {
	t := total{sum: *to}
	if t.add(n); t.overflow {
		r.report.find(Finding{Check: CheckOverflow, Line: r.lines.no, What: "a sum is beyond 64 bits"})
	}
	*to = t.sum
}

// finish runs the checks that need the whole file.
func (r *Reader) finish() {
	r.done = true
	r.report.SHA1, r.report.SHA256 = r.pump.sha1(), r.src.sha256()
	r.format.prove(&r.report)
	r.proveCompanion()
	r.proveDays()
	r.proveDigest()
}

// Close closes what Open has opened and removes a temporary copy.
func (r *Reader) Close() error {
	if err := r.src.Close(); err != nil {
		return fmt.Errorf("close bill %s: %w", r.name, err)
	}
	return nil
}

// explain turns an error below the rows into a refusal, where it is one.
func explain(name string, line int, err error) error {
	var known *RefusedError
	switch {
	case errors.As(err, &known):
		return known.in(name)
	case errors.Is(err, errLongLine):
		return &RefusedError{File: name, Line: line, Code: RefusedBomb, Reason: "a line has more than 1 MiB: this is no bill, or its line ends are lost", Err: err}
	case errors.Is(err, errTooBig), errors.Is(err, errRatio):
		return &RefusedError{File: name, Line: line, Code: RefusedBomb, Reason: err.Error() + "; it is not read any further", Err: err}
	case errors.Is(err, io.EOF):
		return &RefusedError{File: name, Line: line, Code: RefusedLayout, Reason: "ends before its first row; " + hintFetchAgain, Err: err}
	}
	if packedError(err) {
		return &RefusedError{File: name, Line: line, Code: RefusedTruncated, Reason: fmt.Sprintf("the zip or gzip is cut off or damaged (%v); %s", err, hintFetchAgain), Err: err}
	}
	return fmt.Errorf("read bill %s: %w", name, err)
}
