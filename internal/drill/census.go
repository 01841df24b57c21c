package drill

import (
	"slices"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// Census holds what the nodes have against each other, where nobody kept a ledger: it
// finds orders that can be paid twice, numbers that were given twice, rows in the wrong
// group and rows that a node lacks or has otherwise. It cannot find an order that is
// nowhere: nobody knows that there was one.
//
// The orders live on meanwhile. So what must be the same on all nodes is only what never
// changes, a row's state is its primary's, and a group's primary is handed in before its
// replicas, which have then applied all that it had. Safe for concurrent use until
// Verdict.
type Census struct{ judge *Judge }

// NewCensus prepares a census. See NewJudge.
func NewCensus(nodes []Node, locate func(pay.OrderNo) (shard.GroupID, error)) *Census {
	return &Census{NewJudge(&Run{Intents: map[string]*Intent{}}, nodes, locate)}
}

// Add hands in a row that a node holds.
func (c *Census) Add(node Node, o order.Order) {
	row := contentOf(o)
	row.key = o.Key.String()
	if !node.Primary && o.State == pay.Void && c.first(o.No, node.Group) {
		return // a tombstone that was written after its primary was read
	}
	c.judge.see(node, o.No, row, func(a, b content) bool {
		return a.key == b.key && a.attempt == b.attempt && a.amount == b.amount && a.shadow == b.shadow
	})
}

// first reports whether no node of the group has handed in that number yet.
func (c *Census) first(no pay.OrderNo, g shard.GroupID) bool {
	c.judge.mu.Lock()
	defer c.judge.mu.Unlock()
	r := c.judge.rows[no]
	return r == nil || !slices.ContainsFunc(r.seen, func(s sighting) bool { return s.group == g })
}

// Unread says that a node could not be read to its end.
func (c *Census) Unread(node Node) { c.judge.Unread(node) }

// Verdict judges what was handed in. Found counts the keys that have a living order;
// what a ledger would be needed for is zero.
func (c *Census) Verdict(doubtsOpen int) Verify {
	j := c.judge
	j.mu.Lock()
	defer j.mu.Unlock()
	v := j.newVerdict(doubtsOpen)
	for _, key := range j.allKeys() {
		rows := j.keys[key]
		slices.SortFunc(rows, func(a, b *row) int { return a.no.Compare(b.no) })
		if slices.ContainsFunc(rows, func(r *row) bool { return j.truth(r).state != pay.Void }) {
			v.Found++
		}
		for _, r := range rows {
			t := j.truth(r)
			owner, err := j.locate(r.no)
			if detail := misplaced(t, owner, err); detail != "" {
				v.add(Corrupt, key, r.no, j.witness(t), "%s", detail)
				break
			}
		}
		v.judgeTwins(key, &Intent{}, rows)
		v.judgeNodes(key, rows)
	}
	return v.close()
}
