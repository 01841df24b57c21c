package move

import (
	"slices"

	"paytool/internal/shard"
)

// expand lets new groups join: under the next free numbers, or those that are in the
// config and have begun to join.
func (p *Plan) expand(t shard.Topology, r Request) {
	if r.Add < 1 && len(r.Join) == 0 {
		p.refuse("request", 0, "%d groups cannot join: choose 1 or more", r.Add)
		return
	}
	p.Joining = slices.Compact(slices.Sorted(slices.Values(r.Join)))
	p.Pilots = append(p.Pilots, slices.Compact(slices.Sorted(slices.Values(r.Pilots)))...)
	next := nextGroup(t, p.Joining)
	if len(r.Join) == 0 {
		for i := range r.Add {
			p.Joining = append(p.Joining, next+shard.GroupID(i))
		}
	}
	for _, g := range p.Joining {
		if g < next {
			p.refuse("number_taken", g, "group %d cannot join: its number is or was that of another group, and stays on orders; the next free one is %d", g, next)
		}
	}
	p.Groups = slices.DeleteFunc(p.Groups, func(g shard.GroupID) bool { return slices.Contains(p.Joining, g) })
	p.After = slices.Concat(p.Groups, p.Joining)
	slices.Sort(p.After)
}
