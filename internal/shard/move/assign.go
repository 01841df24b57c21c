package move

import (
	"cmp"
	"slices"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// Heir is the group that takes over the tags of a leaving one: with M groups left, g
// goes to number g mod M in their sorted list, counted from 1, and residue 0 is the
// last of them. For 1..M left that is the published rule. left is sorted and not
// empty.
//
// It is asked once, when a move is planned, and the answer lives in the tag map:
// asked afresh at each read, 8 to 5 to 3 groups would look for three of eight tags
// where they are not.
func Heir(leaving shard.GroupID, left []shard.GroupID) shard.GroupID {
	residue := int(leaving) % len(left)
	if residue == 0 {
		residue = len(left)
	}
	return left[residue-1]
}

// Leg is the move of one tag: from the group that owns it to that group's heir.
type Leg struct {
	Tag  pay.Tag       `json:"tag"`
	From shard.GroupID `json:"from"`
	To   shard.GroupID `json:"to"`
}

// legs assigns every tag of the leaving groups, by tag. All tags of a group move
// together, also those that it inherited.
func legs(t shard.Topology, leaving, left []shard.GroupID) (all []Leg) {
	for _, g := range leaving {
		for _, tag := range t.TagsOf(g) {
			all = append(all, Leg{Tag: tag, From: g, To: Heir(g, left)})
		}
	}
	slices.SortFunc(all, func(a, b Leg) int { return cmp.Compare(a.Tag, b.Tag) })
	return all
}

// present lists the groups that still count, sorted: those that own their orders or
// are about to.
func present(t shard.Topology) (ids []shard.GroupID) {
	for _, g := range t.Groups {
		if g.State != shard.GroupMoved && g.State != shard.GroupRetired {
			ids = append(ids, g.ID)
		}
	}
	return ids
}

// NextGroup is the number of a new group, which is also its tag: one above the
// highest that was ever given out. The number of a retired group stays on its orders
// for ever.
func NextGroup(t shard.Topology) shard.GroupID { return nextGroup(t, nil) }

// nextGroup leaves out groups that have begun to join under a new number.
func nextGroup(t shard.Topology, joining []shard.GroupID) shard.GroupID {
	highest := shard.GroupID(0)
	for _, tag := range t.Tags() {
		own := shard.GroupID(tag)
		another := slices.ContainsFunc(t.History(tag), func(c shard.Claim) bool { return c.Group != own })
		if another || !slices.Contains(joining, own) {
			highest = max(highest, own)
		}
	}
	for _, g := range t.Groups {
		if !slices.Contains(joining, g.ID) {
			highest = max(highest, g.ID)
		}
	}
	return highest + 1
}
