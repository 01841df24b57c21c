package drill

import (
	"slices"
	"strings"
	"sync"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// Node is one server of a group.
type Node struct {
	Name    string
	Group   shard.GroupID
	Primary bool
}

// Judge holds a run against the rows that its nodes have. It does no I/O: whoever
// reads the nodes hands each row to Add. Memory grows with the orders of the run,
// not with the number of nodes. Safe for concurrent use until Verdict.
//
// The world must be at rest: the load has ended, and each replica was read after
// it had applied what its primary had. While a tag moves, only rows whose tag the
// group owns are handed in (hop design, rule 9): the copy in the other group is no
// twin.
type Judge struct {
	run    *Run
	locate func(pay.OrderNo) (shard.GroupID, error)

	mu     sync.Mutex
	groups map[shard.GroupID][]Node
	unread map[string]bool // by the node's name
	rows   map[pay.OrderNo]*row
	keys   map[string][]*row
}

// row is all that was seen under one order number: one sighting where its group
// agrees, more where it has diverged.
type row struct {
	no   pay.OrderNo
	seen []sighting
}

// sighting is one content of a row and the nodes of a group that hold it.
type sighting struct {
	group shard.GroupID
	content
	nodes []string
}

// content is what must be the same on every node of a group.
type content struct {
	key     string
	attempt int
	state   pay.State
	amount  pay.Fen
	given   pay.Fen // back, of a paid order
	twinOf  pay.OrderNo
	shadow  bool
	version int64
}

// NewJudge prepares the judgement of a run. nodes are all nodes there are, those
// without a row and those that will turn out unreadable included; names are
// unique. locate says which group owns a number today.
func NewJudge(run *Run, nodes []Node, locate func(pay.OrderNo) (shard.GroupID, error)) *Judge {
	j := &Judge{
		run: run, locate: locate,
		groups: map[shard.GroupID][]Node{}, unread: map[string]bool{},
		rows: map[pay.OrderNo]*row{}, keys: map[string][]*row{},
	}
	for _, n := range nodes {
		j.groups[n.Group] = append(j.groups[n.Group], n)
	}
	return j
}

// Add hands in a row that a node holds. Rows of other runs are passed over.
func (j *Judge) Add(node Node, o order.Order) {
	if o.Key.MerchantID != j.run.Merchant || !strings.HasPrefix(o.Key.MerchantOrderNo, j.run.Prefix) {
		return
	}
	j.see(node, o.No, contentOf(o), func(a, b content) bool { return a == b })
}

func contentOf(o order.Order) content {
	return content{
		key: o.Key.MerchantOrderNo, attempt: o.Attempt, state: o.State, amount: o.Amount, given: o.Refunded,
		twinOf: o.TwinOf, shadow: o.Shadow, version: o.Version,
	}
}

// see takes in that a node holds a row. same tells whether it is what another node of
// the group holds.
func (j *Judge) see(node Node, no pay.OrderNo, c content, same func(a, b content) bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r := j.rows[no]
	if r == nil {
		r = &row{no: no}
		j.rows[no] = r
	}
	for i := range r.seen {
		if r.seen[i].group == node.Group && same(r.seen[i].content, c) {
			r.seen[i].nodes = append(r.seen[i].nodes, node.Name)
			return
		}
	}
	r.seen = append(r.seen, sighting{group: node.Group, content: c, nodes: []string{node.Name}})
	if rows := j.keys[c.key]; !slices.Contains(rows, r) {
		j.keys[c.key] = append(rows, r)
	}
}

// Unread says that a node could not be read, or not to its end. The rows that it
// did give count; that it lacks others proves nothing.
func (j *Judge) Unread(node Node) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.unread[node.Name] = true
}

// primary is the name of a group's primary, "" if there is none.
func (j *Judge) primary(g shard.GroupID) string {
	for _, n := range j.groups[g] {
		if n.Primary {
			return n.Name
		}
	}
	return ""
}

// witness names one node that holds a sighting, its group's primary if that does.
func (j *Judge) witness(s sighting) string {
	if p := j.primary(s.group); slices.Contains(s.nodes, p) {
		return p
	}
	return slices.Min(s.nodes)
}

// silent reports whether a row of this number could lie on a node that was not
// read.
func (j *Judge) silent(no pay.OrderNo) bool {
	owner, err := j.locate(no)
	if err != nil {
		return len(j.unread) > 0
	}
	return slices.ContainsFunc(j.groups[owner], func(n Node) bool { return j.unread[n.Name] })
}

// truth is the sighting that counts for a row: in the owning group before any
// other, on a primary before a replica.
func (j *Judge) truth(r *row) sighting {
	best, rank := r.seen[0], 0
	owner, err := j.locate(r.no)
	for _, s := range r.seen {
		score := 0
		if slices.Contains(s.nodes, j.primary(s.group)) {
			score++
		}
		if err == nil && s.group == owner {
			score += 2
		}
		if score > rank {
			best, rank = s, score
		}
	}
	return best
}

// maxTwins bounds a chain of twins. Each link is a hop that was settled; no order
// hops this often.
const maxTwins = 32

// living follows a number that a key's client was given to the row that stands for
// it today: its own, or that of the twin that a VOID row names. Without one, end is
// where the trail ends: a number that no row of the key has, or a VOID row that
// names no twin.
func (j *Judge) living(key string, no pay.OrderNo) (found *row, end pay.OrderNo) {
	for range maxTwins {
		r := j.rows[no]
		if r == nil {
			return nil, no
		}
		t := j.truth(r)
		switch {
		case t.key != key:
			return nil, no
		case t.state != pay.Void:
			return r, no
		case t.twinOf.IsZero():
			return nil, no
		}
		no = t.twinOf
	}
	return nil, no
}
