package daybook

import (
	"strconv"

	"paytool/internal/recon/ledger"
)

// chart is the drawing of the open differences by age, one bar a day, in the units
// of its own coordinates.
type chart struct {
	Width, Height int
	Bars          []bar
	Lines         []gridLine
	Legend        []legend
}

// bar is one piece of a stack.
type bar struct {
	X, Y, W, H int
	Colour     string
	Title      string // shown when pointed at
	Label      string // under the stack, once for each
	LabelX     int
}

type gridLine struct{ Y, Value int }

type legend struct{ Key, Colour string }

const (
	chartHeight = 180
	chartTop    = 10
	chartLeft   = 36
	chartStep   = 46
)

// newChart draws the ledger's last days; nil where there are none.
func newChart(l *Ledger) *chart {
	if l == nil || len(l.Ages) == 0 {
		return nil
	}
	c := &chart{Width: chartLeft + chartStep*len(l.Ages), Height: chartTop + chartHeight + 24}
	for _, a := range ages {
		c.Legend = append(c.Legend, legend{a.key, "#" + a.colour})
	}
	top := 1
	for i := range l.Ages {
		top = max(top, rowsOpen(&l.Ages[i]))
	}
	step := niceStep(top)
	for v := 0; v < top+step; v += step {
		c.Lines = append(c.Lines, gridLine{Value: v})
	}
	scale := c.Lines[len(c.Lines)-1].Value
	y := func(v int) int { return chartTop + chartHeight - chartHeight*v/scale }
	for i := range c.Lines {
		c.Lines[i].Y = y(c.Lines[i].Value)
	}
	for i := range l.Ages {
		d, below := &l.Ages[i], 0
		x := chartLeft + chartStep*i
		for _, a := range ages {
			rows := a.of(d).Rows
			c.Bars = append(c.Bars, bar{X: x + 8, Y: y(below + rows), W: chartStep - 16, H: y(below) - y(below+rows), Colour: "#" + a.colour, Title: grouped(strconv.Itoa(rows))})
			below += rows
		}
		last := &c.Bars[len(c.Bars)-1]
		last.LabelX = x + chartStep/2
		if last.Label = clean(d.Date); len(d.Date) == len("2006-01-02") {
			last.Label = d.Date[len("2006-"):]
		}
	}
	return c
}

func rowsOpen(d *ledger.DayAges) int {
	return d.UpTo1.Rows + d.UpTo3.Rows + d.UpTo7.Rows + d.Beyond.Rows
}

// niceStep is the distance of at most five lines up to a height: 1, 2 or 5 times a
// power of ten.
func niceStep(top int) int {
	for unit := 1; ; unit *= 10 {
		for _, n := range []int{1, 2, 5} {
			if n*unit*5 >= top {
				return n * unit
			}
		}
	}
}
