package sim

import (
	"slices"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// lockName is a record of a unique index: an order number, a key's attempt among
// the live rows, or a task.
type lockName struct {
	no      pay.OrderNo
	key     pay.Key
	attempt int
	task    string
}

// locks are the exclusive record locks of a server. A row that is not committed
// is visible to nobody, but its locks make others wait.
type locks struct{ holders map[lockName]*tx }

// lock takes a record lock. It answers wait when somebody else holds it, with an
// error when waiting would close a circle.
func (l *locks) lock(t *tx, name lockName) (wait bool, err error) {
	holder := l.holders[name]
	switch holder {
	case t:
		return false, nil
	case nil:
		l.holders[name] = t
		t.locked = append(t.locked, name)
		t.waitsFor = nil
		return false, nil
	}
	for h := holder; h != nil; h = h.waitsFor {
		if h == t {
			t.waitsFor = nil
			return false, &order.Fault{Outcome: order.NotCommitted, Err: errDeadlock}
		}
	}
	t.waitsFor = holder
	return true, nil
}

func (l *locks) releaseAll(t *tx) {
	for _, name := range t.locked {
		delete(l.holders, name)
	}
	t.locked, t.waitsFor = nil, nil
}

// share locks a tag's row in share mode for a transaction; false means wait. An
// exclusive lock that waits already comes first, as in InnoDB's queue.
func (s *server) share(t *tx, tag pay.Tag) bool {
	row := s.tags[tag]
	if row == nil || slices.Contains(t.tags, tag) {
		return true
	}
	if row.taken || s.awaited(tag) {
		return false
	}
	row.shared++
	t.tags = append(t.tags, tag)
	return true
}

// awaited reports whether somebody waits for a tag's exclusive lock.
func (s *server) awaited(tag pay.Tag) bool {
	return slices.ContainsFunc(s.blocked, func(r *request) bool { return r.wantsTag == tag })
}
