package shard

import "slices"

// pilotsOf are the merchants whose orders a group takes though others' do not go there:
// none but where it is joining with a weight. A program that knows no pilots sends no
// order to a group that is joining.
func pilotsOf(r Report) []string {
	if r.State != GroupJoining || r.Weight <= 0 {
		return nil
	}
	return slices.Compact(slices.Sorted(slices.Values(r.Pilots)))
}

// ShareFor is the weight that counts for new orders of one merchant: Share, or that of
// a joining group if the merchant is among its pilots.
func (g Group) ShareFor(merchant string) int {
	if len(g.Pilots) > 0 {
		if _, ok := slices.BinarySearch(g.Pilots, merchant); ok {
			return g.Weight
		}
	}
	return g.Share()
}

// Record is the group's share of new orders as it goes on record.
func (g Group) Record() Share {
	if len(g.Pilots) > 0 {
		return Share{Share: g.Weight, Pilots: true}
	}
	return Share{Share: g.Share()}
}

// TakesAs reports whether the group takes the same new orders as it did then.
func (g Group) TakesAs(then Group) bool {
	return g.Record() == then.Record() && slices.Equal(g.Pilots, then.Pilots)
}

// possible lists the shares that may have counted for a key. A record does not name the
// pilots, so that their group's share counts, and does not.
func possible(state []Share) [][]int {
	all := [][]int{make([]int, len(state))}
	for i, s := range state {
		for _, shares := range all {
			shares[i] = s.Share
			if s.Pilots {
				without := slices.Clone(shares)
				without[i] = 0
				all = append(all, without)
			}
		}
	}
	return all
}

// pilotGroups counts the pilots' shares in a state and in what comes next.
func pilotGroups(state []Share, next []turn) (n int) {
	for _, s := range state {
		if s.Pilots {
			n++
		}
	}
	for _, t := range next {
		if t.share.Pilots {
			n++
		}
	}
	return n
}
