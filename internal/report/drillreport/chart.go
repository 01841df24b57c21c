package drillreport

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"paytool/internal/drill/curve"
	"paytool/internal/drill/result"
	"paytool/internal/shard"
)

// chart is a drawing in a plot of 1000 by 100, which the page stretches to its width;
// words are set beside it, so that they stay readable on a phone.
type chart struct {
	Key   string // of its heading
	Band  band
	Lines []gridLine // across
	Ticks []tick     // below
	Marks []tick     // ejections and readmissions
	Areas []shape
	Paths []shape
}

// band is the time of the fault.
type band struct{ X, W float64 }

type gridLine struct {
	Y    float64
	Text string
}

type tick struct {
	X    float64
	Text string
	Tone string
}

// shape is a filled area or a line.
type shape struct {
	Points string
	Colour string
	Dashed bool
	Label  string
}

const (
	plotWidth  = 1000.0
	plotHeight = 100.0
)

// maxFine is how many tenths of a second are drawn; a longer load is drawn in seconds.
const maxFine = 600

// enoughSeconds are drawn one by one even where tenths are to be had.
const enoughSeconds = 15

// Colours. Groups that were broken are warm, the others cool.
const (
	ink   = "#33475b"
	teal  = "#2a7f8e"
	rust  = "#c2410c"
	faint = "#9aa8b5"
)

var (
	sickColours = []string{"#c2410c", "#e08a4f", "#a03a5a"}
	wellColours = []string{"#33475b", "#4f7390", "#7aa0b5", "#2a7f8e", "#69a89b", "#a9c3cc"}
)

// axis places times of the load.
type axis struct{ start, length float64 }

func (a axis) x(ms float64) float64 {
	return rounded(max(0, min(1, (ms-a.start)/a.length)) * plotWidth)
}

func rounded(x float64) float64 { return math.Round(x*10) / 10 }

func newCharts(r *result.Result, lang Lang) []chart {
	s := &r.Curve.Tenths
	if r.Curve.Tenth == nil || len(s.Acked) > maxFine {
		s = &r.Curve.Seconds
	}
	if len(s.Acked) < 2 || r.LoadMs <= 0 {
		return nil
	}
	a := axis{start: 0, length: r.LoadMs}
	frame := chart{Ticks: timeTicks(a), Marks: marks(r, a)}
	if r.RestoredMs > r.InjectedMs {
		frame.Band = band{X: a.x(r.InjectedMs), W: rounded(a.x(r.RestoredMs) - a.x(r.InjectedMs))}
	}
	groups := s
	if len(r.Curve.Seconds.Acked) >= enoughSeconds { // a group's share of a tenth is mostly chance
		groups = &r.Curve.Seconds
	}
	return []chart{goodput(frame, r, s, a, lang), latency(frame, s, a, lang), stacked(frame, r, groups, a, lang)}
}

// timeTicks are seconds from the start of the load.
func timeTicks(a axis) []tick {
	var ticks []tick
	step := niceStep(a.length/1000, 6)
	for t := 0.0; t*1000 <= a.length; t += step {
		ticks = append(ticks, tick{X: a.x(t * 1000), Text: strconv.FormatFloat(t, 'f', -1, 64) + " s"})
	}
	return ticks
}

// marks are the ejections and readmissions.
func marks(r *result.Result, a axis) []tick {
	var all []tick
	for _, e := range r.Timeline {
		tone := map[result.EventKind]string{result.Ejected: "warn", result.Readmitted: "good"}[e.Kind]
		if tone != "" && !r.LoadStarted.IsZero() {
			all = append(all, tick{X: a.x(float64(e.At.Sub(r.LoadStarted).Milliseconds())), Tone: tone})
		}
	}
	return all
}

// goodput is acknowledged orders a second, with those that hopped and those without an
// order.
func goodput(c chart, r *result.Result, s *curve.Series, a axis, lang Lang) chart {
	c.Key = "chart.goodput"
	perSecond := 1000 / s.WidthMs
	acked, hopped, unserved := scaled(s.Acked, perSecond), scaled(s.Hopped, perSecond), scaled(s.Unserved, perSecond)
	y := c.linear(max(slices.Max(acked), slices.Max(unserved), r.Baseline.Rate))
	c.Areas = []shape{{Points: area(s, a, acked, nil, y), Colour: "#cfdde6", Label: lang.say("line.acked")}}
	c.Paths = []shape{
		{Points: "0," + num(y(r.Baseline.Rate)) + " 1000," + num(y(r.Baseline.Rate)), Colour: faint, Dashed: true, Label: lang.say("line.baseline")},
		{Points: line(s, a, acked, y), Colour: ink},
		{Points: line(s, a, hopped, y), Colour: teal, Label: lang.say("line.hopped")},
		{Points: line(s, a, unserved, y), Colour: rust, Label: lang.say("line.unserved")},
	}
	return c
}

// latency is waits on a logarithmic scale: a hop is a hundred times slower than an
// order that lands at once, and both are to be seen.
func latency(c chart, s *curve.Series, a axis, lang Lang) chart {
	c.Key = "chart.latency"
	least, most := math.Inf(1), 1.0
	for _, v := range slices.Concat(s.P50Ms, s.P99Ms) {
		if v > 0 {
			least, most = min(least, v), max(most, v)
		}
	}
	if math.IsInf(least, 1) {
		least = 1
	}
	from, to := math.Floor(math.Log10(least)), math.Ceil(math.Log10(most))
	to = max(to, from+1)
	y := func(v float64) float64 {
		return rounded(plotHeight * (1 - (math.Log10(max(v, least))-from)/(to-from)))
	}
	for e := from; e <= to; e++ {
		v := math.Pow(10, e)
		c.Lines = append(c.Lines, gridLine{Y: y(v), Text: strconv.FormatFloat(v, 'g', -1, 64) + " ms"})
	}
	if slices.Max(s.ControlMs) > 0 { // a drill that only watches has no control group
		c.Paths = append(c.Paths, shape{Points: line(s, a, s.ControlMs, y), Colour: faint, Label: lang.say("line.control")})
	}
	c.Paths = append(c.Paths,
		shape{Points: line(s, a, s.P50Ms, y), Colour: teal, Label: lang.say("line.p50")},
		shape{Points: line(s, a, s.P99Ms, y), Colour: ink, Label: lang.say("line.p99")})
	return c
}

// stacked is acknowledged orders by group. Those that were broken lie on top, so that
// the hole is where the eye is.
func stacked(c chart, r *result.Result, s *curve.Series, a axis, lang Lang) chart {
	c.Key = "chart.groups"
	perSecond := 1000 / s.WidthMs
	y := c.linear(slices.Max(scaled(s.Acked, perSecond)))
	below := make([]float64, len(s.Acked))
	well, sick := 0, 0
	for _, g := range order(s.Groups, r.Groups) {
		upper := slices.Clone(below)
		for i, n := range g.Acked {
			upper[i] += float64(n) * perSecond
		}
		colour := wellColours[well%len(wellColours)]
		if slices.Contains(r.Groups, g.Group) {
			colour = sickColours[sick%len(sickColours)]
			sick++
		} else {
			well++
		}
		c.Areas = append(c.Areas, shape{Points: area(s, a, upper, below, y), Colour: colour, Label: lang.say("group", g.Group)})
		below = upper
	}
	return c
}

// order puts the broken groups last.
func order(groups []curve.GroupSeries, broken []shard.GroupID) []curve.GroupSeries {
	groups = slices.Clone(groups)
	slices.SortStableFunc(groups, func(a, b curve.GroupSeries) int {
		rank := map[bool]int{true: 1}
		return rank[slices.Contains(broken, a.Group)] - rank[slices.Contains(broken, b.Group)]
	})
	return groups
}

// linear sets the lines of a scale from 0 and returns the place of a value.
func (c *chart) linear(most float64) (y func(float64) float64) {
	step := niceStep(max(most, 1), 4)
	top := step * math.Ceil(max(most, 1)/step)
	y = func(v float64) float64 { return rounded(plotHeight * (1 - v/top)) }
	for v := 0.0; v <= top; v += step {
		c.Lines = append(c.Lines, gridLine{Y: y(v), Text: decimal(v)})
	}
	return y
}

// niceStep is 1, 2 or 5 times a power of ten, of which at most n make up the length.
func niceStep(length float64, n int) float64 {
	for unit := 1.0; ; unit *= 10 {
		for _, s := range []float64{1, 2, 5} {
			if s*unit*float64(n) >= length {
				return s * unit
			}
		}
	}
}

func scaled(counts []int, factor float64) []float64 {
	values := make([]float64, len(counts))
	for i, n := range counts {
		values[i] = float64(n) * factor
	}
	return values
}

// within lists the bins that lie in the load, and from where to where they are drawn.
func within(s *curve.Series, a axis, each func(i int, left, right float64)) {
	for i := range s.Acked {
		left := s.StartMs + float64(i)*s.WidthMs
		if left < a.start+a.length {
			each(i, a.x(left), a.x(left+s.WidthMs))
		}
	}
}

// line goes in steps: a bin is one value.
func line(s *curve.Series, a axis, values []float64, y func(float64) float64) string {
	var points []string
	within(s, a, func(i int, left, right float64) {
		v := num(y(values[i]))
		points = append(points, num(left)+","+v, num(right)+","+v)
	})
	return strings.Join(points, " ")
}

// area lies between two lines, or above the bottom.
func area(s *curve.Series, a axis, upper, lower []float64, y func(float64) float64) string {
	if lower == nil {
		lower = make([]float64, len(upper))
	}
	back := strings.Split(line(s, a, lower, y), " ")
	slices.Reverse(back)
	return line(s, a, upper, y) + " " + strings.Join(back, " ")
}

func num(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }
