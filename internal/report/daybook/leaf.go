package daybook

import (
	"errors"
	"fmt"
	"slices"

	"github.com/xuri/excelize/v2"
)

// book is a workbook while it is written. Not safe for concurrent use.
type book struct {
	file   *excelize.File
	lang   Lang
	font   string
	styles map[look]int
	leaves []*leaf
	full   int // rows that a leaf takes before its table rolls over
}

// maxRows leaves room below the 1,048,576 rows where a spreadsheet ends.
const maxRows = 1_000_000

func newBook(lang Lang) (*book, error) {
	b := &book{file: excelize.NewFile(), lang: lang, font: "Arial", styles: map[look]int{}, full: maxRows}
	if lang == Chinese {
		b.font = "Microsoft YaHei"
	}
	if err := b.file.SetDefaultFont(b.font); err != nil {
		return nil, errors.Join(fmt.Errorf("set the font of the workbook: %w", err), b.file.Close())
	}
	return b, nil
}

// leaf is one sheet while it is written.
type leaf struct {
	book    *book
	name    string
	rank    int // its place among the leaves
	sw      *excelize.StreamWriter
	row     int // the last row that is written
	columns int
	repeat  int    // the row that is printed on top of every page, 0: none
	printed string // the last column that goes to paper, "": all of them
	// finish sets what needs the size of the leaf, or its place.
	finish []func() error
}

// order is the order of the leaves, by the keys of their names.
var order = []string{
	"sheet.summary", "sheet.bridge", "sheet.trade", "sheet.fund", "sheet.carry", "sheet.revokes", "sheet.refunds", "sheet.fees", "sheet.ledger",
	"sheet.bad", "sheet.notes",
}

// layout says how a leaf is laid out.
type layout struct {
	widths    []float64
	freeze    int // rows that stay at the top, 0: none
	freezeCol int
	grid      bool // the spreadsheet's own lines
	onePage   bool // on paper
}

// leaf begins the sheet of a key, or a further part of it. Pages and panes have to be
// set before its first row.
func (b *book) leaf(key string, number int, lay layout) (*leaf, error) {
	name := b.lang.say(key)
	if number > 1 {
		name = fmt.Sprintf("%s (%d)", name, number)
	}
	l := &leaf{book: b, name: name, rank: slices.Index(order, key), columns: len(lay.widths), repeat: lay.freeze}
	return l, wrapLeaf(name, func() error {
		if _, err := b.file.NewSheet(name); err != nil {
			return err
		}
		if len(b.leaves) == 0 { // the one that a new file comes with
			if err := b.file.DeleteSheet(b.file.GetSheetName(0)); err != nil {
				return err
			}
		}
		yes, height := true, 16.5
		if err := b.file.SetSheetProps(name, &excelize.SheetPropsOptions{FitToPage: &yes, CustomHeight: &yes, DefaultRowHeight: &height}); err != nil {
			return err
		}
		var err error
		if l.sw, err = b.file.NewStreamWriter(name); err != nil {
			return err
		}
		if err := l.print(lay.onePage); err != nil {
			return err
		}
		if err := b.file.SetSheetView(name, 0, &excelize.ViewOptions{ShowGridLines: &lay.grid}); err != nil {
			return err
		}
		if lay.freeze > 0 {
			corner, err := excelize.CoordinatesToCellName(lay.freezeCol+1, lay.freeze+1)
			if err != nil {
				return err
			}
			pane := "bottomLeft"
			if lay.freezeCol > 0 {
				pane = "bottomRight"
			}
			if err := l.sw.SetPanes(&excelize.Panes{Freeze: true, XSplit: lay.freezeCol, YSplit: lay.freeze, TopLeftCell: corner, ActivePane: pane}); err != nil {
				return err
			}
		}
		for i, w := range lay.widths {
			if err := l.sw.SetColWidth(i+1, i+1, w); err != nil {
				return err
			}
		}
		b.leaves = append(b.leaves, l)
		return nil
	})
}

func wrapLeaf(name string, do func() error) error {
	if err := do(); err != nil {
		return fmt.Errorf("write sheet %s: %w", name, err)
	}
	return nil
}

// print makes the leaf come out on A4, all columns on one page.
func (l *leaf) print(onePage bool) error {
	f, a4, landscape, one, free := l.book.file, 9, "landscape", 1, 0
	if onePage {
		free = 1
	}
	if err := f.SetPageLayout(l.name, &excelize.PageLayoutOptions{Size: &a4, Orientation: &landscape, FitToWidth: &one, FitToHeight: &free}); err != nil {
		return err
	}
	side, top := 0.4, 0.6
	if err := f.SetPageMargins(l.name, &excelize.PageLayoutMarginsOptions{Left: &side, Right: &side, Top: &top, Bottom: &top}); err != nil {
		return err
	}
	return f.SetHeaderFooter(l.name, &excelize.HeaderFooterOptions{OddFooter: "&L&8&A&R&8&P / &N"})
}

// put writes the next row; nil leaves a cell out.
func (l *leaf) put(values ...any) error { return l.putLook(look{}, values...) }

// putLook writes the next row in a look; values that are styled keep theirs.
func (l *leaf) putLook(lk look, values ...any) error { return l.tall(0, lk, values...) }

// tall writes the next row in a height of so many points; 0 is that of the leaf.
func (l *leaf) tall(height float64, lk look, values ...any) error {
	return wrapLeaf(l.name, func() error {
		l.row++
		cells := make([]any, len(values))
		for i, v := range values {
			if v == nil {
				continue
			}
			cell, err := l.book.cell(v, lk)
			if err != nil {
				return err
			}
			cells[i] = cell
		}
		at, err := excelize.CoordinatesToCellName(1, l.row)
		if err != nil {
			return err
		}
		return l.sw.SetRow(at, cells, excelize.RowOpts{Height: height})
	})
}

// heading writes the heading of a list, over the whole width.
func (l *leaf) heading(values ...any) error {
	for len(values) < l.columns {
		values = append(values, label(""))
	}
	return l.putLook(look{tone: head}, values...)
}

// band writes one text over the whole width.
func (l *leaf) band(t tone, height float64, v any) error {
	values := make([]any, l.columns)
	for i := range values {
		values[i] = label("")
	}
	values[0] = v
	if err := l.tall(height, look{tone: t, wrap: true}, values...); err != nil {
		return err
	}
	return l.merge(1, l.columns)
}

// merge joins cells of the row that was written last.
func (l *leaf) merge(from, to int) error {
	return wrapLeaf(l.name, func() error {
		a, err := excelize.CoordinatesToCellName(from, l.row)
		if err != nil {
			return err
		}
		z, err := excelize.CoordinatesToCellName(to, l.row)
		if err != nil {
			return err
		}
		return l.sw.MergeCell(a, z)
	})
}

// gap leaves rows empty.
func (l *leaf) gap(rows int) { l.row += rows }

// at names a cell of the leaf for a formula.
func (l *leaf) at(col string, row int) string { return fmt.Sprintf("'%s'!$%s$%d", l.name, col, row) }

// finish puts the leaves into their order and ends them. What names a sheet by its
// place comes after that.
func (b *book) finish() error {
	slices.SortStableFunc(b.leaves, func(x, y *leaf) int { return x.rank - y.rank })
	for i := len(b.leaves) - 2; i >= 0; i-- {
		if err := b.file.MoveSheet(b.leaves[i].name, b.leaves[i+1].name); err != nil {
			return fmt.Errorf("put the sheets in order: %w", err)
		}
	}
	for _, l := range b.leaves {
		if err := wrapLeaf(l.name, l.end); err != nil {
			return err
		}
	}
	b.file.SetActiveSheet(0)
	return nil
}

func (l *leaf) end() error {
	if l.printed != "" {
		area := excelize.DefinedName{Name: "_xlnm.Print_Area", RefersTo: fmt.Sprintf("'%s'!$A$1:$%s$%d", l.name, l.printed, l.row), Scope: l.name}
		if err := l.book.file.SetDefinedName(&area); err != nil {
			return err
		}
	}
	if l.repeat > 0 {
		titles := excelize.DefinedName{Name: "_xlnm.Print_Titles", RefersTo: fmt.Sprintf("'%s'!$%d:$%d", l.name, l.repeat, l.repeat), Scope: l.name}
		if err := l.book.file.SetDefinedName(&titles); err != nil {
			return err
		}
	}
	for _, do := range l.finish {
		if err := do(); err != nil {
			return err
		}
	}
	return l.sw.Flush()
}
