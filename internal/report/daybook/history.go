package daybook

import (
	"fmt"

	"github.com/xuri/excelize/v2"

	"paytool/internal/recon/ledger"
)

// ages are the bounds of the ages, youngest first, with the colours of the chart:
// the older, the warmer.
var ages = []struct {
	key, colour string
	of          func(*ledger.DayAges) ledger.AgeTotal
}{
	{"age.1", "B8C9D9", func(d *ledger.DayAges) ledger.AgeTotal { return d.UpTo1 }},
	{"age.3", "7F9DB9", func(d *ledger.DayAges) ledger.AgeTotal { return d.UpTo3 }},
	{"age.7", "E0A458", func(d *ledger.DayAges) ledger.AgeTotal { return d.UpTo7 }},
	{"age.more", "B5473A", func(d *ledger.DayAges) ledger.AgeTotal { return d.Beyond }},
}

// history shows how the open differences moved over the last days, with a chart.
func (s *summary) history(*sheets) error {
	led := s.day.Ledger
	if led == nil || len(led.Ages) == 0 {
		return nil
	}
	s.gap(1)
	if err := s.band(part, 20, label(s.say("history"))); err != nil {
		return err
	}
	number := look{shape: count, tone: head}
	heads := []any{label(s.say("signDate"))}
	for _, a := range ages {
		heads = append(heads, styled{label(s.say(a.key)), number})
	}
	for _, key := range []string{"opening", "opened", "reopened", "closed", "closing"} {
		heads = append(heads, styled{label(s.say(key)), number})
	}
	heads = append(heads, styled{label(s.say("openMoney")), look{shape: money, tone: head}})
	if err := s.heading(heads...); err != nil {
		return err
	}
	top := s.row
	moved := map[string]ledger.Movement{}
	for _, m := range led.Movements {
		moved[m.Date] = m
	}
	for i := range led.Ages {
		d := &led.Ages[i]
		row := []any{label(d.Date)}
		open := d.UpTo1.Amount + d.UpTo3.Amount + d.UpTo7.Amount + d.Beyond.Amount
		for _, a := range ages {
			row = append(row, a.of(d).Rows)
		}
		m, at := moved[d.Date], s.row+1
		row = append(row, m.Opening, m.Opened, m.Reopened, m.Closed, formula{fmt.Sprintf("F%d+G%d+H%d-I%d", at, at, at, at), m.Closing}, open)
		if err := s.put(row...); err != nil {
			return err
		}
	}
	last := s.row
	s.gap(1)
	return wrapLeaf(s.name, func() error { return s.chart(top, last) })
}

func (s *summary) chart(top, last int) error {
	series := make([]excelize.ChartSeries, len(ages))
	for i, a := range ages {
		col := string(rune('B' + i))
		series[i] = excelize.ChartSeries{
			Name:       s.at(col, top),
			Categories: fmt.Sprintf("'%s'!$A$%d:$A$%d", s.name, top+1, last),
			Values:     fmt.Sprintf("'%s'!$%s$%d:$%s$%d", s.name, col, top+1, col, last),
			Fill:       excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{a.colour}},
		}
	}
	gap, axis := uint(60), excelize.Font{Size: 8, Color: ink}
	return s.book.file.AddChart(s.name, fmt.Sprintf("A%d", s.row+1), &excelize.Chart{
		Type: excelize.ColStacked, Series: series, GapWidth: &gap,
		Title:     excelize.ChartTitle{Paragraph: []excelize.RichTextRun{{Text: s.say("ageChart"), Font: &excelize.Font{Size: 11, Bold: true, Color: slate}}}},
		Legend:    excelize.ChartLegend{Position: "bottom"},
		Dimension: excelize.ChartDimension{Width: 1000, Height: 300},
		XAxis:     excelize.ChartAxis{Font: axis},
		YAxis:     excelize.ChartAxis{Font: axis, MajorGridLines: true, NumFmt: excelize.ChartNumFmt{CustomNumFmt: "0"}},
		Format:    excelize.GraphicOptions{Positioning: "oneCell"},
	})
}
