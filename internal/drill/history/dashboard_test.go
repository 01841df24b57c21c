package history

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"paytool/internal/drill/result"
)

var metricName = regexp.MustCompile(`paytool_drill_[a-z0-9_]+`)

// The dashboard of drills asks for nothing that is not written, and shows all that is.
func TestDashboard(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/monitoring/drills.json")
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(text) {
		t.Fatal("the dashboard is no JSON")
	}
	r := drilled("a", 3, result.Held, 2)
	r.MTTRMs = new(1.0)
	entries, _, err := saved(t, r).List()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := WriteMetrics(&b, entries); err != nil {
		t.Fatal(err)
	}
	for _, name := range metricName.FindAllString(string(text), -1) {
		if !strings.Contains(b.String(), "# TYPE "+name+" gauge") {
			t.Errorf("the dashboard asks for %s, and nobody writes it", name)
		}
	}
	for _, name := range metricName.FindAllString(b.String(), -1) {
		if !strings.Contains(string(text), name) {
			t.Errorf("%s is written, and the dashboard does not show it", name)
		}
	}
}
