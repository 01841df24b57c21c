package fault

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// maxDelay keeps a mistyped unit from freezing what should be slow, and sums of
// durations from overflowing.
const maxDelay = time.Hour

// Parse reads faults joined by +, each NAME[:KEY=VALUE,...]. Its errors name the
// word that is wrong and those that would be right.
func Parse(text string) (List, error) {
	if text == "" {
		return nil, List(nil).Check()
	}
	var l List
	for one := range strings.SplitSeq(text, "+") {
		f, err := parseOne(one)
		if err != nil {
			return nil, err
		}
		l = append(l, f)
	}
	if err := l.Check(); err != nil {
		return nil, err
	}
	return l, nil
}

func parseOne(text string) (Fault, error) {
	name, params, some := strings.Cut(text, ":")
	s, ok := Lookup(Name(name))
	if !ok {
		return Fault{}, fmt.Errorf("fault %q is not known; known are %s", name, known())
	}
	f := New(s.Name)
	if !some {
		return f, nil
	}
	seen := map[string]bool{}
	for pair := range strings.SplitSeq(params, ",") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return Fault{}, fmt.Errorf("fault %q: %q is not KEY=VALUE; it takes %s", name, pair, paramNames(s.Name))
		}
		key, value = spelled(key, value)
		p, ok := s.param(key)
		if !ok {
			return Fault{}, fmt.Errorf("fault %q: there is no parameter %q; it takes %s", name, key, paramNames(s.Name))
		}
		if seen[key] {
			return Fault{}, fmt.Errorf("fault %q: %s is given twice; give it once", name, key)
		}
		seen[key] = true
		if err := p.set(&f, value); err != nil {
			return Fault{}, fmt.Errorf("fault %q: %s=%s: %w", name, key, value, err)
		}
	}
	if f.Jitter > f.Delay {
		return Fault{}, fmt.Errorf("fault %q: jitter=%v is more than d=%v; a request cannot arrive before it was sent", name, f.Jitter, f.Delay)
	}
	return f, nil
}

// spelled understands durations in bare milliseconds, ms=200,jitter=50, as they are
// written in plans.
func spelled(key, value string) (string, string) {
	_, err := strconv.ParseUint(value, 10, 32)
	switch bare := err == nil; {
	case key == "ms" && bare:
		return "d", value + "ms"
	case key == "jitter" && bare:
		return key, value + "ms"
	}
	return key, value
}

func setChance(f *Fault, text string) error {
	p, err := strconv.ParseFloat(text, 64)
	if err != nil || !(p > 0 && p <= 1) { // NaN fails both
		return fmt.Errorf("not a chance above 0 and at most 1, such as 0.25")
	}
	f.P = p
	return nil
}

func setDelay(f *Fault, text string) error {
	d, err := parseDuration(text)
	if err != nil {
		return err
	}
	if d == 0 {
		return fmt.Errorf("a delay of nothing is no fault; give one such as 20ms")
	}
	f.Delay = d
	return nil
}

func setJitter(f *Fault, text string) error {
	d, err := parseDuration(text)
	if err != nil {
		return err
	}
	f.Jitter = d
	return nil
}

func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > maxDelay {
		return 0, fmt.Errorf("not a duration from 0s to %v, such as 20ms", maxDelay)
	}
	return d, nil
}

func setStatement(f *Fault, text string) error {
	switch s := Statement(text); s {
	case Any, Commit:
		f.On = s
		return nil
	}
	return fmt.Errorf("neither %s nor %s", Any, Commit)
}

// formatChance is the shortest text that reads back as the same number.
func formatChance(p float64) string {
	if math.IsInf(p, 0) || math.IsNaN(p) {
		return "none" // refused on the way back
	}
	return strconv.FormatFloat(p, 'g', -1, 64)
}
