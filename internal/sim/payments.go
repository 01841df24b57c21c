package sim

import (
	"context"
	"slices"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// guardShare is the part of the guard's time that the primary gets before the
// replicas are asked.
const guardShare = 60 * time.Millisecond

func (l *link) Read(ctx context.Context, no pay.OrderNo) (order.Order, error) {
	return l.Find(ctx, no, false)
}

// FindKeyFresh asks the primary, and where it does not answer the replicas: they
// have every commit that was acknowledged, unless semi-sync was off.
func (l *link) FindKeyFresh(ctx context.Context, key pay.Key, down bool) (rows []order.Order, err error) {
	if !down {
		pctx, cancel := l.srv.env().WithTimeout(ctx, guardShare)
		rows, err = l.FindKeys(pctx, []pay.Key{key})
		cancel()
		if err == nil {
			return rows, nil
		}
	}
	err = l.call(ctx, &request{kind: reading, replica: true, run: func(r *request) bool {
		s := l.srv
		if s.degraded {
			r.answer(&order.Fault{Outcome: order.NotCommitted, Err: errBehind})
			return false
		}
		rows = values(s.live[key])
		r.answer(nil)
		return false
	}})
	return rows, err
}

func (l *link) Moves(ctx context.Context, no pay.OrderNo) (moves []order.Move, err error) {
	err = l.read(ctx, func(s *server) { moves = slices.Clone(s.moves[no]) })
	return moves, err
}

func (l *link) DueOrders(ctx context.Context, q order.DueQuery) (due []order.Order, err error) {
	err = l.call(ctx, &request{kind: reading, replica: q.Down, run: func(r *request) bool {
		due = nil
		for _, row := range l.srv.orders {
			if isDue(row.Due, q.Now) && !l.srv.moved(row.No.Tag()) && slices.Contains(q.States, row.State) && (q.Channels == nil || slices.Contains(q.Channels, row.Channel)) {
				due = append(due, *row)
			}
		}
		r.answer(nil)
		return false
	}})
	slices.SortFunc(due, func(a, b order.Order) int {
		if c := a.Due.Compare(b.Due); c != 0 {
			return c
		}
		return a.No.Compare(b.No)
	})
	return due[:min(len(due), q.Limit)], err
}

// Expire is three statements and a COMMIT, like every transaction.
func (l *link) Expire(ctx context.Context, tag pay.Tag, orders []pay.OrderNo, now time.Time, opID string) (n int, err error) {
	t, err := l.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer t.Rollback()
	if err = t.own(ctx, tag); err == nil {
		n, err = t.expire(ctx, orders, now, opID)
	}
	if err == nil {
		err = t.Commit(ctx)
	}
	if err != nil {
		return 0, err
	}
	return n, nil
}

func (t *tx) expire(ctx context.Context, orders []pay.OrderNo, now time.Time, opID string) (n int, err error) {
	err = t.call(ctx, func(s *server, r *request) bool {
		if s.readOnly {
			r.answer(s.refuseWrite())
			return false
		}
		for _, no := range orders {
			if wait, err := s.lock(t, lockName{no: no}); wait || err != nil {
				if !wait {
					r.answer(err)
				}
				return wait
			}
		}
		for _, no := range orders {
			old := t.latest(s, no)
			if old == nil || old.State != pay.Created || !isDue(old.Due, now) {
				continue
			}
			row := *old
			row.State, row.Due, row.Tries, row.OpID, row.Updated = pay.Closed, time.Time{}, 0, opID, now
			t.move(old, row, order.Move{OrderNo: no, Version: old.Version + 1, From: old.State, To: row.State, By: pay.ByExpiry, OpID: opID, At: now})
			n++
		}
		r.answer(nil)
		return false
	})
	return n, err
}

// LeaseJournal takes the lease at the moment of execution, as Lease does.
func (l *link) LeaseJournal(ctx context.Context, e order.JournalEntry, now time.Time) (leased bool, err error) {
	err = l.write(ctx, func(s *server) (func(), error) {
		row := s.journal[e.OrderNo]
		if leased = row == nil || row.Holder == e.Holder || !row.Until.After(now); !leased {
			return nil, nil
		}
		if row == nil {
			s.journal[e.OrderNo] = &e
			return func() {}, nil
		}
		row.Holder, row.Until = e.Holder, e.Until
		return func() {}, nil
	})
	return leased && err == nil, err
}

func (l *link) PutJournal(ctx context.Context, e order.JournalEntry) error {
	return l.write(ctx, func(s *server) (func(), error) {
		return func() {
			switch row := s.journal[e.OrderNo]; {
			case row == nil:
				s.journal[e.OrderNo] = &e
			case row.Answer == nil || !row.Answer.Definite():
				row.Answer = e.Answer
			}
			s.truth.note("group %d: journal of %s: %s", s.id, e.OrderNo, e.Answer.Verdict)
		}, nil
	})
}

func (l *link) Journal(ctx context.Context, no pay.OrderNo, limit int) (entries []order.JournalEntry, err error) {
	err = l.read(ctx, func(s *server) {
		entries = nil
		for _, row := range s.journal {
			if row.Answer != nil && (no.IsZero() || row.OrderNo == no) {
				entries = append(entries, *row)
			}
		}
	})
	slices.SortFunc(entries, func(a, b order.JournalEntry) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return a.OrderNo.Compare(b.OrderNo)
	})
	return entries[:min(len(entries), limit)], err
}

func (l *link) DropJournal(ctx context.Context, no pay.OrderNo) error {
	return l.write(ctx, func(s *server) (func(), error) {
		return func() {
			if row := s.journal[no]; row != nil && row.Answer != nil {
				s.truth.saw("journal_applied")
			}
			delete(s.journal, no)
		}, nil
	})
}
