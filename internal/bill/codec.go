package bill

import (
	"bytes"
	"errors"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/transform"
)

// codec turns the bytes of a bill into UTF-8. Rows are split before they are
// decoded: in GB18030 no second byte of a character is a comma, a TAB or a line
// end, and only cells that somebody reads are worth decoding.
type codec struct {
	gbk *encoding.Decoder // nil: the bill is UTF-8
	buf []byte            // the decoded cells of one row
}

func newCodec(gbk bool) *codec {
	if !gbk {
		return &codec{}
	}
	return &codec{gbk: simplifiedchinese.GB18030.NewDecoder()}
}

// reset forgets the cells of the last row.
func (c *codec) reset() { c.buf = c.buf[:0] }

// text is the cell in UTF-8, valid until reset. Bytes that are no character
// become U+FFFD: channels cut texts by bytes, so that a broken last character is
// an everyday thing.
func (c *codec) text(b []byte) []byte {
	if isASCII(b) {
		return b
	}
	start := len(c.buf)
	if c.gbk == nil {
		if utf8.Valid(b) {
			return b
		}
		c.buf = append(c.buf, bytes.ToValidUTF8(b, []byte("\uFFFD"))...)
		return c.buf[start:]
	}
	c.gbk.Reset()
	for {
		c.buf = growBy(c.buf, 3*len(b)+utf8.UTFMax)
		n, read, err := c.gbk.Transform(c.buf[len(c.buf):cap(c.buf)], b, true)
		c.buf, b = c.buf[:len(c.buf)+n], b[read:]
		if !errors.Is(err, transform.ErrShortDst) {
			return c.buf[start:]
		}
	}
}

// growBy makes room for n more bytes. Cells handed out before keep the old array.
func growBy(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	return append(make([]byte, 0, 2*cap(b)+n), b...)
}

// decode is a line of the preamble or footer as a string of its own.
func (c *codec) decode(b []byte) string {
	defer c.reset()
	return string(c.text(b))
}

// encode is a text as the bill writes it, to compare cells undecoded.
func (c *codec) encode(s string) []byte {
	if c.gbk == nil {
		return []byte(s)
	}
	b, err := simplifiedchinese.GB18030.NewEncoder().Bytes([]byte(s))
	if err != nil {
		return []byte(s) // GB18030 writes every character; a text that is not UTF-8 is found nowhere
	}
	return b
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
