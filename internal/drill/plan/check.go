package plan

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"paytool/internal/drill/fault"
)

// Bounds. A drill that leaves them is a slip of the keyboard.
const (
	maxRate   = 100_000
	maxLength = time.Hour // of a part of the load, and of a fault
	maxTTL    = 2 * time.Hour
)

// wrong is one thing wrong with a plan.
type wrong struct{ key, reason string }

// check collects all that is wrong, in the order of the keys.
type check struct {
	plan  *Plan
	wrong []wrong
}

func (c *check) refuse(key, format string, args ...any) {
	c.wrong = append(c.wrong, wrong{key, fmt.Sprintf(format, args...)})
}

// between refuses a duration outside its bounds, both of them allowed.
func (c *check) between(key string, d, least, most time.Duration) {
	if d < least || d > most {
		c.refuse(key, "want %s to %s, not %s", least, most, d)
	}
}

func (c *check) all() {
	c.words()
	c.targets()
	c.hypothesis()
	c.load()
	c.method()
	c.stop()
	c.ttl()
	c.window()
	c.between("verify.settle", c.plan.Verify.Settle, 0, maxLength)
	if l := c.plan.Report.Lang; l != "zh" && l != "en" {
		c.refuse("report.lang", "want zh or en")
	}
}

var environmentName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func (c *check) words() {
	if n := len(c.plan.Title); n > 200 {
		c.refuse("title", "want at most 200 bytes, not %d", n)
	}
	switch {
	case c.plan.Environment == "":
		c.refuse("environment", "missing: name the one environment in which this plan may run, such as %s", Sandbox)
	case !environmentName.MatchString(c.plan.Environment):
		c.refuse("environment", "want 1 to 64 letters, digits, dots, dashes or underscores")
	}
}

func (c *check) targets() {
	t := c.plan.Targets
	ways := 0
	for _, given := range []bool{len(t.Groups) > 0, t.Zone != "", t.Rotate != 0} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		c.refuse("targets", "want one of groups, zone and rotate")
	}
	for i, g := range t.Groups {
		key := fmt.Sprintf("targets.groups[%d]", i)
		switch {
		case g < 1:
			c.refuse(key, "want a number from 1, not %d", g)
		case slices.Contains(t.Groups[:i], g):
			c.refuse(key, "group %d is named twice", g)
		}
	}
	if t.Rotate < 0 {
		c.refuse("targets.rotate", "want at least 1 group, not %d", t.Rotate)
	}
	switch {
	case t.Every != "" && t.Every != EveryWeek && t.Every != EveryQuarter:
		c.refuse("targets.every", "want %s or %s", EveryWeek, EveryQuarter)
	case t.Every != "" && t.Rotate == 0:
		c.refuse("targets.every", "says when the turn changes, and there is no rotate")
	}
}

func (c *check) hypothesis() {
	h := c.plan.Hypothesis
	if h.Failed < 0 {
		c.refuse("hypothesis.failed", "want 0 or more orders, not %d", h.Failed)
	}
	for _, d := range []struct {
		key string
		d   time.Duration
	}{
		{"p99_delta", h.P99Delta}, {"longest_gap", h.LongestGap}, {"max", h.Max}, {"eject", h.Eject},
		{"readmit", h.Readmit}, {"recovery", h.Recovery}, {"mttr", h.MTTR},
	} {
		c.between("hypothesis."+d.key, d.d, 0, maxLength)
	}
	if h.DipPercent < 0 || h.DipPercent > 100 {
		c.refuse("hypothesis.dip_percent", "want 0 to 100 percent, not %d", h.DipPercent)
	}
	if promotes := slices.ContainsFunc(c.plan.Method, func(s Step) bool { return s.Promote }); h.MTTR > 0 && !promotes {
		c.refuse("hypothesis.mttr", "is measured by a promotion, and no step of the method has promote")
	}
}

func (c *check) load() {
	l := c.plan.Load
	if !l.Observe && (l.Rate < 1 || l.Rate > maxRate) {
		c.refuse("load.rate", "want 1 to %d orders a second, not %d", maxRate, l.Rate)
	}
	// Three seconds are the least of which a median is one.
	c.between("load.baseline", l.Baseline, time.Second, maxLength)
	c.between("load.after", l.After, 2*time.Second, maxLength)
	if !l.Shadow && !l.Observe && c.plan.Environment != Sandbox {
		c.refuse("load.shadow", "orders that are not shadow orders belong into a %s", Sandbox)
	}
	if l.Observe && len(l.URLs) == 0 {
		c.refuse("load.urls", "missing: observe watches engines that are served; name their addresses")
	}
	if l.TokenFile != "" && len(l.URLs) == 0 {
		c.refuse("load.token_file", "goes with urls, and there are none")
	}
	if len(l.Merchants) > 0 && !l.Observe {
		c.refuse("load.merchants", "are whose own orders are watched, and observe is not set")
	}
}

func (c *check) method() {
	if len(c.plan.Method) == 0 {
		c.refuse("method", "missing: a drill breaks something; list at least one step with fault and for")
	}
	for i, s := range c.plan.Method {
		key := fmt.Sprintf("method[%d]", i)
		faults, err := fault.Parse(s.Fault)
		if err != nil {
			c.refuse(key+".fault", "%v", err)
		}
		c.between(key+".at", s.At, 0, maxLength)
		c.between(key+".for", s.For, time.Second, maxLength)
		if s.Promote && !faults.Has("crash") {
			c.refuse(key+".promote", "goes with the fault crash: nobody fails over from a primary that is there")
		}
		c.overlap(key, i, faults)
	}
}

// overlap refuses the same fault twice at one time: the first recovery would take both
// back.
func (c *check) overlap(key string, i int, faults fault.List) {
	s := c.plan.Method[i]
	for j, earlier := range c.plan.Method[:i] {
		if s.At >= earlier.At+earlier.For || earlier.At >= s.At+s.For {
			continue
		}
		for _, f := range earlier.Faults() {
			if faults.Has(f.Name) {
				c.refuse(key+".fault", "%s is in place already by method[%d]; let it end first", f.Name, j)
			}
		}
	}
}

func (c *check) stop() {
	s := c.plan.Stop
	if s.FailedPercent < 0 || s.FailedPercent > 100 {
		c.refuse("stop.failed_percent", "want 0 to 100 percent, not %d", s.FailedPercent)
	}
	c.between("stop.p99", s.P99, time.Millisecond, maxLength)
	if s.OthersEjected < 0 {
		c.refuse("stop.others_ejected", "want 0 or more groups, not %d", s.OthersEjected)
	}
}

func (c *check) ttl() {
	ttl, need := c.plan.TTL, c.plan.FaultFor()
	switch {
	case ttl > maxTTL:
		c.refuse("ttl", "want at most %s, not %s", maxTTL, ttl)
	case ttl <= need:
		c.refuse("ttl", "%s is over before the last fault is recovered, %s after the first injection", ttl, need)
	}
}

func (c *check) window() {
	w := c.plan.Window
	for i, d := range w.Days {
		if _, ok := weekday(d); !ok {
			c.refuse(fmt.Sprintf("window.days[%d]", i), "want Mon, Tue, Wed, Thu, Fri, Sat or Sun")
		}
	}
	from, fromErr := clockTime(w.From)
	to, toErr := clockTime(w.To)
	switch {
	case w.From == "" && w.To == "":
	case fromErr != nil:
		c.refuse("window.from", "want a time of day in quotes, such as \"09:30\"")
	case toErr != nil:
		c.refuse("window.to", "want a time of day in quotes, such as \"17:00\"")
	case from >= to:
		c.refuse("window.to", "%s is not after %s", w.To, w.From)
	}
}
