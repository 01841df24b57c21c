package sim

import (
	"fmt"
	"slices"
	"time"

	"paytool/internal/shard"
)

// faultKind is a way for a group to be broken.
type faultKind string

// The faults. Each lasts for a while and then heals.
const (
	faultHang      faultKind = "hang"       // SIGSTOP: everything waits, and what was buffered may be executed later
	faultCrash     faultKind = "crash"      // the process dies and starts again
	faultReadOnly  faultKind = "read_only"  // writes are refused, COMMITs too
	faultStall     faultKind = "stall"      // commits wait for a replica, and after a while no longer
	faultAckLag    faultKind = "ack_lag"    // replicas acknowledge late, and clients lose patience or their connection
	faultDegraded  faultKind = "degraded"   // commits do not wait for a replica
	faultDiskFull  faultKind = "disk_full"  // probes pass and inserts fail
	faultNoColumn  faultKind = "no_column"  // the same with a cause that nobody knows
	faultReplyLost faultKind = "reply_lost" // answers to COMMIT, or COMMITs, get lost
	faultSlow      faultKind = "slow"       // fifty times the latency
	faultOther     faultKind = "stale"      // another server answers
	faultNone      faultKind = ""           // all is well
)

var faultKinds = []faultKind{faultHang, faultCrash, faultReadOnly, faultStall, faultAckLag, faultDegraded, faultDiskFull,
	faultNoColumn, faultReplyLost, faultSlow, faultOther}

// createOnly reports whether probes do not see the fault.
func (k faultKind) createOnly() bool { return k == faultDiskFull || k == faultNoColumn }

// fault is what is wrong with a server at present.
type fault struct {
	kind     faultKind
	since    time.Duration // of the last change, to the worse or to the better
	frozen   bool
	down     bool
	readOnly bool
	stalled  bool
	lagging  bool
	ackAt    time.Duration // of the last commit, while lagging
	degraded bool
	inserts  shard.Cause // why inserts fail
	losing   bool
	slow     bool
	stale    bool
	dark     bool // no replica answers either
}

// healthy reports whether nothing has been wrong with the server since a time.
func (f *fault) healthy(since time.Duration) bool {
	return f.kind == faultNone && f.since <= since
}

// broke begins a fault. A server that is broken already heals first, unless it
// crashes: then what it held back is decided by the crash.
func (s *server) broke(k faultKind) {
	if k != faultCrash {
		s.heal()
	}
	s.truth.note("group %d: %s", s.id, k)
	s.truth.saw("fault_" + string(k))
	s.fault = fault{kind: k, since: s.clock.now, dark: s.chance.IntN(3) == 0}
	switch k {
	case faultHang:
		s.frozen = true
	case faultCrash:
		s.crash()
	case faultReadOnly:
		s.readOnly = true
	case faultStall:
		s.stalled = true
	case faultAckLag:
		s.lagging = true
	case faultDegraded:
		s.degraded = true
	case faultDiskFull:
		s.inserts = shard.DiskFull
	case faultNoColumn:
		s.inserts = shard.Unknown
	case faultReplyLost:
		s.losing = true
	case faultSlow:
		s.slow = true
	case faultOther:
		s.stale = true
		s.hangUpAll()
	case faultNone:
	default:
		panic(fmt.Sprintf("unknown fault %q", k))
	}
}

// heal ends the present fault.
func (s *server) heal() {
	if s.kind == faultNone {
		return
	}
	s.truth.note("group %d: healed of %s", s.id, s.kind)
	wasDown := s.down
	s.fault = fault{since: s.clock.now}
	if wasDown {
		s.restart()
	}
	buffered := s.buffer
	s.buffer = nil
	for _, do := range buffered {
		do()
	}
	s.acknowledge()
}

// crash ends the server's process: open transactions are gone, and of the commits
// that wait for a replica those that had reached the binlog come back.
func (s *server) crash() {
	s.down = true
	s.boots++
	s.buffer = nil
	for _, w := range s.takeUnacked() {
		if s.chance.IntN(10) < 8 {
			s.recover = append(s.recover, w)
		} else {
			w.undo()
		}
	}
	kept := func(t *tx) bool {
		return slices.ContainsFunc(s.recover, func(w *commit) bool { return w.tx == t })
	}
	for _, t := range slices.Clone(s.open) {
		if !kept(t) {
			s.rollback(t)
		}
	}
	s.dropWaiting()
}

func (s *server) dropWaiting() {
	for _, r := range s.blocked {
		r.answer(s.reset(r, errReset))
	}
	s.blocked = nil
}

// restart brings the server back; what the binlog holds is committed first.
func (s *server) restart() {
	s.down = false
	s.boots++
	recovered := s.recover
	s.recover = nil
	for _, w := range recovered {
		s.truth.saw("recovered_commit")
		w.apply()
	}
}

// hangUpAll breaks every connection, as a change of primary does.
func (s *server) hangUpAll() {
	for _, t := range slices.Clone(s.open) {
		if !t.committing {
			s.rollback(t)
		}
	}
	s.dropWaiting()
}
