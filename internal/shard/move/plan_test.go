package move

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/shard/doctor"
)

// fleet is a topology of groups 1 to n, each with its own tag.
func fleet(n int) shard.Topology {
	var reports []shard.Report
	for i := 1; i <= n; i++ {
		id := shard.GroupID(i)
		reports = append(reports, shard.Report{
			Group: id, State: shard.GroupActive, Weight: 100, Epoch: 1,
			Claims: []shard.Claim{{Tag: pay.Tag(i), Group: id, State: shard.TagOwned, Epoch: 1}},
		})
	}
	return shard.NewTopology(0, reports...)
}

// carriedOut is the topology after a plan.
func carriedOut(t shard.Topology, p Plan) shard.Topology {
	var reports []shard.Report
	for _, g := range t.Groups {
		r := shard.Report{Group: g.ID, State: g.State, Weight: g.Weight, Epoch: t.Epoch + 1}
		if slices.Contains(p.Leaving, g.ID) {
			r.State, r.Weight = shard.GroupRetired, 0
		}
		for _, tag := range t.Tags() {
			for _, c := range t.History(tag) {
				if c.Group == g.ID {
					r.Claims = append(r.Claims, c)
				}
			}
		}
		for _, m := range p.Moves {
			if m.To == g.ID {
				r.Claims = append(r.Claims, shard.Claim{Tag: m.Tag, Group: g.ID, State: shard.TagOwned, Epoch: t.Epoch + 1})
			}
		}
		reports = append(reports, r)
	}
	for _, id := range p.Joining {
		reports = append(reports, shard.Report{
			Group: id, State: shard.GroupActive, Weight: 100, Epoch: t.Epoch + 1,
			Claims: []shard.Claim{{Tag: pay.Tag(id), Group: id, State: shard.TagOwned, Epoch: t.Epoch + 1}},
		})
	}
	return shard.NewTopology(t.Legacy, reports...)
}

func words(p Plan) string {
	var list []string
	for _, m := range p.Moves {
		list = append(list, fmt.Sprintf("%d:%d>%d", m.Tag, m.From, m.To))
	}
	return strings.Join(list, " ")
}

func codes(reasons []Reason) (list []string) {
	for _, r := range reasons {
		list = append(list, r.Code)
	}
	return list
}

func TestShrink(t *testing.T) {
	t.Parallel()
	chained := carriedOut(fleet(8), Draft(fleet(8), Request{Kind: Shrink, To: 5}))
	for _, c := range []struct {
		name string
		topo shard.Topology
		ask  Request
		want string
	}{
		{"as published", fleet(5), Request{Kind: Shrink, To: 3}, "4:4>1 5:5>2"},
		{"residue 0 is the last", fleet(6), Request{Kind: Shrink, To: 3}, "4:4>1 5:5>2 6:6>3"},
		{"one from the middle", fleet(5), Request{Kind: Shrink, Remove: []shard.GroupID{2}}, "2:2>3"},
		{"two, named twice and unsorted", fleet(5), Request{Kind: Shrink, Remove: []shard.GroupID{5, 2, 5}}, "2:2>3 5:5>3"},
		{"down to one", fleet(3), Request{Kind: Shrink, To: 1}, "2:2>1 3:3>1"},
		{"8 to 3 at once", fleet(8), Request{Kind: Shrink, To: 3}, "4:4>1 5:5>2 6:6>3 7:7>1 8:8>2"},
		{"8 to 5", fleet(8), Request{Kind: Shrink, To: 5}, "6:6>1 7:7>2 8:8>3"},
		{"8 to 5 to 3: inherited tags stay with their heir", chained, Request{Kind: Shrink, To: 3}, "4:4>1 5:5>2"},
		{"a heir that leaves takes along what it inherited", chained, Request{Kind: Shrink, Remove: []shard.GroupID{1}}, "1:1>2 6:1>2"},
		{"two digits", fleet(12), Request{Kind: Shrink, To: 10}, "11:11>1 12:12>2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := Draft(c.topo, c.ask)
			if got := words(p); got != c.want || !p.OK() {
				t.Errorf("got %s, want %s; refused: %v", got, c.want, p.Refusals)
			}
		})
	}
}

func TestExpandNeverReusesANumber(t *testing.T) {
	t.Parallel()
	topo := carriedOut(fleet(5), Draft(fleet(5), Request{Kind: Shrink, To: 3}))
	p := Draft(topo, Request{Kind: Expand, Add: 1})
	if want := []shard.GroupID{6}; !slices.Equal(p.Joining, want) || !slices.Equal(p.After, []shard.GroupID{1, 2, 3, 6}) {
		t.Errorf("after 5 to 3 the new group is %v in %v", p.Joining, p.After)
	}
	// Also when the retired groups are no longer in the config.
	gone := shard.NewTopology(0,
		shard.Report{Group: 1, State: shard.GroupActive, Weight: 1, Claims: []shard.Claim{
			{Tag: 1, Group: 1, State: shard.TagOwned, Epoch: 1}, {Tag: 9, Group: 1, State: shard.TagOwned, Epoch: 3},
		}})
	p = Draft(gone, Request{Kind: Expand, Add: 1})
	if !slices.Equal(p.Joining, []shard.GroupID{10}) || p.TagWidth != 2 {
		t.Errorf("new groups %v, tag width %d", p.Joining, p.TagWidth)
	}
	p.Judge(Facts{TagWidth: 1, Groups: []GroupFacts{{Group: 10, FreeBytes: -1}}})
	if !slices.Equal(codes(p.Refusals), []string{"tag_width"}) {
		t.Errorf("ten groups and one digit: %v", p.Refusals)
	}
}

func TestDraftRefuses(t *testing.T) {
	t.Parallel()
	legacy := fleet(3)
	legacy.Legacy = 3
	idle := fleet(2)
	idle.Groups[0].Weight = 0
	busy := fleet(3)
	busy.Groups[1].State = shard.GroupDraining
	fenced := shard.NewTopology(0, shard.Report{Group: 1, State: shard.GroupActive, Weight: 1, Claims: []shard.Claim{{Tag: 1, Group: 1, State: shard.TagFenced, Epoch: 2}}},
		shard.Report{Group: 2, State: shard.GroupActive, Weight: 1, Claims: []shard.Claim{{Tag: 2, Group: 2, State: shard.TagOwned, Epoch: 1}}})
	for _, c := range []struct {
		name string
		topo shard.Topology
		ask  Request
		want []string
	}{
		{"to none", fleet(3), Request{Kind: Shrink}, []string{"request"}},
		{"to as many", fleet(3), Request{Kind: Shrink, To: 3}, []string{"request"}},
		{"all of them", fleet(2), Request{Kind: Shrink, Remove: []shard.GroupID{1, 2}}, []string{"nothing_left"}},
		{"strangers, each named", fleet(2), Request{Kind: Shrink, Remove: []shard.GroupID{7, 8}}, []string{"request", "request"}},
		{"legacy numbers", legacy, Request{Kind: Shrink, To: 2}, []string{"legacy_numbers"}},
		{"nobody takes orders", idle, Request{Kind: Shrink, To: 1}, []string{"no_taker"}},
		{"another move", busy, Request{Kind: Shrink, To: 2}, []string{"another_move"}},
		{"a fence is up", fenced, Request{Kind: Shrink, To: 1}, []string{"another_move"}},
		{"nobody joins", fleet(2), Request{Kind: Expand}, []string{"request"}},
		{"no kind", fleet(2), Request{Kind: "grow"}, []string{"request"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := Draft(c.topo, c.ask)
			if diff := cmp.Diff(c.want, codes(p.Refusals)); diff != "" {
				t.Errorf("refusals (-want +got):\n%s", diff)
			}
		})
	}
}

// roomy are facts that forbid nothing.
func roomy(groups ...shard.GroupID) Facts {
	f := Facts{TagWidth: 1, CopyRows: 1000, VerifyRows: 10_000}
	for _, g := range groups {
		f.Groups = append(f.Groups, GroupFacts{Group: g, Server: "10.11.19-MariaDB", Schema: 2, FreeBytes: 1 << 40, Tags: []TagFacts{
			{Tag: pay.Tag(g), Tables: []TableSize{{"orders", 10_000, 4 << 20}, {"refunds", 500, 1 << 20}}},
		}})
	}
	return f
}

func TestJudge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		change   func(f *Facts)
		refusals []string
		warnings []string
	}{
		{"nothing", func(*Facts) {}, nil, nil},
		{"a group is silent", func(f *Facts) { f.Groups[0].Silent = "no answer within 2s" }, []string{"silent"}, nil},
		{"a group is not in the config", func(f *Facts) { f.Groups = f.Groups[1:] }, []string{"not_in_config"}, nil},
		{"duplicates", func(f *Facts) {
			f.Groups[1].Tags[0].Clashing = 3
			f.Groups[1].Tags[0].Duplicates = []Duplicate{{"m", "k", 1, "a", "b"}}
		}, []string{"duplicates"}, nil},
		{"no space", func(f *Facts) { f.Groups[0].FreeBytes = 14 << 20 }, []string{"space"}, nil},
		{"space unknown", func(f *Facts) { f.Groups[0].FreeBytes = -1 }, nil, []string{"space_unknown"}},
		{"another schema", func(f *Facts) { f.Groups[0].Schema = 1 }, []string{"schema"}, nil},
		{"another kind of server", func(f *Facts) { f.Groups[0].Server = "8.4.2" }, []string{"server"}, nil},
		{"another version", func(f *Facts) { f.Groups[0].Server = "10.11.20-MariaDB" }, nil, []string{"server_version"}},
		{"too few digits", func(f *Facts) { f.TagWidth = 0 }, []string{"tag_width"}, nil},
		{"the doctor about this group, and about another", func(f *Facts) {
			f.Findings = []doctor.Finding{
				{ID: "replication_broken", Severity: doctor.Error, Group: 1, Node: "g1/replica1"},
				{ID: "disk_full", Severity: doctor.Error, Group: 2},
				{ID: "zones", Severity: doctor.Warning},
			}
		}, []string{"doctor_replication_broken"}, []string{"doctor_zones"}},
		{"all at once", func(f *Facts) {
			f.Groups[0].FreeBytes, f.Groups[0].Schema, f.TagWidth = 0, 1, 0
		}, []string{"tag_width", "schema", "space"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := Draft(fleet(4), Request{Kind: Shrink, To: 3}) // 4 to 1
			f := roomy(1, 4)
			c.change(&f)
			p.Judge(f)
			if diff := cmp.Diff(c.refusals, codes(p.Refusals)); diff != "" {
				t.Errorf("refusals (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.warnings, codes(p.Warnings)); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPlanCountsAndKeepsItsHash(t *testing.T) {
	t.Parallel()
	p := Draft(fleet(5), Request{Kind: Shrink, To: 3})
	before := p.Hash
	p.Judge(roomy(1, 2, 4, 5))
	if p.Rows != 21_000 || p.Bytes != 10<<20 || p.Estimate != 21+3 {
		t.Errorf("%d rows, %d bytes, %d s", p.Rows, p.Bytes, p.Estimate)
	}
	if p.Hash != before || len(p.Hash) != hashLength {
		t.Errorf("the hash changed with the facts: %s, then %s", before, p.Hash)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var back Plan
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, back); diff != "" {
		t.Errorf("a kept plan reads differently:\n%s", diff)
	}
	if strings.Contains(string(text), "null") {
		t.Errorf("null in %s", text)
	}
	for _, other := range []Plan{
		Draft(fleet(5), Request{Kind: Shrink, To: 4}),
		Draft(fleet(5), Request{Kind: Shrink, Remove: []shard.GroupID{4}}),
		Draft(fleet(5), Request{Kind: Expand, Add: 1}),
		Draft(carriedOut(fleet(5), Plan{}), Request{Kind: Shrink, To: 3}), // the same at a later epoch
	} {
		if other.Hash == p.Hash {
			t.Errorf("another plan has the same hash: %s", words(other))
		}
	}
}

// TestPlanOfPilots: whose orders come first is decided with the plan.
func TestPlanOfPilots(t *testing.T) {
	t.Parallel()
	plain := Draft(fleet(5), Request{Kind: Expand, Add: 1})
	p := Draft(fleet(5), Request{Kind: Expand, Add: 1, Pilots: []string{"m2", "m1", "m2"}})
	again := Draft(fleet(5), Request{Kind: Expand, Add: 1, Pilots: []string{"m1", "m2"}})
	if !slices.Equal(p.Pilots, []string{"m1", "m2"}) || p.Hash != again.Hash || p.Hash == plain.Hash || plain.Pilots == nil {
		t.Errorf("plan %s for %v, %s for %v, %s for %v", p.Hash, p.Pilots, again.Hash, again.Pilots, plain.Hash, plain.Pilots)
	}
}

// TestTagsAreNeverLost: after any chain of plans every tag ever given out has one
// owner that still counts, and no number was given out twice.
func TestTagsAreNeverLost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		topo := fleet(rapid.IntRange(2, 12).Draw(rt, "groups"))
		given := len(topo.Tags())
		for range rapid.IntRange(1, 6).Draw(rt, "changes") {
			groups := present(topo)
			ask := Request{Kind: Expand, Add: rapid.IntRange(1, 3).Draw(rt, "add")}
			if len(groups) > 1 && rapid.Bool().Draw(rt, "shrink") {
				ask = Request{Kind: Shrink, To: rapid.IntRange(1, len(groups)-1).Draw(rt, "to")}
				if rapid.Bool().Draw(rt, "named") {
					ask.Remove = []shard.GroupID{rapid.SampledFrom(groups).Draw(rt, "remove")}
				}
			}
			p := Draft(topo, ask)
			if !p.OK() {
				rt.Fatalf("refused: %v", p.Refusals)
			}
			given += len(p.Joining)
			topo = carriedOut(topo, p)
			for _, tag := range topo.Tags() {
				if c, _ := topo.Owner(tag); !slices.Contains(p.After, c.Group) {
					rt.Fatalf("tag %d belongs to group %d, left are %v", tag, c.Group, p.After)
				}
			}
			if len(topo.Tags()) != given {
				rt.Fatalf("%d tags were given out, %d are known", given, len(topo.Tags()))
			}
		}
	})
}
