package store

import (
	"errors"
	"log/slog"
	"testing"
)

// TestElect: the highest epoch decides, and only a node that answers can be elected.
func TestElect(t *testing.T) {
	t.Parallel()
	old, new1, new2 := &node{name: "old"}, &node{name: "new1"}, &node{name: "new2"}
	for _, c := range []struct {
		name  string
		votes []vote
		want  *node
		err   error
	}{
		{"nobody answers", nil, nil, nil},
		{"all of one mind", []vote{{old, "O", 1, 3, "O"}, {new1, "N", 1, 3, "O"}}, old, nil},
		{"the old primary knows nothing of it", []vote{{old, "O", 1, 3, "O"}, {new1, "N", 1, 4, "N"}}, new1, nil},
		{"a replica tells, and the old primary is there", []vote{{old, "O", 1, 3, "O"}, {new1, "N", 1, 4, "N"}, {new2, "M", 1, 3, "O"}}, new1, nil},
		{"the primary does not answer", []vote{{new1, "N", 1, 3, "O"}, {new2, "M", 1, 3, "O"}}, nil, nil},
		{"the new one does not answer", []vote{{old, "O", 1, 3, "O"}, {new2, "M", 1, 4, "N"}}, nil, nil},
		{"a node of another group has no vote", []vote{{old, "O", 1, 3, "O"}, {new1, "N", 2, 9, "N"}}, old, nil},
		{"two at one epoch", []vote{{new1, "N", 1, 4, "N"}, {new2, "M", 1, 4, "M"}}, nil, errTwoPrimaries},
		{"two at an epoch that is over", []vote{{old, "O", 1, 3, "O"}, {new1, "N", 1, 3, "N"}, {new2, "M", 1, 4, "M"}}, new2, nil},
	} {
		got, err := elect(1, c.votes)
		if !errors.Is(err, c.err) || (got == nil) != (c.want == nil) || (got != nil && got.node != c.want) {
			t.Errorf("%s: %+v, %v; want %+v, %v", c.name, got, err, c.want, c.err)
		}
	}
}

// TestFollowOnRealGroup names a replica as the primary behind the group's back: it is
// found, written to only once it takes writes, and left again the same way.
func TestFollowOnRealGroup(t *testing.T) {
	b := newBed(t)
	b.healAfter()
	follow := func(g *Group) bool {
		t.Helper()
		moved, err := g.Follow(b.ctx())
		if err != nil {
			t.Fatal(err)
		}
		return moved
	}
	if follow(b.group) {
		t.Error("it followed though all is well")
	}
	var uid string
	if err := b.root(1).QueryRowContext(b.ctx(), "SELECT @@server_uid").Scan(&uid); err != nil {
		t.Fatal(err)
	}
	b.exec(0, "UPDATE pay.group_info SET epoch=2, primary_uid=?", uid)
	eventually(t, "the replica names itself", func() bool { return follow(b.group) })
	if now := b.group.primary(); now.uid.Load() == nil || *now.uid.Load() != uid {
		t.Errorf("the primary is %s", now.name)
	}
	if follow(b.group) {
		t.Error("it followed the same node again")
	}
	// The other replica may have told before this one had the row itself.
	eventually(t, "the new primary tells", func() bool {
		_, err := b.group.Info(b.ctx())
		return err == nil
	})
	// A process that starts with the old file finds it as well, before it writes.
	late, err := Open(b.cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close() //nolint:errcheck // nothing was written
	if !follow(late) || late.primary().addr != b.group.primary().addr {
		t.Errorf("a process that starts uses %s", late.primary().addr)
	}
}
