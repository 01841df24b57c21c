package promote

import (
	"fmt"
	"slices"
	"strings"
)

// Decide says what has to be done, or why nothing may be done: a *Refusal. halted
// says that no replica receives anything more: before that their positions still
// change and are compared in vain.
func Decide(w Wish, nodes []Node, halted bool) (Plan, error) {
	j := judge{wish: w, nodes: nodes, halted: halted || !w.Promote}
	j.known()
	at := j.choose()
	if at >= 0 {
		j.candidate(nodes[at])
		j.writers(at)
		j.complete(at)
	}
	if len(j.reasons) > 0 {
		return Plan{}, &Refusal{Group: w.Group, Reasons: j.reasons}
	}
	return j.plan(nodes[at]), nil
}

type judge struct {
	wish    Wish
	nodes   []Node
	halted  bool
	epoch   int64  // the highest that any node tells
	primary string // uid that it names
	reasons []string
}

func (j *judge) refuse(format string, args ...any) {
	j.reasons = append(j.reasons, fmt.Sprintf(format, args...))
}

// known finds out who the primary was until now.
func (j *judge) known() {
	for _, n := range j.nodes {
		if n.Reach == Answers && n.Group == j.wish.Group && n.Epoch > j.epoch {
			j.epoch, j.primary = n.Epoch, n.PrimaryUID
		}
	}
	for _, n := range j.nodes {
		if n.Reach == Answers && n.Group == j.wish.Group && n.Epoch == j.epoch && n.PrimaryUID != j.primary {
			j.refuse("%s names the server %q as the primary at epoch %d, another node names %q: two primaries were recorded side by side; "+
				"find out which one took orders, and stop the other", n.Name, n.PrimaryUID, n.Epoch, j.primary)
		}
	}
}

// choose finds the node that the wish names, or the one that has the most; -1 with
// a reason.
func (j *judge) choose() int {
	if j.wish.Addr != "" {
		at := slices.IndexFunc(j.nodes, func(n Node) bool { return n.Addr == j.wish.Addr })
		if at < 0 {
			j.refuse("%s is no node of group %d in the config: engines only know nodes of their config; add it there as a replica, for every engine, and restart them first", j.wish.Addr, j.wish.Group)
		}
		return at
	}
	best, bestSet := -1, GTIDSet(nil)
	for i, n := range j.nodes {
		if n.Reach != Answers || n.Group != j.wish.Group || !n.ReadOnly || n.UID == j.primary {
			continue
		}
		set, err := ParseGTID(n.GTID)
		if err != nil {
			j.refuse("%s: %v", n.Name, err)
			continue
		}
		if best < 0 || !bestSet.Has(set) {
			best, bestSet = i, set
		}
	}
	if best < 0 {
		j.refuse("no replica of group %d answers that could be promoted", j.wish.Group)
	}
	return best
}

func (j *judge) candidate(n Node) {
	switch {
	case n.Reach != Answers:
		j.refuse("%s does not answer: %s", n.Name, n.Why)
		return
	case n.Group == 0:
		j.refuse("%s has no rows of group %d: it is not a node of it, or the dsn names another database", n.Name, j.wish.Group)
	case n.Group != j.wish.Group:
		j.refuse("%s has the rows of group %d, not of group %d: correct the dsn in the config", n.Name, n.Group, j.wish.Group)
	}
	if n.UID == j.primary && !n.ReadOnly && !n.Follows {
		return // it is the primary already
	}
	if j.wish.Promote {
		if j.halted && n.Follows && !n.Applied && !j.wish.AcceptLoss {
			j.refuse("%s has not applied all that it received, or was restarted and cannot tell: mend its applier (SHOW REPLICA STATUS), or promote another one", n.Name)
		}
		return
	}
	if n.ReadOnly {
		j.refuse("%s does not take writes (read_only is on): end the failover first, or let --promote do it", n.Name)
	}
	if n.Follows {
		j.refuse("%s is still set up as a replica: end the failover first, or let --promote do it", n.Name)
	}
}

// writers refuses while another node takes writes, or may.
func (j *judge) writers(at int) {
	answered := false // by the old primary
	for i, n := range j.nodes {
		if n.Reach == Answers && n.UID == j.primary {
			answered = true
		}
		if i != at && n.Reach == Answers && !n.ReadOnly {
			j.refuse("%s still takes writes: `SET GLOBAL read_only=1` there, or stop it for good", n.Name)
		}
	}
	if answered {
		return // the others are replicas, and a replica that comes back is read-only
	}
	for i, n := range j.nodes {
		if i != at && n.Reach == Silent && !j.wish.Fenced {
			j.refuse("%s does not answer (%s), which is not the same as dead: it may take writes again any moment; power it off or kill its server, then say so with --fenced", n.Name, n.Why)
		}
	}
}

// complete refuses a node that may lack orders.
func (j *judge) complete(at int) {
	c := j.nodes[at]
	if c.Reach != Answers {
		return
	}
	have, err := ParseGTID(c.GTID)
	if err != nil {
		j.refuse("%s: %v", c.Name, err)
		return
	}
	answered, missing := c.UID == j.primary, []string{}
	for i, n := range j.nodes {
		switch {
		case i == at:
		case n.Reach != Answers:
			missing = append(missing, n.Name)
		default:
			answered = answered || n.UID == j.primary
			j.compare(c, have, n)
		}
	}
	// One node that does not answer is the old primary; what it acknowledged, one of
	// the replicas has. Of two, one is a replica that may be just that one.
	if !answered && len(missing) > 1 && !j.wish.AcceptLoss {
		j.refuse("%s do not answer: with the old primary gone too, an order that only one of them acknowledged would be lost; bring one back, or accept the loss with --accept-loss", strings.Join(missing, " and "))
	}
}

func (j *judge) compare(c Node, have GTIDSet, n Node) {
	set, err := ParseGTID(n.GTID)
	switch {
	case err != nil:
		j.refuse("%s: %v", n.Name, err)
	case j.halted && !have.Has(set):
		j.refuse("%s lacks transactions that %s has: it is at %q, the other at %q; promote that one, or let it catch up", c.Name, n.Name, c.GTID, n.GTID)
	}
}

func (j *judge) plan(c Node) Plan {
	p := Plan{Group: j.wish.Group, Primary: c.Addr, Name: c.Name, Epoch: j.epoch + 1, Steps: []Step{}}
	recorded := c.UID == j.primary
	if recorded {
		p.Epoch = j.epoch
		if p.Already = !c.ReadOnly && !c.Follows; p.Already {
			return p
		}
	}
	if j.wish.Promote {
		p.Steps = append(p.Steps, j.promotion(c)...)
	}
	if !recorded {
		p.Steps = append(p.Steps, Step{Kind: Record, Node: c.Addr, Epoch: p.Epoch, UID: c.UID, OldEpoch: c.Epoch, OldUID: c.PrimaryUID})
	}
	if j.wish.Promote {
		p.Steps = append(p.Steps, Step{Kind: Open, Node: c.Addr, Semisync: j.wish.Semisync})
	}
	return p
}

// promotion is the safe way: a replica that forgets its primary at once throws away
// what it has received and not yet applied.
func (j *judge) promotion(c Node) (steps []Step) {
	var replicas []Node
	for _, n := range j.nodes {
		if n.Reach == Answers && n.Follows {
			replicas = append(replicas, n)
		}
	}
	if old := slices.IndexFunc(j.nodes, func(n Node) bool { return n.Reach == Answers && n.UID == j.primary && n.UID != c.UID }); old >= 0 {
		steps = append(steps, Step{Kind: CatchUp, Node: c.Addr, From: j.nodes[old].Addr})
	}
	for _, kind := range []StepKind{Halt, Apply} {
		for _, n := range replicas {
			steps = append(steps, Step{Kind: kind, Node: n.Addr, AcceptLoss: kind == Apply && j.wish.AcceptLoss})
		}
	}
	if c.Follows {
		steps = append(steps, Step{Kind: Detach, Node: c.Addr})
	}
	for _, n := range replicas {
		if n.Addr != c.Addr {
			steps = append(steps, Step{Kind: Follow, Node: n.Addr, From: c.Addr, Semisync: j.wish.Semisync})
		}
	}
	return steps
}
