package daybook

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/xuri/excelize/v2"

	"paytool/internal/pay"
)

// column is a column of a table.
type column struct {
	key   string // of its heading
	width float64
	look  look
	// choices make the cells a menu.
	choices []string
}

// table is a list that rolls over to a further leaf where one is full.
type table struct {
	ctx     context.Context
	book    *book
	key     string // of its name
	columns []column
	// paper is the key of the last column that is printed: what is for programs stays on
	// the screen, or the rest would be too small to read.
	paper string
	// above writes what stands over the heading of the first leaf, in so many rows.
	above     func(*leaf) error
	aboveRows int
	parts     []area
	leaf      *leaf
	rows      int64
	total     pay.Fen // of the amounts of lines
}

// area is the rows of one part of a table.
type area struct {
	sheet       string
	first, last int
}

func (b *book) table(ctx context.Context, key string, columns []column) *table {
	return &table{ctx: ctx, book: b, key: key, columns: columns}
}

// begin opens the next part.
func (t *table) begin() error {
	above := 0
	if len(t.parts) == 0 {
		above = t.aboveRows
	}
	widths := make([]float64, len(t.columns))
	heads := make([]any, len(t.columns))
	for i, c := range t.columns {
		widths[i], heads[i] = c.width, label(t.book.lang.say(c.key))
	}
	var err error
	if t.leaf, err = t.book.leaf(t.key, len(t.parts)+1, layout{widths: widths, freeze: above + 1, freezeCol: 1, grid: true}); err != nil {
		return err
	}
	if above > 0 {
		if err := t.above(t.leaf); err != nil {
			return err
		}
		t.leaf.row = above
	}
	for i, c := range t.columns {
		heads[i] = styled{heads[i], look{shape: c.look.shape, tone: head}}
	}
	if err := t.leaf.put(heads...); err != nil {
		return err
	}
	t.parts = append(t.parts, area{t.leaf.name, t.leaf.row + 1, t.leaf.row + 1})
	l, part := t.leaf, len(t.parts)-1
	if i := slices.IndexFunc(t.columns, func(c column) bool { return c.key == t.paper }); i >= 0 {
		if l.printed, err = excelize.ColumnNumberToName(i + 1); err != nil {
			return wrapLeaf(l.name, func() error { return err })
		}
	}
	l.finish = append(l.finish, func() error { return t.frame(l, part) })
	return nil
}

// add writes a row; the looks are those of the columns, where a value has none.
func (t *table) add(values ...any) error {
	if t.rows%1024 == 0 {
		if err := t.ctx.Err(); err != nil {
			return fmt.Errorf("write sheet %s: %w", t.book.lang.say(t.key), context.Cause(t.ctx))
		}
	}
	if t.leaf == nil || t.leaf.row >= t.book.full {
		if err := t.begin(); err != nil {
			return err
		}
	}
	for i, v := range values {
		if _, ok := v.(styled); !ok && v != nil {
			values[i] = styled{v, t.columns[i].look}
		}
	}
	t.rows++
	if err := t.leaf.put(values...); err != nil {
		return err
	}
	t.parts[len(t.parts)-1].last = t.leaf.row
	return nil
}

// frame sets the filter and the menus of a part, when its size is known.
func (t *table) frame(l *leaf, part int) error {
	p := t.parts[part]
	lastCol, err := excelize.ColumnNumberToName(len(t.columns))
	if err != nil {
		return err
	}
	if err := t.book.file.AutoFilter(l.name, fmt.Sprintf("A%d:%s%d", p.first-1, lastCol, p.last), nil); err != nil {
		return err
	}
	all := fmt.Sprintf("A%d:%s%d", p.first, lastCol, p.last)
	if err := t.book.file.AddIgnoredErrors(l.name, all, excelize.IgnoredErrorsNumberStoredAsText); err != nil {
		return err
	}
	for i, c := range t.columns {
		if err := t.menu(l, p, i+1, c.choices); err != nil {
			return err
		}
	}
	return nil
}

// menu makes the cells of a column a choice. Another word is refused where it is
// typed, with what is meant.
func (t *table) menu(l *leaf, p area, col int, choices []string) error {
	if len(choices) == 0 {
		return nil
	}
	name, err := excelize.ColumnNumberToName(col)
	if err != nil {
		return err
	}
	dv := excelize.NewDataValidation(true)
	dv.Sqref = fmt.Sprintf("%s%d:%s%d", name, p.first, name, p.last)
	if err := dv.SetDropList(choices); err != nil {
		return err
	}
	dv.SetError(excelize.DataValidationErrorStyleStop, t.book.lang.say(t.columns[col-1].key), strings.Join(choices, " / "))
	return t.book.file.AddDataValidation(l.name, dv)
}

// close ends the table. One without a row says so.
func (t *table) close(empty string) error {
	if t.leaf != nil {
		return nil
	}
	if err := t.begin(); err != nil {
		return err
	}
	return t.leaf.putLook(look{tone: faint}, label(empty))
}

// span names a column in one part, for formulas.
func (t *table) span(p area, key string) string {
	for i, c := range t.columns {
		if c.key == key {
			name, err := excelize.ColumnNumberToName(i + 1)
			if err != nil {
				break
			}
			return fmt.Sprintf("'%s'!$%s$%d:$%s$%d", p.sheet, name, p.first, name, p.last)
		}
	}
	panic("daybook: table " + t.key + " has no column " + key)
}

// over joins a formula of every part by a plus: totals span all of them.
func (t *table) over(each func(p area) string) string {
	terms := make([]string, len(t.parts))
	for i, p := range t.parts {
		terms[i] = each(p)
	}
	return strings.Join(terms, "+")
}

func (t *table) sum(key string) string {
	return t.over(func(p area) string { return fmt.Sprintf("SUM(%s)", t.span(p, key)) })
}

// count counts the rows by a column of numbers.
func (t *table) count(key string) string {
	return t.over(func(p area) string { return fmt.Sprintf("COUNT(%s)", t.span(p, key)) })
}

// sumIf adds up a column where another has a value.
func (t *table) sumIf(where, is, key string) string {
	return t.over(func(p area) string {
		return fmt.Sprintf(`SUMIF(%s,"%s",%s)`, t.span(p, where), is, t.span(p, key))
	})
}

func (t *table) countIf(where, is string) string {
	return t.over(func(p area) string { return fmt.Sprintf(`COUNTIF(%s,"%s")`, t.span(p, where), is) })
}
