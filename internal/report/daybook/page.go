package daybook

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"paytool/internal/pay"
	"paytool/internal/recon"
)

//go:embed page.html
var pageText string

// pageRows is how many differences the page shows; the workbook has all.
const pageRows = 60

// WritePage writes the day as one HTML file that opens without a network: no script,
// no picture and no style from elsewhere. It reads on a phone and prints on A4.
func WritePage(w io.Writer, day Day, lang Lang) error {
	if err := lang.check(); err != nil {
		return err
	}
	t, err := template.New("page").Funcs(pageFuncs(lang)).Parse(pageText)
	if err != nil {
		return fmt.Errorf("read the template of the page: %w", err)
	}
	if err := t.Execute(w, newPage(day, lang)); err != nil {
		return fmt.Errorf("write the page of %s: %w", day.Result.Date, err)
	}
	return nil
}

func pageFuncs(lang Lang) template.FuncMap {
	return template.FuncMap{
		"say":    lang.say,
		"known":  func(prefix string, part any) string { return clean(lang.known(prefix, fmt.Sprint(part))) },
		"clean":  func(v any) string { return clean(fmt.Sprint(v)) },
		"yuan":   yuan,
		"count":  func(n any) string { return grouped(fmt.Sprint(n)) },
		"advice": func(d *recon.Difference) string { return clean(lang.advice(d)) },
		"detail": func(d *recon.Difference) string { return clean(lang.detail(d)) },
		"long":   lang.direction,
		"bridge": func(key string, steps []pageStep) pageBridge { return pageBridge{key, steps} },
		"sides": func(k recon.KindTotals) []recon.Total {
			return []recon.Total{k.Ours, k.Theirs, k.Matched, k.Carried, k.Difference}
		},
		"sign": func(f pay.Fen) string { // a class of the page
			if f < 0 {
				return "neg"
			}
			return ""
		},
		"time": func(t time.Time) string {
			if t.IsZero() {
				return ""
			}
			return t.In(pay.Beijing).Format(time.DateTime)
		},
	}
}

// page is what the template is filled with.
type page struct {
	Day
	Lang          Lang
	Heading       string
	Verdict       string
	Rate          string // of rows that agree
	Net           pay.Fen
	Open          int // in the ledger
	Steps         []todo
	Shown         []*recon.Difference
	Bridge, Funds []pageStep
	Chart         *chart
	Head          string
}

// todo is what to do about the differences of one class and kind.
type todo struct {
	Class  recon.Class
	Kind   pay.EntryKind
	Rows   int
	Sum    pay.Fen
	Advice string
}

// pageBridge is a bridge with the key of its heading.
type pageBridge struct {
	Key   string
	Steps []pageStep
}

// pageStep is a line of a bridge: one that both ends of it are, or the rest.
type pageStep struct {
	Key         string
	Fen         pay.Fen
	Total, Rest bool
}

func newPage(day Day, lang Lang) page {
	r := day.Result
	p := page{Day: day, Lang: lang, Heading: lang.heading(&day), Verdict: lang.headline(&day), Chart: newChart(day.Ledger)}
	p.Rate = fmt.Sprintf("%.2f%%", 100*rate(r.Matched, r.Theirs.Rows))
	_, p.Net = net(&day, func(i int) bool { return !ofFund(r.Differences[i].Class) })
	if day.Ledger != nil {
		p.Head = day.Ledger.Head.Hash
		for i := range day.Ledger.Entries {
			if !day.Ledger.Entries[i].State.Ended() {
				p.Open++
			}
		}
	}
	at := map[string]int{}
	for i := range r.Differences {
		d := &r.Differences[i]
		if len(p.Shown) < pageRows {
			p.Shown = append(p.Shown, d)
		}
		key := string(d.Class) + " " + string(d.Kind)
		if _, ok := at[key]; !ok {
			at[key] = len(p.Steps)
			p.Steps = append(p.Steps, todo{Class: d.Class, Kind: d.Kind, Advice: clean(lang.advice(d))})
		}
		s := &p.Steps[at[key]]
		s.Rows, s.Sum = s.Rows+1, s.Sum+d.DifferenceFen
	}
	if bad := r.Counts[recon.RejectedRow]; bad > 0 {
		p.Steps = append(p.Steps, todo{Class: recon.RejectedRow, Rows: int(bad), Advice: lang.adviceFor(recon.RejectedRow, "")})
	}
	b := &r.Bridge
	p.Bridge = []pageStep{
		{"bridge.ours", b.Ours, true, false}, {"bridge.lacks", b.MissingInChannel, false, false}, {"bridge.has", b.MissingInOurs, false, false},
		{"bridge.amount", b.Amount, false, false}, {"bridge.state", b.State, false, false}, {"bridge.twice", b.Duplicate, false, false},
		{"bridge.carried", b.Carried, false, false}, {"bridge.theirs", b.Theirs, true, false}, {"bridge.rest", b.Unexplained, false, true},
	}
	if f := r.Fund; f != nil {
		p.Funds = []pageStep{
			{"fund.trade", f.Trade, true, false}, {"fund.fees", f.Fees, false, false}, {"fund.missing", f.Missing, false, false}, {"fund.extra", f.Extra, false, false},
			{"fund.amount", f.Amount, false, false}, {"fund.returned", f.Returned, false, false}, {"fund.carried", f.Carried, false, false},
			{"fund.other", f.Other, false, false}, {"fund.fund", f.Fund, true, false}, {"bridge.rest", f.Unexplained, false, true},
		}
	}
	return p
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

// yuan is an amount for people, with commas.
func yuan(f pay.Fen) string {
	whole, cents, _ := strings.Cut(f.Yuan(), ".")
	return grouped(whole) + "." + cents
}
