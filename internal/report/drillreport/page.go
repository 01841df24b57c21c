package drillreport

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"
	"time"

	"paytool/internal/drill/result"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

//go:embed page.html
var pageText string

// Bounds of the lists on the page; the JSON has all.
const (
	maxEvents   = 200
	maxProblems = 30
)

// WritePage writes the report of a drill. It reads on a phone and prints on A4.
func WritePage(w io.Writer, r *result.Result, lang Lang) error {
	if err := lang.check(); err != nil {
		return err
	}
	t, err := template.New("page").Funcs(pageFuncs(lang)).Parse(pageText)
	if err != nil {
		return fmt.Errorf("read the template of the page: %w", err)
	}
	if err := t.Execute(w, newPage(r, lang)); err != nil {
		return fmt.Errorf("write the report of drill %s: %w", r.ID, err)
	}
	return nil
}

func pageFuncs(lang Lang) template.FuncMap {
	return template.FuncMap{
		"say":    lang.say,
		"known":  func(prefix string, part any) string { return lang.known(prefix, fmt.Sprint(part)) },
		"figure": newFigure,
		"reason": lang.reason,
		"faults": lang.faults,
		"list":   groupList,
		"clock":  func(t time.Time) string { return t.In(pay.Beijing).Format("15:04:05.000") },
		"time":   func(t time.Time) string { return t.In(pay.Beijing).Format(time.DateTime) },
		"span":   span,
	}
}

// page is what the template is filled with.
type page struct {
	*result.Result
	Lang     Lang
	Good     bool
	Tone     string // class of the verdict
	Headline string
	Took     time.Duration
	Failed   int // orders without an answer that is an order, from the injection on

	Charts   []chart
	Matrix   matrix
	Data     []dataRow
	Budgets  []budget
	Problems int // that are shown
	Events   []pageEvent
	More     int // events that are not shown
}

func newPage(r *result.Result, lang Lang) page {
	p := page{
		Result: r, Lang: lang, Tone: tone(r.Verdict), Headline: lang.headline(r),
		Took:   r.Ended.Sub(r.Started).Round(time.Second),
		Failed: r.Curve.During.Unserved() + r.Curve.After.Unserved(),
		Charts: newCharts(r, lang), Matrix: newMatrix(r), Data: dataRows(r),
		Problems: min(len(r.Verify.Problems), maxProblems),
	}
	if r.MTTRMs != nil {
		p.Budgets = budgets(*r.MTTRMs)
	}
	for _, e := range r.Timeline {
		if len(p.Events) == maxEvents {
			p.More++
			continue
		}
		p.Events = append(p.Events, newPageEvent(e, r, lang))
	}
	return p
}

func tone(v result.Verdict) string {
	switch v {
	case result.Held:
		return "good"
	case result.Broken, result.RestoreFailed:
		return "bad"
	default:
		return "warn"
	}
}

// figure is a number on the page and where the JSON has it.
type figure struct {
	Path, Value, Text, Unit string
}

// newFigure writes a number for people; one that was not measured is a dash.
func newFigure(path string, v any, unit string) figure {
	f := figure{Path: path, Unit: unit}
	switch n := v.(type) {
	case int:
		f.Value = strconv.Itoa(n)
		f.Text = grouped(f.Value)
	case float64:
		f.Value = strconv.FormatFloat(n, 'f', -1, 64)
		f.Text = decimal(n)
	case *float64:
		if n == nil {
			return figure{Path: path, Value: "null", Text: "–"}
		}
		return newFigure(path, *n, unit)
	}
	return f
}

// decimal keeps what a reader can use: one place below ten, none above a hundred that
// are whole anyway.
func decimal(x float64) string {
	places := 1
	if x >= 100 || x <= -100 || x == float64(int64(x)) {
		places = 0
	}
	text := strconv.FormatFloat(x, 'f', places, 64)
	whole, rest, some := strings.Cut(text, ".")
	if some {
		return grouped(whole) + "." + rest
	}
	return grouped(whole)
}

// grouped sets commas between the thousands of a whole number.
func grouped(s string) string {
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// span is a time of the load in seconds.
func span(ms float64) string { return strconv.FormatFloat(ms/1000, 'f', 1, 64) + " s" }

func groupList(groups []shard.GroupID) string {
	texts := make([]string, len(groups))
	for i, g := range groups {
		texts[i] = strconv.Itoa(int(g))
	}
	return strings.Join(texts, ", ")
}

// dataRow is a line of the verification table.
type dataRow struct {
	Name string // in the JSON
	N    int
	Bad  bool // it must be 0, and is not
}

func dataRows(r *result.Result) []dataRow {
	v := &r.Verify
	rows := []dataRow{{Name: "acked", N: v.Acked}, {Name: "found", N: v.Found}}
	for _, d := range []dataRow{
		{Name: "lost", N: v.Lost}, {Name: "doubled", N: v.Doubled}, {Name: "diverged", N: v.Diverged}, {Name: "corrupt", N: v.Corrupt},
		{Name: "phantom", N: v.Phantom}, {Name: "unexpected", N: v.Unexpected}, {Name: "unread", N: v.Unread}, {Name: "doubts_open", N: v.DoubtsOpen},
	} {
		d.Bad = d.N != 0
		rows = append(rows, d)
	}
	return append(rows, dataRow{Name: "recovered", N: v.Recovered})
}

// budget is what an outage takes of the time that a year's availability leaves.
type budget struct {
	Availability string
	Allowed      string
	Share        string
}

func budgets(mttrMs float64) []budget {
	year := 365 * 24 * time.Hour
	var all []budget
	for _, a := range []struct {
		text string
		part time.Duration
	}{{"99.9 %", 1000}, {"99.99 %", 10_000}, {"99.999 %", 100_000}} {
		allowed := year / a.part
		share := 100 * mttrMs / float64(allowed.Milliseconds())
		all = append(all, budget{a.text, allowed.Round(time.Second).String(), strconv.FormatFloat(share, 'f', 2, 64) + " %"})
	}
	return all
}

// pageEvent is a line of the timeline.
type pageEvent struct {
	result.Event
	Offset string // from the injection
	Tone   string
}

func newPageEvent(e result.Event, r *result.Result, lang Lang) pageEvent {
	p := pageEvent{Event: e}
	if e.Kind == result.PhaseBegan {
		p.Detail = lang.known("phase.", e.Detail)
	}
	injected := r.LoadStarted.Add(time.Duration(r.InjectedMs * float64(time.Millisecond)))
	if !r.LoadStarted.IsZero() {
		p.Offset = fmt.Sprintf("%+.2f s", e.At.Sub(injected).Seconds())
	}
	switch e.Kind {
	case result.Injected, result.SemisyncOff:
		p.Tone = "bad"
	case result.Recovered, result.Readmitted, result.SemisyncOn, result.Canary, result.Promoted:
		p.Tone = "good"
	case result.Ejected:
		p.Tone = "warn"
	default:
	}
	return p
}
