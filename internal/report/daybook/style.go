package daybook

import (
	"fmt"

	"github.com/xuri/excelize/v2"
)

// shape is how a value is laid out in its cell.
type shape int

const (
	plain  shape = iota
	text         // kept as text whatever is typed: order numbers
	money        // two decimals, red below zero
	count        // a whole number
	fees         // five decimals
	share        // a percentage
	timely       // a date with its time
	middle       // a text over several columns
)

// tone is what a cell says by its colours. There are few, so that each is seen.
type tone int

const (
	calm  tone = iota
	head       // of a table
	title      // of the workbook
	part       // the heading of a part of a leaf
	faint      // what is there for programs and doubts
	good
	bad
	input // to be filled in by a person
	total // a line of totals
	late  // open for too long
)

// look is the whole of it, and the key of the style.
type look struct {
	shape shape
	tone  tone
	wrap  bool
}

const (
	ink   = "1F2933"
	pale  = "7B8794"
	rule  = "CBD2D9"
	slate = "33475B"
)

var formats = map[shape]string{
	text: "@", money: "#,##0.00;[Red]-#,##0.00", count: "#,##0", fees: "#,##0.00000;[Red]-#,##0.00000", share: "0.00%", timely: "yyyy-mm-dd hh:mm:ss",
}

// style is the library's number of a look.
func (b *book) style(l look) (int, error) {
	if id, ok := b.styles[l]; ok {
		return id, nil
	}
	font := &excelize.Font{Family: b.font, Size: 10, Color: ink}
	s := &excelize.Style{Font: font, Alignment: &excelize.Alignment{Vertical: "center", WrapText: l.wrap}}
	if f, ok := formats[l.shape]; ok {
		s.CustomNumFmt = &f
	}
	switch l.shape {
	case money, count, fees, share:
		s.Alignment.Horizontal = "right"
	case middle:
		s.Alignment.Horizontal = "center"
	default: // a little off the figures to its left
		s.Alignment.Horizontal, s.Alignment.Indent = "left", 1
	}
	fill := func(colour string) { s.Fill = excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{colour}} }
	line := func(side, colour string) {
		s.Border = append(s.Border, excelize.Border{Type: side, Style: 1, Color: colour})
	}
	switch l.tone {
	case calm:
	case head:
		fill("E9EDF1")
		font.Bold, font.Color = true, slate
		line("bottom", pale)
	case title:
		font.Bold, font.Size, font.Color = true, 16, slate
	case part:
		font.Bold, font.Size, font.Color = true, 12, slate
		line("bottom", rule)
	case faint:
		font.Color = pale
	case good:
		fill("E3F1E7")
		font.Bold, font.Size, font.Color = true, 11, "1B6B3A"
	case bad:
		fill("FBE7E4")
		font.Bold, font.Size, font.Color = true, 11, "9B2C1F"
	case input:
		fill("FFF8DC")
		for _, side := range []string{"left", "right", "top", "bottom"} {
			line(side, "E6D9A8")
		}
	case total:
		font.Bold = true
		line("top", pale)
	case late:
		font.Bold, font.Color = true, "9B2C1F"
	}
	id, err := b.file.NewStyle(s)
	if err != nil {
		return 0, fmt.Errorf("make a style of the workbook: %w", err)
	}
	b.styles[l] = id
	return id, nil
}
