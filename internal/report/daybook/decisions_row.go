package daybook

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/xuri/excelize/v2"

	"paytool/internal/recon"
	"paytool/internal/recon/ledger"
)

// decisionRow is a row with the means to name its cells.
type decisionRow struct {
	sheet string
	row   int
	cells []string
	at    columnsAt
}

func (r decisionRow) get(key string) string {
	if i, ok := r.at[key]; ok && i < len(r.cells) {
		return typed(r.cells[i])
	}
	return ""
}

func (r decisionRow) name(key string) string {
	name, err := excelize.CoordinatesToCellName(r.at[key]+1, r.row)
	if err != nil {
		return fmt.Sprintf("row %d", r.row)
	}
	return name
}

func (r *decisionReader) problem(row decisionRow, key, format string, args ...any) {
	r.got.Problems = append(r.got.Problems, fmt.Sprintf("%s!%s: ", row.sheet, row.name(key))+fmt.Sprintf(format, args...))
}

// row reads a decision, or what is wrong with it.
func (r *decisionReader) row(row decisionRow) {
	id, word := row.get("col.id"), row.get("col.decision")
	if word == "" {
		for _, key := range []string{"col.reason", "col.until"} {
			if row.get(key) != "" {
				r.problem(row, key, "%q stands there without a decision beside it", row.get(key))
				return
			}
		}
		return
	}
	d := Decision{ID: recon.ID(id), Text: row.get("col.text"), Sheet: row.sheet, Row: row.row}
	action, ok := coded("action.", word, actionCodes())
	if !ok {
		r.problem(row, "col.decision", "%q is no decision: choose one from the menu (%s)", word, menu(row.sheet, "action.", actionCodes()))
		return
	}
	d.Action = ledger.Action(action)
	if row.get("col.check") != seal(r.got.RunID, id, row.get("col.order")) {
		r.problem(row, "col.id", "the difference %q does not fit its row: its id, order number or check was changed; take them from a fresh workbook", id)
		return
	}
	if word := row.get("col.reason"); word != "" {
		if d.Reason, ok = coded("reason.", word, reasonCodes()); !ok {
			r.problem(row, "col.reason", "%q is no reason: choose one from the menu (%s)", word, menu(row.sheet, "reason.", reasonCodes()))
			return
		}
	}
	if until := row.get("col.until"); until != "" || d.Action == ledger.Carry {
		if d.Until, ok = typedDay(until); !ok {
			r.problem(row, "col.until", "%q is no day: write it as 2006-01-02", until)
			return
		}
	}
	r.keep(row, d)
}

// keep adds a decision. The same difference stands on a sheet of differences and in
// the ledger: to decide it twice alike is no matter.
func (r *decisionReader) keep(row decisionRow, d Decision) {
	i, ok := r.seen[d.ID]
	if !ok {
		r.seen[d.ID] = len(r.got.Rows)
		r.got.Rows = append(r.got.Rows, d)
		return
	}
	first := r.got.Rows[i]
	if first.Action != d.Action || first.Reason != d.Reason || first.Text != d.Text || first.Until != d.Until {
		r.problem(row, "col.decision", "%s is decided otherwise on sheet %s, row %d", d.ID, first.Sheet, first.Row)
	}
}

// menu lists the words of codes as the menu of the sheet has them.
func menu(sheet, prefix string, codes []string) string {
	lang := English
	if strings.ContainsFunc(sheet, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
		lang = Chinese
	}
	var said []string
	for _, code := range codes {
		said = append(said, lang.known(prefix, code))
	}
	return strings.Join(said, ", ")
}

func actionCodes() []string {
	var codes []string
	for _, a := range ledger.Actions() {
		codes = append(codes, string(a))
	}
	return codes
}

func reasonCodes() []string {
	var codes []string
	for _, r := range ledger.Reasons() {
		if !r.ByRun {
			codes = append(codes, r.Code)
		}
	}
	return codes
}

// coded finds the code of a word of either language, or of a code.
func coded(prefix, said string, codes []string) (string, bool) {
	for _, code := range codes {
		for _, word := range []string{code, Chinese.known(prefix, code), English.known(prefix, code)} {
			if strings.EqualFold(said, word) {
				return code, true
			}
		}
	}
	return "", false
}
