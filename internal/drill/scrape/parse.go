package scrape

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// series is one figure that is read here; its other labels are added up.
type series struct {
	name string
	a, b string // the values of the labels that wanted names
}

// The figures of engines, as package metrics names them.
const (
	admitted  = "paytool_group_admitted"
	ejections = "paytool_ejections_total"
	orders    = "paytool_orders_total"
	hopsTotal = "paytool_hops_total"
	rejected  = "paytool_rejections_total"
	waits     = "paytool_create_seconds_bucket"
)

// wanted names the figures and the labels that are told apart, one or two.
var wanted = map[string][2]string{
	admitted: {"group"}, ejections: {"group", "cause"}, orders: {"group", "outcome"}, hopsTotal: {"from", "to"},
	rejected: {"class", "reason"}, waits: {"le"},
}

// figures are an instance's, at one moment.
type figures map[series]float64

// parse reads what is wanted of Prometheus' text.
func parse(text io.Reader) (figures, error) {
	all := figures{}
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		line := lines.Text()
		name, _, _ := strings.Cut(line, "{")
		labels, ok := wanted[name]
		if !ok || name == line { // a comment, a figure without labels, or one that nobody wants
			continue
		}
		values, rest, err := parseLabels(line[len(name)+1:])
		if err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		number, _, _ := strings.Cut(strings.TrimSpace(rest), " ") // a time may follow
		n, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		all[series{name, values[labels[0]], values[labels[1]]}] += n
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the figures: %w", err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("these are no figures of an engine: %s is missing", admitted)
	}
	return all, nil
}

// parseLabels reads name="value",...} and returns what follows.
func parseLabels(text string) (values map[string]string, rest string, err error) {
	values = map[string]string{}
	for !strings.HasPrefix(text, "}") {
		name, after, ok := strings.Cut(text, "=")
		quoted, err := strconv.QuotedPrefix(after)
		if !ok || err != nil {
			return nil, "", fmt.Errorf("the labels end at %q", text)
		}
		value, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, "", fmt.Errorf("the value of label %s: %w", name, err)
		}
		values[strings.TrimSpace(name)] = value
		text = strings.TrimPrefix(after[len(quoted):], ",")
	}
	return values, text[1:], nil
}

// since is what was counted after an earlier look. Where a counter went back all of
// them began again, with their process.
func (f figures) since(before figures) figures {
	for s, n := range before {
		if s.name != admitted && f[s] < n {
			before = nil
			break
		}
	}
	grown := figures{}
	for s, n := range f {
		// Bounds of a histogram that nobody stayed below say where the next one begins.
		if n -= before[s]; s.name != admitted && (n > 0 || s.name == waits) {
			grown[s] = n
		}
	}
	return grown
}
