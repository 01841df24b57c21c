package doctor

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// said is what a server of testdata says.
type said struct {
	Variables, Status, Replication Values
	Grants                         []string
}

// healthy are two groups of one primary and two replicas each, as a file of
// testdata has them.
func healthy(t testing.TB, file string) Facts {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var servers map[string]said
	if err := json.Unmarshal(text, &servers); err != nil {
		t.Fatal(err)
	}
	f := Facts{PrimaryConns: 73, ReplicaConns: 70, Schema: 2}
	for id := shard.GroupID(1); id <= 2; id++ {
		g := Group{ID: id, Weight: 100, Semisync: true, Database: "pay", Replicas: 2}
		for i := range 3 {
			role := "primary"
			if i > 0 {
				role = "replica"
			}
			n := servers[role].node(t)
			n.Name, n.Primary = fmt.Sprintf("g%d/%s%d 10.0.%d.%d:3306", id, role, i, id, i), i == 0
			if n.Primary {
				n.Books = &Books{Prepared: true, Schema: 2, MinReader: 2, Report: shard.Report{
					Group: id, State: shard.GroupActive, Weight: 100, Epoch: 1, PrimaryUID: n.uid(),
					Claims: []shard.Claim{{Tag: pay.Tag(id), Group: id, State: shard.TagOwned, Epoch: 1}},
				}}
			}
			g.Nodes = append(g.Nodes, n)
		}
		f.Groups = append(f.Groups, g)
	}
	return f
}

func (s said) node(t testing.TB) Node {
	t.Helper()
	n := Node{
		Variables: maps.Clone(s.Variables), Status: maps.Clone(s.Status), Replication: maps.Clone(s.Replication),
		Clock: &Clock{Ahead: time.Millisecond, Margin: time.Millisecond}, Disks: []Disk{{Path: "/", Total: 100, Free: 50}},
	}
	for _, line := range s.Grants {
		g, ok := ParseGrant(line)
		if !ok {
			t.Fatalf("not a grant: %s", line)
		}
		n.Grants = append(n.Grants, g)
	}
	return n
}

func (f Facts) at(group, node int) *Node { return &f.Groups[group-1].Nodes[node] }

func ids(findings []Finding) []string {
	var list []string
	for _, f := range findings {
		list = append(list, string(f.Severity)+" "+f.ID)
	}
	slices.Sort(list)
	return slices.Compact(list)
}
