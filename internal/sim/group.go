package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// link is one client's way to one server: order.Group over a network that can be
// cut for this client alone.
type link struct {
	order.Display // the simulation lists nothing; what moving money reads is in records.go
	srv           *server
	life          *life           // of the client
	who           string          // of the client, for the trace
	cut           bool            // nothing passes, in neither direction
	mended        time.Duration   // when the cut last began or ended
	unsure        map[string]bool // operations of moves whose COMMIT got no answer
}

// read runs a statement on the primary that changes nothing.
func (l *link) read(ctx context.Context, look func(s *server)) error {
	return l.call(ctx, &request{kind: reading, run: func(r *request) bool {
		look(l.srv)
		r.answer(nil)
		return false
	}})
}

// write runs an autocommit statement. plan looks and decides at the moment of
// execution; what it returns becomes true when the write is persistent.
func (l *link) write(ctx context.Context, plan func(s *server) (apply func(), err error)) error {
	return l.call(ctx, &request{kind: writing, run: func(r *request) bool {
		s := l.srv
		if s.readOnly {
			r.answer(s.refuseWrite())
			return false
		}
		apply, err := plan(s)
		if err != nil || apply == nil {
			r.answer(err)
			return false
		}
		s.persist(&commit{undo: func() {}, apply: func() {
			apply()
			r.answer(nil)
		}})
		return false
	}})
}

func (l *link) ID() shard.GroupID { return l.srv.id }

func (l *link) PrepareAs(ctx context.Context, b shard.Birth) error {
	return l.write(ctx, func(s *server) (func(), error) {
		if s.prepared {
			return nil, nil
		}
		return func() { s.prepare(b) }, nil
	})
}

// prepare writes the group's own rows: it is number id, and owns the tag of that
// number.
func (s *server) prepare(b shard.Birth) {
	if s.prepared {
		return
	}
	s.prepared = true
	s.truth.saw("born_" + string(b.State))
	s.report = shard.Report{Group: s.id, State: b.State, Weight: b.Weight, Epoch: b.Epoch, PrimaryUID: fmt.Sprintf("uid-%d", s.id), Founders: b.Founders}
	tag := pay.Tag(s.id)
	s.tags[tag] = &tagRow{claim: shard.Claim{Tag: tag, Group: s.id, State: shard.TagOwned, Epoch: b.Epoch}}
}

var errNoSchema = errors.New("table group_info does not exist")

func (l *link) Info(ctx context.Context) (info shard.Report, err error) {
	prepared := false
	err = l.read(ctx, func(s *server) {
		if prepared = s.prepared; !prepared {
			return
		}
		info = s.report
		info.Claims = nil
		for _, tag := range slices.Sorted(maps.Keys(s.tags)) {
			info.Claims = append(info.Claims, s.tags[tag].claim)
		}
	})
	if err == nil && !prepared {
		err = &order.Fault{Outcome: order.NotCommitted, Cause: shard.Unknown, Err: errNoSchema}
	}
	return info, err
}

// Lease takes the preferred slot, or the lowest free one.
func (l *link) Lease(ctx context.Context, holder, _ string, prefer int, now, until time.Time) (lease order.Lease, err error) {
	err = l.write(ctx, func(s *server) (func(), error) {
		slot, ok := s.freeSlot(holder, prefer, now)
		if !ok {
			return nil, fmt.Errorf("no free slot of %d: %w", pay.MaxInstance+1, order.ErrLeaseLost)
		}
		row := s.slots[slot]
		if row == nil {
			row = &slotRow{}
			s.slots[slot] = row
		} else if row.holder != holder {
			s.truth.saw("slot_reused")
		}
		lease = order.Lease{Slot: slot, Holder: holder, Floor: row.high, High: row.high}
		// The row is the holder's from here on: another one waits for its lock.
		row.holder, row.until = holder, until
		return func() {}, nil
	})
	return lease, err
}

func (s *server) freeSlot(holder string, prefer int, now time.Time) (slot int, ok bool) {
	for _, slot := range slices.Sorted(maps.Keys(s.slots)) {
		if s.slots[slot].holder == holder {
			return slot, true
		}
	}
	for try := -1; try <= pay.MaxInstance; try++ {
		slot := try
		if try < 0 {
			slot = prefer
		}
		row := s.slots[slot]
		if row == nil || (row.until.Before(now) && row.high < now.Unix()) {
			return slot, true
		}
	}
	return 0, false
}

func (l *link) Release(ctx context.Context, lease order.Lease) error {
	return l.write(ctx, func(s *server) (func(), error) {
		row := s.slots[lease.Slot]
		if row == nil || row.holder != lease.Holder {
			return nil, order.ErrLeaseLost
		}
		return func() { row.holder, row.until, row.high = "", time.Time{}, lease.High }, nil
	})
}

var errNoSlot = errors.New("the instance's row is not there")

func (l *link) Probe(ctx context.Context, p order.ProbeRequest) order.ProbeAnswer {
	s, changed, degraded := l.srv, false, false
	err := l.write(ctx, func(s *server) (func(), error) {
		row := s.slots[p.Lease.Slot]
		if changed = row == nil || row.holder != p.Lease.Holder; changed {
			return nil, errNoSlot
		}
		degraded = s.degraded
		return func() { row.high, row.until = max(row.high, p.High), p.Until }, nil
	})
	var f *order.Fault
	switch {
	case changed && errors.Is(err, errNoSlot):
		return order.ProbeAnswer{Changed: true, Err: err}
	case errors.As(err, &f) && f.Cause == shard.Hang && (s.stalled || s.lagging) && !l.cut:
		return order.ProbeAnswer{Cause: shard.SemisyncStalled, Err: err}
	case errors.As(err, &f):
		return order.ProbeAnswer{Cause: f.Cause, Err: err}
	case degraded && p.RequireSemisync:
		return order.ProbeAnswer{Cause: shard.SemisyncDegraded, Err: errors.New("semi-sync is off")}
	}
	return order.ProbeAnswer{}
}

func (l *link) Begin(ctx context.Context) (order.Tx, error) {
	t, err := l.begin(ctx)
	if err != nil {
		return nil, err
	}
	return t, nil
}

func (l *link) begin(ctx context.Context) (*tx, error) {
	t := &tx{link: l}
	return t, l.call(ctx, &request{kind: statement, tx: t, run: func(r *request) bool {
		l.srv.open = append(l.srv.open, t)
		r.answer(nil)
		return false
	}})
}

func (l *link) FindKey(ctx context.Context, key pay.Key) ([]order.Order, error) {
	rows, err := l.FindKeys(ctx, []pay.Key{key})
	l.srv.truth.lookedUp(l, key, rows, err)
	return rows, err
}

func (l *link) FindKeys(ctx context.Context, keys []pay.Key) (rows []order.Order, err error) {
	err = l.read(ctx, func(s *server) {
		rows = nil
		for _, key := range keys {
			for _, o := range s.live[key] {
				rows = append(rows, *o)
			}
		}
	})
	slices.SortFunc(rows, func(a, b order.Order) int { return a.Attempt - b.Attempt })
	return rows, err
}

// Find asks the primary, or with the primary out a replica, which has what was
// acknowledged.
func (l *link) Find(ctx context.Context, no pay.OrderNo, down bool) (o order.Order, err error) {
	err = l.call(ctx, &request{kind: reading, replica: down, run: func(r *request) bool {
		s := l.srv
		switch row := s.orders[no]; {
		case s.moved(no.Tag()) && (r.replica || !s.down && !s.frozen):
			r.answer(notOwned(s.tags[no.Tag()].claim))
		case row != nil:
			o = *row
			r.answer(nil)
		case s.down || s.frozen:
			r.answer(s.reset(r, errRefused))
		default:
			r.answer(fmt.Errorf("order %s: %w", no, order.ErrNotFound))
		}
		return false
	}})
	return o, err
}

func (l *link) Backlog(ctx context.Context, q order.BacklogQuery) (b order.Backlog, err error) {
	err = l.read(ctx, func(s *server) {
		b = order.Backlog{Doubts: map[shard.GroupID]time.Time{}, Hops: map[shard.GroupID]time.Time{}}
		oldest := func(in map[shard.GroupID]time.Time, about shard.GroupID, at time.Time) {
			if first, any := in[about]; slices.Contains(q.About, about) && (!any || at.Before(first)) {
				in[about] = at
			}
		}
		for _, d := range s.doubts {
			if d.how == "" {
				oldest(b.Doubts, d.OldGroup, d.Created)
			}
		}
		for above, hops := range s.hops {
			for _, h := range hops {
				if !h.Due.After(q.Due) {
					oldest(b.Hops, above, h.Due)
				}
			}
		}
		for slot, row := range s.slots {
			if slot < q.Slot && row.until.After(q.Now) {
				b.Ahead++
			}
		}
	})
	return b, err
}

func (l *link) Doubts(ctx context.Context, old shard.GroupID, limit int) (doubts []order.Doubt, err error) {
	err = l.read(ctx, func(s *server) {
		doubts = nil
		for _, d := range s.doubts {
			if d.how == "" && d.OldGroup == old && len(doubts) < limit && !s.moved(d.Winner.Tag()) {
				doubts = append(doubts, d.Doubt)
			}
		}
	})
	return doubts, err
}

func (l *link) SettleDoubt(ctx context.Context, d order.Doubt, how order.Settlement, _ time.Time) error {
	return l.inTag(ctx, d.Winner.Tag(), func(s *server) { s.settle(d.OrderNo, how) })
}

// inTag is a write of the store's own under a tag's lock: begin, lock, write, commit.
func (l *link) inTag(ctx context.Context, tag pay.Tag, apply func(s *server)) error {
	t, err := l.begin(ctx)
	if err != nil {
		return err
	}
	defer t.Rollback()
	if err := t.own(ctx, tag); err != nil {
		return err
	}
	err = t.call(ctx, func(s *server, r *request) bool {
		if s.readOnly {
			r.answer(s.refuseWrite())
			return false
		}
		t.work = append(t.work, func() { apply(s) })
		r.answer(nil)
		return false
	})
	if err != nil {
		return err
	}
	return t.Commit(ctx)
}

// own locks a tag and refuses one that takes no writes here.
func (t *tx) own(ctx context.Context, tag pay.Tag) error {
	claim, _, err := t.LockTag(ctx, tag, pay.Key{})
	if err == nil && claim.State != shard.TagOwned {
		err = notOwned(claim)
	}
	return err
}

func notOwned(c shard.Claim) error {
	return &order.Fault{Outcome: order.NotCommitted, Err: fmt.Errorf("tag %d is %q: %w", c.Tag, c.State, order.ErrNotOwned)}
}

// moved reports whether the group has given a tag away, or not had it yet.
func (s *server) moved(tag pay.Tag) bool {
	row := s.tags[tag]
	return row != nil && row.claim.State == shard.TagMoved
}

func (s *server) settle(no pay.OrderNo, how order.Settlement) {
	for _, d := range s.doubts {
		if d.OrderNo == no && d.how == "" {
			d.how = how
			s.truth.settled(s, d)
		}
	}
}

func (l *link) OpenDoubts(ctx context.Context) (n int, err error) {
	err = l.read(ctx, func(s *server) { n = s.openDoubts() })
	return n, err
}

func (s *server) openDoubts() (n int) {
	for _, d := range s.doubts {
		if d.how == "" && !s.moved(d.Winner.Tag()) {
			n++
		}
	}
	return n
}

// Follow has nobody to follow: a simulated group is one server.
func (l *link) Follow(context.Context) (bool, error) { return false, nil }

func (l *link) HopsSince(ctx context.Context, since time.Time, limit int) (hops []order.Hop, err error) {
	err = l.read(ctx, func(s *server) {
		var found []*order.Hop
		for i := range s.ledger { // long, and asked for all the time
			if h := &s.ledger[i]; !h.Created.Before(since) && h.Reason != order.ReasonWeights && !s.moved(h.OrderNo.Tag()) {
				found = append(found, h)
			}
		}
		slices.SortStableFunc(found, func(a, b *order.Hop) int { return a.Created.Compare(b.Created) })
		hops = values(found[:min(len(found), limit)])
	})
	return hops, err
}

func (l *link) Hops(ctx context.Context, above shard.GroupID, due time.Time, after pay.OrderNo, limit int) (hops []order.Hop, err error) {
	err = l.read(ctx, func(s *server) {
		hops = nil
		for _, h := range s.hops[above] {
			if !h.Due.After(due) && !s.moved(h.OrderNo.Tag()) && (after.IsZero() || h.OrderNo.Compare(after) > 0) {
				hops = append(hops, *h)
			}
		}
	})
	slices.SortFunc(hops, func(a, b order.Hop) int { return a.OrderNo.Compare(b.OrderNo) })
	return hops[:min(len(hops), limit)], err
}

func (l *link) AskedHops(ctx context.Context, above shard.GroupID, orders []pay.OrderNo, next time.Time) error {
	byTag := map[pay.Tag][]pay.OrderNo{}
	for _, no := range orders {
		byTag[no.Tag()] = append(byTag[no.Tag()], no)
	}
	var held error
	for _, tag := range slices.Sorted(maps.Keys(byTag)) {
		err := l.inTag(ctx, tag, func(s *server) { s.asked(above, byTag[tag], next) })
		if err != nil && !errors.Is(err, order.ErrNotOwned) {
			return err
		}
		held = cmp.Or(held, err)
	}
	return held
}

func (s *server) asked(above shard.GroupID, orders []pay.OrderNo, next time.Time) {
	s.hops[above] = slices.DeleteFunc(s.hops[above], func(h *order.Hop) bool {
		if !slices.Contains(orders, h.OrderNo) {
			return false
		}
		h.Due = next
		return next.IsZero()
	})
}
