package store

import (
	"context"
	"fmt"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// slot is one row of instances.
type slot struct {
	number  int
	holder  string
	untilMS int64
	floor   int64 // high when the holder took the slot
	high    int64
}

// free reports whether nobody may issue numbers in the slot any more: the lease
// has ended, and so has the last second that its holder wrote ahead.
func (s slot) free(now time.Time) bool { return s.untilMS < now.UnixMilli() && s.high < now.Unix() }

// chooseSlot picks the holder's own slot, else the preferred one, else the lowest
// that is free. used lists the rows that exist; a slot without a row is free and
// comes back with an empty holder.
func chooseSlot(used []slot, holder string, prefer int, now time.Time) (s slot, exists, ok bool) {
	rows := map[int]slot{}
	for _, s := range used {
		if s.holder == holder {
			return s, true, true
		}
		rows[s.number] = s
	}
	for i := -1; i <= pay.MaxInstance; i++ {
		number := i
		if i < 0 {
			number = prefer
		}
		if number < 0 || number > pay.MaxInstance {
			continue
		}
		if s, exists = rows[number]; !exists {
			return slot{number: number}, false, true
		}
		if s.free(now) {
			return s, true, true
		}
	}
	return slot{}, false, false
}

// Lease takes a slot for the holder until the given time. The lease's Floor is
// the high-water second of earlier holders; its High stays there until a probe
// writes a higher one. When every slot is taken the fault's cause is Starting.
func (g *Group) Lease(ctx context.Context, holder, name string, prefer int, now, until time.Time) (order.Lease, error) {
	const doing = "take a lease"
	for range pay.MaxInstance + 1 { // each round that is lost was won by another instance
		used, err := g.slots(ctx)
		if err != nil {
			return order.Lease{}, g.primary().fail(doing, err, beforeCommit)
		}
		s, exists, ok := chooseSlot(used, holder, prefer, now)
		if !ok {
			return order.Lease{}, g.leaseFault(fmt.Sprintf("all %d slots are taken; stop an instance or wait until its lease ends", pay.MaxInstance+1))
		}
		lease, taken, err := g.take(ctx, s, exists, holder, name, now, until)
		if err != nil {
			return order.Lease{}, g.primary().fail(doing, err, atCommit)
		}
		if taken {
			return lease, nil
		}
	}
	return order.Lease{}, g.leaseFault("other instances were faster each time; try again")
}

func (g *Group) leaseFault(reason string) error {
	return &order.Fault{Outcome: order.NotCommitted, Cause: shard.Starting, Err: fmt.Errorf("take a lease on %s: %s", g.primary().name, reason)}
}

func (g *Group) slots(ctx context.Context) ([]slot, error) {
	rows, err := g.primary().db.QueryContext(ctx, "SELECT slot, holder, until_ms, floor_s, high_s FROM instances")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var used []slot
	for rows.Next() {
		var s slot
		if err := rows.Scan(&s.number, &s.holder, &s.untilMS, &s.floor, &s.high); err != nil {
			return nil, err
		}
		used = append(used, s)
	}
	return used, rows.Err()
}

// take writes the holder into the slot if it is as it was read, and reports false
// if it is not.
func (g *Group) take(ctx context.Context, s slot, exists bool, holder, name string, now, until time.Time) (l order.Lease, ok bool, err error) {
	l = order.Lease{Slot: s.number, Holder: holder, Floor: s.high, High: s.high}
	if s.holder == holder {
		l.Floor = s.floor // its own high-water second is no bar to the holder
	}
	if !exists {
		_, err := g.primary().db.ExecContext(ctx, `INSERT INTO instances (slot, holder, recorder, name, n, at_ms, until_ms, floor_s, high_s, epoch)
VALUES (?, ?, ?, ?, 0, ?, ?, 0, 0, 0)`, s.number, holder, holder, name, toMS(now), toMS(until))
		if isAnswer(err, errDuplicate) {
			return l, false, nil
		}
		return l, err == nil, err
	}
	n, err := affected(g.primary().db.ExecContext(ctx, `UPDATE instances SET holder=?, recorder=?, name=?, at_ms=?, until_ms=?, floor_s=?, epoch=0
WHERE slot=? AND holder=? AND until_ms=? AND high_s=?`, holder, holder, name, toMS(now), toMS(until), l.Floor, s.number, s.holder, s.untilMS, s.high))
	return l, n == 1, err
}

// Release frees the slot for the next second after the lease's High, which the
// caller sets to the last second in which it issued a number.
func (g *Group) Release(ctx context.Context, l order.Lease) error {
	const doing = "release a lease"
	n, err := affected(g.primary().db.ExecContext(ctx, "UPDATE instances SET holder='', until_ms=0, high_s=? WHERE slot=? AND holder=?",
		l.High, l.Slot, l.Holder))
	if err != nil {
		return g.primary().fail(doing, err, atCommit)
	}
	g.beat.Store(nil)
	if n == 0 {
		return fmt.Errorf("%s of slot %d on %s: %w", doing, l.Slot, g.primary().name, order.ErrLeaseLost)
	}
	return nil
}
