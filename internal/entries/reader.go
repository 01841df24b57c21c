package entries

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"paytool/internal/pay"
)

const (
	readSize = 256 << 10
	// maxLine bounds a line: a file without line ends must not become one.
	maxLine = 1 << 20
)

// Row is one entry as the file has it. Its byte slices are valid until the next
// call of Next: who keeps one copies it. What is needed for every row was checked.
type Row struct {
	Line            int // from 1, which is the header's; the first one of several
	Kind            pay.EntryKind
	State           string
	OrderNo         []byte
	RefundNo        []byte
	MerchantID      []byte
	MerchantOrderNo []byte
	Channel         []byte
	Account         []byte
	ChannelTradeNo  []byte
	ChannelRefundNo []byte
	Product         []byte  // what was sold, as the account's rate table names it
	Amount          pay.Fen // positive, the kind tells the direction
	// Settle is what the channel settles of the amount, after its own discounts; it
	// may be 0. HasSettle is false where the file does not say.
	Settle    pay.Fen
	HasSettle bool
	// Second is the time of the entry in Unix seconds.
	Second int64
}

// RowError is a row that is not taken: the reader goes on behind it.
type RowError struct {
	File   string
	Line   int
	Reason string
}

func (e *RowError) Error() string {
	return fmt.Sprintf("read entries %s line %d: %s", e.File, e.Line, e.Reason)
}

// Reader reads entries row by row in constant memory. Not safe for concurrent use.
type Reader struct {
	name   string
	in     *bufio.Reader
	digest hash.Hash
	offset int64 // of what was read
	line   int   // that was read last
	first  int   // of the record
	cells  cells
	pos    [columnCount]int // of each column in the file, -1 where it is not there
	clock  clock
}

// NewReader reads the header. name is for messages. A header that lacks a needed
// column, or has one twice, is an error: no row could be read.
func NewReader(name string, in io.Reader) (*Reader, error) {
	r := &Reader{name: name, digest: sha256.New()}
	r.in = bufio.NewReaderSize(io.TeeReader(in, r.digest), readSize)
	header, err := r.record()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read entries %s: the file is empty; even a day without an entry has the header", name)
	}
	if err != nil {
		return nil, err
	}
	if r.pos, err = place(header); err != nil {
		return nil, fmt.Errorf("read entries %s: %w", name, err)
	}
	return r, nil
}

// Next reads the next row. It returns io.EOF behind the last one, a *RowError for
// a row that is not taken, and any other error once the file cannot be read on.
func (r *Reader) Next(row *Row) error {
	for {
		record, err := r.record()
		if err != nil {
			return err
		}
		if len(record) == 1 && len(record[0]) == 0 {
			continue // an empty line, as at the end of many files
		}
		if err := r.read(row, record); err != nil {
			return &RowError{File: r.name, Line: row.Line, Reason: err.Error()}
		}
		return nil
	}
}

// SkipTo passes over the lines before the given one without reading rows.
func (r *Reader) SkipTo(line int) error {
	for r.line < line-1 {
		if _, err := r.readLine(); err != nil {
			return err
		}
	}
	return nil
}

// Line is the line that was read last, from 1.
func (r *Reader) Line() int { return r.line }

// Offset is where the next line begins in the file.
func (r *Reader) Offset() int64 { return r.offset }

// Resume reads on at a line that rest begins with. The digest proves nothing
// afterwards.
func (r *Reader) Resume(line int, rest io.Reader) {
	r.in.Reset(rest)
	r.line = line - 1
}

// SHA256 is the digest of the file in hex, once Next has returned io.EOF.
func (r *Reader) SHA256() string { return hex.EncodeToString(r.digest.Sum(nil)) }

// record reads the fields of one line, or of several where a quoted field holds
// their ends.
func (r *Reader) record() ([][]byte, error) {
	line, err := r.readLine()
	if err != nil {
		return nil, err
	}
	r.first = r.line
	if bytes.IndexByte(line, '"') < 0 {
		return r.cells.plain(line), nil
	}
	text := append([]byte(nil), line...)
	for bytes.Count(text, []byte{'"'})%2 == 1 { // a quote within a field is written twice
		more, err := r.readLine()
		if err != nil || len(text)+len(more) > maxLine {
			break // the quote is never closed: the row is rejected for it
		}
		text = append(append(text, '\n'), more...)
	}
	return r.cells.quoted(text), nil
}

// readLine is the next line without its end, valid until the call after.
func (r *Reader) readLine() ([]byte, error) {
	line, err := r.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		whole := append([]byte(nil), line...)
		for errors.Is(err, bufio.ErrBufferFull) && len(whole) <= maxLine {
			line, err = r.in.ReadSlice('\n')
			whole = append(whole, line...)
		}
		line = whole
	}
	switch {
	case len(line) > maxLine:
		return nil, fmt.Errorf("read entries %s line %d: the line has more than 1 MiB; is this our CSV?", r.name, r.line+1)
	case errors.Is(err, io.EOF) && len(line) > 0: // the last line lacks its end
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	case err != nil:
		return nil, fmt.Errorf("read entries %s line %d: %w", r.name, r.line+1, err)
	}
	r.line++
	r.offset += int64(len(line))
	if r.line == 1 {
		line = bytes.TrimPrefix(line, []byte("\ufeff"))
	}
	return withoutEnd(line), nil
}

func withoutEnd(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line
}
