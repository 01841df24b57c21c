package sim

import (
	"slices"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// The invariants of a world at rest: groups healed, engines settled.
const (
	oneLive     = "at rest one order of a key's attempt lives"
	ackedKept   = "at rest an acknowledged number leads to a living order of its key and amount"
	noFlapping  = "failing inserts do not flap"
	comesToRest = "a run comes to rest"
	noPanic     = "the engine does not panic"
)

// checkAtRest checks what must hold once everything has settled.
func (t *truth) checkAtRest(p *plan) {
	t.checkTwins()
	t.checkAcked()
	t.checkFlapping(p)
}

// liveKey is what at most one living order may have.
type liveKey struct {
	key     pay.Key
	attempt int
}

func (t *truth) checkTwins() {
	first := map[liveKey]*order.Order{}
	for _, o := range t.allLive() {
		k := liveKey{o.Key, o.Attempt}
		if other := first[k]; other != nil && mustVoid(other, o) && !tooLate(other, o) {
			t.violated(oneLive, "%s and %s", describe(*other), describe(*o))
		}
		first[k] = o
	}
}

// tooLate reports whether one of two orders of a key was asked for when the key was not to
// be retried any more. Then nobody looks for the other one but the guard before a payment,
// and what is not paid expires.
func tooLate(a, b *order.Order) bool {
	return a.Created.Sub(b.Created).Abs() > expiry
}

// allLive lists every living row, by number.
func (t *truth) allLive() (rows []*order.Order) {
	for _, s := range t.servers {
		for _, live := range s.live {
			for _, o := range live {
				if !s.moved(o.No.Tag()) {
					rows = append(rows, o)
				}
			}
		}
	}
	slices.SortFunc(rows, func(a, b *order.Order) int { return a.No.Compare(b.No) })
	return rows
}

func (t *truth) checkAcked() {
	acked := make([]order.Order, 0, len(t.acked))
	for _, o := range t.acked {
		acked = append(acked, o)
	}
	slices.SortFunc(acked, func(a, b order.Order) int { return a.No.Compare(b.No) })
	for _, o := range acked {
		if t.excused[o.Key] {
			continue
		}
		switch end := t.follow(o.No); {
		case end == nil:
			t.violated(ackedKept, "acknowledged %s leads to no order", describe(o))
		case end.State == pay.Void || end.Key != o.Key || end.Amount != o.Amount:
			t.violated(ackedKept, "acknowledged %s leads to %s", describe(o), describe(*end))
		case t.amounts[o.Key] != o.Amount:
			t.violated(otherAmount, "acknowledged %s though the first amount is %d", describe(o), t.amounts[o.Key])
		}
	}
}

// follow walks along twin_of to the order that stays.
func (t *truth) follow(no pay.OrderNo) *order.Order {
	o := t.row(no)
	for range 8 {
		if o == nil || o.State != pay.Void || o.TwinOf.IsZero() {
			break
		}
		o = t.row(o.TwinOf)
	}
	return o
}

// checkFlapping bounds the failed tries of an instance in a group that refuses
// inserts while its probes pass, where nothing else was wrong: some until the
// ejection, and one for each hold-down, which doubles from a second.
func (t *truth) checkFlapping(p *plan) {
	for _, f := range p.faults {
		if !f.kind.createOnly() || !p.alone(f) {
			continue
		}
		for in, n := range t.failed {
			if in.link.srv.id != t.servers[f.group].id || in.since != f.from {
				continue
			}
			if most := failedTries(f.to - f.from); n > most {
				t.violated(noFlapping, "%s tried %d creates in group %d, which refused inserts for %v; hold-down allows %d",
					in.link.who, n, in.link.srv.id, f.to-f.from, most)
			}
		}
	}
}

// failedTries is how many tries may fail in that time: the threshold of four,
// the few that are under way when it is reached, and the trials.
func failedTries(d time.Duration) int {
	const untilEjected, underWay = 4, 4
	trials := 0
	for hold := time.Second; hold < d; hold *= 2 {
		trials++
		d -= hold
	}
	return untilEjected + underWay + trials
}
