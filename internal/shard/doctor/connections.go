package doctor

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// spareConns are left to replicas, monitors and administrators.
const spareConns = 10

// instances is how many instances to count with, and in words where the number
// is from.
func (f Facts) instances() (n int, from string) {
	if f.Instances > 0 {
		return f.Instances, "planned"
	}
	for _, g := range f.Groups {
		if p, ok := g.primary(); ok && p.Books != nil {
			n = max(n, len(p.Books.Instances))
		}
	}
	return max(n, 1), "at work"
}

// checkConnections holds full pools against what each server lets in. Pools are
// full when other groups have failed and this one carries their orders.
func checkConnections(f Facts) (findings []Finding) {
	instances, from := f.instances()
	for _, g := range f.Groups {
		for _, n := range g.Nodes {
			each := f.ReplicaConns
			if n.Primary {
				each = f.PrimaryConns
			}
			limit, name := n.connLimit()
			if need := instances*each + spareConns; limit > 0 && limit < need {
				findings = append(findings, Finding{
					ID: "max_connections", Severity: Error, Group: g.ID, Node: n.Name,
					Found: fmt.Sprintf("%s is %d, want at least %d: %d instances %s with up to %d connections each, and %d for replicas and administrators", name, limit, need, instances, from, each, spareConns),
					Do:    fmt.Sprintf("set it to %d or more, and write that into the option file; or lower engine.pool in the config", need),
					SQL:   raiseLimit(name, need),
					Why:   "when two groups fail, the pools of the others fill up, and the first instance that is refused a connection takes this group for failed too",
				})
			}
			if found, ok := checkPeak(f, g, n, instances*each); ok {
				findings = append(findings, found)
			}
		}
	}
	return findings
}

// connLimit is the lower of the server's limit and the account's, 0 if unknown.
func (n Node) connLimit() (limit int, name string) {
	limit, _ = strconv.Atoi(n.Variables["max_connections"])
	if n.AccountConns > 0 && (limit == 0 || n.AccountConns < limit) {
		return n.AccountConns, "max_user_connections of the application's account"
	}
	return limit, "max_connections"
}

func raiseLimit(name string, need int) []string {
	if name != "max_connections" {
		return nil // in the server's variable or in the account: words say it
	}
	return []string{fmt.Sprintf("SET GLOBAL max_connections=%d", need)}
}

// failures is how many groups may fail at a time without anybody noticing.
const failures = 2

// burden is by how much a group's share of the orders grows when the heaviest
// others fail, as many as failures, but never all of them.
func (f Facts) burden(g Group) float64 {
	var others []int
	total := g.Weight
	for _, o := range f.taking() {
		if o.ID != g.ID {
			others = append(others, o.Weight)
			total += o.Weight
		}
	}
	if g.Weight <= 0 || len(others) == 0 {
		return 1
	}
	slices.Sort(others)
	left := total
	for _, w := range others[max(len(others)-failures, 0):] {
		left -= w
	}
	return float64(total) / float64(left)
}

// checkPeak holds the most connections so far, grown by the burden of failures,
// against the instances' pools.
func checkPeak(f Facts, g Group, n Node, pools int) (Finding, bool) {
	peak, err := strconv.Atoi(n.Status["max_used_connections"])
	burden := f.burden(g)
	if need := int(math.Ceil(float64(peak) * burden)); err == nil && n.Primary && need > pools {
		return Finding{
			ID: "pool_small", Severity: Warning, Group: g.ID, Node: n.Name,
			Found: fmt.Sprintf("%d connections were open at the most, which becomes %d when %d groups fail; the instances' pools have %d", peak, need, failures, pools),
			Do:    "raise engine.pool in the config, or run more instances; after a peak that had another reason, start counting anew",
			SQL:   []string{"FLUSH NO_WRITE_TO_BINLOG STATUS"},
			Why:   "orders wait for a connection just when the groups that are left have to carry those of the others",
		}, true
	}
	return Finding{}, false
}
