package generate

import (
	"bufio"
	"io"
	"strconv"
	"time"

	"paytool/internal/pay"
)

const timeLayout = "2006-01-02 15:04:05"

// sheet writes cells with a backtick before each. A nil sheet takes everything
// and writes nothing: the file was not asked for.
type sheet struct {
	w     *bufio.Writer
	buf   []byte
	cells int
}

func newSheet(w io.Writer) *sheet {
	if w == nil {
		return nil
	}
	return &sheet{w: bufio.NewWriterSize(w, 1<<18)}
}

func (s *sheet) raw(text string) {
	if s != nil {
		s.buf = append(s.buf, text...)
	}
}

func (s *sheet) next() {
	if s.cells++; s.cells > 1 {
		s.buf = append(s.buf, ',')
	}
	s.buf = append(s.buf, '`')
}

func (s *sheet) cell(text string) *sheet {
	if s != nil {
		s.next()
		s.buf = append(s.buf, text...)
	}
	return s
}

func (s *sheet) yuan(f pay.Fen) *sheet {
	if s != nil {
		s.next()
		s.buf = appendYuan(s.buf, f)
	}
	return s
}

// fee writes five decimals, of which the last three are zeros: fees are rounded
// to the fen.
func (s *sheet) fee(f pay.Fen) *sheet {
	if s != nil {
		s.yuan(f)
		s.buf = append(s.buf, "000"...)
	}
	return s
}

func (s *sheet) time(t time.Time) *sheet {
	if s != nil {
		s.next()
		s.buf = t.AppendFormat(s.buf, timeLayout)
	}
	return s
}

// end ends a row, flush ends it and hands all rows on.
func (s *sheet) end() {
	if s != nil {
		s.buf = append(s.buf, "\r\n"...)
		s.cells = 0
	}
}

func (s *sheet) flush() error {
	if s == nil {
		return nil
	}
	if s.cells > 0 {
		s.end()
	}
	_, err := s.w.Write(s.buf)
	s.buf = s.buf[:0]
	if err != nil {
		return writeError(err)
	}
	return nil
}

func (s *sheet) done() error {
	if err := s.flush(); err != nil || s == nil {
		return err
	}
	if err := s.w.Flush(); err != nil {
		return writeError(err)
	}
	return nil
}

func appendYuan(b []byte, f pay.Fen) []byte {
	if f < 0 {
		b, f = append(b, '-'), -f
	}
	b = strconv.AppendInt(b, int64(f/100), 10)
	return append(b, '.', byte('0'+f/10%10), byte('0'+f%10))
}
