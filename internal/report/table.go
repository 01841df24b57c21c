// Package report turns results into what people and programs read: tables on a
// terminal and JSON. It is the one room that knows the table library. It decides
// nothing and asks nobody: all that it shows is handed in.
package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/tw"
)

// Table is rows under a header. Columns named in Right are numbers, aligned to
// the right.
type Table struct {
	Header []string
	Right  map[string]bool
	Rows   [][]string
}

// Add appends a row; the values are printed as fmt.Sprint does.
func (t *Table) Add(values ...any) {
	row := make([]string, len(values))
	for i, v := range values {
		row[i] = fmt.Sprint(v)
	}
	t.Rows = append(t.Rows, row)
}

// Write draws the table with columns that line up in any script, Chinese
// included, and without a frame, so that it can be cut and grepped.
func (t *Table) Write(w io.Writer) error {
	align := make([]tw.Align, len(t.Header))
	for i, name := range t.Header {
		align[i] = tw.AlignLeft
		if t.Right[name] {
			align[i] = tw.AlignRight
		}
	}
	var drawn bytes.Buffer
	table := tablewriter.NewTable(&drawn,
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithHeaderAutoWrap(tw.WrapNone),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithAlignment(align),
		tablewriter.WithRendition(tw.Rendition{
			Borders: tw.BorderNone,
			Settings: tw.Settings{
				Lines:      tw.Lines{ShowHeaderLine: tw.Off},
				Separators: tw.Separators{BetweenColumns: tw.Off},
			},
		}),
		tablewriter.WithPadding(tw.Padding{Left: "", Right: "  ", Overwrite: true}),
	)
	table.Header(t.Header)
	if err := table.Bulk(t.Rows); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	if err := table.Render(); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	for line := range bytes.Lines(drawn.Bytes()) {
		if _, err := fmt.Fprintf(w, "%s\n", bytes.TrimRight(line, " \n")); err != nil {
			return fmt.Errorf("write table: %w", err)
		}
	}
	return nil
}

// JSON writes a value as indented JSON with a line end.
func JSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}
