package sim

import (
	"fmt"
	"slices"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// Violation is an invariant that a run broke.
type Violation struct {
	Seed      uint64        `json:"seed"`
	At        time.Duration `json:"at"` // since the start of the run
	Invariant string        `json:"invariant"`
	Detail    string        `json:"detail"`
}

// String is the violation in a line.
func (v Violation) String() string {
	return fmt.Sprintf("seed %d at %v: %s: %s", v.Seed, v.At.Round(time.Microsecond), v.Invariant, v.Detail)
}

// maxViolations of one run are kept: the first tells, the rest follow from it.
const maxViolations = 8

// truth watches every commit of every group as it happens and checks what must
// always hold (invariants.go has what must hold at rest). It knows what was
// acknowledged to whom.
type truth struct {
	seed    uint64
	clock   *clock
	log     func(line string) // nil without a trace
	servers []*server
	channel *channel

	violations []Violation
	stats      Stats

	given    map[pay.OrderNo]pay.Key     // the key for which each number was tried
	numbers  map[pay.OrderNo]*server     // where each number was committed
	acked    map[pay.OrderNo]order.Order // as the client saw it
	amounts  map[pay.Key]pay.Fen         // the first amount asked for
	excused  map[pay.Key]bool            // keys whose other amount could not be noticed
	suspects map[pay.Key]*suspect
	doubts   map[pay.OrderNo]*doubtRow // by the number in doubt
	failed   map[failedIn]int
	waitedAt map[pay.Key]time.Duration // when an order of the key last met a lock
}

// failedIn counts failed inserts of one instance in one group during one fault.
type failedIn struct {
	link  *link
	since time.Duration
}

func newTruth(seed uint64, c *clock) *truth {
	return &truth{seed: seed, clock: c, stats: Stats{Sometimes: map[string]int{}},
		given: map[pay.OrderNo]pay.Key{}, numbers: map[pay.OrderNo]*server{}, acked: map[pay.OrderNo]order.Order{}, amounts: map[pay.Key]pay.Fen{},
		excused: map[pay.Key]bool{}, suspects: map[pay.Key]*suspect{}, doubts: map[pay.OrderNo]*doubtRow{}, failed: map[failedIn]int{}, waitedAt: map[pay.Key]time.Duration{},
	}
}

// saw counts something that ought to happen in some run of a batch.
func (t *truth) saw(what string) { t.stats.Sometimes[what]++ }

// note writes to the trace.
func (t *truth) note(format string, args ...any) {
	if t.log != nil {
		t.log(fmt.Sprintf(format, args...))
	}
}

func (t *truth) violated(invariant, format string, args ...any) {
	v := Violation{Seed: t.seed, At: t.clock.now, Invariant: invariant, Detail: fmt.Sprintf(format, args...)}
	t.note("VIOLATED %s: %s", v.Invariant, v.Detail)
	if len(t.violations) < maxViolations {
		t.violations = append(t.violations, v)
	}
}

// The invariants that hold at every moment.
const (
	numberTwice     = "no number is given twice"
	tagElsewhere    = "each order lies in the group of its tag"
	fencedCommit    = "no row commits in a fenced tag"
	settledBothLive = "of a settled doubt not both orders live"
	ackedVanished   = "no acknowledged order vanishes"
	otherAmount     = "a retry with another amount never creates"
	otherAnswer     = "a create is answered with its own key and amount"
	noGroupForNone  = "a create finds a group that is healthy and admitted all the time"
)

// committed sees a row become true, before is nil for a new one.
func (t *truth) committed(s *server, before, row *order.Order) {
	t.note("group %d: commit %s", s.id, describe(*row))
	if tag := s.tags[row.No.Tag()]; tag == nil {
		t.violated(tagElsewhere, "group %d committed %s", s.id, describe(*row))
	} else if tag.claim.State != shard.TagOwned {
		t.violated(fencedCommit, "group %d has tag %d %s at epoch %d and committed %s", s.id, tag.claim.Tag, tag.claim.State, tag.claim.Epoch, describe(*row))
	}
	if before == nil {
		t.inserted(s, row)
	} else if _, acked := t.acked[row.No]; acked && row.State == pay.Void && row.TwinOf.IsZero() {
		t.violated(ackedVanished, "voided without a twin: %s", describe(*row))
	}
	if d := t.doubts[row.No]; d != nil && d.how != "" {
		t.checkSettled(d)
	}
}

func (t *truth) inserted(s *server, row *order.Order) {
	if first := t.numbers[row.No]; first != nil {
		t.violated(numberTwice, "group %d has %s, group %d commits %s", first.id, describe(*first.orders[row.No]), s.id, describe(*row))
	}
	t.numbers[row.No] = s
	if row.State == pay.Void {
		return
	}
	t.stats.Orders++
	if len(shard.GroupOf(s.report).Pilots) > 0 {
		t.saw("pilots_order")
	}
	if first, known := t.amounts[row.Key]; known && first != row.Amount {
		t.excused[row.Key] = true
		t.saw("other_amount_unnoticed")
	}
}

// suspect is a request with another amount than the first one of its key. Looking
// up is an extra that an engine skips where it would have to wait; but what it was
// told it must heed.
type suspect struct {
	holder *link // to the group that holds the order
	heard  bool  // the holder was asked for the key, and answered
}

// lookedUp sees the answer to a look-up of a key.
func (t *truth) lookedUp(l *link, key pay.Key, rows []order.Order, err error) {
	t.note("%s: look-up of %s in group %d: %d rows, %v", l.who, key, l.srv.id, len(rows), err)
	if sus := t.suspects[key]; sus != nil && sus.holder == l && err == nil {
		sus.heard = true
	}
	if len(rows) > 0 {
		t.saw("key_found")
	}
}

func (t *truth) doubted(s *server, d order.Doubt) {
	t.note("group %d: doubt %s of group %d, winner %s", s.id, d.OrderNo, d.OldGroup, d.Winner)
	t.saw("doubt")
}

func (t *truth) settled(s *server, d *doubtRow) {
	t.note("group %d: doubt %s settled: %s", s.id, d.OrderNo, d.how)
	t.saw("settled_" + string(d.how))
	t.doubts[d.OrderNo] = d
	t.checkSettled(d)
}

// checkSettled looks at both orders of a settled doubt.
func (t *truth) checkSettled(d *doubtRow) {
	try, winner := t.row(d.OrderNo), t.row(d.Winner)
	if try != nil && winner != nil && mustVoid(try, winner) {
		t.violated(settledBothLive, "doubt of group %d was settled as %s, and there are %s and %s", d.OldGroup, d.how, describe(*try), describe(*winner))
	}
}

// mustVoid reports whether one of two orders ought to be VOID: neither has ended,
// and not both were sent.
func mustVoid(a, b *order.Order) bool {
	verdict := pay.JudgeTwins(a.Twin(), b.Twin())
	return verdict == pay.KeepFirst || verdict == pay.KeepSecond
}

// holder is the group that has an order.
func (t *truth) holder(no pay.OrderNo) *server {
	if s := t.numbers[no]; s != nil {
		return s
	}
	return t.servers[int(no.Tag())-1]
}

// row is an order by its number, nil for none.
func (t *truth) row(no pay.OrderNo) *order.Order {
	if s := t.numbers[no]; s != nil {
		return s.orders[no]
	}
	return nil
}

// tried sees a new order on its way to a group.
func (t *truth) tried(l *link, o order.Order) {
	t.note("%s: try %s for %s in group %d", l.who, o.No, o.Key, l.srv.id)
	if first, known := t.given[o.No]; known && first != o.Key {
		t.violated(numberTwice, "%s was given to key %s and is given to key %s by %s", o.No, first, o.Key, l.who)
	}
	t.given[o.No] = o.Key
	if sus := t.suspects[o.Key]; sus != nil && sus.heard && o.Amount != t.amounts[o.Key] {
		t.violated(otherAmount, "%s tries %s though the first amount is %d, as group %d said", l.who, describe(o), t.amounts[o.Key], sus.holder.srv.id)
	}
}

// waited sees an insert that waits for a row that is not committed yet.
func (t *truth) waited(o order.Order) {
	if o.State == pay.Void {
		t.saw("tombstone_waited")
		return
	}
	t.saw("insert_waited")
	t.waitedAt[o.Key] = t.clock.now
}

// insertFailed sees an insert that the group refuses while probes pass.
func (t *truth) insertFailed(l *link, o order.Order) {
	if o.State == pay.Created {
		t.failed[failedIn{l, l.srv.since}]++
	}
}

// keyKnown reports whether a row of the key is committed anywhere.
func (t *truth) keyKnown(key pay.Key) bool {
	return slices.ContainsFunc(t.servers, func(s *server) bool { return len(s.live[key]) > 0 })
}

// acknowledged sees an order that a client has in its hands.
func (t *truth) acknowledged(r order.Request, o order.Order) {
	t.note("acknowledged %s", describe(o))
	t.stats.Acked++
	switch row := t.row(o.No); {
	case row == nil:
		t.violated(ackedVanished, "acknowledged but not committed: %s", describe(o))
	case o.Key != r.Key || o.Amount != r.Amount || row.Key != r.Key || row.Amount != r.Amount:
		t.violated(otherAnswer, "asked for key %s over %d fen, answered with %s", r.Key, r.Amount, describe(o))
	}
	t.acked[o.No] = o
}

// describe is a row for people.
func describe(o order.Order) string {
	text := fmt.Sprintf("%s key %s attempt %d %s %d fen v%d", o.No, o.Key, o.Attempt, o.State, o.Amount, o.Version)
	if !o.TwinOf.IsZero() {
		text += " twin of " + o.TwinOf.String()
	}
	return text
}
