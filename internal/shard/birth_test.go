package shard

import (
	"errors"
	"slices"
	"testing"

	"paytool/internal/pay"
)

func TestBirthOf(t *testing.T) {
	t.Parallel()
	prepared := func(id GroupID, epoch int64, founders ...GroupID) Report {
		return Report{Group: id, State: GroupActive, Weight: 100, Epoch: epoch, Founders: founders,
			Claims: []Claim{{Tag: pay.Tag(id), Group: id, State: TagOwned, Epoch: epoch}}}
	}
	heir := prepared(1, 7, 1, 2, 3)
	heir.Claims = append(heir.Claims, Claim{Tag: 3, Group: 1, State: TagOwned, Epoch: 7})
	planned := []GroupID{1, 2, 3}
	for name, c := range map[string]struct {
		others []Report
		want   Birth
		err    error
	}{
		"the first of a fleet":           {nil, Birth{GroupActive, 70, 1, planned}, nil},
		"others are empty or silent too": {[]Report{{}, {}}, Birth{GroupActive, 70, 1, planned}, nil},
		"a founder that comes up later":  {[]Report{{}, prepared(1, 1, 1, 2, 3), prepared(2, 9, 1, 2, 3)}, Birth{GroupActive, 70, 9, planned}, nil},
		"a group that joins":             {[]Report{prepared(1, 4, 1, 2), prepared(2, 5, 1, 2)}, Birth{GroupJoining, 0, 5, []GroupID{1, 2}}, nil},
		"a fleet of an older program":    {[]Report{prepared(1, 1), prepared(2, 1)}, Birth{GroupJoining, 0, 1, nil}, nil},
		"a number that was used":         {[]Report{heir, prepared(2, 7, 1, 2, 3)}, Birth{}, ErrNumberUsed},
	} {
		got, err := BirthOf(3, 70, planned, c.others...)
		if !errors.Is(err, c.err) || got.State != c.want.State || got.Weight != c.want.Weight || got.Epoch != c.want.Epoch || !slices.Equal(got.Founders, c.want.Founders) {
			t.Errorf("%s: %+v, %v, want %+v, %v", name, got, err, c.want, c.err)
		}
	}
}
