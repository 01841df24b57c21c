package promote

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// group is a group of three whose primary is well.
func group() []Node {
	nodes := []Node{
		{Name: "g2/primary p:1", Addr: "p:1", UID: "P", GTID: "2-20-57"},
		{Name: "g2/replica1 r:1", Addr: "r:1", UID: "R1", GTID: "2-20-57", ReadOnly: true, Follows: true, Applied: true},
		{Name: "g2/replica2 r:2", Addr: "r:2", UID: "R2", GTID: "2-20-57", ReadOnly: true, Follows: true, Applied: true},
	}
	for i := range nodes {
		nodes[i].Reach, nodes[i].Group, nodes[i].Epoch, nodes[i].PrimaryUID = Answers, 2, 4, "P"
	}
	return nodes
}

func gone(n *Node, how Reach) {
	*n = Node{Name: n.Name, Addr: n.Addr, Reach: how, Why: "no answer"}
}

// primaryDead is what a failover begins with.
func primaryDead() []Node {
	nodes := group()
	gone(&nodes[0], Dead)
	return nodes
}

// failedOver is what another tool leaves: replica1 takes writes and follows nobody.
func failedOver() []Node {
	nodes := primaryDead()
	nodes[1].ReadOnly, nodes[1].Follows = false, false
	return nodes
}

func steps(p Plan) string {
	var words []string
	for _, s := range p.Steps {
		words = append(words, fmt.Sprintf("%s %s", s.Kind, s.Node))
	}
	return strings.Join(words, ", ")
}

func TestDecide(t *testing.T) {
	t.Parallel()
	promoteAny, named := Wish{Group: 2, Promote: true}, Wish{Group: 2, Addr: "r:1"}
	for _, c := range []struct {
		name  string
		wish  Wish
		nodes []Node
		want  string
		epoch int64
	}{
		{"a dead primary", promoteAny, primaryDead(),
			"halt r:1, halt r:2, apply r:1, apply r:2, detach r:1, follow r:2, record r:1, open r:1", 5},
		{"the replica that has the most", promoteAny, with(primaryDead(), func(n []Node) { n[2].GTID = "2-20-58" }),
			"halt r:1, halt r:2, apply r:1, apply r:2, detach r:2, follow r:1, record r:2, open r:2", 5},
		{"a primary that is read-only is waited for", promoteAny, with(group(), func(n []Node) { n[0].ReadOnly = true }),
			"catch_up r:1, halt r:1, halt r:2, apply r:1, apply r:2, detach r:1, follow r:2, record r:1, open r:1", 5},
		{"after another tool's failover", named, failedOver(), "record r:1", 5},
		{"of it the other replica may be out", Wish{Group: 2, Addr: "r:1", AcceptLoss: true}, with(failedOver(), func(n []Node) { gone(&n[2], Dead) }), "record r:1", 5},
		{"a silent primary that is off", Wish{Group: 2, Addr: "r:1", Fenced: true}, with(failedOver(), func(n []Node) { gone(&n[0], Silent) }), "record r:1", 5},
		{"it is the primary already", Wish{Group: 2, Addr: "p:1"}, group(), "", 4},
		{"a promotion that broke off before it was open goes on", promoteNamed("r:1"), with(primaryDead(), func(n []Node) {
			n[1].Epoch, n[1].PrimaryUID, n[1].Follows = 5, "R1", false
		}), "halt r:2, apply r:2, follow r:2, open r:1", 5},
		{"one that broke off before it was recorded too", promoteAny, with(primaryDead(), func(n []Node) { n[1].Follows = false }),
			"halt r:2, apply r:2, follow r:2, record r:1, open r:1", 5},
	} {
		p, err := Decide(c.wish, c.nodes, true)
		if err != nil || steps(p) != c.want || p.Epoch != c.epoch || p.Already != (c.want == "") {
			t.Errorf("%s: %s at epoch %d, already %t, %v\nwant %s at %d", c.name, steps(p), p.Epoch, p.Already, err, c.want, c.epoch)
		}
	}
}

func promoteNamed(addr string) Wish { return Wish{Group: 2, Addr: addr, Promote: true} }

func with(nodes []Node, change func([]Node)) []Node {
	change(nodes)
	return nodes
}

func TestDecideRefuses(t *testing.T) {
	t.Parallel()
	promoteAny, named := Wish{Group: 2, Promote: true}, Wish{Group: 2, Addr: "r:1"}
	for _, c := range []struct {
		name  string
		wish  Wish
		nodes []Node
		want  []string
	}{
		{"a primary that takes writes", promoteAny, group(), []string{"g2/primary p:1 still takes writes"}},
		{"everything at once", named, group(), []string{"does not take writes", "still set up as a replica", "g2/primary p:1 still takes writes"}},
		{"a primary that is silent", promoteAny, with(group(), func(n []Node) { gone(&n[0], Silent) }), []string{"not the same as dead", "--fenced"}},
		{"two are gone", promoteAny, with(primaryDead(), func(n []Node) { gone(&n[2], Dead) }), []string{"g2/primary p:1 and g2/replica2 r:2 do not answer", "--accept-loss"}},
		{"it lacks orders", promoteNamed("r:1"), with(primaryDead(), func(n []Node) { n[2].GTID = "2-20-58" }), []string{"g2/replica1 r:1 lacks transactions that g2/replica2 r:2 has", `"2-20-57"`, `"2-20-58"`}},
		{"each lacks what the other has", promoteAny, with(primaryDead(), func(n []Node) { n[2].GTID = "2-20-56,3-1-1" }), []string{"lacks transactions"}},
		{"it has not applied all", promoteNamed("r:1"), with(primaryDead(), func(n []Node) { n[1].Applied = false }), []string{"has not applied all"}},
		{"another tool's failover lost orders", named, with(failedOver(), func(n []Node) { n[2].GTID = "2-20-58" }), []string{"lacks transactions"}},
		{"a node of another group", named, with(failedOver(), func(n []Node) { n[1].Group = 3 }), []string{"has the rows of group 3, not of group 2"}},
		{"a node without rows", named, with(failedOver(), func(n []Node) { n[1].Group, n[1].Epoch = 0, 0 }), []string{"has no rows of group 2"}},
		{"a node that is gone", named, with(group(), func(n []Node) { gone(&n[1], Dead) }), []string{"g2/replica1 r:1 does not answer: no answer", "still takes writes"}},
		{"a node that engines do not know", Wish{Group: 2, Addr: "x:1"}, failedOver(), []string{"x:1 is no node of group 2 in the config"}},
		{"nobody to promote", promoteAny, with(group(), func(n []Node) { gone(&n[1], Dead); gone(&n[2], Dead); n[0].ReadOnly = true }), []string{"no replica of group 2 answers"}},
		{"two primaries", named, with(failedOver(), func(n []Node) { n[2].PrimaryUID = "X" }), []string{"two primaries were recorded"}},
		{"a position that cannot be read", promoteNamed("r:1"), with(primaryDead(), func(n []Node) { n[2].GTID = "?" }), []string{`"?"`}},
	} {
		p, err := Decide(c.wish, c.nodes, true)
		var refusal *Refusal
		if !errors.As(err, &refusal) {
			t.Errorf("%s: %s, %v; want a refusal", c.name, steps(p), err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v\nwant %q", c.name, err, want)
			}
		}
		if len(refusal.Reasons) > len(c.want) {
			t.Errorf("%s: more reasons than there are: %v", c.name, err)
		}
	}
}
