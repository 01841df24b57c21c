package sim

import (
	"slices"
	"time"
)

// commit is a write on its way to being visible.
type commit struct {
	tx    *tx // nil for an autocommit write
	apply func()
	undo  func() // when a crash loses it
}

// persist makes a write durable and visible: at once, or under AFTER_SYNC when a
// replica has acknowledged it. Until then it holds its locks and no read sees it.
func (s *server) persist(w *commit) {
	if !s.stalled && !s.lagging {
		w.apply()
		return
	}
	s.unacked = append(s.unacked, w)
	if s.stalled {
		s.clock.after(ackTimeout, func() { s.ackTimedOut(w) })
		return
	}
	s.ackAt = max(s.ackAt, s.clock.now+s.ackLag())
	s.clock.after(s.ackAt-s.clock.now, func() { s.acked(w) })
}

// ackLag is how long a replica that lags takes for a commit: now and then it
// pauses, and all later commits wait as well.
func (s *server) ackLag() time.Duration {
	if s.chance.IntN(30) > 0 {
		return within(s.chance, 30*time.Millisecond)
	}
	return within(s.chance, 1500*time.Millisecond)
}

// acked is the acknowledgement of a commit.
func (s *server) acked(w *commit) {
	i := slices.Index(s.unacked, w)
	switch {
	case i < 0:
	case s.frozen:
		s.buffer = append(s.buffer, func() { s.acked(w) })
	default:
		s.unacked = slices.Delete(s.unacked, i, i+1)
		w.apply()
	}
}

func (s *server) ackTimedOut(w *commit) {
	switch {
	case !s.stalled || !slices.Contains(s.unacked, w):
	case s.frozen:
		s.buffer = append(s.buffer, func() { s.ackTimedOut(w) })
	default:
		s.degrade()
	}
}

// degrade turns the server asynchronous: commits no longer wait.
func (s *server) degrade() {
	s.truth.note("group %d: no replica for %v, semi-sync is off", s.id, ackTimeout)
	s.stalled, s.degraded = false, true
	s.acknowledge()
}

// acknowledge completes the commits that waited for a replica.
func (s *server) acknowledge() {
	for _, w := range s.takeUnacked() {
		s.truth.saw("late_commit")
		w.apply()
	}
}

func (s *server) takeUnacked() []*commit {
	w := s.unacked
	s.unacked = nil
	return w
}
