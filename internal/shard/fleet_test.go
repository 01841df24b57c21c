package shard

import (
	"slices"
	"testing"
	"time"

	"paytool/internal/pay"
)

// scene drives a fleet with a clock of its own.
type scene struct {
	*testing.T
	f   *Fleet
	now time.Time
}

func newScene(t *testing.T, topo Topology) *scene {
	start := time.Unix(1_700_000_000, 0)
	s := &scene{T: t, f: NewFleet(FleetOptions{}, topo, start), now: start}
	for _, g := range topo.Groups {
		s.probe(g.ID, "")
	}
	return s
}

func (s *scene) after(d time.Duration) { s.now = s.now.Add(d) }

func (s *scene) probe(g GroupID, cause Cause) []Event { return s.f.Probed(g, s.now, cause) }

func (s *scene) probes(g GroupID, cause Cause, n int) (events []Event) {
	for range n {
		s.after(100 * time.Millisecond)
		events = append(events, s.probe(g, cause)...)
	}
	return events
}

func (s *scene) enter(g GroupID) Ticket {
	s.Helper()
	t, ok := s.f.Enter(g, s.now, false)
	if !ok {
		s.Fatalf("no place in group %d", g)
	}
	return t
}

func (s *scene) create(g GroupID, cause Cause) []Event {
	s.Helper()
	return s.f.Leave(s.enter(g), s.now, Result{Counts: true, Cause: cause})
}

func (s *scene) admitted(g GroupID, want bool) {
	s.Helper()
	if got := s.f.Admitted(g); got != want {
		s.Fatalf("group %d admitted = %v, want %v", g, got, want)
	}
}

// plan works with ledgers that were just read and told nothing new.
func (s *scene) plan(k pay.Key) Plan {
	for _, g := range s.f.Topology().Groups {
		s.f.LedgerRead(g.ID, s.now, nil)
	}
	return s.f.Plan(k, s.now, nil)
}

func TestStartNeedsOneGoodProbe(t *testing.T) {
	f := NewFleet(FleetOptions{}, weights(1, 1), time.Unix(1, 0))
	p := f.Plan(testKey(1), time.Unix(1, 0), nil)
	if len(p.Tries) != 0 {
		t.Errorf("tries %v before the first probe: a group without a lease is never tried", p.Tries)
	}
	f.Probed(2, time.Unix(1, 0), "")
	if p := f.Plan(testKey(1), time.Unix(1, 0), nil); !slices.Equal(p.Tries, []GroupID{2}) || p.Good != 1 {
		t.Errorf("tries %v, good %d, want group 2 alone", p.Tries, p.Good)
	}
}

func TestOneBadProbeEjectsAndThreeGoodOnesReadmit(t *testing.T) {
	s := newScene(t, weights(1, 1))
	ev := s.probe(1, Hang)
	if len(ev) != 1 || !ev[0].Ejected || ev[0].Cause != Hang || ev[0].ByCreates {
		t.Fatalf("events %+v", ev)
	}
	s.probes(1, "", 2)
	s.admitted(1, false)
	s.probes(1, Crash, 1) // starts the count again
	s.probes(1, "", 2)
	s.admitted(1, false)
	if ev := s.probes(1, "", 1); len(ev) != 1 || ev[0].Ejected {
		t.Fatalf("events %+v", ev)
	}
	s.admitted(1, true)
}

func TestFailedCreatesEject(t *testing.T) {
	s := newScene(t, weights(1, 1))
	for range 3 {
		s.create(1, DiskFull)
	}
	s.admitted(1, true)
	ev := s.create(1, DiskFull)
	if len(ev) != 1 || !ev[0].ByCreates || ev[0].Cause != DiskFull {
		t.Fatalf("events %+v", ev)
	}
	s.admitted(1, false)
}

// TestDownWhileProbesFail: updates of a group's orders have nowhere else to go, so that
// one good probe is enough for them, and what only creates tell is nothing to them.
func TestDownWhileProbesFail(t *testing.T) {
	s := newScene(t, weights(1, 1))
	down := func(when string, since time.Time, want Cause) {
		t.Helper()
		cause, at, down := s.f.DownSince(1)
		if cause != want || down != (want != "") || !at.Equal(since) {
			t.Errorf("%s: down %v (%q) since %s, want %q since %s", when, down, cause, at, want, since)
		}
	}
	never := time.Time{}
	down("at ease", never, "")
	s.probes(1, Hang, 1)
	first := s.now
	down("after a bad probe", first, Hang)
	s.probes(1, ReadOnly, 2)
	down("after three", first, ReadOnly)
	s.probes(1, "", 1)
	s.admitted(1, false)
	down("after a good one", never, "")
	s.probes(1, Hang, 1)
	down("after a bad one again", s.now, Hang)
	s.probes(1, "", 3)
	for range s.f.opts.Health.Threshold {
		s.create(1, Hang)
	}
	s.admitted(1, false)
	down("while only creates fail", never, "")
	if _, _, down := NewFleet(FleetOptions{}, weights(1), s.now).DownSince(1); !down {
		t.Error("before the first probe: not down")
	}
}

func TestFewFailuresAmongManyDoNotEject(t *testing.T) {
	s := newScene(t, weights(1, 1))
	for i := range 1000 {
		cause := Cause("")
		if i%3 == 0 {
			cause = Unknown
		}
		if ev := s.create(1, cause); len(ev) > 0 {
			t.Fatalf("ejected after %d creates of which a third failed", i+1)
		}
	}
}

func TestOldFailuresDoNotCount(t *testing.T) {
	s := newScene(t, weights(1, 1))
	for range 20 {
		s.create(1, Hang)
		s.after(25 * time.Second)
	}
	s.admitted(1, true)
}

func TestBusinessErrorsDoNotCount(t *testing.T) {
	s := newScene(t, weights(1, 1))
	for range 100 {
		s.f.Leave(s.enter(1), s.now, Result{})
	}
	s.admitted(1, true)
}

// TestProbesAloneDoNotReadmitAfterCreatesFailed: where probes pass and creates
// fail, good probes prove nothing.
func TestProbesAloneDoNotReadmitAfterCreatesFailed(t *testing.T) {
	s := newScene(t, weights(1, 1))
	for range 4 {
		s.create(1, DiskFull)
	}
	s.probes(1, "", 100)
	s.admitted(1, false)

	trial := s.enter(1) // the hold-down is over: one trial
	if _, ok := s.f.Enter(1, s.now, false); ok {
		t.Fatal("a second trial at the same time")
	}
	s.f.Leave(trial, s.now, Result{Counts: true, Cause: DiskFull})
	if _, ok := s.f.Enter(1, s.now.Add(1999*time.Millisecond), false); ok {
		t.Fatal("the hold-down did not double")
	}
	s.after(2 * time.Second)
	if ev := s.create(1, ""); len(ev) != 1 || ev[0].Ejected {
		t.Fatalf("a good trial readmits: %+v", ev)
	}
	s.admitted(1, true)
}

// TestTrialsThinOut counts the creates that a group costs which fails them all
// for ten minutes while probes pass.
func TestTrialsThinOut(t *testing.T) {
	s := newScene(t, weights(1, 1))
	failed := 0
	for range 6000 {
		s.after(100 * time.Millisecond)
		s.probe(1, "")
		for range 5 {
			if ticket, ok := s.f.Enter(1, s.now, false); ok {
				failed++
				s.f.Leave(ticket, s.now, Result{Counts: true, Cause: DiskFull})
			}
		}
	}
	// 4 to eject, trials after 1+2+4+8+16+32 s, then one a minute.
	if failed > 4+6+10 {
		t.Errorf("%d creates were spent on a group that fails them all", failed)
	}
}

func TestProbesReadmitWhenTheyFailedToo(t *testing.T) {
	s := newScene(t, weights(1, 1))
	for range 4 {
		s.create(1, Crash)
	}
	s.probes(1, Crash, 3)
	s.probes(1, "", 3)
	s.admitted(1, true)
}

func TestCreateFromBeforeTheEjectionDoesNotReadmit(t *testing.T) {
	s := newScene(t, weights(1, 1))
	early := s.enter(1)
	s.after(time.Millisecond)
	for range 4 {
		s.create(1, DiskFull)
	}
	s.f.Leave(early, s.now, Result{Counts: true})
	s.admitted(1, false)
}

func TestStuckGroupIsCapped(t *testing.T) {
	s := newScene(t, weights(1, 1))
	var tickets []Ticket
	for range 8 {
		tickets = append(tickets, s.enter(1))
	}
	s.enter(1) // young creates are not capped
	s.after(51 * time.Millisecond)
	if _, ok := s.f.Enter(1, s.now, false); ok {
		t.Fatal("a ninth create went into a group whose oldest is older than 50 ms")
	}
	s.f.Leave(tickets[0], s.now, Result{Counts: true}) // one slow create proves nothing
	if _, ok := s.f.Enter(1, s.now, false); ok {
		t.Fatal("a group through which all creates are slow is not capped")
	}
	for _, ticket := range tickets[1:] {
		s.f.Leave(ticket, s.now, Result{Counts: true})
	}
	s.enter(1)
}

// TestBusyGroupIsNotCapped: where creates get through, one that waits for a lock is
// no sign of a hang.
func TestBusyGroupIsNotCapped(t *testing.T) {
	s := newScene(t, weights(1, 1))
	for range 8 {
		s.enter(1)
	}
	for range 20 {
		quick := s.enter(1)
		s.after(20 * time.Millisecond)
		s.f.Leave(quick, s.now, Result{Counts: true})
	}
	s.after(50 * time.Millisecond)
	s.enter(1)
	failed := s.enter(1)
	s.f.Leave(failed, s.now, Result{Counts: true, Cause: Unknown})
	s.after(time.Millisecond)
	if _, ok := s.f.Enter(1, s.now, false); ok {
		t.Error("not capped though nothing was committed for 51 ms")
	}
}

func TestPanicTriesByLastSuccessAndNeverTheUnsafe(t *testing.T) {
	s := newScene(t, weights(1, 1, 1, 1))
	s.probe(3, Hang)
	s.after(time.Second)
	s.create(1, "")
	s.probe(1, Crash)
	s.after(time.Second)
	s.create(2, "")
	s.probe(2, ReadOnly)
	s.probe(4, SemisyncDegraded)
	p := s.plan(testKey(1))
	if !p.Panic() || !slices.Equal(p.Tries, []GroupID{2, 1, 3}) {
		t.Errorf("panic = %v, tries %v, want 2, 1, 3: by last success, and not 4, where an order could be lost", p.Panic(), p.Tries)
	}
	if p.Hopeless {
		t.Error("hopeless though group 2 took an order just now")
	}
	s.after(time.Second)
	if p := s.plan(testKey(1)); !p.Hopeless {
		t.Error("not hopeless though no group has done anything well for a second")
	}
	if _, ok := s.f.Enter(4, s.now, true); ok {
		t.Error("the last resort let an order into an unsafe group")
	}
	if _, ok := s.f.Enter(2, s.now, true); !ok {
		t.Error("the last resort did not let an order in")
	}
}

func TestEjectedGroupsComeLast(t *testing.T) {
	s := newScene(t, weights(1, 1, 1))
	home := s.plan(testKey(5)).Ranked[0]
	s.probe(home, Hang)
	p := s.plan(testKey(5))
	if p.Good != 2 || p.Tries[2] != home || p.Panic() {
		t.Errorf("tries %v with %d good, want the ejected home %d last", p.Tries, p.Good, home)
	}
	if got := p.Above(p.Tries[0]); !slices.Equal(got, []GroupID{home}) {
		t.Errorf("hop record names %v, want %d", got, home)
	}
}

func TestLookup(t *testing.T) {
	key := testKey(5)
	s := newScene(t, weights(1, 1, 1))
	ranked := s.plan(key).Ranked
	home, second := ranked[0], ranked[1]
	if p := s.plan(key); len(p.Lookup) != 0 {
		t.Fatalf("looks up in %v though nothing ever happened", p.Lookup)
	}
	s.probe(home, Hang)
	if p := s.plan(key); len(p.Lookup) != 0 {
		t.Fatalf("asks %v: a group that hangs is silent", p.Lookup)
	}
	s.probe(home, ReadOnly)
	if p := s.plan(key); !slices.Equal(p.Lookup, []GroupID{home}) {
		t.Fatalf("asks %v: a read-only group answers look-ups", p.Lookup)
	}
	s.probes(home, "", 3)
	if p := s.plan(key); !slices.Equal(p.Lookup, []GroupID{second}) {
		t.Fatalf("asks %v after the home came back, want %d, where orders hopped to", p.Lookup, second)
	}
	s.after(ledgerLag)
	if p := s.plan(key); len(p.Lookup) != 0 {
		t.Fatalf("asks %v though the ledgers know of no hop of the key", p.Lookup)
	}
	s.f.LedgerRead(second, s.now, []Landing{{Key: key, Group: second, At: s.now}}) // as another instance hopped
	if p := s.plan(key); !slices.Equal(p.Lookup, []GroupID{second}) {
		t.Fatalf("asks %v, want %d, where the key hopped to", p.Lookup, second)
	}
	if p := s.plan(testKey(6)); len(p.Lookup) != 0 {
		t.Fatalf("asks %v for a key that did not hop", p.Lookup)
	}
	s.after(15 * time.Minute)
	if p := s.plan(key); len(p.Lookup) != 0 {
		t.Fatalf("asks %v though no client retries any more", p.Lookup)
	}
}

// TestOwnHopConcernsItsKeyAlone: this instance knows its own hops one by one, so a
// group that was only busy does not make every order ask around.
func TestOwnHopConcernsItsKeyAlone(t *testing.T) {
	key := testKey(5)
	s := newScene(t, weights(1, 1, 1))
	ranked := s.plan(key).Ranked
	hop := Landing{Key: key, Group: ranked[2], Above: ranked[0], At: s.now}
	s.f.WillLand(hop)
	s.f.LedgerRead(ranked[2], s.now, []Landing{hop}) // as it comes back from the ledger
	if p := s.plan(key); !slices.Equal(p.Lookup, []GroupID{ranked[2]}) {
		t.Errorf("asks %v for a key that hopped to %d", p.Lookup, ranked[2])
	}
	for i := range 100 {
		other := testKey(1000 + i)
		if p := s.plan(other); len(p.Lookup) != 0 {
			t.Fatalf("asks %v for %s, which did not hop", p.Lookup, other)
		}
	}
}

// TestHopsOfOthersTellOfMore: where another instance hopped, it may have done so with
// keys of which no ledger has told yet.
func TestHopsOfOthersTellOfMore(t *testing.T) {
	s := newScene(t, weights(1, 1, 1))
	ranked := s.plan(testKey(5)).Ranked
	told := []Landing{
		{Key: testKey(5), Group: ranked[2], Above: ranked[0], At: s.now},
		{Key: testKey(5), Group: ranked[2], Above: ranked[1], At: s.now}, // one order, past two groups
	}
	s.plan(testKey(5)) // the ledgers are read
	s.f.LedgerRead(ranked[2], s.now, told)
	asked := func() (n int) {
		for i := range 100 {
			other := testKey(1000 + i)
			p := s.f.Plan(other, s.now, nil)
			if p.Ranked[0] != ranked[2] && len(p.Lookup) > 0 {
				n++
			}
			if p.Ranked[0] != ranked[2] && !slices.Contains(append(p.Lookup, p.Tries[0]), ranked[2]) {
				t.Errorf("asks %v for a key whose ranking is %v", p.Lookup, p.Ranked)
			}
		}
		return n
	}
	if asked() == 0 {
		t.Error("asks nobody for keys of groups that another instance went past just now")
	}
	s.after(ledgerLag)
	for _, g := range s.f.Topology().Groups {
		s.f.LedgerRead(g.ID, s.now, told) // again, as each read overlaps the one before
	}
	for i := range 100 {
		if p := s.f.Plan(testKey(1000+i), s.now, nil); len(p.Lookup) != 0 {
			t.Fatalf("asks %v though the ledgers tell all there is", p.Lookup)
		}
	}
}

// TestLedgerNotRead: a group whose ledger is not known may hold any key.
func TestLedgerNotRead(t *testing.T) {
	key := testKey(5)
	s := newScene(t, weights(1, 1, 1))
	p := s.plan(key)
	s.after(ledgerStale + time.Millisecond)
	s.f.LedgerRead(p.Ranked[0], s.now, nil)
	s.f.LedgerRead(p.Ranked[2], s.now, nil)
	if got := s.f.Plan(key, s.now, nil).Lookup; !slices.Equal(got, []GroupID{p.Ranked[1]}) {
		t.Errorf("asks %v, want %d, whose ledger was not read for 3 s", got, p.Ranked[1])
	}
}

func TestLandingsAreForgotten(t *testing.T) {
	s := newScene(t, weights(1, 1))
	for i := range 1000 {
		s.f.WillLand(Landing{Key: testKey(i), Group: 1, At: s.now})
	}
	s.after(15 * time.Minute)
	s.f.LedgerRead(1, s.now, nil)
	if n := len(s.f.landings.seen); n != 0 {
		t.Errorf("%d landings are kept after the retry window", n)
	}
}

func TestLookupAfterAWeightChange(t *testing.T) {
	key := testKey(5)
	s := newScene(t, weights(100, 100, 100))
	home := s.plan(key).Ranked[0]
	ws := []int{100, 100, 100}
	ws[home-1] = 0
	next := weights(ws...)
	next.Epoch = 2
	s.f.SetTopology(next, s.now)
	p := s.plan(key)
	if !slices.Equal(p.Lookup, []GroupID{home}) {
		t.Fatalf("asks %v, want the old home %d", p.Lookup, home)
	}
	if got := p.Above(p.Tries[0]); !slices.Equal(got, []GroupID{home}) {
		t.Fatalf("hop record names %v, want the old home", got)
	}
	s.after(15 * time.Minute)
	if p := s.plan(key); len(p.Lookup) != 0 || len(p.Above(p.Tries[0])) != 0 {
		t.Fatalf("still asks %v after the retry window", p.Lookup)
	}
	older := weights(100, 100, 100)
	s.f.SetTopology(older, s.now)
	if s.f.Topology().Epoch != 2 {
		t.Error("an older topology replaced a newer one")
	}
}

// TestBusyGroupsDisturbNobody: groups that another instance passed for want of room are asked
// for the keys that went past them, and nobody for other keys, but where earlier weights
// would have sent them.
func TestBusyGroupsDisturbNobody(t *testing.T) {
	s := newScene(t, weights(100, 100, 0))
	next := weights(100, 100, 100)
	next.Epoch = 2
	s.f.SetTopology(next, s.now)
	s.after(time.Second)
	var told []Landing
	for i := range 100 {
		p := s.plan(testKey(i))
		winner := p.Tries[0]
		for _, g := range p.Above(winner) {
			if !p.Reweighted(g, winner) {
				t.Fatalf("group %d was passed on the way to %d: %+v", g, winner, p)
			}
			told = append(told, Landing{Key: testKey(i), Group: winner, Above: g, At: s.now, Busy: true})
		}
		if winner == 3 && len(p.Above(winner)) != 2 {
			t.Errorf("an order at 3 may have lain at 1 and at 2 before; its record names %v", p.Above(winner))
		}
	}
	s.f.LedgerRead(3, s.now, told)
	for i := range 100 {
		if p := s.f.Plan(testKey(1000+i), s.now, nil); p.Ranked[0] != 3 && len(p.Lookup) > 0 || p.Ranked[0] == 3 && len(p.Lookup) != 1 {
			t.Fatalf("asks %v for a key ranked %v", p.Lookup, p.Ranked)
		}
	}
	hang := s.plan(testKey(1))
	if hang.Reweighted(hang.Ranked[0], hang.Ranked[1]) {
		t.Error("the home was passed, whatever weights there were before")
	}
}

// TestEqualWeightsAreRankedOnce: moves there and back again raise the epoch many times,
// and creates look at each kind of weights once.
func TestEqualWeightsAreRankedOnce(t *testing.T) {
	s := newScene(t, weights(100, 100, 100))
	for i := range 20 {
		next := weights(100, 100, 100*(i%2))
		next.Epoch = int64(i) + 2
		s.after(time.Second)
		s.f.SetTopology(next, s.now)
	}
	if p := s.plan(testKey(5)); len(p.before) != 1 || slices.Contains(p.before[0], 3) {
		t.Errorf("rankings before: %v, want that without group 3", p.before)
	}
	s.after(15*time.Minute - 2*time.Second)
	if p := s.plan(testKey(5)); len(p.before) != 1 {
		t.Errorf("rankings before: %v, want what was in force 15 minutes ago", p.before)
	}
	s.after(2 * time.Second)
	if p := s.plan(testKey(5)); len(p.before) != 0 {
		t.Errorf("rankings before: %v after the retry window", p.before)
	}
}

// TestEveryRecentWeightChangeCounts: an order may lie where any weights of the last
// 15 minutes sent it, not only the last ones.
func TestEveryRecentWeightChangeCounts(t *testing.T) {
	key := testKey(5)
	s := newScene(t, weights(100, 100, 100))
	home := s.plan(key).Ranked[0]
	ws := []int{100, 100, 100}
	ws[home-1] = 0
	second := weights(ws...)
	second.Epoch = 2
	s.f.SetTopology(second, s.now)
	s.after(time.Second)
	other := s.plan(key).Ranked[0]
	ws[other-1] = 0
	third := weights(ws...)
	third.Epoch = 3
	s.f.SetTopology(third, s.now)
	p := s.plan(key)
	for _, g := range []GroupID{home, other} {
		if !slices.Contains(p.Lookup, g) || !slices.Contains(p.Above(p.Tries[0]), g) {
			t.Errorf("group %d was home a second ago: asks %v, hop record names %v", g, p.Lookup, p.Above(p.Tries[0]))
		}
	}
}

// TestStartAfterAWeightChange: an instance that cannot know the old weights looks
// everywhere.
func TestStartAfterAWeightChange(t *testing.T) {
	topo := weights(100, 0, 100)
	start := time.Unix(1_700_000_000, 0)
	topo.Changed = start.Add(-time.Minute)
	topo.Groups[1].Changed = topo.Changed // and it does not say what it was before
	s := newScene(t, topo)
	p := s.plan(testKey(5))
	if len(p.Lookup) != 2 || len(p.Above(p.Tries[0])) != 2 {
		t.Errorf("asks %v, hop record names %v, want all other groups", p.Lookup, p.Above(p.Tries[0]))
	}
	s.after(14 * time.Minute)
	if p := s.plan(testKey(5)); len(p.Lookup) != 0 || len(p.Above(p.Tries[0])) != 0 {
		t.Errorf("still asks %v after the retry window", p.Lookup)
	}
}

// TestHopNamesTheWholePast: an instance with the old view may have landed the key
// in a group that drains now, below one that was there all the time.
func TestHopNamesTheWholePast(t *testing.T) {
	key := testKey(5)
	s := newScene(t, weights(100, 100, 100, 100))
	r := s.plan(key).Ranked
	ws := []int{100, 100, 100, 100}
	ws[r[1]-1] = 0
	next := weights(ws...)
	next.Epoch = 2
	s.f.SetTopology(next, s.now)
	if got := s.plan(key).Above(r[2]); !slices.Contains(got, r[0]) || !slices.Contains(got, r[1]) {
		t.Errorf("ranked %v before group %d drained; a landing in %d names %v", r, r[1], r[2], got)
	}
}

// TestWeightChangeWithoutRecord: weights may have been in force that this instance
// never saw, where a group does not tell of them.
func TestWeightChangeWithoutRecord(t *testing.T) {
	s := newScene(t, weights(100, 100, 100))
	s.after(time.Second)
	next := weights(100, 100, 50)
	next.Epoch, next.Changed, next.Groups[2].Changed = 3, s.now, s.now
	s.f.SetTopology(next, s.now)
	if p := s.plan(testKey(5)); len(p.Lookup) != 2 || len(p.Above(p.Tries[0])) != 2 {
		t.Errorf("asks %v, hop record names %v, want all other groups", p.Lookup, p.Above(p.Tries[0]))
	}
}

// TestEpochsAloneTellOfNoChange: a move of tags raises epochs again and again.
func TestEpochsAloneTellOfNoChange(t *testing.T) {
	s := newScene(t, weights(100, 100, 100))
	next := weights(100, 100, 100)
	next.Epoch = 7
	s.f.SetTopology(next, s.now)
	if p := s.plan(testKey(5)); len(p.Lookup) != 0 || len(p.Above(p.Tries[0])) != 0 {
		t.Errorf("asks %v, hop record names %v, though weights never changed", p.Lookup, p.Above(p.Tries[0]))
	}
}

// TestTwoGroupsDrainedBetweenLooks: which of them was first is not known, so a key is
// looked for at its home under either order.
func TestTwoGroupsDrainedBetweenLooks(t *testing.T) {
	s := newScene(t, weights(100, 100, 100, 100, 100))
	all := s.f.Topology()
	s.after(time.Second)
	next := weights(100, 100, 100, 0, 0)
	next.Epoch, next.Changed = 3, s.now
	for _, g := range []int{3, 4} {
		next.Groups[g].Changed, next.Groups[g].Shares = s.now, []Share{{Share: 100}, {Share: 0, Since: s.now}}
	}
	s.f.SetTopology(next, s.now)
	for i := range 200 {
		key := testKey(i)
		p := s.plan(key)
		for _, was := range []Topology{all, weights(100, 100, 100, 0, 100), weights(100, 100, 100, 100, 0)} {
			if home := was.Rank(key)[0]; home != p.Tries[0] && !slices.Contains(p.Lookup, home) {
				t.Fatalf("key %d: asks %v, not %d, which was its home", i, p.Lookup, home)
			}
		}
		if old := all.Rank(key)[0]; old <= 3 && len(p.Lookup) > 0 {
			t.Fatalf("key %d: asks %v though its home %d never changed", i, p.Lookup, old)
		}
	}
}

// TestDrainingGroupIsReadmittedByProbes: it gets no trial create, and its doubts
// must be settled.
func TestDrainingGroupIsReadmittedByProbes(t *testing.T) {
	s := newScene(t, weights(100, 100))
	for range 4 {
		s.create(1, DiskFull)
	}
	drained := weights(0, 100)
	drained.Epoch = 2
	s.f.SetTopology(drained, s.now)
	s.probes(1, "", 3)
	s.admitted(1, false) // the hold-down is not over
	s.after(time.Second)
	s.probes(1, "", 1)
	s.admitted(1, true)
}

func TestLookupsSkipASilentGroup(t *testing.T) {
	s := newScene(t, weights(1, 1))
	leave, ok := s.f.EnterLookup(1, s.now)
	if !ok {
		t.Fatal("refused the first look-up")
	}
	s.after(21 * time.Millisecond)
	if _, ok := s.f.EnterLookup(1, s.now); ok {
		t.Error("asks a group that has not answered for 21 ms")
	}
	leave(s.now, false)
	if _, ok := s.f.EnterLookup(1, s.now.Add(499*time.Millisecond)); ok {
		t.Error("asks again right after a look-up had no answer")
	}
	if _, ok := s.f.EnterLookup(1, s.now.Add(500*time.Millisecond)); !ok {
		t.Error("never asks again")
	}
}

func TestRandomSelectionHasNoMemory(t *testing.T) {
	draws := uint64(0)
	f := NewFleet(FleetOptions{Selection: Random}, weights(1, 1), time.Unix(1, 0))
	f.Probed(1, time.Unix(1, 0), "")
	p := f.Plan(testKey(1), time.Unix(1, 0), func() uint64 { draws++; return draws << 60 })
	if draws != 2 || len(p.Lookup) != 0 {
		t.Errorf("%d draws, looks up %v", draws, p.Lookup)
	}
}

func BenchmarkPlan(b *testing.B) {
	now := time.Unix(1, 0)
	f := NewFleet(FleetOptions{}, weights(100, 100, 100, 100, 100), now)
	for g := range 5 {
		f.Probed(GroupID(g+1), now, "")
	}
	key := testKey(1)
	b.ReportAllocs()
	for b.Loop() {
		p := f.Plan(key, now, nil)
		t, _ := f.Enter(p.Tries[0], now, false)
		f.Leave(t, now, Result{Counts: true})
	}
}
