package join

import (
	"fmt"
	"slices"

	"paytool/internal/shard"
)

// place is where a group stands on its way in.
type place struct {
	state  shard.GroupState
	weight int
	pilots []string // sorted
}

// takesNone is where a group begins, and where it is taken back to.
var takesNone = place{state: shard.GroupJoining}

func placeOf(r shard.Report) place {
	return place{r.State, r.Weight, shard.GroupOf(r).Pilots}
}

func (p place) is(q place) bool {
	return p.state == q.state && p.weight == q.weight && slices.Equal(p.pilots, q.pilots)
}

func (p place) String() string {
	if len(p.pilots) > 0 {
		return fmt.Sprintf("%s with weight %d for %v", p.state, p.weight, p.pilots)
	}
	return fmt.Sprintf("%s with weight %d", p.state, p.weight)
}

// steps lists the places that are still ahead.
func (j *joining) steps() (ahead []place) {
	if len(j.Merchants) > 0 && j.last.state == shard.GroupJoining {
		pilots := slices.Compact(slices.Sorted(slices.Values(j.Merchants)))
		first := place{shard.GroupJoining, slices.Max(j.Weights), pilots}
		if !j.last.is(first) {
			ahead = append(ahead, first)
		}
	}
	for _, weight := range j.Weights {
		if j.last.state == shard.GroupJoining || j.last.weight < weight {
			ahead = append(ahead, place{state: shard.GroupActive, weight: weight})
		}
	}
	return ahead
}
