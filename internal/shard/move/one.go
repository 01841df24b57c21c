package move

import (
	"slices"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// one moves a single tag to the group that is named. A group's own tag is the last
// that may leave it: new orders of the group end in that tag, so that with it the
// group leaves.
func (p *Plan) one(t shard.Topology, r Request) {
	owner, known := t.Owner(r.Tag)
	target, there := t.Group(r.Target)
	switch {
	case !known:
		p.refuse("request", 0, "no group has tag %d: tags are %v", r.Tag, t.Tags())
		return
	case !there:
		p.refuse("request", r.Target, "there is no group %d to move tag %d to: groups are %v; a new one joins with `paytool shard expand`", r.Target, r.Tag, p.Groups)
		return
	case owner.Group == r.Target:
		p.refuse("request", r.Target, "group %d has tag %d already", r.Target, r.Tag)
		return
	case target.State != shard.GroupActive && target.State != shard.GroupJoining:
		p.refuse("request", r.Target, "group %d is %s: move the tag to a group that is active or joining", r.Target, target.State)
		return
	}
	source, tags := owner.Group, t.TagsOf(owner.Group)
	p.carry(Leg{Tag: r.Tag, From: source, To: r.Target})
	switch own := r.Tag == pay.Tag(source); {
	case len(tags) == 1:
		left := slices.DeleteFunc(slices.Clone(p.Groups), func(g shard.GroupID) bool { return g == source })
		p.leave(t, []shard.GroupID{source}, left)
		p.warn("group_leaves", source, "tag %d is the last of group %d, which leaves with it", r.Tag, source)
	case own:
		p.refuse("own_tag", source, "new orders of group %d end in tag %d, and it has tags %v: move the others first, or let the group go with `paytool shard shrink --remove %d`", source, r.Tag, tags, source)
	}
}
