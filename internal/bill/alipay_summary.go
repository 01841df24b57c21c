package bill

import (
	"bytes"
	"errors"
	"io"
	"strings"
)

// alipaySummary reads 汇总 files: totals per store or business, and 合计 as the
// last row. It has no rows of its own, its totals are its footer.
type alipaySummary struct {
	*alipayFile
	sums []total // per column, of the rows
	rows int64
	done bool // 合计 was read
	made int  // its line
	last []string
}

var alipaySummaryColumns = layout{names: map[string]column{}}

func newAlipaySummary(r *Reader, c *codec, kind layoutKind) (*alipaySummary, error) {
	f, err := newAlipayFile(r, c, alipaySummaryColumns)
	if err != nil {
		return nil, err
	}
	r.report.Type = AlipayTradeSummary
	if kind == alipayAccountSummaryLayout {
		r.report.Type = AlipayAccountSummary
	}
	f.tail = max(f.tail, 0)
	return &alipaySummary{alipayFile: f, sums: make([]total, len(f.names))}, nil
}

// figure reports whether a column is summed up, and its decimals.
func figure(name string) (decimals int, ok bool) {
	switch {
	case strings.HasSuffix(name, "笔数"):
		return 0, true
	case strings.HasSuffix(name, "元)"):
		return fenDecimals, true
	}
	return 0, false
}

func (a *alipaySummary) line(no int, line []byte, _ *Row) (bool, error) {
	line = bytes.TrimRight(line, "\t, ") // the last column has a TAB and a comma of its own
	if taken, err := a.take(no, line); taken || err != nil {
		return false, err
	}
	if a.done {
		return false, errors.New("stands after 合计")
	}
	closing := a.isTotal()
	for i, name := range a.names {
		decimals, ok := figure(name)
		if !ok {
			continue
		}
		n, err := parseDecimal(a.at(i), decimals)
		if err != nil {
			return false, cellError(name, a.at(i), err)
		}
		if !closing {
			a.sums[i].add(n)
		}
	}
	if !closing {
		a.rows++
		return false, nil
	}
	a.done, a.made = true, no
	for i := range a.count() {
		a.last = append(a.last, string(a.text(a.at(i))))
	}
	return false, nil
}

func (a *alipaySummary) isTotal() bool {
	for i := range min(2, a.count()) {
		if string(a.text(a.at(i))) == "合计" {
			return true
		}
	}
	return false
}

func (a *alipaySummary) prove(r *Report) {
	r.Rows += a.rows
	a.proveEnd(r)
	if !a.done {
		r.find(Finding{Check: CheckFooter, What: "the summary has no 合计: it was cut off; " + hintFetchAgain})
		return
	}
	for i, name := range a.names {
		if decimals, ok := figure(name); ok {
			r.Footer[name] = a.last[i]
			r.prove(CheckFooter, a.made, name, a.last[i], decimals, a.sums[i])
		}
	}
}

func (a *alipaySummary) compare(*Report, map[string]string) {} // a zip of a summary alone

// proveSummary holds one total of a summary file against the rows.
func (r *Report) proveSummary(summary map[string]string, name string, decimals int, got total) {
	written, ok := summary[name]
	if !ok {
		r.find(Finding{Check: CheckSummary, What: "the summary in the zip has no " + name})
		return
	}
	r.prove(CheckSummary, 0, name+" of the summary in the zip", written, decimals, got)
}

// readSummary reads a summary file whole and returns its totals by name.
func readSummary(name string, file []byte) (map[string]string, error) {
	found, err := recognise(file[:min(len(file), headSize)])
	if err != nil {
		return nil, err
	}
	if found.kind == unionpaySummaryLayout {
		return readUnionpaySummary(newCodec(true).decode(file)), nil
	}
	r, err := NewReader(name, bytes.NewReader(file), Options{})
	if err != nil {
		return nil, err
	}
	defer r.Close() //nolint:errcheck // nothing but its goroutine is open
	var row Row
	for {
		switch err := r.Next(&row); {
		case errors.Is(err, io.EOF):
			return r.report.Footer, nil
		case err != nil:
			return nil, err
		}
	}
}
