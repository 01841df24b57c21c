package move

import (
	"cmp"
	"slices"
	"strings"

	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/shard/doctor"
)

// Facts are what the groups said after a plan was drafted.
type Facts struct {
	Groups []GroupFacts // of the config
	// Findings are the doctor's, about any group.
	Findings []doctor.Finding
	// TagWidth is the engine's setting for new numbers.
	TagWidth int
	// CopyRows and VerifyRows are rows a second that are to be expected.
	CopyRows, VerifyRows int64
}

// GroupFacts are one group's own words.
type GroupFacts struct {
	Group  shard.GroupID
	Silent string // why it could not be asked, without secrets; "" if it was
	// Server is the version that the primary prints, "" for an embedded group.
	Server string
	Schema int
	// FreeBytes is what the server may still write on the disk of its data; -1 if
	// nobody could tell.
	FreeBytes int64
	Tags      []TagFacts
}

// TagFacts are what a group holds of a tag.
type TagFacts struct {
	Tag        pay.Tag
	Tables     []TableSize
	Duplicates []Duplicate // live in this group and in its heir
	// Clashing counts all duplicates, of which Duplicates lists the first.
	Clashing int64
}

// spaceFactor is how many times the copied bytes the target must have free: rows and
// their binlog, and as much again for the orders that go on arriving.
const spaceFactor = 3

// Judge completes a drafted plan: sizes, time, and all that forbids it, at once.
func (p *Plan) Judge(f Facts) {
	for i := range p.Moves {
		p.weigh(&p.Moves[i], f)
	}
	if f.CopyRows > 0 && f.VerifyRows > 0 {
		p.Estimate = (p.Rows+f.CopyRows-1)/f.CopyRows + (p.Rows+f.VerifyRows-1)/f.VerifyRows
	}
	p.judgeGroups(f)
	p.judgeSpace(f)
	p.judgeFindings(f)
	if p.TagWidth > f.TagWidth {
		p.refuse("tag_width", 0, "the highest tag has %d digits and engine.tag_width is %d: set it to %d and restart every engine", p.TagWidth, f.TagWidth, p.TagWidth)
	}
	slices.SortStableFunc(p.Refusals, func(a, b Reason) int { return cmp.Compare(a.Group, b.Group) })
	slices.SortStableFunc(p.Warnings, func(a, b Reason) int { return cmp.Compare(a.Group, b.Group) })
}

// OK reports whether nothing forbids the move.
func (p *Plan) OK() bool { return len(p.Refusals) == 0 }

func (p *Plan) weigh(m *Move, f Facts) {
	from, _ := f.group(m.From)
	i := slices.IndexFunc(from.Tags, func(t TagFacts) bool { return t.Tag == m.Tag })
	if i < 0 {
		return // a group that was not heard is refused as such
	}
	held := from.Tags[i]
	m.Tables = append(m.Tables, held.Tables...)
	m.Duplicates = append(m.Duplicates, held.Duplicates...)
	for _, t := range held.Tables {
		m.Rows += t.Rows
		m.Bytes += t.Bytes
	}
	p.Rows += m.Rows
	p.Bytes += m.Bytes
	if held.Clashing > 0 {
		p.refuse("duplicates", m.From, "%d attempts of tag %d are live in group %d and in group %d: let `order verify` settle them, and void the one that was not paid", held.Clashing, m.Tag, m.From, m.To)
	}
}

func (f Facts) group(id shard.GroupID) (GroupFacts, bool) {
	i := slices.IndexFunc(f.Groups, func(g GroupFacts) bool { return g.Group == id })
	if i < 0 {
		return GroupFacts{}, false
	}
	return f.Groups[i], true
}

// involved lists the groups that rows leave or enter, and those that join.
func (p *Plan) involved() []shard.GroupID {
	ids := slices.Clone(p.Joining)
	for _, m := range p.Moves {
		ids = append(ids, m.From, m.To)
	}
	return slices.Compact(slices.Sorted(slices.Values(ids)))
}

// judgeGroups refuses where any group is silent, also one that the plan does not
// touch: it may own tags that nobody else knows of.
func (p *Plan) judgeGroups(f Facts) {
	for _, g := range f.Groups {
		if g.Silent != "" {
			p.refuse("silent", g.Group, "group %d did not answer: %s", g.Group, g.Silent)
		}
	}
	for _, id := range p.involved() {
		_, ok := f.group(id)
		switch {
		case !ok && slices.Contains(p.Joining, id):
			p.refuse("not_in_config", id, "group %d is not in the config: a new group gets this number, so add it there with its servers and weight 0", id)
		case !ok:
			p.refuse("not_in_config", id, "group %d is not in the config, so its rows cannot be reached: add it", id)
		}
	}
	said := map[Leg]bool{}
	for _, m := range p.Moves {
		pair := Leg{From: m.From, To: m.To}
		from, heard := f.group(m.From)
		to, heardToo := f.group(m.To)
		if !heard || !heardToo || from.Silent != "" || to.Silent != "" || said[pair] {
			continue
		}
		said[pair] = true
		p.judgePair(from, to)
	}
}

func (p *Plan) judgePair(from, to GroupFacts) {
	if from.Schema != to.Schema {
		p.refuse("schema", to.Group, "group %d has schema version %d and group %d has %d: let an engine of the newest version join both", from.Group, from.Schema, to.Group, to.Schema)
	}
	if family(from.Server) != family(to.Server) {
		p.refuse("server", to.Group, "group %d runs %s and group %d runs %s: move between servers of one kind", from.Group, family(from.Server), to.Group, family(to.Server))
	} else if from.Server != to.Server {
		p.warn("server_version", to.Group, "group %d runs %s and group %d runs %s", from.Group, from.Server, to.Group, to.Server)
	}
}

func family(version string) string {
	switch {
	case version == "":
		return "an embedded file"
	case strings.Contains(version, "MariaDB"):
		return "MariaDB"
	}
	return "MySQL"
}

// judgeSpace adds up what a group takes from several that leave.
func (p *Plan) judgeSpace(f Facts) {
	need := map[shard.GroupID]int64{}
	for _, m := range p.Moves {
		need[m.To] += m.Bytes * spaceFactor
	}
	for _, id := range p.After {
		g, ok := f.group(id)
		switch bytes := need[id]; {
		case bytes == 0 || !ok || g.Silent != "":
		case g.FreeBytes < 0:
			p.warn("space_unknown", id, "nobody could tell the free space of group %d; the move needs about %d MiB", id, bytes>>20+1)
		case g.FreeBytes < bytes:
			p.refuse("space", id, "group %d has %d MiB free, and the move needs about %d MiB: make room", id, g.FreeBytes>>20, bytes>>20+1)
		}
	}
}

// judgeFindings takes over what the doctor found about the groups involved: an error
// forbids the move, a warning is passed on.
func (p *Plan) judgeFindings(f Facts) {
	involved := p.involved()
	for _, found := range f.Findings {
		if found.Group != 0 && !slices.Contains(involved, found.Group) {
			continue
		}
		place := found.Node
		if place == "" {
			place = "the groups"
		}
		switch found.Severity {
		case doctor.Error:
			p.refuse("doctor_"+found.ID, found.Group, "%s: %s; %s", place, found.Found, found.Do)
		case doctor.Warning:
			p.warn("doctor_"+found.ID, found.Group, "%s: %s", place, found.Found)
		case doctor.Note:
		}
	}
}
