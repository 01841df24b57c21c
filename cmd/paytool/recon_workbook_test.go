package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
)

// TestWorkbookRoundTrip: what a person types into the workbook comes back as proposals,
// all of it or nothing, and twice is once.
func TestWorkbookRoundTrip(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	paytool := func(want int, args ...string) string {
		t.Helper()
		var out, errOut strings.Builder
		if status := run(t.Context(), args, nil, &out, &errOut); status != want {
			t.Fatalf("%v: %d, want %d\n%s%s", args, status, want, &out, &errOut)
		}
		return out.String() + errOut.String()
	}
	paytool(0, "bill", "generate", "--date", "2026-11-20", "--rows", "400", "--plant", "40", "--refunds", "0.2", "--out", in("bill.csv"), "--ours", in("ours.csv"))
	paytool(2, "recon", "run", "--channel", "wechat", "--date", "2026-11-20", "--bill", in("bill.csv"), "--ours", in("ours.csv"), "--ledger", in("ledger"), "--xlsx", in("day.xlsx"), "--lang", "en")
	ledger := []string{"--ledger", in("ledger"), "--actor", "li.lei"}
	recon := func(want int, args ...string) string {
		t.Helper()
		return paytool(want, append(append([]string{"recon"}, args...), ledger...)...)
	}
	decide(t, in("day.xlsx"), "Resolve", "our_error", "seen on the channel's pages")
	if out := recon(0, "apply", in("day.xlsx"), "--dry-run"); !strings.Contains(out, "1 decisions would be proposed") {
		t.Fatal(out)
	}
	recon(0, "apply", in("day.xlsx"))
	recon(0, "apply", in("day.xlsx"))
	if out := recon(0, "approve"); strings.Count(out, "resolve") != 1 || !strings.Contains(out, "P-1") {
		t.Fatal(out)
	}
	if out := recon(1, "approve", "P-1"); !strings.Contains(out, "second person") {
		t.Error(out)
	}
	decide(t, in("day.xlsx"), "Perhaps", "our_error", "")
	if out := recon(1, "apply", in("day.xlsx")); !strings.Contains(out, "nothing was written") {
		t.Error(out)
	}
}

// decide fills in the first row of the ledger's sheet.
func decide(t *testing.T, path, decision, reason, text string) {
	t.Helper()
	f, err := excelize.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, sheet := range f.GetSheetList() {
		rows, err := f.GetRows(sheet)
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range rows {
			at := slices.Index(row, "Decision")
			if at < 0 || !strings.Contains(sheet, "Ledger") {
				continue
			}
			for j, value := range []string{decision, reason, text} {
				cell, err := excelize.CoordinatesToCellName(at+1+j, i+2)
				if err != nil {
					t.Fatal(err)
				}
				if err := f.SetCellValue(sheet, cell, value); err != nil {
					t.Fatal(err)
				}
			}
			if err := f.Save(); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatal("no sheet of the ledger with decisions")
}
