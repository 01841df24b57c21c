package doctor

import (
	"fmt"
	"regexp"
	"strconv"
)

// release is a server's version as far as replication minds it.
type release struct{ major, minor int }

var releaseStart = regexp.MustCompile(`^(\d+)\.(\d+)`)

func (n Node) release() (r release, ok bool) {
	m := releaseStart.FindStringSubmatch(n.Variables["version"])
	if m == nil {
		return r, false
	}
	r.major, _ = strconv.Atoi(m[1]) // digits; too many of them are no version that we know
	r.minor, _ = strconv.Atoi(m[2])
	return r, true
}

func (r release) before(o release) bool {
	return r.major < o.major || r.major == o.major && r.minor < o.minor
}

// The oldest servers on which this program is meant to work.
var (
	oldestMariaDB = release{10, 11}
	oldestMySQL   = release{8, 0}
)

func checkVersion(_ Group, n Node) []Finding {
	if n.Variables == nil {
		return nil
	}
	oldest, name := oldestMySQL, "MySQL"
	if n.mariaDB() {
		oldest, name = oldestMariaDB, "MariaDB"
	}
	if r, ok := n.release(); ok && !r.before(oldest) {
		return nil
	}
	return []Finding{{
		ID: "version_unsupported", Severity: Error,
		Found: fmt.Sprintf("its version is %q, want %s %d.%d or newer", n.Variables["version"], name, oldest.major, oldest.minor),
		Do:    "upgrade the replicas first and the primary last",
		Why:   "nobody has tried the engine on it: privileges, semi-sync and errors work in other ways there",
	}}
}

// checkVersions compares the nodes of each group.
func checkVersions(f Facts) (findings []Finding) {
	for _, g := range f.Groups {
		primary, ok := g.primary()
		want, known := primary.release()
		if !ok || !known {
			continue
		}
		for _, n := range g.Nodes[1:] {
			got, known := n.release()
			if !known || got == want && n.mariaDB() == primary.mariaDB() {
				continue
			}
			found := Finding{
				ID: "versions_differ", Severity: Warning, Group: g.ID, Node: n.Name,
				Found: fmt.Sprintf("its version is %q, the primary's is %q", n.Variables["version"], primary.Variables["version"]),
				Do:    "finish the upgrade: replicas first, the primary last",
				Why:   "replication goes from an older server to a newer one, so that after a failover the older nodes may not follow",
			}
			if got.before(want) {
				found.Severity = Error
				found.Why = "replication from a newer server to an older one is not promised to work"
			}
			findings = append(findings, found)
		}
	}
	return findings
}
