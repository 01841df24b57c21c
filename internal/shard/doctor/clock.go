package doctor

import (
	"fmt"
	"time"
)

// A clock is wrong from warnSkew on, and makes what it dates useless from errorSkew on.
const (
	warnSkew  = 500 * time.Millisecond
	errorSkew = 5 * time.Second
)

// off is how far the clock is surely off, whichever way.
func (c Clock) off() time.Duration { return max(c.Ahead.Abs()-c.Margin, 0) }

// checkClocks compares every server's clock with this machine's. When all of them
// are off by the same, it is this machine's that is wrong.
func checkClocks(f Facts) (findings []Finding) {
	var all []Clock
	for _, g := range f.Groups {
		for _, n := range g.Nodes {
			if n.Clock == nil {
				continue
			}
			all = append(all, *n.Clock)
			if n.Clock.off() > warnSkew {
				found := skewed(*n.Clock, "its clock", "this machine's")
				found.Group, found.Node = g.ID, n.Name
				findings = append(findings, found)
			}
		}
	}
	if len(findings) > 1 && len(findings) == len(all) && together(all) {
		here := Clock{Ahead: -all[0].Ahead, Margin: all[0].Margin}
		return []Finding{skewed(here, "this machine's clock", "that of every server")}
	}
	return findings
}

func together(clocks []Clock) bool {
	for _, c := range clocks[1:] {
		apart := Clock{Ahead: c.Ahead - clocks[0].Ahead, Margin: c.Margin + clocks[0].Margin}
		if apart.off() > warnSkew {
			return false
		}
	}
	return true
}

func skewed(c Clock, whose, against string) Finding {
	way := "ahead of"
	if c.Ahead < 0 {
		way = "behind"
	}
	f := Finding{
		ID: "clock_skew", Severity: Warning,
		Found: fmt.Sprintf("%s is %s %s %s (±%s), want at most %s", whose, c.Ahead.Abs().Round(time.Millisecond), way, against, c.Margin.Round(time.Millisecond), warnSkew),
		Do:    "let chrony or systemd-timesyncd keep the clocks of both",
		Why:   "leases, order numbers and time-outs of instances are compared by the clock, and so are logs of machines after a failure",
	}
	if c.off() > errorSkew {
		f.Severity = Error
	}
	return f
}
