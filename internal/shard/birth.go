package shard

import (
	"errors"
	"fmt"
	"slices"

	"paytool/internal/pay"
)

// Birth is what a group begins with that has no rows of its own yet.
type Birth struct {
	State    GroupState
	Weight   int   // share of new orders
	Epoch    int64 // of the group and of its claim on its first tag
	Founders []GroupID
}

// ErrNumberUsed means that a new group has the number of an earlier one, whose orders
// live on elsewhere under the tag of that number.
var ErrNumberUsed = errors.New("the number was another group's")

// BirthOf says how a new group of a fleet begins, by what the other groups report of
// themselves; those that did not answer, or have no rows either, are not among them.
// planned are all groups of the config, the new one too.
//
// Where no other group has rows, a fleet begins: the new one is active with its weight,
// and the planned groups are written down as the founders. A founder that comes up later
// begins like that as well, however long it takes and whichever instance finds it. Any
// other group begins as joining, with weight 0, at the fleet's epoch: that it takes
// orders is a decision of people. Fleets that were begun before founders were written
// down have none, so that whatever joins them is joining.
//
// A number whose tag another group ever claimed is refused with ErrNumberUsed.
func BirthOf(id GroupID, weight int, planned []GroupID, others ...Report) (Birth, error) {
	b := Birth{State: GroupActive, Weight: weight, Epoch: 1, Founders: planned}
	fleet, founders := false, []GroupID(nil)
	for _, r := range others {
		if r.Epoch < 1 || len(r.Claims) == 0 {
			continue
		}
		fleet = true
		b.Epoch = max(b.Epoch, r.Epoch)
		for _, c := range r.Claims {
			if c.Tag == pay.Tag(id) {
				return Birth{}, fmt.Errorf("group %d has the claim on tag %d: %w; give the new group a number that none ever had", r.Group, c.Tag, ErrNumberUsed)
			}
		}
		founders = append(founders, r.Founders...)
	}
	if !fleet {
		return b, nil
	}
	slices.Sort(founders)
	if b.Founders = slices.Compact(founders); !slices.Contains(founders, id) {
		b.State, b.Weight = GroupJoining, 0
	}
	return b, nil
}
