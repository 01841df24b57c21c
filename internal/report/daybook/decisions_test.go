package daybook

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"paytool/internal/recon"
)

// filled is a workbook that a person works in.
type filled struct {
	t    *testing.T
	f    *excelize.File
	path string
}

func fillIn(t *testing.T, day Day, lang Lang) filled {
	t.Helper()
	path := workbook(t, day, lang, maxRows)
	return filled{t, open(t, path), path}
}

func (w filled) set(sheet, heading string, below int, v any) {
	w.t.Helper()
	col, top := columnOf(w.t, w.f, sheet, heading)
	if err := w.f.SetCellValue(sheet, fmt.Sprintf("%s%d", col, top+below), v); err != nil {
		w.t.Fatal(err)
	}
}

func (w filled) get(sheet, heading string, below int) string {
	w.t.Helper()
	col, top := columnOf(w.t, w.f, sheet, heading)
	return get(w.t, w.f, sheet, fmt.Sprintf("%s%d", col, top+below))
}

func (w filled) read() Decisions {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), "back.xlsx")
	if err := w.f.SaveAs(path); err != nil {
		w.t.Fatal(err)
	}
	d, err := ReadDecisions(context.Background(), path)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// TestRoundTrip: what a person fills in comes back, in either language and by codes.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	day := full(t)
	day.Result.Account = "shop"
	w := fillIn(t, day, Chinese)
	w.set("差异台账", "决定", 1, "核销")
	w.set("差异台账", "原因", 1, "尾差")
	w.set("差异台账", "备注", 1, " 小额 ")
	w.set("信息流差异", "决定", 1, "核销") // the same difference, the same decision
	w.set("信息流差异", "原因", 1, "rounding")
	w.set("信息流差异", "备注", 1, "小额")
	w.set("信息流差异", "决定", 3, "Reissue")
	w.set("资金流差异", "决定", 2, "carry")
	w.set("资金流差异", "挂账至", 2, "2026/12/1")
	w.set("差异台账", "决定", 43, "挂账")
	w.set("差异台账", "挂账至", 43, 46356) // as a spreadsheet keeps a day
	w.set("差异台账", "备注", 5, "a note decides nothing")
	got := w.read()
	id := func(sheet string, below int) recon.ID { return recon.ID(w.get(sheet, "差异编号", below)) }
	want := Decisions{
		RunID: day.Result.RunID, Head: day.Ledger.Head.Hash, Channel: "wechat", Account: "shop", Date: "2026-11-20",
		Rows: []Decision{
			{ID: id("信息流差异", 1), Action: "write_off", Reason: "rounding", Text: "小额", Sheet: "信息流差异", Row: 2},
			{ID: id("信息流差异", 3), Action: "reissue", Sheet: "信息流差异", Row: 4},
			{ID: id("资金流差异", 2), Action: "carry", Until: "2026-12-01", Sheet: "资金流差异", Row: 3},
			{ID: id("差异台账", 43), Action: "carry", Until: "2026-11-30", Sheet: "差异台账", Row: 44},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}

// TestUntouched: a workbook in which nobody decided anything decides nothing, and one
// over several sheets is read from all of them.
func TestUntouched(t *testing.T) {
	t.Parallel()
	day := full(t)
	got, err := ReadDecisions(context.Background(), workbook(t, day, English, maxRows))
	if err != nil || len(got.Rows) != 0 || len(got.Problems) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	path := workbook(t, day, English, 11)
	w := filled{t, open(t, path), path}
	w.set("Ledger (4)", "Decision", 2, "write off")
	if got := w.read(); len(got.Rows) != 1 || got.Rows[0].Sheet != "Ledger (4)" || len(got.Problems) != 0 {
		t.Errorf("%+v", got)
	}
}

// TestProblems: what cannot be meant is said, with its sheet and cell.
func TestProblems(t *testing.T) {
	t.Parallel()
	day := full(t)
	for name, c := range map[string]struct {
		fill func(filled)
		want string
	}{
		"unknown word": {func(w filled) { w.set("Ledger", "Decision", 2, "forget it") }, `Ledger!L3: "forget it" is no decision: choose one from the menu (carry, resolve, write off,`},
		"changed id": {func(w filled) {
			w.set("Ledger", "Decision", 2, "write off")
			w.set("Ledger", "Difference", 2, "D-OTHER")
		}, `Ledger!A3: the difference "D-OTHER" does not fit its row`},
		"id of another row": {func(w filled) {
			w.set("Ledger", "Decision", 2, "write off")
			w.set("Ledger", "Difference", 2, w.get("Ledger", "Difference", 3))
		}, "Ledger!A3: "},
		"no id": {func(w filled) {
			w.set("Ledger", "Decision", 2, "write off")
			w.set("Ledger", "Difference", 2, "")
		}, "Ledger!A3: "},
		"two decisions": {func(w filled) {
			w.set("Trade differences", "Decision", 1, "write off")
			w.set("Ledger", "Decision", 1, "resolve")
		}, "is decided otherwise on sheet Trade differences, row 2"},
		"unknown reason": {func(w filled) {
			w.set("Ledger", "Decision", 2, "write off")
			w.set("Ledger", "Reason", 2, "because")
		}, `Ledger!M3: "because" is no reason`},
		"a run's reason": {func(w filled) {
			w.set("Ledger", "Decision", 2, "write off")
			w.set("Ledger", "Reason", 2, "superseded")
		}, `"superseded" is no reason`},
		"carry without a day": {func(w filled) { w.set("Ledger", "Decision", 2, "carry") }, `Ledger!O3: "" is no day`},
		"reason alone":        {func(w filled) { w.set("Ledger", "Reason", 2, "rounding") }, "without a decision"},
		"past the list":       {func(w filled) { w.set("Ledger", "Decision", 60, "write off") }, "Ledger!A61: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := fillIn(t, day, English)
			c.fill(w)
			got := w.read()
			if len(got.Problems) != 1 || !strings.Contains(got.Problems[0], c.want) {
				t.Errorf("problems %q, want %q", got.Problems, c.want)
			}
		})
	}
	w := fillIn(t, day, English)
	col, top := columnOf(t, w.f, "Ledger", "Decision")
	for i := range 200 {
		if err := w.f.SetCellValue("Ledger", fmt.Sprintf("%s%d", col, top+1+i), "x"); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.read(); len(got.Problems) != maxProblems+1 {
		t.Errorf("%d problems, want them to end after %d", len(got.Problems), maxProblems)
	}
}

// TestForeign: files that are no daybooks are refused, each with what it is.
func TestForeign(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	whole, err := os.ReadFile(workbook(t, full(t), English, maxRows))
	if err != nil {
		t.Fatal(err)
	}
	other := excelize.NewFile()
	var otherText bytes.Buffer
	if err := errors.Join(other.Write(&otherText), other.Close()); err != nil {
		t.Fatal(err)
	}
	noLedger := full(t)
	noLedger.Ledger = nil
	renamed := fillIn(t, full(t), English)
	for _, sheet := range []string{"Trade differences", "Fund differences", "Ledger"} {
		if err := renamed.f.SetSheetName(sheet, "x"+sheet); err != nil {
			t.Fatal(err)
		}
	}
	cut := fillIn(t, full(t), English)
	cut.set("Ledger", "Difference", 0, "number")
	for name, f := range map[string]filled{"renamed.xlsx": renamed, "cut.xlsx": cut} {
		if err := f.f.SaveAs(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		path, want string
		foreign    bool
	}{
		"none":      {filepath.Join(dir, "none.xlsx"), "no such file", false},
		"folder":    {dir, "not a file", false},
		"csv":       {write("a.csv", []byte("id,decision\n")), "save it as .xlsx", false},
		"empty":     {write("empty.xlsx", nil), "save it as .xlsx", false},
		"half":      {write("half.xlsx", whole[:len(whole)/2]), "save it as .xlsx", false},
		"zip":       {write("zip.xlsx", zipOf(t, map[string]int{"a": 10})), "save it as .xlsx", false},
		"bomb":      {write("bomb.xlsx", zipOf(t, map[string]int{"xl/media/a.png": maxOther + 1})), "trap", false},
		"other":     {write("other.xlsx", otherText.Bytes()), "which run it is of", true},
		"no ledger": {workbook(t, noLedger, Chinese, maxRows), "without a ledger", true},
		"renamed":   {filepath.Join(dir, "renamed.xlsx"), "renamed or removed", true},
		"cut":       {filepath.Join(dir, "cut.xlsx"), "no columns", false},
	} {
		d, err := ReadDecisions(context.Background(), c.path)
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, ErrForeign) != c.foreign || !strings.Contains(err.Error(), c.path) {
			t.Errorf("%s: %+v, %v, want %q", name, d, err, c.want)
		}
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errBroken)
	if _, err := ReadDecisions(ctx, write("whole.xlsx", whole)); !errors.Is(err, errBroken) {
		t.Errorf("cancelled: %v", err)
	}
}

// zipOf is an archive with parts of so many zero bytes.
func zipOf(t *testing.T, parts map[string]int) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for name, size := range parts {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
