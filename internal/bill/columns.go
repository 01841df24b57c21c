package bill

import (
	"strings"

	"paytool/internal/pay"
)

// column is a column that a reader uses, numbered per layout.
type column int

// layout is the columns of a format by every name that is in use for them.
type layout struct {
	names    map[string]column
	count    int      // number of columns that the reader uses
	required []column // without these no row can be read
}

// cells finds and reads the cells of one format's rows. It is made once per file
// and keeps its buffers, so that a row costs no allocation.
type cells struct {
	*codec
	clock
	names  []string // of the header, as written
	pos    []int    // of each column in a row, -1 where the header lacks it
	fields          // of the current row
	bad    error    // the first cell of the current row that could not be read
}

// headerNames are the names in a header line, without what copies add to them:
// blanks, backticks, quotes, full-width commas and brackets.
func headerNames(header string) []string {
	header = strings.NewReplacer("，", ",", "（", "(", "）", ")", "`", "", "\"", "", " ", "", "\t", "", "\ufeff", "").Replace(header)
	return strings.Split(strings.TrimRight(header, ","), ",")
}

// newCells maps a header to the columns of a layout.
func newCells(c *codec, l layout, header string) (*cells, error) {
	r := &cells{codec: c, names: headerNames(header), pos: make([]int, l.count)}
	for i := range r.pos {
		r.pos[i] = -1
	}
	for i, name := range r.names {
		col, known := l.names[name]
		switch {
		case !known:
		case r.pos[col] >= 0:
			return nil, refused(RefusedLayout, "has the column %s twice (as %s and %s); %s", name, r.names[r.pos[col]], name, hintFetchAgain)
		default:
			r.pos[col] = i
		}
	}
	for _, col := range l.required {
		if r.pos[col] < 0 {
			return nil, refused(RefusedLayout, "lacks the column %s; %s", l.nameOf(col), hintFetchAgain)
		}
	}
	return r, nil
}

// nameOf is a name of a column for messages: the shortest, so that the answer
// does not depend on the order of a map.
func (l layout) nameOf(col column) string {
	best := ""
	for name, c := range l.names {
		if c == col && (best == "" || len(name) < len(best) || len(name) == len(best) && name < best) {
			best = name
		}
	}
	return best
}

func (r *cells) has(col column) bool { return r.pos[col] >= 0 }

// raw is a cell as the file has it, nil where the header lacks its column.
func (r *cells) raw(col column) []byte {
	if i := r.pos[col]; i >= 0 {
		return r.at(i)
	}
	return nil
}

func (r *cells) show(col column) []byte { return r.text(r.raw(col)) }

// fail keeps the first failure of a row.
func (r *cells) fail(col column, err error) {
	switch {
	case r.bad != nil:
	case !r.has(col): // a column that the header lacks has no cell to show
		r.bad = err
	default:
		r.bad = cellError(r.names[r.pos[col]], r.show(col), err)
	}
}

// number is a cell with an order or refund number.
func (r *cells) number(col column) []byte {
	if !r.has(col) {
		return nil
	}
	b := r.raw(col)
	if plainNumber(b) {
		return b
	}
	b = r.text(b)
	if err := checkNumber(r.names[r.pos[col]], b); err != nil && r.bad == nil {
		r.bad = err
	}
	return b
}

// needed is a number that must be there.
func (r *cells) needed(col column) []byte {
	b := r.number(col)
	if len(b) == 0 && r.has(col) {
		r.fail(col, errEmptyCell)
	}
	return b
}

// decimal reads a cell into units of 10^-decimals; 0 where its column is absent.
func (r *cells) decimal(col column, decimals int) int64 {
	if !r.has(col) {
		return 0
	}
	n, err := parseDecimal(r.raw(col), decimals)
	if err != nil {
		r.fail(col, err)
	}
	return n
}

func (r *cells) fen(col column) pay.Fen { return pay.Fen(r.decimal(col, fenDecimals)) }

// plus is an amount that is never negative.
func (r *cells) plus(col column) pay.Fen {
	n := r.fen(col)
	if n < 0 {
		r.fail(col, errNegative)
	}
	return n
}
