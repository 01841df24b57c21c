package sim

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// records are the committed rows beside the orders.
type records struct {
	moves   map[pay.OrderNo][]order.Move
	refunds map[pay.OrderNo][]*order.Refund // by creation; a change replaces the row
	revokes map[pay.OrderNo][]*order.Revoke // the same
	tasks   map[string]*order.Task
	journal map[pay.OrderNo]*order.JournalEntry
}

func newRecords() records {
	return records{moves: map[pay.OrderNo][]order.Move{}, refunds: map[pay.OrderNo][]*order.Refund{}, revokes: map[pay.OrderNo][]*order.Revoke{},
		tasks: map[string]*order.Task{}, journal: map[pay.OrderNo]*order.JournalEntry{}}
}

// lockRows reads rows that belong to an order, under the order's lock: nobody
// writes them without it.
func lockRows[T any](ctx context.Context, t *tx, no pay.OrderNo, rows func(s *server) []*T) (all []T, err error) {
	err = t.call(ctx, func(s *server, r *request) bool {
		wait, err := s.lock(t, lockName{no: no})
		if wait {
			return true
		}
		if err == nil {
			all = values(rows(s))
		}
		r.answer(err)
		return false
	})
	return all, err
}

func values[T any](rows []*T) []T {
	all := make([]T, 0, len(rows))
	for _, row := range rows {
		all = append(all, *row)
	}
	return all
}

// writeRow plans a write at the moment of its execution; what plan returns becomes
// true with the transaction, nil writes nothing.
func (t *tx) writeRow(ctx context.Context, lock lockName, plan func(s *server) (apply func(), err error)) (done bool, err error) {
	err = t.call(ctx, func(s *server, r *request) bool {
		if s.readOnly {
			r.answer(s.refuseWrite())
			return false
		}
		wait, err := s.lock(t, lock)
		if wait {
			return true
		}
		var apply func()
		if err == nil {
			apply, err = plan(s)
		}
		if apply != nil {
			t.work = append(t.work, apply)
			done = true
		}
		r.answer(err)
		return false
	})
	return done && err == nil, err
}

func (t *tx) LockRefunds(ctx context.Context, no pay.OrderNo) ([]order.Refund, error) {
	return lockRows(ctx, t, no, func(s *server) []*order.Refund { return s.refunds[no] })
}

func (t *tx) PutRefund(ctx context.Context, row order.Refund) (bool, error) {
	return t.writeRow(ctx, lockName{no: row.OrderNo}, func(s *server) (func(), error) {
		i := slices.IndexFunc(s.refunds[row.OrderNo], func(have *order.Refund) bool { return have.No == row.No })
		switch {
		case i < 0 && row.Version == 1:
			return func() {
				s.refunds[row.OrderNo] = append(s.refunds[row.OrderNo], &row)
				s.truth.refundWritten(s, nil, &row)
			}, nil
		case i >= 0 && row.Version == 1:
			return nil, fmt.Errorf("refund %s: %w", row.No, order.ErrDuplicateNo)
		case i < 0 || s.refunds[row.OrderNo][i].Version != row.Version-1:
			return nil, nil
		}
		return func() {
			before := s.refunds[row.OrderNo][i]
			s.refunds[row.OrderNo][i] = &row
			s.truth.refundWritten(s, before, &row)
		}, nil
	})
}

func (t *tx) LockRevokes(ctx context.Context, no pay.OrderNo) ([]order.Revoke, error) {
	return lockRows(ctx, t, no, func(s *server) []*order.Revoke { return s.revokes[no] })
}

func (t *tx) PutRevoke(ctx context.Context, row order.Revoke) (bool, error) {
	return t.writeRow(ctx, lockName{no: row.OrderNo}, func(s *server) (func(), error) {
		i := slices.IndexFunc(s.revokes[row.OrderNo], func(have *order.Revoke) bool { return have.No == row.No })
		switch {
		case i < 0 && row.Version == 1:
			return func() {
				s.revokes[row.OrderNo] = append(s.revokes[row.OrderNo], &row)
				s.truth.note("group %d: revoke %s %s", s.id, row.No, row.State)
			}, nil
		case i >= 0 && row.Version == 1:
			return nil, fmt.Errorf("revoke %s: %w", row.No, order.ErrDuplicateNo)
		case i < 0 || s.revokes[row.OrderNo][i].Version != row.Version-1:
			return nil, nil
		}
		return func() {
			s.revokes[row.OrderNo][i] = &row
			s.truth.note("group %d: revoke %s %s, money %s", s.id, row.No, row.State, row.Money)
		}, nil
	})
}

func (t *tx) LockTask(ctx context.Context, id string) (task order.Task, err error) {
	err = t.call(ctx, func(s *server, r *request) bool {
		wait, err := s.lock(t, lockName{task: id})
		if wait {
			return true
		}
		if row := s.tasks[id]; err == nil && row == nil {
			err = fmt.Errorf("task %s: %w", id, order.ErrNotFound)
		} else if err == nil {
			task = *row
		}
		r.answer(err)
		return false
	})
	return task, err
}

func (t *tx) PutTask(ctx context.Context, row order.Task) (bool, error) {
	return t.writeRow(ctx, lockName{task: row.ID}, func(s *server) (func(), error) {
		before := s.tasks[row.ID]
		switch {
		case before == nil && row.Version != 1, before != nil && before.Version != row.Version-1:
			return nil, nil
		}
		return func() {
			s.tasks[row.ID] = &row
			s.truth.taskWritten(s, before, &row)
		}, nil
	})
}

func (l *link) ReadRefunds(ctx context.Context, no pay.OrderNo) (all []order.Refund, err error) {
	err = l.read(ctx, func(s *server) { all = values(s.refunds[no]) })
	return all, err
}

func (l *link) ReadRevokes(ctx context.Context, no pay.OrderNo) (all []order.Revoke, err error) {
	err = l.read(ctx, func(s *server) { all = values(s.revokes[no]) })
	return all, err
}

func (l *link) DueRefunds(ctx context.Context, now time.Time, limit int) (due []order.Refund, err error) {
	err = l.read(ctx, func(s *server) {
		due = nil
		for _, all := range s.refunds {
			for _, row := range all {
				if isDue(row.Due, now) && !s.moved(row.OrderNo.Tag()) {
					due = append(due, *row)
				}
			}
		}
	})
	slices.SortFunc(due, func(a, b order.Refund) int {
		return cmp.Or(a.Due.Compare(b.Due), a.OrderNo.Compare(b.OrderNo), cmp.Compare(a.No, b.No))
	})
	return due[:min(len(due), limit)], err
}

func (l *link) DueTasks(ctx context.Context, now time.Time, limit int) (due []order.Task, err error) {
	err = l.read(ctx, func(s *server) {
		due = nil
		for _, row := range s.tasks {
			if isDue(row.Due, now) && !s.moved(row.OrderNo.Tag()) {
				due = append(due, *row)
			}
		}
	})
	slices.SortFunc(due, func(a, b order.Task) int { return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.ID, b.ID)) })
	return due[:min(len(due), limit)], err
}

func isDue(due, now time.Time) bool { return !due.IsZero() && !due.After(now) }
