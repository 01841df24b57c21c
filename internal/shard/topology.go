package shard

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"paytool/internal/pay"
)

// GroupID is the number of a group: one primary and its replicas. Groups are
// numbered from 1.
type GroupID int

// TagState is what a group says of a tag.
type TagState string

// The states of a tag in a group.
const (
	TagOwned  TagState = "owned"  // orders of the tag are written here
	TagFenced TagState = "fenced" // writes are held while the tag moves
	TagMoved  TagState = "moved"  // the orders live elsewhere now
)

// GroupState is the state of a group in the topology.
type GroupState string

// The states of a group.
const (
	GroupActive   GroupState = "active"
	GroupJoining  GroupState = "joining"
	GroupDraining GroupState = "draining"
	GroupMoved    GroupState = "moved"
	GroupRetired  GroupState = "retired"
)

// Claim is one group's word on one tag at an epoch.
type Claim struct {
	Tag   pay.Tag
	Group GroupID
	State TagState
	Epoch int64
}

// Report is what one group says of itself: its own row and its claims.
type Report struct {
	Group      GroupID
	State      GroupState
	Weight     int // share of new orders; 0 takes none
	Epoch      int64
	PrimaryUID string // server uid of the primary that may write, "" where the server has none
	Claims     []Claim
	// Changed is when the share of new orders was last changed, zero if it never was.
	Changed time.Time
	// Shares are the last shares, at most MostShares, the oldest first.
	Shares []Share
	// Founders are the groups that the fleet was planned with, as the group was told when
	// it was prepared; empty where nobody said so.
	Founders []GroupID
	// Pilots are the merchants whose orders alone the group takes while it is joining with
	// a weight.
	Pilots []string
}

// Group is one group of the topology. Changed and Shares are as of its Report.
type Group struct {
	ID      GroupID
	State   GroupState
	Weight  int
	Changed time.Time
	Shares  []Share
	// Pilots are the merchants whose orders alone the group takes, sorted: of a group that
	// is joining with a weight. Others have none.
	Pilots []string
	// Unheard: the group has said nothing yet, and what stands here is assumed. No
	// order was ever sent by it.
	Unheard bool
}

// Topology maps tags to groups and carries the weights of new orders. It is an
// immutable value: a change is a new topology with a higher epoch.
type Topology struct {
	Epoch  int64
	Groups []Group // sorted by ID
	// Changed is when the weights were last changed; zero if they never were.
	Changed time.Time
	// Legacy is the group of 21-digit numbers, 0 for none.
	Legacy  GroupID
	history map[pay.Tag][]Claim // newest first
}

// ErrUnknownTag means that no group ever claimed the tag of a number.
var ErrUnknownTag = errors.New("unknown group tag")

// NewTopology joins what the groups report. For each tag the claim with the
// highest epoch wins (rule 9), and at one epoch owned wins over fenced and
// moved: the commit point of a switch is the target's row. Older claims stay as
// the tag's history.
func NewTopology(legacy GroupID, reports ...Report) Topology {
	t := Topology{Legacy: legacy, history: map[pay.Tag][]Claim{}}
	for _, r := range reports {
		t.Epoch = max(t.Epoch, r.Epoch)
		if r.Changed.After(t.Changed) {
			t.Changed = r.Changed
		}
		t.Groups = append(t.Groups, GroupOf(r))
		for _, c := range r.Claims {
			t.Epoch = max(t.Epoch, c.Epoch)
			t.history[c.Tag] = append(t.history[c.Tag], c)
		}
	}
	slices.SortFunc(t.Groups, func(a, b Group) int { return cmp.Compare(a.ID, b.ID) })
	for _, claims := range t.history {
		slices.SortFunc(claims, newerClaim)
	}
	return t
}

// GroupOf is the group that a report tells of.
func GroupOf(r Report) Group {
	return Group{ID: r.Group, State: r.State, Weight: r.Weight, Changed: r.Changed, Shares: r.Shares, Pilots: pilotsOf(r), Unheard: r.Epoch == 0}
}

func newerClaim(a, b Claim) int {
	return cmp.Or(cmp.Compare(b.Epoch, a.Epoch), cmp.Compare(claimRank(a.State), claimRank(b.State)), cmp.Compare(a.Group, b.Group))
}

func claimRank(s TagState) int {
	switch s {
	case TagOwned:
		return 0
	case TagFenced:
		return 1
	case TagMoved:
		return 2
	}
	return 3
}

// Locate says which group owns an order number today.
func (t Topology) Locate(no pay.OrderNo) (GroupID, error) {
	if no.Legacy() {
		if t.Legacy == 0 {
			return 0, fmt.Errorf("%w: %s is a legacy number without a tag and the config names no engine.legacy_group", ErrUnknownTag, no)
		}
		return t.Legacy, nil
	}
	claim, ok := t.Owner(no.Tag())
	if !ok {
		return 0, fmt.Errorf("%w: %s ends in tag %d, known tags are %v", ErrUnknownTag, no, no.Tag(), t.Tags())
	}
	return claim.Group, nil
}

// Owner is the newest claim on a tag.
func (t Topology) Owner(tag pay.Tag) (Claim, bool) {
	claims := t.history[tag]
	if len(claims) == 0 {
		return Claim{}, false
	}
	return claims[0], true
}

// History lists every claim on a tag, the newest first.
func (t Topology) History(tag pay.Tag) []Claim { return slices.Clone(t.history[tag]) }

// Tags lists every tag that was ever given out, sorted. A retired tag stays in
// the list: it is never given out again (rule 8).
func (t Topology) Tags() []pay.Tag { return slices.Sorted(maps.Keys(t.history)) }

// TagsOf lists the tags that a group owns today, sorted.
func (t Topology) TagsOf(g GroupID) []pay.Tag {
	var tags []pay.Tag
	for tag := range t.history {
		if c, _ := t.Owner(tag); c.Group == g {
			tags = append(tags, tag)
		}
	}
	slices.Sort(tags)
	return tags
}

// Group looks up a group by its number.
func (t Topology) Group(id GroupID) (Group, bool) {
	i, ok := slices.BinarySearchFunc(t.Groups, id, func(g Group, id GroupID) int { return cmp.Compare(g.ID, id) })
	if !ok {
		return Group{}, false
	}
	return t.Groups[i], true
}

// sameWeights reports whether new orders are spread as they were, whatever the epochs.
func (t Topology) sameWeights(before Topology) bool {
	return slices.EqualFunc(t.Groups, before.Groups, func(now, then Group) bool {
		return now.ID == then.ID && (then.Unheard || now.TakesAs(then))
	})
}

// Share is the weight that counts for new orders of any merchant: only an active group
// takes those.
func (g Group) Share() int {
	if g.State != GroupActive {
		return 0
	}
	return max(g.Weight, 0)
}
