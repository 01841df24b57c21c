package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"paytool/internal/shard"
)

// taking are the groups that take new orders.
func (f Facts) taking() []Group {
	return slices.DeleteFunc(slices.Clone(f.Groups), func(g Group) bool { return g.Weight <= 0 })
}

func checkGroups(f Facts) []Finding {
	if n := len(f.taking()); n < 2 {
		return []Finding{{
			ID: "few_groups", Severity: Warning, Found: fmt.Sprintf("%d group takes new orders, want at least 2", n),
			Do:  "add a group, or give another one a weight",
			Why: "when a group fails, its orders have nowhere to go",
		}}
	}
	return nil
}

// checkZones says nothing where the config names no zones at all.
func checkZones(f Facts) (findings []Finding) {
	in := map[string][]shard.GroupID{}
	var without []shard.GroupID
	for _, g := range f.taking() {
		if g.Zone == "" {
			without = append(without, g.ID)
			continue
		}
		in[g.Zone] = append(in[g.Zone], g.ID)
	}
	if len(in) == 0 {
		return nil
	}
	if len(without) > 0 {
		findings = append(findings, Finding{
			ID: "zone_missing", Severity: Warning, Found: fmt.Sprintf("%s no zone in the config, other groups do", have(without)),
			Do: "write the zone of its primary into the config: zone, beside group", Why: "whether one zone's failure takes several groups cannot be told",
		})
	}
	for _, zone := range slices.Sorted(maps.Keys(in)) {
		if len(in[zone]) > 1 {
			findings = append(findings, sharedZone(zone, in[zone], len(f.taking()), len(in)))
		}
	}
	return findings
}

// sharedZone is a note where the zones are too few for the groups and this one
// holds no more than its share.
func sharedZone(zone string, ids []shard.GroupID, groups, zones int) Finding {
	f := Finding{
		ID: "zone_shared", Severity: Warning, Found: fmt.Sprintf("the primaries of %s lie in one zone, %q", list(ids), zone),
		Do:  "move primaries to other zones (promote a replica there) and write that into the config",
		Why: "when the zone fails, they fail together, and the others have to carry their orders",
	}
	if share := (groups + zones - 1) / zones; zones > 1 && len(ids) <= share {
		f.Severity = Note
		f.Do = fmt.Sprintf("nothing with %d zones for %d groups; see that the others can carry their orders", zones, groups)
	}
	return f
}

func list(ids []shard.GroupID) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = fmt.Sprint(id)
	}
	if len(ids) == 1 {
		return "group " + words[0]
	}
	return "groups " + strings.Join(words, ", ")
}

func have(ids []shard.GroupID) string {
	if len(ids) == 1 {
		return list(ids) + " has"
	}
	return list(ids) + " have"
}
