package daybook

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/xuri/excelize/v2"

	"paytool/internal/recon"
	"paytool/internal/recon/ledger"
)

// ErrForeign is a workbook that WriteWorkbook did not write, or that does not say any
// more what it is of.
var ErrForeign = errors.New("it is not a daybook that a person can decide in")

// Decision is what a person chose for one difference.
type Decision struct {
	ID     recon.ID
	Action ledger.Action
	Reason string // a code of ledger.Reasons; "" where none was chosen
	Text   string
	Until  string // "2006-01-02"; of ledger.Carry
	// Sheet and Row are where it stands.
	Sheet string
	Row   int
}

// Decisions are what came back in a workbook. With problems, nothing of it should be
// carried out: a person has to look first.
type Decisions struct {
	RunID                  string
	Head                   string // the head hash of the ledger when the workbook was written
	Channel, Account, Date string
	Rows                   []Decision // one for each difference, in the order of the sheets
	Problems               []string   // each names its sheet and cell
}

// What a workbook that comes back may be at most. Sheets are unpacked to temporary
// files; everything else goes to memory.
const (
	maxPacked   = 1 << 30
	maxUnpacked = 4 << 30
	maxOther    = 64 << 20
	maxSheetRAM = 16 << 20
	maxProblems = 100
)

// ReadDecisions reads what a person filled in, by the words of either language or by
// the codes. Whether a decision is allowed is for the ledger to say. An error is a
// file that cannot be read or is no daybook (ErrForeign); what is wrong in single
// cells are Problems.
func ReadDecisions(ctx context.Context, path string) (d Decisions, err error) {
	if err := checkPackage(path); err != nil {
		return Decisions{}, fmt.Errorf("read decisions from %s: %w", path, err)
	}
	f, err := openWorkbook(path)
	if err != nil {
		return Decisions{}, fmt.Errorf("read decisions from %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r := decisionReader{file: f, seen: map[recon.ID]int{}}
	if err := r.identify(); err != nil {
		return Decisions{}, fmt.Errorf("read decisions from %s: %w", path, err)
	}
	sheets := 0
	for _, sheet := range f.GetSheetList() {
		if !decides(sheet) {
			continue
		}
		sheets++
		if err := r.sheet(ctx, sheet); err != nil {
			return Decisions{}, fmt.Errorf("read decisions from %s: sheet %s: %w", path, sheet, err)
		}
	}
	if sheets == 0 {
		return Decisions{}, fmt.Errorf("read decisions from %s: %w: the sheets of differences were renamed or removed", path, ErrForeign)
	}
	return r.got, nil
}

// checkPackage refuses what would not fit before anything is unpacked.
func checkPackage(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("it is not a file")
	case info.Size() > maxPacked:
		return fmt.Errorf("it has %d bytes, more than a daybook can have", info.Size())
	}
	z, err := zip.OpenReader(path)
	if err != nil {
		return fmt.Errorf("it is not an Excel workbook, save it as .xlsx: %w", err)
	}
	var all, other uint64
	for _, part := range z.File {
		all += part.UncompressedSize64
		if !strings.HasPrefix(part.Name, "xl/worksheets/sheet") && part.Name != "xl/sharedStrings.xml" {
			other += part.UncompressedSize64
		}
		if all > maxUnpacked || other > maxOther {
			return errors.Join(errors.New("it unpacks to more than a daybook can have; it may be a trap"), z.Close())
		}
	}
	return z.Close()
}

// openWorkbook opens a file that anybody may have made. The parser is not ours: a
// panic of its is an unreadable file, and not our end.
func openWorkbook(path string) (f *excelize.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it is a damaged workbook: %v", p)
		}
	}()
	f, err = excelize.OpenFile(path, excelize.Options{RawCellValue: true, UnzipSizeLimit: maxUnpacked, UnzipXMLSizeLimit: maxSheetRAM})
	if err != nil {
		return nil, fmt.Errorf("it is not an Excel workbook that can be read, save it as .xlsx: %w", err)
	}
	return f, nil
}

type decisionReader struct {
	file *excelize.File
	got  Decisions
	seen map[recon.ID]int // where in got.Rows
}

// identify reads what the workbook is of from its named cells.
func (r *decisionReader) identify() error {
	into := map[string]*string{
		nameRun: &r.got.RunID, nameHead: &r.got.Head, nameChannel: &r.got.Channel, nameAccount: &r.got.Account, nameDate: &r.got.Date,
	}
	for _, n := range r.file.GetDefinedName() {
		field, ok := into[n.Name]
		if !ok {
			continue
		}
		sheet, cell, ok := strings.Cut(strings.ReplaceAll(n.RefersTo, "$", ""), "!")
		if !ok {
			return fmt.Errorf("%w: the name %s refers to %s, not to a cell", ErrForeign, n.Name, clean(n.RefersTo))
		}
		v, err := r.file.GetCellValue(strings.Trim(sheet, "'"), cell)
		if err != nil {
			return fmt.Errorf("%w: the cell %s that %s names: %w", ErrForeign, clean(n.RefersTo), n.Name, err)
		}
		*field = typed(v)
	}
	switch {
	case r.got.RunID == "" || r.got.Channel == "" || r.got.Date == "":
		return fmt.Errorf("%w: it does not say which run it is of", ErrForeign)
	case r.got.Head == "":
		return fmt.Errorf("%w: it was written without a ledger, so there is nothing to decide", ErrForeign)
	}
	return nil
}

var partNumber = regexp.MustCompile(` \(\d+\)$`)

// decides reports whether a sheet may have decisions, in either language.
func decides(sheet string) bool {
	sheet = partNumber.ReplaceAllString(sheet, "")
	for _, key := range []string{"sheet.trade", "sheet.fund", "sheet.ledger"} {
		if sheet == Chinese.say(key) || sheet == English.say(key) {
			return true
		}
	}
	return false
}

// typed is a text as a person typed it, without what is only to be seen by the
// spreadsheet.
func typed(s string) string { return strings.TrimSpace(clean(s)) }

// heading is how far down the heading of a list is looked for.
const heading = 20

// sheet reads the decisions of one sheet, whose columns are found by their headings:
// a person may have moved them.
func (r *decisionReader) sheet(ctx context.Context, sheet string) (err error) {
	defer func() {
		if p := recover(); p != nil { // see openWorkbook
			err = fmt.Errorf("it is damaged: %v", p)
		}
	}()
	rows, err := r.file.Rows(sheet)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var at columnsAt
	for n := 1; rows.Next(); n++ {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		cells, err := rows.Columns()
		if err != nil {
			return err
		}
		if at == nil {
			if at = findColumns(cells); at == nil && n == heading {
				return fmt.Errorf("it has no columns %q and %q any more", English.say("col.id"), English.say("col.decision"))
			}
			continue
		}
		r.row(decisionRow{sheet: sheet, row: n, cells: cells, at: at})
		if len(r.got.Problems) >= maxProblems {
			r.got.Problems = append(r.got.Problems, "and more: the rest was not looked at")
			return nil
		}
	}
	return rows.Error()
}

// columnsAt are the columns by the keys of their headings, from 0.
type columnsAt map[string]int

func findColumns(cells []string) columnsAt {
	at := columnsAt{}
	for i, cell := range cells {
		for _, key := range []string{"col.id", "col.check", "col.order", "col.decision", "col.reason", "col.text", "col.until"} {
			if cell = typed(cell); cell == Chinese.say(key) || cell == English.say(key) {
				at[key] = i
			}
		}
	}
	for _, key := range []string{"col.id", "col.check", "col.order", "col.decision"} {
		if _, ok := at[key]; !ok {
			return nil
		}
	}
	return at
}
