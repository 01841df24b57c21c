package bill

import (
	"bytes"
	"errors"
	"io"
)

const (
	readSize = 256 << 10
	// maxLine bounds a line. The longest true ones have a few thousand bytes; a
	// stream of zeros must not become one line in memory.
	maxLine = 1 << 20
)

var errLongLine = errors.New("a line has more than 1 MiB")

// lines cuts a stream into lines, in one buffer. CRLF and LF both end a line, and the last line may lack its
// end: copies that passed through other tools look like that.
type lines struct {
	src        io.Reader
	buf        []byte
	start, end int
	base       int64 // where buf begins in the stream
	err        error // of src, sticky; io.EOF once it is exhausted
	no         int   // of the line that was returned last, from 1
}

func newLines(src io.Reader) *lines {
	return &lines{src: src, buf: make([]byte, readSize)}
}

// head is up to n bytes of what was not read yet.
func (l *lines) head(n int) ([]byte, error) {
	for l.end-l.start < n && l.err == nil {
		l.fill()
	}
	if l.err != nil && !errors.Is(l.err, io.EOF) {
		return nil, l.err
	}
	return l.buf[l.start:min(l.end, l.start+n)], nil
}

// skip passes over n bytes of the head, a byte order mark.
func (l *lines) skip(n int) { l.start += n }

// next is the next line without its end, valid until the call after, or io.EOF.
func (l *lines) next() ([]byte, error) {
	scanned := 0
	for {
		if i := bytes.IndexByte(l.buf[l.start+scanned:l.end], '\n'); i >= 0 {
			line := l.buf[l.start : l.start+scanned+i]
			l.start += scanned + i + 1
			l.no++
			return withoutCR(line), nil
		}
		scanned = l.end - l.start
		switch {
		case scanned > maxLine:
			return nil, errLongLine
		case l.err == nil:
			l.fill()
			continue
		case !errors.Is(l.err, io.EOF) || scanned == 0:
			return nil, l.err
		}
		line := l.buf[l.start:l.end]
		l.start = l.end
		l.no++
		return withoutCR(line), nil
	}
}

func withoutCR(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1]
	}
	return line
}

// fill reads once. What is left of the buffer moves to its front; a line that
// fills the buffer doubles it.
func (l *lines) fill() {
	if l.start > 0 {
		l.base += int64(l.start)
		l.end = copy(l.buf, l.buf[l.start:l.end])
		l.start = 0
	}
	if l.end == len(l.buf) {
		l.buf = append(l.buf, make([]byte, len(l.buf))...)
	}
	n, err := l.src.Read(l.buf[l.end:])
	l.end += n
	if err != nil {
		l.err = err
	}
}
