package drill

import (
	"fmt"
	"maps"
	"slices"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// Verdict judges what was handed in. doubtsOpen is the number of doubts that
// could not be settled. Each key is judged by what its client was told:
//
//	acked      the row lives once, here or as the twin that a VOID row names
//	unknown    no row, a VOID row, or the one that a retry would be given
//	failed,
//	rejected   no row
//	not sent   no row
//
// and every row that there is agrees with its intent, lies in the group of its
// number, and is the same on all nodes of that group.
func (j *Judge) Verdict(doubtsOpen int) Verify {
	j.mu.Lock()
	defer j.mu.Unlock()
	v := j.newVerdict(doubtsOpen)
	for _, key := range j.allKeys() {
		intent, rows := j.run.Intents[key], j.keys[key]
		slices.SortFunc(rows, func(a, b *row) int { return a.no.Compare(b.no) })
		if intent == nil {
			v.add(Unexpected, key, rows[0].no, "", "the ledger has no such intent: the order was never sent")
			intent = &Intent{}
		} else {
			v.judgeAnswer(key, intent, rows)
			v.judgeContent(key, intent, rows)
		}
		v.judgeTwins(key, intent, rows)
		v.judgeNodes(key, rows)
	}
	return v.close()
}

// newVerdict begins with the nodes that could not be read.
func (j *Judge) newVerdict(doubtsOpen int) *verdict {
	v := &verdict{Judge: j, Verify: Verify{DoubtsOpen: doubtsOpen}, problems: map[ProblemKind][]Problem{}}
	for _, node := range slices.Sorted(maps.Keys(j.unread)) {
		v.add(Unread, "", pay.OrderNo{}, node, "the node could not be read to its end")
	}
	return v
}

// allKeys lists the keys of intents and rows, sorted, so that one world always
// gives one verdict.
func (j *Judge) allKeys() []string {
	keys := slices.Collect(maps.Keys(j.run.Intents))
	for key := range j.keys {
		if j.run.Intents[key] == nil {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// verdict is a Verdict on its way.
type verdict struct {
	*Judge
	Verify
	problems map[ProblemKind][]Problem
}

func (v *verdict) add(kind ProblemKind, key string, no pay.OrderNo, node, detail string, args ...any) {
	*v.count(kind)++
	if len(v.problems[kind]) < maxProblems {
		v.problems[kind] = append(v.problems[kind], Problem{Kind: kind, Key: key, OrderNo: no, Node: node, Detail: fmt.Sprintf(detail, args...)})
	}
}

// close adds up the verdict.
func (v *verdict) close() Verify {
	v.Problems = []Problem{}
	for _, kind := range kinds() {
		v.Problems = append(v.Problems, v.problems[kind]...)
	}
	// The sums agree where every key does: they check the judge, and are shown.
	v.OK = len(v.Problems) == 0 && v.DoubtsOpen == 0 && v.AckedFen == v.FoundFen
	v.Problems = v.Problems[:min(len(v.Problems), maxProblems)]
	return v.Verify
}

// judgeAnswer holds a key's rows against what its client was told.
func (v *verdict) judgeAnswer(key string, i *Intent, rows []*row) {
	switch answer := i.Answer(); answer {
	case Acked:
		v.judgeAcked(key, i)
	case Unknown:
		if len(rows) > 0 {
			v.Recovered++
		}
	case Failed, Rejected:
		if len(rows) > 0 {
			v.add(Phantom, key, rows[0].no, "", "the client was told %s, which promises that nothing was committed", answer)
		}
	}
}

// judgeAcked looks for the orders that the client was given.
func (v *verdict) judgeAcked(key string, i *Intent) {
	v.Acked++
	v.AckedFen += i.Amount
	var last *row
	for _, ack := range i.Acks {
		found, end := v.living(key, ack.No)
		switch {
		case found != nil:
			last = found
			continue
		case v.silent(end):
			return // neither found nor lost
		case end == ack.No && v.rows[end] == nil:
			v.add(Lost, key, ack.No, "", "the order was acknowledged and no node has it")
		default:
			v.add(Lost, key, ack.No, "", "the order was acknowledged and no row of its key lives: the trail ends at %s", end)
		}
		return
	}
	v.Found++
	v.FoundFen += v.truth(last).amount
}

// judgeContent names the first thing about a key that is not as it was sent and
// given. Where a load only creates, its rows are created, closed by their expiry,
// or void.
func (v *verdict) judgeContent(key string, i *Intent, rows []*row) {
	for _, ack := range i.Acks {
		if ack.Amount != i.Amount {
			v.add(Corrupt, key, ack.No, "", "sent over %d fen and acknowledged over %d fen", i.Amount, ack.Amount)
			return
		}
	}
	for _, r := range rows {
		t := v.truth(r)
		detail := ""
		switch owner, err := v.locate(r.no); {
		case t.key != key:
			continue // told by judgeTwins: the number has two keys
		case t.amount != i.Amount:
			detail = fmt.Sprintf("the row is over %d fen, the intent over %d fen", t.amount, i.Amount)
		case !v.run.Pays && t.state != pay.Created && t.state != pay.Closed && t.state != pay.Void:
			detail = fmt.Sprintf("the row is %q and nothing but a create was sent", t.state)
		case t.shadow != v.run.Shadow:
			detail = fmt.Sprintf("the row's shadow flag is %v, the run's is %v", t.shadow, v.run.Shadow)
		default:
			if detail = misplaced(t, owner, err); detail == "" {
				continue
			}
		}
		v.add(Corrupt, key, r.no, v.witness(t), "%s", detail)
		return
	}
}

// misplaced says what is wrong with where a row lies, "" if nothing is.
func misplaced(t sighting, owner shard.GroupID, err error) string {
	switch {
	case err != nil:
		return fmt.Sprintf("the row lies in group %d and no group owns its number: %v", t.group, err)
	case t.group != owner:
		return fmt.Sprintf("the row lies in group %d, its number belongs to group %d", t.group, owner)
	}
	return ""
}

// judgeTwins looks for numbers that were given twice and for orders that could be
// paid twice.
func (v *verdict) judgeTwins(key string, i *Intent, rows []*row) {
	for _, ack := range i.Acks {
		if r := v.rows[ack.No]; r != nil && v.truth(r).key != key {
			v.add(Doubled, key, ack.No, "", "the number was given twice: its row belongs to key %s", v.truth(r).key)
			return
		}
	}
	var payable []pay.OrderNo
	for _, r := range rows {
		if groups := groupsOf(r); len(groups) > 1 {
			v.add(Doubled, key, r.no, "", "the number was given twice: groups %v have it", groups)
			return
		}
		if t := v.truth(r); t.key == key && !t.state.Final() && (t.given == 0 || t.given < t.amount) {
			payable = append(payable, r.no)
		}
	}
	if len(payable) > 1 {
		v.add(Doubled, key, payable[0], "", "%d orders of the key can be paid: %v", len(payable), payable)
	}
}

// judgeNodes names the first node that does not hold a row of the key as its
// group's primary does.
func (v *verdict) judgeNodes(key string, rows []*row) {
	for _, r := range rows {
		for _, g := range groupsOf(r) {
			if node, detail := v.divergence(r, g); detail != "" {
				v.add(Diverged, key, r.no, node, "%s", detail)
				return
			}
		}
	}
}

// divergence compares what the nodes of a group hold under a number. The primary
// is right where it was read, else the first sighting.
func (v *verdict) divergence(r *row, g shard.GroupID) (node, detail string) {
	var holders []string // of a row under this number, right or not
	var want *sighting
	for i, s := range r.seen {
		if s.group != g {
			continue
		}
		holders = append(holders, s.nodes...)
		if want == nil || slices.Contains(s.nodes, v.primary(g)) {
			want = &r.seen[i]
		}
	}
	for _, n := range v.groups[g] {
		switch {
		case slices.Contains(want.nodes, n.Name): // as it should be
		case slices.Contains(holders, n.Name):
			return n.Name, fmt.Sprintf("its row is not the one on %s", v.witness(*want))
		case !v.unread[n.Name]:
			return n.Name, fmt.Sprintf("it has no such row, %s has", v.witness(*want))
		}
	}
	return "", ""
}

// groupsOf lists the groups that have a row of this number, sorted.
func groupsOf(r *row) []shard.GroupID {
	groups := make([]shard.GroupID, 0, 1)
	for _, s := range r.seen {
		if !slices.Contains(groups, s.group) {
			groups = append(groups, s.group)
		}
	}
	slices.Sort(groups)
	return groups
}
