package main

import (
	"slices"
	"testing"

	"paytool/internal/config"
	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/shard/move"
)

func TestWaiting(t *testing.T) {
	t.Parallel()
	groups := func(weights ...int) (list []config.Group) {
		for i, w := range weights {
			list = append(list, config.Group{Group: i + 1, Weight: w})
		}
		return list
	}
	at := func(id shard.GroupID, state shard.GroupState, weight int) shard.Report {
		return shard.Report{Group: id, State: state, Weight: weight}
	}
	active := shard.GroupActive
	for _, c := range []struct {
		name    string
		groups  []config.Group
		reports []shard.Report
		want    []shard.GroupID
	}{
		{"all at work", groups(100, 100), []shard.Report{at(1, active, 100), at(2, active, 100)}, nil},
		{"not prepared", groups(100, 0), []shard.Report{at(1, active, 100)}, []shard.GroupID{2}},
		{"with pilots", groups(100, 0), []shard.Report{at(1, active, 100), at(2, shard.GroupJoining, 100)}, []shard.GroupID{2}},
		{"joining", groups(100, 0), []shard.Report{at(1, active, 100), at(2, shard.GroupJoining, 0)}, []shard.GroupID{2}},
		{"with a part of the config's weight", groups(100, 50), []shard.Report{at(1, active, 100), at(2, active, 12)}, []shard.GroupID{2}},
		{"with a part of the others' weight", groups(100, 0), []shard.Report{at(1, active, 100), at(2, active, 12)}, []shard.GroupID{2}},
		{"less than others, as the config wants", groups(100, 50), []shard.Report{at(1, active, 100), at(2, active, 50)}, nil},
		{"an old group whose weight was changed in the config", groups(200, 100), []shard.Report{at(1, active, 100), at(2, active, 100)}, nil},
		{"drained", groups(100, 100), []shard.Report{at(1, active, 100), at(2, shard.GroupDraining, 0)}, nil},
		{"taken out on purpose", groups(100, 0), []shard.Report{at(1, active, 100), at(2, active, 0)}, nil},
		{"two, the second at work in part", groups(100, 100, 100), []shard.Report{at(1, active, 100), at(2, shard.GroupJoining, 0), at(3, active, 1)}, []shard.GroupID{2, 3}},
	} {
		if got := waiting(c.groups, c.reports); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestFullWeight(t *testing.T) {
	t.Parallel()
	groups := []config.Group{{Group: 1, Weight: 100}, {Group: 2, Weight: 70}, {Group: 3}}
	reports := []shard.Report{{Group: 1, State: shard.GroupActive, Weight: 90}, {Group: 2, State: shard.GroupDraining, Weight: 500}, {Group: 3, State: shard.GroupActive, Weight: 3}}
	for id, want := range map[shard.GroupID]int{1: 100, 2: 70, 3: 90} {
		if got := fullWeight(groups, reports, id); got != want {
			t.Errorf("group %d: %d, want %d", id, got, want)
		}
	}
	if got := fullWeight(groups, nil, 3); got != 1 {
		t.Errorf("beside nobody: %d", got)
	}
}

func TestExpansion(t *testing.T) {
	t.Parallel()
	var reports []shard.Report
	for g := range shard.GroupID(3) {
		reports = append(reports, shard.Report{Group: g + 1, Claims: []shard.Claim{{Tag: pay.Tag(g + 1), Group: g + 1, State: shard.TagOwned}}})
	}
	topology := shard.NewTopology(0, reports...)
	for _, c := range []struct {
		pending []shard.GroupID
		add     int
		want    []shard.GroupID
	}{
		{[]shard.GroupID{4, 5}, 0, []shard.GroupID{4, 5}},
		{[]shard.GroupID{4, 5}, 1, []shard.GroupID{4}},
		{[]shard.GroupID{4, 5}, 2, []shard.GroupID{4, 5}},
		{[]shard.GroupID{4, 5}, 3, []shard.GroupID{4, 5, 6}},
		{nil, 2, []shard.GroupID{4, 5}},
	} {
		o := expandOptions{add: c.add}
		o.Merchants = []string{"m1"}
		if got := expansion(c.pending, o, topology); got.Kind != move.Expand || !slices.Equal(got.Join, c.want) || !slices.Equal(got.Pilots, o.Merchants) {
			t.Errorf("%d of %v: %v, want %v", c.add, c.pending, got.Join, c.want)
		}
	}
	if got := expansion(nil, expandOptions{}, topology); got.Add != 1 || got.Join != nil {
		t.Errorf("nobody waits: %+v", got)
	}
}
