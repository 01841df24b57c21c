package history

import "paytool/internal/drill/result"

// Diff is what two drills measured, side by side.
type Diff struct {
	Old        string         `json:"old"`
	New        string         `json:"new"`
	OldVerdict result.Verdict `json:"old_verdict"`
	NewVerdict result.Verdict `json:"new_verdict"`
	Lines      []Line         `json:"lines"`
	// Worse counts the lines that got worse by more than chance.
	Worse int `json:"worse"`
}

// Line is one figure of two drills. Less is better in all of them.
type Line struct {
	What  string   `json:"what"`
	Unit  string   `json:"unit"` // "orders", "ms" or "percent"
	Old   *float64 `json:"old"`  // null: not measured
	New   *float64 `json:"new"`
	Worse bool     `json:"worse"`
}

// noise is what two runs of the same drill may differ by: a tenth, and these.
const (
	noiseMs      = 20.0
	noisePercent = 5.0
)

// Compare puts two drills side by side.
func Compare(before, after result.Result) Diff {
	d := Diff{Old: before.ID, New: after.ID, OldVerdict: before.Verdict, NewVerdict: after.Verdict}
	checks := map[result.CheckCode]*float64{}
	for _, c := range before.Checks {
		checks[c.Code] = c.Got
	}
	for _, c := range after.Checks {
		d.add(string(c.Code), c.Unit, checks[c.Code], c.Got)
	}
	of := func(what, unit string, value func(r *result.Result) float64) {
		d.add(what, unit, new(value(&before)), new(value(&after)))
	}
	of("baseline p99", "ms", func(r *result.Result) float64 { return r.Baseline.P99Ms })
	of("p99", "ms", func(r *result.Result) float64 { return r.During.P99Ms })
	of("orders late", "orders", func(r *result.Result) float64 { return r.Curve.Second.DipArea })
	of("orders waiting", "orders", func(r *result.Result) float64 { return float64(r.Affected.OrdersWaiting) })
	of("restore", "ms", func(r *result.Result) float64 { return r.Restore.Ms })
	return d
}

func (d *Diff) add(what, unit string, before, after *float64) {
	l := Line{What: what, Unit: unit, Old: before, New: after, Worse: worse(unit, before, after)}
	if l.Worse {
		d.Worse++
	}
	d.Lines = append(d.Lines, l)
}

// worse reports whether a figure rose by more than chance. What is no longer measured
// did not happen any more, such as an ejection, and is worse.
func worse(unit string, before, after *float64) bool {
	if before == nil || after == nil {
		return before != nil
	}
	slack := 0.0
	switch unit {
	case "ms":
		slack = max(noiseMs, *before/10)
	case "percent":
		slack = noisePercent
	case "orders":
		slack = *before / 10
	}
	return *after > *before+slack
}
