package bill

import (
	"bytes"
	"fmt"
)

// wechatFooter is the two last lines of WeChat's bills: names, then values. They
// are known by the first name, at the beginning of a line without a backtick: the
// same words within a product's name are none.
type wechatFooter struct {
	first  string
	names  []string
	values []string
	lineNo int
}

// take takes a line if it belongs to the footer or is blank. What is neither that
// nor a row is an error.
func (f *wechatFooter) take(c *codec, no int, line []byte) (bool, error) {
	switch {
	case len(line) > 0 && line[0] == '`' && f.names == nil:
		return false, nil
	case len(bytes.TrimSpace(line)) == 0:
		return true, nil
	case f.values != nil:
		return false, errAfter
	case f.names != nil:
		f.lineNo, f.values = no, footerValues(c.decode(line))
		return true, nil
	}
	names := headerNames(c.decode(line))
	if names[0] != f.first {
		return false, errNoTick
	}
	f.names = names
	return true, nil
}

// footerValues are values with or without backticks; none holds a comma.
func footerValues(line string) []string { return headerNames(line) }

// prove compares every value with what sum says: a total, its decimals, and
// whether the name is known.
func (f *wechatFooter) prove(r *Report, sum func(name string) (total, int, bool)) {
	if f.values == nil {
		r.find(Finding{Check: CheckFooter, What: "the bill has no totals at its end: it was cut off; " + hintFetchAgain})
		return
	}
	if len(f.names) != len(f.values) {
		r.find(Finding{Check: CheckFooter, Line: f.lineNo, What: "the totals do not fit their names", Want: fmt.Sprintf("%d values", len(f.names)), Got: fmt.Sprint(len(f.values))})
		return
	}
	for i, name := range f.names {
		r.Footer[name] = f.values[i]
		got, decimals, known := sum(name)
		if known {
			r.prove(CheckFooter, f.lineNo, name, f.values[i], decimals, got)
			continue
		}
		r.find(Finding{Check: CheckFooter, Line: f.lineNo, What: "the total " + excerpt([]byte(name)) + " is not known and was not proven", Advisory: true})
	}
}
