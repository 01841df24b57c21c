package shard

import (
	"cmp"
	"slices"
	"time"
)

// Share is a group's share of new orders from a time on; the zero time where nobody
// knows since when.
type Share struct {
	Share  int
	Pilots bool // of named merchants alone; the share of others' orders was 0
	Since  time.Time
}

// MostShares is how many shares a group keeps on record.
const MostShares = 16

// past are weights that were in force until a time.
type past struct {
	topo Topology
	at   time.Time
}

const (
	// together is how near to each other changes of several groups are taken for
	// simultaneous: engines read the groups one by one, and an operator's clock may be
	// off by a little, so any of them may have been seen first.
	together = 2 * time.Second
	// mostTogether bounds how many, and how many groups took the orders of named merchants
	// alone: each one doubles what may have been in force.
	mostTogether = 4
)

// turn is a change of one group's share.
type turn struct {
	place int // in Groups
	share Share
}

// pasts lists all weights that were in force at some time since from, except for those
// that are in force now, by the groups' own records. It is not known where a record is
// missing, does not go back far enough, or tells of more at one time than can be told
// apart.
func (t Topology) pasts(from time.Time) (list []past, known bool) {
	state := make([]Share, len(t.Groups))
	var turns []turn
	for i, g := range t.Groups {
		state[i] = g.Record()
		if !g.Changed.After(from) {
			continue
		}
		if len(g.Shares) == 0 || len(g.Shares) == MostShares && g.Shares[0].Since.After(from) {
			return nil, false
		}
		for _, s := range g.Shares {
			if s.Since.After(from) {
				turns = append(turns, turn{i, s})
			} else {
				state[i] = s
			}
		}
	}
	slices.SortStableFunc(turns, func(a, b turn) int { return cmp.Compare(a.share.Since.UnixNano(), b.share.Since.UnixNano()) })
	for len(turns) > 0 {
		n := 1
		for n < len(turns) && turns[n].share.Since.Sub(turns[0].share.Since) <= together {
			n++
		}
		at := turns[n-1].share.Since
		if n > mostTogether || pilotGroups(state, turns[:n]) > mostTogether {
			return nil, false
		}
		for some := range 1<<n - 1 { // all of them is the next state
			mixed := slices.Clone(state)
			for i, turn := range turns[:n] {
				if some&(1<<i) != 0 {
					mixed[turn.place] = turn.share
				}
			}
			for _, shares := range possible(mixed) {
				list = append(list, past{t.withShares(shares), at})
			}
		}
		for _, turn := range turns[:n] {
			state[turn.place] = turn.share
		}
		turns = turns[n:]
	}
	return list, true
}

// withShares is the topology as it chose groups for new orders with other shares.
func (t Topology) withShares(shares []int) Topology {
	groups := make([]Group, len(t.Groups))
	for i, g := range t.Groups {
		groups[i] = Group{ID: g.ID, State: GroupActive, Weight: shares[i]}
	}
	t.Groups = groups
	return t
}

// others drops what is in force now from a list, and of equal weights all but the one
// that was in force last.
func (t Topology) others(all []past) (list []past) {
	for _, p := range all {
		if p.topo.ranksAs(t) {
			continue
		}
		i := slices.IndexFunc(list, func(q past) bool { return p.topo.ranksAs(q.topo) })
		switch {
		case i < 0:
			list = append(list, p)
		case p.at.After(list[i].at):
			list[i] = p
		}
	}
	return list
}

func (t Topology) ranksAs(other Topology) bool {
	return slices.EqualFunc(t.Groups, other.Groups, func(a, b Group) bool { return a.ID == b.ID && a.TakesAs(b) })
}
