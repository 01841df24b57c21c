package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// tx is one write transaction on a server, order.Tx.
type tx struct {
	link       *link
	work       []func() // what its COMMIT makes true
	rows       []*order.Order
	ops        []string  // of its moves
	tags       []pay.Tag // held in share mode
	locked     []lockName
	waitsFor   *tx
	committing bool // its COMMIT has arrived
	closed     bool // the client has ended it
	orphan     bool // to be rolled back as soon as it stops waiting
	ended      bool
}

func (t *tx) call(ctx context.Context, run func(s *server, r *request) (wait bool)) error {
	s := t.link.srv
	return t.link.call(ctx, &request{kind: statement, tx: t, run: func(r *request) bool { return run(s, r) }})
}

func (t *tx) LockTag(ctx context.Context, tag pay.Tag, key pay.Key) (claim shard.Claim, last int, err error) {
	return t.readTag(ctx, tag, key, true)
}

// readTag reads a tag's row, under a lock or without.
func (t *tx) readTag(ctx context.Context, tag pay.Tag, key pay.Key, lock bool) (claim shard.Claim, last int, err error) {
	err = t.call(ctx, func(s *server, r *request) bool {
		if lock && !s.share(t, tag) {
			return true
		}
		if row := s.tags[tag]; row != nil {
			claim = row.claim
		}
		for _, o := range s.live[key] {
			last = max(last, o.Attempt)
		}
		r.answer(nil)
		return false
	})
	return claim, last, err
}

func (t *tx) InsertOwned(ctx context.Context, o order.Order) (done bool, err error) {
	return t.insertOwned(ctx, o, true)
}

// insertOwned reads the tag's row under a lock or without.
func (t *tx) insertOwned(ctx context.Context, o order.Order, lock bool) (done bool, err error) {
	t.link.srv.truth.tried(t.link, o)
	err = t.call(ctx, func(s *server, r *request) bool {
		if done { // has looked already, and waited for a row's lock since
			return t.insertRow(s, r, o)
		}
		tag := o.No.Tag()
		if lock && !s.share(t, tag) {
			return true
		}
		row := s.tags[tag]
		done = row != nil && row.claim.State == shard.TagOwned && len(s.live[o.Key]) == 0
		if !done {
			r.answer(nil)
			return false
		}
		return t.insertRow(s, r, o)
	})
	return done && err == nil, err
}

func (t *tx) InsertOrder(ctx context.Context, o order.Order) error {
	if o.State == pay.Created {
		t.link.srv.truth.tried(t.link, o)
	}
	return t.call(ctx, func(s *server, r *request) bool { return t.insertRow(s, r, o) })
}

func (t *tx) insertRow(s *server, r *request, o order.Order) (wait bool) {
	if err := s.refusesRows(); err != nil {
		if s.inserts != "" {
			s.truth.insertFailed(t.link, o)
		}
		r.answer(err)
		return false
	}
	wait, err := s.lock(t, lockName{no: o.No})
	if !wait && err == nil && s.orders[o.No] == nil && o.State != pay.Void {
		wait, err = s.lock(t, lockName{key: o.Key, attempt: o.Attempt})
	}
	if wait {
		s.truth.waited(o)
		return true
	}
	if err == nil {
		err = s.duplicate(o)
	}
	if err == nil {
		t.insert(s, o)
	}
	r.answer(err)
	return false
}

func (s *server) refusesRows() error {
	switch {
	case s.readOnly:
		return s.refuseWrite()
	case s.inserts != "":
		return &order.Fault{Outcome: order.NotCommitted, Cause: s.inserts, Err: errInsert}
	}
	return nil
}

// duplicate checks the unique keys against what is committed; rows that are not
// yet are behind their locks.
func (s *server) duplicate(o order.Order) error {
	if s.orders[o.No] != nil {
		return fmt.Errorf("order %s: %w", o.No, order.ErrDuplicateNo)
	}
	taken := func(row *order.Order) bool { return row.Attempt == o.Attempt }
	if o.State != pay.Void && slices.ContainsFunc(s.live[o.Key], taken) {
		return fmt.Errorf("key %s: %w", o.Key, order.ErrDuplicateKey)
	}
	return nil
}

func (t *tx) insert(s *server, o order.Order) {
	row := o
	row.Group = s.id
	t.rows = append(t.rows, &row)
	t.work = append(t.work, func() { s.put(nil, &row) })
}

// put makes a row true: a new one, or one in the place of another.
func (s *server) put(before, row *order.Order) {
	s.orders[row.No] = row
	live := s.live[row.Key]
	if before != nil {
		live = slices.DeleteFunc(live, func(o *order.Order) bool { return o.No == row.No })
	}
	if row.State != pay.Void {
		live = append(live, row)
	}
	s.live[row.Key] = live
	s.truth.committed(s, before, row)
}

func (t *tx) InsertHops(ctx context.Context, hops []order.Hop) error {
	return t.call(ctx, func(s *server, r *request) bool {
		if s.readOnly {
			r.answer(s.refuseWrite())
			return false
		}
		t.work = append(t.work, func() {
			for _, h := range hops {
				s.hops[h.Above] = append(s.hops[h.Above], &h)
				s.ledger = append(s.ledger, h)
			}
			s.truth.saw("hop")
		})
		r.answer(nil)
		return false
	})
}

func (t *tx) InsertDoubts(ctx context.Context, doubts []order.Doubt) error {
	return t.call(ctx, func(s *server, r *request) bool {
		if s.readOnly {
			r.answer(s.refuseWrite())
			return false
		}
		t.work = append(t.work, func() {
			for _, d := range doubts {
				s.doubts = append(s.doubts, &doubtRow{Doubt: d})
				s.truth.doubted(s, d)
			}
		})
		r.answer(nil)
		return false
	})
}

func (t *tx) LockOrder(ctx context.Context, no pay.OrderNo) (o order.Order, err error) {
	err = t.call(ctx, func(s *server, r *request) bool {
		wait, err := s.lock(t, lockName{no: no})
		if wait {
			return true
		}
		if row := t.latest(s, no); err == nil && row == nil {
			err = fmt.Errorf("order %s: %w", no, order.ErrNotFound)
		} else if err == nil {
			o = *row
		}
		r.answer(err)
		return false
	})
	if err == nil && t.link.unsure[o.OpID] {
		s := t.link.srv
		s.truth.saw("unknown_move_decided")
		delete(t.link.unsure, o.OpID)
	}
	return o, err
}

// latest is a row as this transaction sees it.
func (t *tx) latest(s *server, no pay.OrderNo) *order.Order {
	for _, row := range slices.Backward(t.rows) {
		if row.No == no {
			return row
		}
	}
	return s.orders[no]
}

func (t *tx) Move(ctx context.Context, before, after order.Order, m order.Move) (done bool, err error) {
	err = t.call(ctx, func(s *server, r *request) bool {
		if s.readOnly {
			r.answer(s.refuseWrite())
			return false
		}
		wait, err := s.lock(t, lockName{no: before.No})
		if wait {
			return true
		}
		old := t.latest(s, before.No)
		if err == nil && old != nil && old.State == before.State && old.Version == before.Version {
			if wait, err = s.lock(t, lockName{key: old.Key, attempt: old.Attempt}); wait {
				return true
			}
			t.move(old, after, m)
			done = true
		}
		r.answer(err)
		return false
	})
	return done && err == nil, err
}

// move plans the change of a row that is locked.
func (t *tx) move(old *order.Order, row order.Order, m order.Move) {
	s := t.link.srv
	row.Group, row.Version = s.id, old.Version+1
	t.rows, t.ops = append(t.rows, &row), append(t.ops, m.OpID)
	t.work = append(t.work, func() {
		s.moves[row.No] = append(s.moves[row.No], m)
		s.put(old, &row)
		s.truth.moved(s, old, &row, m)
	})
}

func (t *tx) Commit(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		t.Rollback()
		return late(err, order.NotCommitted)
	}
	s := t.link.srv
	t.closed = true
	err := t.link.call(ctx, &request{kind: ending, tx: t, run: func(r *request) bool {
		t.committing = true
		switch {
		case len(t.work) == 0:
			s.end(t)
			r.answer(nil)
		case s.readOnly:
			s.rollback(t)
			r.answer(s.refuseWrite())
		default:
			if s.lagging && s.chance.IntN(3) == 0 { // the connection breaks while the commit waits
				s.clock.after(within(s.chance, 40*time.Millisecond), func() { r.answer(s.reset(r, errReset)) })
			}
			s.persist(&commit{tx: t, undo: func() { s.rollback(t) }, apply: func() {
				for _, do := range t.work {
					do()
				}
				s.end(t)
				r.answer(nil)
			}})
		}
		return false
	}})
	var f *order.Fault
	if errors.As(err, &f) && f.Outcome == order.Unknown {
		t.link.doubtful(t.ops)
	}
	return err
}

// doubtful remembers moves of which this client does not know what became.
func (l *link) doubtful(ops []string) {
	if l.unsure == nil {
		l.unsure = map[string]bool{}
	}
	for _, op := range ops {
		l.unsure[op] = true
	}
}

// Rollback closes the connection; the server notices after a while.
func (t *tx) Rollback() {
	if t.closed || t.ended {
		return
	}
	t.closed = true
	s := t.link.srv
	wait := s.half()
	if t.link.cut {
		wait = unnoticedClose
	}
	s.clock.after(wait, func() { s.disconnect(t) })
}
