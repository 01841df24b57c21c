package shard

import (
	"slices"
	"time"

	"paytool/internal/pay"
)

// Plan is the way of one new order through the groups.
type Plan struct {
	// Ranked is the order of the groups for the key, the home first.
	Ranked []GroupID `json:"ranked"`
	// Tries are the groups to try, in this order. Those after the first Good ones
	// are ejected and only a last resort, by their last success.
	Tries []GroupID `json:"tries"`
	Good  int       `json:"good"`
	// Lookup are the groups to ask for the key before a row is written: an earlier
	// attempt may have landed there.
	Lookup []GroupID `json:"lookup"`

	// Hopeless: no group is admitted, and none has done anything well for a second.
	// Waiting would only make the caller wait; without it, all groups look bad
	// because of a load that passes.
	Hopeless bool `json:"hopeless"`

	before   [][]GroupID // rankings before recent changes of weights
	anywhere []GroupID   // every group, while weights may have been in force that nobody here saw
}

// Panic reports that no group is admitted and the last resort is all there is.
func (p Plan) Panic() bool { return p.Good == 0 }

// Above lists the groups that an order of this plan went past to land in the
// winner: those ranked above it, now and before recent changes of weights. The hop
// record names all of them (money rules, rule 9).
func (p Plan) Above(winner GroupID) []GroupID {
	above := aboveIn(nil, p.Ranked, winner)
	for _, ranked := range p.before {
		above = aboveIn(above, ranked, winner)
	}
	if len(p.anywhere) > 0 {
		others := slices.DeleteFunc(slices.Clone(p.anywhere), func(g GroupID) bool { return g == winner })
		above = aboveIn(above, others, 0)
	}
	return above
}

func aboveIn(above, ranked []GroupID, winner GroupID) []GroupID {
	for _, g := range ranked {
		if g == winner {
			break
		}
		if !slices.Contains(above, g) {
			above = append(above, g)
		}
	}
	return above
}

// hopelessAfter is how long after the last success of any group an order is
// answered at once instead of waiting for a place.
const hopelessAfter = time.Second

// Plan works out the way of a new order. draw is the source of chance for the
// random selection and is not used otherwise.
func (f *Fleet) Plan(key pay.Key, now time.Time, draw func() uint64) Plan {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := Plan{Lookup: []GroupID{}}
	if f.opts.Selection == Random {
		p.Ranked = f.topo.RankRandom(key.MerchantID, draw)
	} else {
		p.Ranked = f.topo.Rank(key)
	}
	p.Tries, p.Good = f.tries(p.Ranked, now)
	p.Hopeless = p.Panic() && !slices.ContainsFunc(p.Tries, func(g GroupID) bool {
		return now.Sub(f.members[g].health.okAt) < hopelessAfter
	})
	if f.opts.Selection == Random || len(p.Tries) == 0 {
		return p
	}
	p.before = f.before(key, now)
	if now.Before(f.blind) {
		for _, g := range f.topo.Groups {
			p.anywhere = append(p.anywhere, g.ID)
		}
	}
	p.Lookup = append(p.Lookup, f.lookup(p, key, now)...)
	return p
}

// lookup lists the groups of a plan that may hold an earlier attempt and will
// answer.
func (f *Fleet) lookup(p Plan, key pay.Key, now time.Time) (groups []GroupID) {
	reached := [][]GroupID{f.reach(p.Ranked, now), p.anywhere, f.mayHold(key, now)}
	for _, ranked := range p.before {
		reached = append(reached, f.reach(ranked, now))
	}
	for _, g := range slices.Concat(reached...) {
		if g != p.Tries[0] && !slices.Contains(groups, g) && f.answers(g) {
			groups = append(groups, g)
		}
	}
	return groups
}

// Reweighted reports whether an order of this plan went past a group that is above the
// winner only by earlier weights, or by weights that nobody here saw: nothing is wrong
// with it.
func (p Plan) Reweighted(above, winner GroupID) bool {
	return !slices.Contains(aboveIn(nil, p.Ranked, winner), above)
}

// before lists the rankings of a key before recent changes of weights.
func (f *Fleet) before(key pay.Key, now time.Time) (rankings [][]GroupID) {
	for _, p := range f.earlier {
		if now.Sub(p.at) < f.opts.RetryWindow {
			rankings = append(rankings, p.topo.Rank(key))
		}
	}
	return rankings
}

func (f *Fleet) tries(ranked []GroupID, now time.Time) (tries []GroupID, good int) {
	tries = make([]GroupID, 0, len(ranked))
	var last []GroupID
	for _, g := range ranked {
		switch h := f.members[g].health; {
		case h.admission(now) != shut:
			tries = append(tries, g)
		case !h.ejected.Cause.Unsafe():
			last = append(last, g)
		}
	}
	slices.SortStableFunc(last, func(a, b GroupID) int {
		return f.members[b].health.okAt.Compare(f.members[a].health.okAt)
	})
	return append(tries, last...), len(tries)
}

// answers reports whether a look-up in the group has a chance.
func (f *Fleet) answers(g GroupID) bool {
	m := f.members[g]
	return m != nil && (m.health.ejected == nil || !m.health.ejected.Cause.Silent())
}
