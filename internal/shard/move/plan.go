package move

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// Kind is what a plan does to the number of groups.
type Kind string

// The kinds of plans.
const (
	Shrink Kind = "shrink"
	Expand Kind = "expand"
	// One is the move of one tag to a group of the operator's choice, such as one on
	// new hardware.
	One Kind = "move"
)

// Request is what an operator asks for. A shrink names the number of groups that is
// to be left or the groups that are to go; an expansion, the number of new groups or
// those that have begun to join.
type Request struct {
	Kind   Kind
	To     int             // groups left; the highest numbers go
	Remove []shard.GroupID // instead of To
	Add    int             // groups that join under the next free numbers
	Join   []shard.GroupID // instead of Add
	Pilots []string        // merchants whose orders alone the new groups take first
	Tag    pay.Tag         // that moves alone
	Target shard.GroupID   // where it moves to
}

// Plan is a change of the number of groups, worked out and not begun. Its JSON is
// kept with the move and read by scripts: keys stay.
type Plan struct {
	Kind Kind `json:"kind"`
	// Hash names what is decided: kind, epoch, groups and tags. What is counted (rows,
	// bytes) is left out of it, as it changes with every order.
	Hash  string `json:"hash"`
	Epoch int64  `json:"epoch"` // of the topology that the plan was made from
	// Groups are those that count now, After those that will; both sorted.
	Groups  []shard.GroupID `json:"groups"`
	After   []shard.GroupID `json:"groups_after"`
	Leaving []shard.GroupID `json:"leaving"`
	Joining []shard.GroupID `json:"joining"`
	// Pilots are the merchants whose orders alone the joining groups take first, sorted.
	Pilots []string `json:"pilots"`
	Moves  []Move   `json:"moves"` // by tag
	// TagWidth is the number of digits that new order numbers need for their tag.
	TagWidth int   `json:"tag_width"`
	Rows     int64 `json:"rows"`
	Bytes    int64 `json:"bytes"`
	// Estimate is the time to copy and to verify, in whole seconds. Draining before
	// and watching after it take as long as a person likes.
	Estimate int64 `json:"estimated_seconds"`
	// Refusals are all reasons that forbid the move; a plan that has any is only for
	// reading. Warnings forbid nothing.
	Refusals []Reason `json:"refusals"`
	Warnings []Reason `json:"warnings"`
}

// Move is one leg and what it carries.
type Move struct {
	Leg
	Tables []TableSize `json:"tables"`
	Rows   int64       `json:"rows"`
	Bytes  int64       `json:"bytes"` // estimated from a sample, with indexes
	// Duplicates are attempts that are live in both groups; the target's unique key
	// would refuse them.
	Duplicates []Duplicate `json:"duplicates"`
}

// TableSize is what one table holds of a tag. Bytes are estimated.
type TableSize struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"`
}

// Duplicate is one attempt of a key with a live row in both groups.
type Duplicate struct {
	MerchantID      string `json:"merchant_id"`
	MerchantOrderNo string `json:"merchant_order_no"`
	Attempt         int    `json:"attempt"`
	Source          string `json:"source_order_no"`
	Target          string `json:"target_order_no"`
}

// Reason is one thing that forbids a move, or that should be known before it. Its
// Code stays, for scripts.
type Reason struct {
	Code  string        `json:"code"`
	Group shard.GroupID `json:"group"` // 0: none in particular
	Text  string        `json:"text"`  // what is, and what to do
}

// Draft decides which group goes where, without having asked any group for more than
// the topology. What speaks against the request itself is in Refusals already;
// Judge adds the rest.
func Draft(t shard.Topology, r Request) Plan {
	p := Plan{
		Kind: r.Kind, Epoch: t.Epoch, Groups: present(t), Leaving: []shard.GroupID{}, Joining: []shard.GroupID{}, Pilots: []string{},
		Moves: []Move{}, Refusals: []Reason{}, Warnings: []Reason{},
	}
	if p.Groups == nil {
		p.Groups = []shard.GroupID{}
	}
	p.After = slices.Clone(p.Groups)
	joining := r.Join
	switch r.Kind {
	case Shrink:
		p.shrink(t, r)
	case Expand:
		p.expand(t, r)
	case One:
		p.one(t, r)
		joining = []shard.GroupID{r.Target}
	default:
		p.refuse("request", 0, "%q is no kind of plan: ask for a shrink, an expand or a move", string(r.Kind))
	}
	p.refuseUnsettled(t, joining)
	p.TagWidth = tagWidth(t, p.Joining)
	p.Hash = p.hash()
	return p
}

func (p *Plan) shrink(t shard.Topology, r Request) {
	leaving := p.leaving(r)
	if len(leaving) == 0 {
		return
	}
	left := slices.DeleteFunc(slices.Clone(p.Groups), func(g shard.GroupID) bool { return slices.Contains(leaving, g) })
	if len(left) == 0 {
		p.refuse("nothing_left", 0, "all groups would leave: leave at least one")
		return
	}
	p.leave(t, leaving, left)
	for _, leg := range legs(t, leaving, left) {
		p.carry(leg)
	}
}

func (p *Plan) carry(leg Leg) {
	p.Moves = append(p.Moves, Move{Leg: leg, Tables: []TableSize{}, Duplicates: []Duplicate{}})
}

// leave lets groups go, and refuses where that cannot be.
func (p *Plan) leave(t shard.Topology, leaving, left []shard.GroupID) {
	p.Leaving, p.After = leaving, left
	if slices.Contains(leaving, t.Legacy) {
		p.refuse("legacy_numbers", t.Legacy, "numbers without a tag lie in group %d (engine.legacy_group) and cannot follow a tag: let another group go", t.Legacy)
	}
	if !slices.ContainsFunc(t.Groups, func(g shard.Group) bool {
		return slices.Contains(left, g.ID) && g.State == shard.GroupActive && g.Weight > 0
	}) {
		p.refuse("no_taker", 0, "none of the groups that are left (%v) takes new orders: give one of them a weight first", left)
	}
}

// leaving lists the groups that go, sorted, or says why that cannot be told.
func (p *Plan) leaving(r Request) []shard.GroupID {
	if len(r.Remove) == 0 {
		if r.To < 1 || r.To >= len(p.Groups) {
			p.refuse("request", 0, "%d groups cannot be shrunk to %d: choose 1 to %d", len(p.Groups), r.To, len(p.Groups)-1)
			return nil
		}
		return slices.Clone(p.Groups[r.To:])
	}
	leaving := slices.Compact(slices.Sorted(slices.Values(r.Remove)))
	known := true
	for _, g := range leaving {
		if !slices.Contains(p.Groups, g) {
			known = false
			p.refuse("request", g, "there is no group %d to remove: groups are %v", g, p.Groups)
		}
	}
	if !known {
		return nil
	}
	return leaving
}

// refuseUnsettled refuses while an earlier change is not finished: two moves at once
// would each plan with the other's groups. Those that this very plan is about may be
// on their way in.
func (p *Plan) refuseUnsettled(t shard.Topology, joining []shard.GroupID) {
	for _, g := range t.Groups {
		if g.State == shard.GroupDraining || g.State == shard.GroupJoining && !slices.Contains(joining, g.ID) {
			p.refuse("another_move", g.ID, "group %d is %s: finish that change or take it back first", g.ID, g.State)
		}
	}
	for _, tag := range t.Tags() {
		if c, _ := t.Owner(tag); c.State != shard.TagOwned {
			p.refuse("another_move", c.Group, "no group owns tag %d, group %d has it as %s: finish the move that began it", tag, c.Group, c.State)
		}
	}
}

func (p *Plan) refuse(code string, g shard.GroupID, format string, args ...any) {
	p.Refusals = append(p.Refusals, Reason{Code: code, Group: g, Text: fmt.Sprintf(format, args...)})
}

func (p *Plan) warn(code string, g shard.GroupID, format string, args ...any) {
	p.Warnings = append(p.Warnings, Reason{Code: code, Group: g, Text: fmt.Sprintf(format, args...)})
}

// tagWidth is the number of digits of the highest tag.
func tagWidth(t shard.Topology, joining []shard.GroupID) int {
	highest := pay.Tag(1)
	for _, tag := range t.Tags() {
		highest = max(highest, tag)
	}
	for _, g := range joining {
		highest = max(highest, pay.Tag(g))
	}
	return len(strconv.FormatInt(int64(highest), 10))
}

// hashLength is enough to tell plans of one fleet apart and short enough to type.
const hashLength = 16

func (p *Plan) hash() string {
	legs := make([]Leg, 0, len(p.Moves))
	for _, m := range p.Moves {
		legs = append(legs, m.Leg)
	}
	decided, err := json.Marshal(struct {
		Kind                            Kind
		Epoch                           int64
		Groups, After, Leaving, Joining []shard.GroupID
		Legs                            []Leg
		Pilots                          []string `json:",omitempty"` // plans without any keep their hash
	}{p.Kind, p.Epoch, p.Groups, p.After, p.Leaving, p.Joining, legs, p.Pilots})
	if err != nil {
		panic(err) // numbers and text always marshal
	}
	sum := sha256.Sum256(decided)
	return hex.EncodeToString(sum[:])[:hashLength]
}

// Takes is the estimated time to copy and to verify.
func (p *Plan) Takes() time.Duration { return time.Duration(p.Estimate) * time.Second }
