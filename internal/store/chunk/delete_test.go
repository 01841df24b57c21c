package chunk

import (
	"context"
	"errors"
	"testing"

	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/shard/mover"
	"paytool/internal/store"
)

func TestDelete(t *testing.T) {
	onEachKind(t, func(t *testing.T, b *bed) {
		b.fill(b.source, moving, 0, 2500)
		b.fill(b.target, 2, 0, 500) // the target's own
		b.copied()
		b.exec(b.target, "DELETE FROM orders WHERE order_no=?", number(t, 2499, moving)) // leaves rows without an order
		before := b.rows(b.target)
		var killedAfter int64
		d := Delete{Side: b.target, Tag: moving, Pace: Pace{First: 1000}, Save: func(_ context.Context, done Checkpoint) error {
			killedAfter = done.Rows
			return errKilled
		}}
		if _, err := d.Run(t.Context()); !errors.Is(err, errKilled) || killedAfter == 0 {
			t.Fatalf("%d rows, %v", killedAfter, err)
		}
		d.Save = nil
		rest, err := d.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		left, own := b.rows(b.target), b.rowsOf(b.target, 2)
		if left != own || before-left != killedAfter+rest {
			t.Errorf("of %d rows %d and then %d were deleted, %d are left, %d are the group's own", before, killedAfter, rest, left, own)
		}
		if again, err := d.Run(t.Context()); err != nil || again != 0 {
			t.Errorf("deleted again: %d, %v", again, err)
		}
		b.claim(shard.TagOwned)
		if _, err := d.Run(t.Context()); !errors.Is(err, ErrNotWaiting) {
			t.Errorf("of an owned tag: %v", err)
		}
	})
}

// rows counts all rows that move, rowsOf those of one tag.
func (b *bed) rows(s *Side) (n int64) {
	b.t.Helper()
	for _, m := range store.MovingTables {
		n += b.count(s, "SELECT COUNT(*) FROM "+m.Name)
	}
	return n
}

func (b *bed) rowsOf(s *Side, tag pay.Tag) (n int64) {
	b.t.Helper()
	for _, m := range store.MovingTables {
		n += b.count(s, "SELECT COUNT(*) FROM "+m.Name+" WHERE tag=?", tag)
	}
	return n
}

func (b *bed) count(s *Side, query string, args ...any) (n int64) {
	b.t.Helper()
	if err := s.db().QueryRowContext(b.t.Context(), query, args...).Scan(&n); err != nil {
		b.t.Fatalf("%s: %v", query, err)
	}
	return n
}

// TestAnotherHolder: once another process was let in, one that was left behind
// neither copies nor deletes.
func TestAnotherHolder(t *testing.T) {
	onEachKind(t, func(t *testing.T, b *bed) {
		b.fill(b.source, moving, 0, 10)
		b.exec(b.target, "UPDATE group_state SET mover='new' WHERE tag=?", moving)
		no, err := pay.ParseOrderNo(number(t, 1, moving))
		if err != nil {
			t.Fatal(err)
		}
		for holder, want := range map[string]error{"old": mover.ErrHeld, "": mover.ErrHeld, "new": nil} {
			c := b.copy()
			c.Holder = holder
			if _, err := c.Run(t.Context(), Checkpoint{}); !errors.Is(err, want) {
				t.Errorf("copy of %q: %v, want %v", holder, err, want)
			}
			if _, err := c.Orders(t.Context(), []pay.OrderNo{no}); !errors.Is(err, want) {
				t.Errorf("copy of an order, of %q: %v, want %v", holder, err, want)
			}
		}
		for _, holder := range []string{"old", ""} {
			if _, err := (Delete{Side: b.target, Tag: moving, Holder: holder}).Run(t.Context()); !errors.Is(err, mover.ErrHeld) {
				t.Errorf("deletion of %q: %v", holder, err)
			}
		}
		if n := b.count(b.target, "SELECT COUNT(*) FROM orders WHERE tag=?", moving); n != 10 {
			t.Errorf("%d orders are at the target", n)
		}
		if _, err := (Delete{Side: b.target, Tag: moving, Holder: "new"}).Run(t.Context()); err != nil || b.rowsOf(b.target, moving) != 0 {
			t.Errorf("deletion: %v", err)
		}
	})
}
