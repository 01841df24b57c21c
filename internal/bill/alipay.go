package bill

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"paytool/internal/pay"
)

// alipayFile is what Alipay's files have in common: lines that begin with # around
// a list with a header, fields between commas, TABs behind most texts.
type alipayFile struct {
	*cells
	ended    bool // the line that ends the list was seen
	endLine  int
	totals   []alipayTotal
	tail     int // the last column, where people type
	subject  column
	timeNext column // the first time behind the subject
}

// alipayTotal is one footer line: "#交易合计：6笔，商家实收共0.06元".
type alipayTotal struct {
	line  int
	name  string // 交易合计
	count string
	sums  []alipaySum
}

type alipaySum struct{ name, value string }

// newAlipayFile reads the preamble and maps the header.
func newAlipayFile(r *Reader, c *codec, l layout) (*alipayFile, error) {
	for {
		raw, err := r.lines.next()
		if err != nil {
			return nil, err
		}
		text := hashLine(c.decode(raw))
		switch {
		case text == "":
		case strings.HasPrefix(text, "#账号"):
			r.alipayAccount(bracketed(text, 0))
		case strings.HasPrefix(text, "#起始日期"):
			r.alipayPeriod(bracketed(text, 0), bracketed(text, 1))
		case strings.HasPrefix(text, "#"):
		default:
			cells, err := newCells(c, l, text)
			if err != nil {
				return nil, err
			}
			r.report.Channel, r.report.Columns = Alipay, len(cells.names)
			return &alipayFile{cells: cells, tail: len(cells.names) - 1}, nil
		}
	}
}

// hashLine is a line without what spreadsheets add: commas behind, quotes around.
func hashLine(text string) string { return strings.Trim(text, ",\"\t \ufeff") }

// bracketed is the text in the n-th pair of square brackets.
func bracketed(text string, n int) string {
	for ; ; n-- {
		_, after, ok := strings.Cut(text, "[")
		if !ok {
			return ""
		}
		inside, rest, _ := strings.Cut(after, "]")
		if n == 0 {
			return inside
		}
		text = rest
	}
}

// alipayAccount holds the account against the pid that was asked for. Alipay
// writes the pid and 0156, the number of its currency.
func (r *Reader) alipayAccount(account string) {
	r.report.Merchant = account
	want := r.opts.Merchant
	if want != "" && account != want && account != want+"0156" {
		r.report.find(Finding{Check: CheckMerchant, Line: r.lines.no, What: "the bill is of another account than the one asked for", Want: want, Got: account})
	}
}

// alipayPeriod takes the bill's date from its period, whose end is exclusive.
func (r *Reader) alipayPeriod(first, end string) {
	const layout = "2006年01月02日 15:04:05"
	from, errFrom := time.ParseInLocation(layout, first, pay.Beijing)
	until, errUntil := time.ParseInLocation(layout, end, pay.Beijing)
	if errFrom != nil || errUntil != nil || !from.Before(until) {
		r.report.find(Finding{Check: CheckDate, Line: r.lines.no, What: "the period cannot be read", Want: "two dates, the earlier one first", Got: excerpt([]byte(first + " " + end))})
		return
	}
	r.days.from, r.days.until = dayOf(from), dayOf(until.Add(-time.Second))+1
	r.report.BillDate = from.Format(dayLayout)
	if from.Day() == 1 && until.Equal(from.AddDate(0, 1, 0)) {
		r.report.BillDate = from.Format(monthLayout)
	}
}

// take takes blank lines and those around the list; it reports false for a row,
// whose fields are then split.
func (a *alipayFile) take(no int, line []byte) (bool, error) {
	a.reset()
	a.bad = nil
	switch {
	case len(bytes.Trim(line, ", \t\"")) == 0:
		return true, nil
	case line[0] == '#' || line[0] == '"' && len(line) > 1 && line[1] == '#':
		a.hash(no, hashLine(a.decode(line)))
		return true, nil
	case a.ended:
		return false, errAfter
	}
	a.commas(line)
	return false, a.repair()
}

// hash takes a line that begins with #: the end of the list, or totals.
func (a *alipayFile) hash(no int, text string) {
	if strings.HasPrefix(text, "#-") && strings.Contains(text, "结束") {
		a.ended, a.endLine = true, no
		return
	}
	text = strings.NewReplacer("：", ":", "，", ",", "#", "", " ", "").Replace(text)
	name, rest, ok := strings.Cut(text, ":")
	if !ok || !strings.HasSuffix(name, "合计") {
		return
	}
	t := alipayTotal{line: no, name: name}
	for _, part := range strings.Split(rest, ",") {
		if count, ok := strings.CutSuffix(part, "笔"); ok {
			t.count = count
			continue
		}
		label, value, _ := strings.Cut(strings.TrimSuffix(part, "元"), "共")
		t.sums = append(t.sums, alipaySum{name: label, value: value})
	}
	a.totals = append(a.totals, t)
}

// repair puts fields together again that a comma within a text has torn apart:
// the subject reaches up to the time behind it, the rest belongs to the last
// column. No quotes: the format has none.
func (a *alipayFile) repair() error {
	n := a.count() - len(a.names)
	switch {
	case n < 0:
		return fmt.Errorf("has %d fields where the header has %d: the row was torn apart or shifted", a.count(), len(a.names))
	case n == 0:
		return nil
	case a.subject == a.timeNext || !a.has(a.subject): // summaries have neither
		return fmt.Errorf("has %d fields where the header has %d", a.count(), len(a.names))
	}
	at, inSubject := a.pos[a.timeNext], 0
	for inSubject < n && !looksLikeTime(a.at(at+inSubject)) {
		inSubject++
	}
	a.join(a.pos[a.subject], inSubject)
	a.join(a.tail, n-inSubject)
	return nil
}

func looksLikeTime(b []byte) bool {
	return len(b) >= len("2006/1/2 15:04") && (b[4] == '-' || b[4] == '/') && bytes.IndexByte(b, ':') > 0
}

// total is the footer line of a name.
func (a *alipayFile) total(name string) (alipayTotal, bool) {
	for _, t := range a.totals {
		if t.name == name {
			return t, true
		}
	}
	return alipayTotal{}, false
}

// proveTotals compares a footer line with the rows: its count, and its sums in
// the order in which it has them.
func (a *alipayFile) proveTotals(r *Report, name string, count total, sums ...total) {
	t, ok := a.total(name)
	if !ok {
		r.find(Finding{Check: CheckFooter, What: "the bill has no " + name + " at its end: it was cut off; " + hintFetchAgain})
		return
	}
	r.Footer[name+"笔数"] = t.count
	r.prove(CheckFooter, t.line, name+"笔数", t.count, 0, count)
	for i, s := range t.sums {
		key := name + s.name
		if s.name == "" {
			key = name + "金额"
		}
		r.Footer[key] = s.value
		if i < len(sums) {
			r.prove(CheckFooter, t.line, key, s.value, fenDecimals, sums[i])
		}
	}
}

// proveEnd tells a list without its end.
func (a *alipayFile) proveEnd(r *Report) {
	if !a.ended {
		r.find(Finding{Check: CheckFooter, What: "the list has no end: the file was cut off; " + hintFetchAgain})
	}
}
