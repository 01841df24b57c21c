package metrics

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// described reads a figure's name and labels out of its description, which has no
// other way to tell them.
var described = regexp.MustCompile(`fqName: "([^"]*)".*variableLabels: \{([^}]*)\}`)

// Names lists paytool's own figures with their labels, for those who write rules about
// them.
func Names() map[string][]string {
	m := New()
	m.About(Info{})
	m.Observe(Live{})
	ch := make(chan *prometheus.Desc)
	go func() {
		m.registry.Describe(ch)
		close(ch)
	}()
	names := map[string][]string{}
	for d := range ch {
		found := described.FindStringSubmatch(fmt.Sprint(d))
		if found != nil && strings.HasPrefix(found[1], "paytool_") {
			names[found[1]] = strings.FieldsFunc(found[2], func(r rune) bool { return r == ',' })
		}
	}
	return names
}
