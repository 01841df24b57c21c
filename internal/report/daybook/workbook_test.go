package daybook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"paytool/internal/pay"
	"paytool/internal/recon"
)

var errBroken = errors.New("no space left")

// open opens a workbook as it is, without number formats.
func open(t *testing.T, path string) *excelize.File {
	t.Helper()
	f, err := excelize.OpenFile(path, excelize.Options{RawCellValue: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func get(t *testing.T, f *excelize.File, sheet, cell string) string {
	t.Helper()
	v, err := f.GetCellValue(sheet, cell)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// columnOf is the letter of the column with a heading, and the row of the heading.
func columnOf(t *testing.T, f *excelize.File, sheet, name string) (string, int) {
	t.Helper()
	rows, err := f.GetRows(sheet)
	if err != nil {
		t.Fatal(err)
	}
	for r, row := range rows[:min(len(rows), heading)] {
		if c := slices.Index(row, name); c >= 0 {
			letter, err := excelize.ColumnNumberToName(c + 1)
			if err != nil {
				t.Fatal(err)
			}
			return letter, r + 1
		}
	}
	t.Fatalf("sheet %s has no column %s", sheet, name)
	return "", 0
}

// TestSheets: the sheets are there, in their order, in both languages, and each list
// has its heading frozen and filtered.
func TestSheets(t *testing.T) {
	t.Parallel()
	day := full(t)
	for _, lang := range []Lang{Chinese, English} {
		for name, d := range map[string]Day{"full": day, "quiet": balanced()} {
			f := open(t, workbook(t, d, lang, maxRows))
			var want []string
			for _, key := range order {
				want = append(want, lang.say(key))
			}
			if got := f.GetSheetList(); !slices.Equal(got, want) {
				t.Errorf("%s in %s: sheets %v, want %v", name, lang, got, want)
			}
			for _, key := range []string{"sheet.trade", "sheet.fund", "sheet.carry", "sheet.revokes", "sheet.refunds", "sheet.fees", "sheet.ledger", "sheet.bad"} {
				panes, err := f.GetPanes(lang.say(key))
				if err != nil || !panes.Freeze || panes.YSplit == 0 {
					t.Errorf("%s in %s: the heading of %s is not frozen: %+v, %v", name, lang, key, panes, err)
				}
			}
			filters := 0
			for _, n := range f.GetDefinedName() {
				if n.Name == "_xlnm._FilterDatabase" {
					filters++
					if !strings.HasPrefix(n.RefersTo, "'"+n.Scope+"'!") {
						t.Errorf("%s in %s: the filter of sheet %s refers to %s", name, lang, n.Scope, n.RefersTo)
					}
				}
			}
			if filters != 8 {
				t.Errorf("%s in %s: %d filters, want 8", name, lang, filters)
			}
		}
	}
	if err := WriteWorkbook(context.Background(), &bytes.Buffer{}, day, "fr"); err == nil {
		t.Error("a language that there is not went well")
	}
}

// TestFormulas: what every formula computes is what stands beside it for those who do
// not compute, and nothing is unexplained; also where sheets roll over.
func TestFormulas(t *testing.T) {
	t.Parallel()
	day := full(t)
	for _, rows := range []int{maxRows, 12} {
		t.Run(strconv.Itoa(rows), func(t *testing.T) {
			t.Parallel()
			f := open(t, workbook(t, day, Chinese, rows))
			formulas := 0
			for _, sheet := range f.GetSheetList() {
				cells, err := f.GetRows(sheet)
				if err != nil {
					t.Fatal(err)
				}
				for r, row := range cells {
					for c := range row {
						cell, err := excelize.CoordinatesToCellName(c+1, r+1)
						if err != nil {
							t.Fatal(err)
						}
						formula, err := f.GetCellFormula(sheet, cell)
						if err != nil {
							t.Fatal(err)
						}
						if formula == "" {
							continue
						}
						formulas++
						got, err := f.CalcCellValue(sheet, cell, excelize.Options{RawCellValue: true})
						if err != nil {
							t.Fatalf("%s!%s: %s: %v", sheet, cell, formula, err)
						}
						if !same(t, got, row[c]) {
							t.Errorf("%s!%s: %s makes %s, and %s stands there", sheet, cell, formula, got, row[c])
						}
					}
				}
			}
			if formulas < 60 {
				t.Errorf("only %d formulas were found", formulas)
			}
			checkRests(t, f, day)
		})
	}
}

// same compares two numbers, or two texts.
func same(t *testing.T, a, b string) bool {
	t.Helper()
	x, err1 := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	if err1 != nil || err2 != nil {
		return a == b
	}
	return max(x-y, y-x) < 0.000001
}

// checkRests looks at the lines that a person looks at.
func checkRests(t *testing.T, f *excelize.File, day Day) {
	t.Helper()
	rows, err := f.GetRows("勾稽")
	if err != nil {
		t.Fatal(err)
	}
	rests := 0
	for _, row := range rows {
		if len(row) > 1 && row[0] == "未解释差额" {
			rests++
			if row[1] != "0" {
				t.Errorf("unexplained: %s", row[1])
			}
		}
	}
	want := 2
	if day.Result.FundBalance != nil {
		want++
	}
	if rests != want {
		t.Errorf("%d bridges, want %d", rests, want)
	}
	summary, err := f.GetRows("汇总")
	if err != nil {
		t.Fatal(err)
	}
	checks := 0
	for _, row := range summary {
		if len(row) > 6 && strings.Contains(row[0], "信息流差异 ") || len(row) > 6 && strings.Contains(row[0], "普通退款 ") || len(row) > 6 && strings.Contains(row[0], "撤销退款 ") {
			checks++
			if row[6] != "0" || row[2] != row[4] {
				t.Errorf("self-check: %q", row)
			}
		}
	}
	if checks != 6 {
		t.Errorf("%d lines of the self-check, want 6", checks)
	}
}

// TestRollOver: a full sheet goes on in a further one beside it, and no row is lost.
func TestRollOver(t *testing.T) {
	t.Parallel()
	day := full(t)
	f := open(t, workbook(t, day, English, 11)) // a heading and ten rows
	parts, ids := 0, map[string]int{}
	list := f.GetSheetList()
	for i, sheet := range list {
		if sheet != "Trade differences" && !strings.HasPrefix(sheet, "Trade differences (") {
			continue
		}
		if parts++; parts > 1 && sheet != fmt.Sprintf("Trade differences (%d)", parts) || i != 1+parts {
			t.Errorf("sheet %d is %s: %v", i, sheet, list)
		}
		rows, err := f.GetRows(sheet)
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) > 11 || rows[0][0] != "Difference" {
			t.Errorf("sheet %s has %d rows under %q", sheet, len(rows), rows[0])
		}
		for _, row := range rows[1:] {
			ids[row[0]]++
		}
	}
	want := 0
	for _, d := range day.Result.Differences {
		if ofFund(d.Class) {
			continue
		}
		want++
		if ids[string(d.ID)] != 1 {
			t.Errorf("%s stands there %d times", d.ID, ids[string(d.ID)])
		}
	}
	if parts != (want+9)/10 || parts < 3 {
		t.Errorf("%d differences on %d sheets of 10", want, parts)
	}
	for i, sheet := range list { // also of what is written in one pass
		if strings.HasSuffix(sheet, " (2)") && list[i-1] != strings.TrimSuffix(sheet, " (2)") {
			t.Errorf("%s comes after %s", sheet, list[i-1])
		}
	}
}

// TestHostileCells: texts of a bill stay texts, also those that a spreadsheet would
// compute or that no XML can bear, and order numbers are not numbers.
func TestHostileCells(t *testing.T) {
	t.Parallel()
	day := balanced()
	day.Result.Fund = &recon.FundBridge{}
	for i, h := range hostile {
		day.Result.Differences = append(day.Result.Differences, recon.Difference{
			ID: recon.ID(fmt.Sprintf("D-%d", i)), Class: recon.MissingInOurs, Kind: pay.EntryPay, OrderNo: h.in, Detail: h.in, File: h.in, DifferenceFen: 1, TheirsFen: 1,
		})
	}
	day.Result.Rejected = []recon.Rejection{{File: "=1", Line: 3, Reason: "=2"}}
	day.Result.Warnings = []string{"=3"}
	day.Tool = "\x00=4"
	f := open(t, workbook(t, day, English, maxRows))
	col, top := columnOf(t, f, "Trade differences", "Order number")
	for i, h := range hostile {
		cell := fmt.Sprintf("%s%d", col, top+1+i)
		kind, err := f.GetCellType("Trade differences", cell)
		if err != nil {
			t.Fatal(err)
		}
		if got := get(t, f, "Trade differences", cell); got != h.out || kind != excelize.CellTypeInlineString {
			t.Errorf("%q came out as %q of type %d, want the text %q", h.in, got, kind, h.out)
		}
		style, err := f.GetCellStyle("Trade differences", cell)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := f.GetStyle(style); err != nil || s.CustomNumFmt == nil && s.NumFmt != 49 || s.CustomNumFmt != nil && *s.CustomNumFmt != "@" {
			t.Errorf("%s is no text cell: %+v, %v", cell, s, err)
		}
	}
	if got := get(t, f, "Rejected rows", "C2"); got != "'=2" {
		t.Errorf("the reason of a rejected row is %q", got)
	}
}

// TestAmounts: amounts are numbers that read as the integers they are made from.
func TestAmounts(t *testing.T) {
	t.Parallel()
	day := full(t)
	f := open(t, workbook(t, day, English, maxRows))
	amounts, top := columnOf(t, f, "Trade differences", "Difference amount")
	times, _ := columnOf(t, f, "Trade differences", "Time")
	row := top
	for _, d := range day.Result.Differences {
		if ofFund(d.Class) {
			continue
		}
		row++
		got := get(t, f, "Trade differences", fmt.Sprintf("%s%d", amounts, row))
		if want := strings.TrimSuffix(strings.TrimRight(d.DifferenceFen.Yuan(), "0"), "."); got != want {
			t.Errorf("row %d: %s, want the number %s", row, got, want)
		}
		days, err := strconv.ParseFloat(get(t, f, "Trade differences", fmt.Sprintf("%s%d", times, row)), 64)
		if err != nil {
			t.Fatal(err)
		}
		at, err := excelize.ExcelDateToTime(days, false)
		if err != nil || !at.Equal(moment(d.Time)) {
			t.Errorf("row %d: time %v, %v, want %v in Beijing", row, at, err, moment(d.Time))
		}
	}
}

// TestMenus: decisions are menus, where there is a ledger to decide for.
func TestMenus(t *testing.T) {
	t.Parallel()
	day := full(t)
	f := open(t, workbook(t, day, Chinese, maxRows))
	for _, sheet := range []string{"信息流差异", "资金流差异", "差异台账"} {
		menus, err := f.GetDataValidations(sheet)
		if err != nil || len(menus) != 2 || !strings.Contains(menus[0].Formula1, "核销") {
			t.Errorf("%s: menus %v, %v", sheet, menus, err)
		}
	}
	day.Ledger = nil
	f = open(t, workbook(t, day, Chinese, maxRows))
	if menus, err := f.GetDataValidations("信息流差异"); err != nil || len(menus) != 0 {
		t.Errorf("without a ledger: menus %v, %v", menus, err)
	}
}

// TestSameBytes: the same day makes the same file.
func TestSameBytes(t *testing.T) {
	t.Parallel()
	day := full(t)
	text := func() []byte {
		b, err := os.ReadFile(workbook(t, day, Chinese, 50))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	first := text()
	for range 3 {
		if !bytes.Equal(first, text()) {
			t.Fatal("two workbooks of one day differ")
		}
	}
}

// TestWriteErrors: what goes wrong comes back, with what it was about.
func TestWriteErrors(t *testing.T) {
	t.Parallel()
	day := full(t)
	if err := WriteWorkbook(context.Background(), broken{}, day, Chinese); !errors.Is(err, errBroken) {
		t.Errorf("a full disk: %v", err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errBroken)
	if err := WriteWorkbook(ctx, &bytes.Buffer{}, day, Chinese); !errors.Is(err, errBroken) {
		t.Errorf("cancelled: %v", err)
	}
	day.Lines = func(context.Context, func(*Line) error) error { return errBroken }
	if err := WriteWorkbook(context.Background(), &bytes.Buffer{}, day, Chinese); !errors.Is(err, errBroken) {
		t.Errorf("lines that cannot be read: %v", err)
	}
	if err := WritePage(broken{}, day, Chinese); !errors.Is(err, errBroken) {
		t.Errorf("the page on a full disk: %v", err)
	}
}
