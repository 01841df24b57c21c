package metrics_test

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"paytool/internal/metrics"
	"paytool/internal/recon/daily"
)

const monitoring = "../../docs/monitoring/"

var (
	selector = regexp.MustCompile(`(paytool_[a-z_]+)(\{[^}]*\})?`)
	matcher  = regexp.MustCompile(`([a-z_]+)\s*(=~|!~|!=|=)\s*"`)
	grouping = regexp.MustCompile(`\bby \(([a-z_, ]*)\)`)
	legend   = regexp.MustCompile(`\{\{ ?(?:\$labels\.)?([a-z_]+) ?\}\}`)
)

// expressions are all queries of the rules and of the dashboard, with the texts that
// are shown beside them.
func expressions(t *testing.T) (all []struct{ expr, text string }) {
	t.Helper()
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	readInto(t, "alerts.yaml", &rules, yaml.Unmarshal)
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			class := r.Labels["class"]
			if "paytool-"+class != g.Name || r.Annotations["summary"] == "" || (class == "act") != (r.Annotations["action"] != "") {
				t.Errorf("%s: a rule has its group's class and a summary, and says what to do where it wakes somebody up", r.Alert)
			}
			all = append(all, struct{ expr, text string }{r.Expr, r.Annotations["summary"]})
		}
	}
	var dashboard struct {
		Annotations struct {
			List []struct{ Expr, TextFormat string }
		}
		Panels []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	readInto(t, "dashboard.json", &dashboard, json.Unmarshal)
	for _, a := range dashboard.Annotations.List {
		all = append(all, struct{ expr, text string }{a.Expr, a.TextFormat})
	}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			all = append(all, struct{ expr, text string }{target.Expr, target.LegendFormat})
		}
	}
	return all
}

func readInto(t *testing.T, name string, into any, unmarshal func([]byte, any) error) {
	t.Helper()
	text, err := os.ReadFile(monitoring + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// TestDocumentedFigures: every name and label in the rules, the dashboard and the page
// about them is one that is shown, and every figure is told of on the page.
func TestDocumentedFigures(t *testing.T) {
	t.Parallel()
	labels := metrics.Names()
	maps.Copy(labels, daily.MetricNames()) // of another job
	all := expressions(t)
	if len(all) < 40 {
		t.Fatalf("found only %d expressions", len(all))
	}
	for _, e := range all {
		if e.expr == `up{job="paytool"} == 0` { // Prometheus' own
			continue
		}
		used := selector.FindAllStringSubmatch(e.expr, -1)
		if len(used) == 0 {
			t.Errorf("%s: no figure of ours", e.expr)
		}
		var has []string
		for _, u := range used {
			known, ok := labels[base(u[1])]
			if !ok {
				t.Errorf("%s: there is no figure %s", e.expr, u[1])
			}
			if strings.HasSuffix(u[1], "_bucket") {
				known = append(slices.Clone(known), "le")
			}
			for _, m := range matcher.FindAllStringSubmatch(u[2], -1) {
				if !slices.Contains(known, m[1]) {
					t.Errorf("%s: %s has no label %s", e.expr, u[1], m[1])
				}
			}
			has = append(has, known...)
		}
		for _, g := range grouping.FindAllStringSubmatch(e.expr, -1) {
			for l := range strings.SplitSeq(g[1], ",") {
				if !slices.Contains(has, strings.TrimSpace(l)) {
					t.Errorf("%s: grouped by %s, which no figure in it has", e.expr, l)
				}
			}
		}
		for _, l := range legend.FindAllStringSubmatch(e.text, -1) {
			if !slices.Contains(has, l[1]) && l[1] != "value" {
				t.Errorf("%q tells of the label %s, which %s does not have", e.text, l[1], e.expr)
			}
		}
	}
	page, err := os.ReadFile(monitoring + "README.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range labels {
		if !strings.Contains(string(page), "`"+name) {
			t.Errorf("the page about the figures does not tell of %s", name)
		}
	}
	for _, u := range selector.FindAllString(string(page), -1) {
		name, _, _ := strings.Cut(u, "{")
		if _, ok := labels[name]; !ok && name != "paytool_drill_" { // those of drills are held by a test beside them
			t.Errorf("the page tells of %s, which is not there", name)
		}
	}
}

// base is the name under which a histogram's series are registered.
func base(series string) string {
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if name, ok := strings.CutSuffix(series, suffix); ok {
			return name
		}
	}
	return series
}
