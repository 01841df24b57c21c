package move

import (
	"slices"
	"testing"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// joined is a fleet with one more group that is on its way in.
func joined(t shard.Topology, id shard.GroupID, state shard.GroupState, weight int) shard.Topology {
	reports := []shard.Report{{Group: id, State: state, Weight: weight, Epoch: t.Epoch, Claims: []shard.Claim{
		{Tag: pay.Tag(id), Group: id, State: shard.TagOwned, Epoch: 1},
	}}}
	for _, g := range t.Groups {
		r := shard.Report{Group: g.ID, State: g.State, Weight: g.Weight, Epoch: t.Epoch}
		for _, tag := range t.Tags() {
			for _, c := range t.History(tag) {
				if c.Group == g.ID {
					r.Claims = append(r.Claims, c)
				}
			}
		}
		reports = append(reports, r)
	}
	return shard.NewTopology(t.Legacy, reports...)
}

func TestMoveOfOneTag(t *testing.T) {
	t.Parallel()
	shrunk := carriedOut(fleet(5), Draft(fleet(5), Request{Kind: Shrink, To: 3})) // 1 has 1 4, 2 has 2 5
	for _, c := range []struct {
		name    string
		topo    shard.Topology
		tag     pay.Tag
		to      shard.GroupID
		want    string
		leaving []shard.GroupID
		refused []string
	}{
		{"an inherited tag", shrunk, 4, 3, "4:1>3", nil, nil},
		{"to a group that joins", joined(shrunk, 6, shard.GroupJoining, 0), 5, 6, "5:2>6", nil, nil},
		{"the last tag takes its group along", joined(shrunk, 6, shard.GroupJoining, 0), 3, 6, "3:3>6", []shard.GroupID{3}, nil},
		{"the own tag is the last that leaves", shrunk, 1, 3, "1:1>3", nil, []string{"own_tag"}},
		{"nobody would take orders", joined(fleet(1), 2, shard.GroupJoining, 0), 1, 2, "1:1>2", []shard.GroupID{1}, []string{"no_taker"}},
		{"the group of numbers without a tag stays", shard.NewTopology(3,
			shard.Report{Group: 1, State: shard.GroupActive, Weight: 1, Claims: []shard.Claim{{Tag: 1, Group: 1, State: shard.TagOwned}}},
			shard.Report{Group: 3, State: shard.GroupActive, Weight: 1, Claims: []shard.Claim{{Tag: 3, Group: 3, State: shard.TagOwned}}}),
			3, 1, "3:3>1", []shard.GroupID{3}, []string{"legacy_numbers"}},
		{"a tag that nobody has", shrunk, 9, 1, "", nil, []string{"request"}},
		{"to where it is", shrunk, 4, 1, "", nil, []string{"request"}},
		{"to nowhere", shrunk, 4, 8, "", nil, []string{"request"}},
		{"to a group that is gone", shrunk, 1, 5, "", nil, []string{"request"}},
		{"while another group joins", joined(shrunk, 6, shard.GroupJoining, 0), 4, 3, "4:1>3", nil, []string{"another_move"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := Draft(c.topo, Request{Kind: One, Tag: c.tag, Target: c.to})
			if got := words(p); got != c.want || !slices.Equal(codes(p.Refusals), c.refused) || !slices.Equal(p.Leaving, c.leaving) {
				t.Errorf("moves %q, leaving %v, refused %v; want %q, %v, %v", got, p.Leaving, p.Refusals, c.want, c.leaving, c.refused)
			}
			for _, g := range c.leaving {
				if slices.Contains(p.After, g) {
					t.Errorf("group %d leaves and is in %v", g, p.After)
				}
			}
		})
	}
}

// TestJoinNamesItsGroups: an expansion goes on with groups that have begun to join,
// and takes no number that orders bear already.
func TestJoinNamesItsGroups(t *testing.T) {
	t.Parallel()
	shrunk := carriedOut(fleet(5), Draft(fleet(5), Request{Kind: Shrink, To: 3}))
	forgotten := shard.NewTopology(0, // group 4 is not in the config any more
		shard.Report{Group: 1, State: shard.GroupActive, Weight: 1, Claims: []shard.Claim{
			{Tag: 1, Group: 1, State: shard.TagOwned, Epoch: 1}, {Tag: 4, Group: 1, State: shard.TagOwned, Epoch: 3},
		}})
	for _, c := range []struct {
		name    string
		topo    shard.Topology
		join    []shard.GroupID
		refused []string
	}{
		{"not prepared yet", shrunk, []shard.GroupID{6}, nil},
		{"prepared", joined(shrunk, 6, shard.GroupJoining, 0), []shard.GroupID{6}, nil},
		{"with a part of its weight", joined(shrunk, 6, shard.GroupActive, 3), []shard.GroupID{6}, nil},
		{"two of them", joined(shrunk, 6, shard.GroupJoining, 0), []shard.GroupID{7, 6}, nil},
		{"a retired number", shrunk, []shard.GroupID{4}, []string{"number_taken"}},
		{"a number that only its tag remembers", forgotten, []shard.GroupID{4}, []string{"number_taken"}},
		{"another one is joining", joined(shrunk, 6, shard.GroupJoining, 0), []shard.GroupID{7}, []string{"another_move"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := Draft(c.topo, Request{Kind: Expand, Join: c.join})
			if !slices.Equal(codes(p.Refusals), c.refused) {
				t.Errorf("refused %v, want %v", p.Refusals, c.refused)
			}
			for _, g := range c.join {
				if slices.Contains(p.Groups, g) || !slices.Contains(p.After, g) {
					t.Errorf("from %v to %v", p.Groups, p.After)
				}
			}
			if !slices.IsSorted(p.After) {
				t.Errorf("not sorted: %v", p.After)
			}
		})
	}
}
