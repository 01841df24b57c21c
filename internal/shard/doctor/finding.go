package doctor

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"paytool/internal/shard"
)

// Severity says how soon a finding needs a person.
type Severity string

// The severities, the worst first.
const (
	Error   Severity = "error"   // orders or money are at risk as it is
	Warning Severity = "warning" // they are once something else fails
	Note    Severity = "note"    // nothing to mend, or not checked
)

func (s Severity) rank() int { return slices.Index([]Severity{Error, Warning, Note}, s) }

// Finding is one thing that is not as it should be. Its JSON is read by scripts:
// keys and IDs stay.
type Finding struct {
	ID       string        `json:"id"`
	Severity Severity      `json:"severity"`
	Group    shard.GroupID `json:"group"` // 0: more than one group, or none
	Node     string        `json:"node"`  // "" for the group as a whole
	Found    string        `json:"found"` // what is, and what should be
	Do       string        `json:"do"`
	// SQL are statements for an administrator of Node, in this order; empty where
	// words are needed.
	SQL []string `json:"sql"`
	Why string   `json:"why"`
}

// nodeChecks look at one node of a group, fleetChecks at all groups at once.
var (
	nodeChecks = []func(g Group, n Node) []Finding{
		checkRefusals, checkVersion, checkGrants, checkSettings, checkSemisync, checkReplication, checkDisks,
	}
	fleetChecks = []func(f Facts) []Finding{
		checkGroups, checkZones, checkVersions, checkAlike, checkClocks, checkConnections, checkBooks, checkTags, checkEpochs,
	}
)

// Judge lists what is wrong, the worst first, then by group and node. Texts that
// come from a server are made printable.
func Judge(f Facts) []Finding {
	findings := []Finding{}
	for _, g := range f.Groups {
		for _, n := range g.Nodes {
			for _, check := range nodeChecks {
				for _, found := range check(g, n) {
					found.Group, found.Node = g.ID, n.Name
					findings = append(findings, found)
				}
			}
		}
	}
	for _, check := range fleetChecks {
		findings = append(findings, check(f)...)
	}
	for i := range findings {
		findings[i].tidy()
	}
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Severity.rank(), b.Severity.rank()), cmp.Compare(a.Group, b.Group), cmp.Compare(a.Node, b.Node))
	})
	return findings
}

func (f *Finding) tidy() {
	f.Node, f.Found, f.Do = printable(f.Node), printable(f.Found), printable(f.Do)
	if f.SQL == nil {
		f.SQL = []string{}
	}
	for i, s := range f.SQL {
		f.SQL[i] = printable(s)
	}
}

// maxText is far above our own words: it cuts what a server may add to them.
const maxText = 600

// printable takes out what would move a terminal's cursor.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
	if runes := []rune(s); len(runes) > maxText {
		return string(runes[:maxText]) + "..."
	}
	return s
}
