package order

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// fakeGroup keeps committed rows in memory and fails as it is told. Calls that a
// test does not expect hit the nil Group and panic.
type fakeGroup struct {
	Group
	id      shard.GroupID
	orders  []Order
	doubts  []Doubt
	hops    []Hop
	claim   shard.TagState
	insert  []error // of the next inserts, in turn
	commits []error // of the next commits, in turn
	commit  error   // of every later commit
	kept    bool    // what a commit with an error wrote is there all the same
}

func (g *fakeGroup) ID() shard.GroupID { return g.id }

func (g *fakeGroup) Begin(context.Context) (Tx, error) { return &fakeTx{g: g}, nil }

func (g *fakeGroup) FindKey(_ context.Context, key pay.Key) (found []Order, err error) {
	for _, o := range g.orders {
		if o.Key == key && o.State != pay.Void {
			o.Group = g.id
			found = append(found, o)
		}
	}
	return found, nil
}

func (g *fakeGroup) Find(_ context.Context, no pay.OrderNo, _ bool) (Order, error) {
	for _, o := range g.orders {
		if o.No == no {
			return o, nil
		}
	}
	return Order{}, ErrNotFound
}

func (g *fakeGroup) Follow(context.Context) (bool, error) { return false, nil }

func (g *fakeGroup) HopsSince(_ context.Context, since time.Time, limit int) ([]Hop, error) {
	from := slices.IndexFunc(g.hops, func(h Hop) bool { return !h.Created.Before(since) })
	if from < 0 {
		return nil, nil
	}
	return g.hops[from:min(from+limit, len(g.hops))], nil
}

type fakeTx struct {
	Tx
	g      *fakeGroup
	order  []Order
	doubts []Doubt
	hops   []Hop
}

func (t *fakeTx) LockTag(_ context.Context, tag pay.Tag, key pay.Key) (shard.Claim, int, error) {
	last := 0
	for _, o := range t.g.orders {
		if o.Key == key && o.State != pay.Void {
			last = max(last, o.Attempt)
		}
	}
	return shard.Claim{Tag: tag, Group: t.g.id, State: t.g.claim}, last, nil
}

func (t *fakeTx) InsertOwned(ctx context.Context, o Order) (bool, error) {
	if claim, last, _ := t.LockTag(ctx, o.No.Tag(), o.Key); claim.State != shard.TagOwned || last > 0 {
		return false, nil
	}
	err := t.InsertOrder(ctx, o)
	return err == nil, err
}

func (t *fakeTx) InsertOrder(_ context.Context, o Order) error {
	t.order = append(t.order, o)
	if len(t.g.insert) > 0 {
		err := t.g.insert[0]
		t.g.insert = t.g.insert[1:]
		return err
	}
	return nil
}

func (t *fakeTx) InsertDoubts(_ context.Context, d []Doubt) error { t.doubts = d; return nil }
func (t *fakeTx) InsertHops(_ context.Context, h []Hop) error     { t.hops = h; return nil }
func (t *fakeTx) Rollback()                                       {}

func (t *fakeTx) LockOrder(ctx context.Context, no pay.OrderNo) (Order, error) {
	return t.g.Find(ctx, no, false)
}

func (t *fakeTx) Commit(context.Context) error {
	err := t.g.commit
	if len(t.g.commits) > 0 {
		err, t.g.commits = t.g.commits[0], t.g.commits[1:]
	}
	if err == nil || t.g.kept {
		t.g.orders = append(t.g.orders, t.order...)
		t.g.doubts = append(t.g.doubts, t.doubts...)
		t.g.hops = append(t.g.hops, t.hops...)
	}
	return err
}

// newFakeEngine is an engine that has joined three healthy groups, and the groups
// in the order in which they are ranked for testKey.
func newFakeEngine(t *testing.T) (*Engine, []*fakeGroup) {
	t.Helper()
	byID := map[shard.GroupID]*fakeGroup{}
	var groups []Group
	for id := range shard.GroupID(3) {
		g := &fakeGroup{id: id + 1, claim: shard.TagOwned}
		byID[g.id] = g
		groups = append(groups, g)
	}
	e := New(Options{Holder: "test"}, groups, System{}, func() uint64 { return 7 }, slog.New(slog.DiscardHandler))
	now := time.Now()
	for _, m := range e.members {
		m.hold(Lease{Slot: 42, Holder: "test"})
		m.raiseHigh(now.Unix() + 60)
		e.fleet.Probed(m.ID(), now, "")
		e.fleet.LedgerRead(m.ID(), now, nil)
	}
	var ranked []*fakeGroup
	for _, id := range e.Plan(testRequest).Ranked {
		ranked = append(ranked, byID[id])
	}
	return e, ranked
}

var testRequest = Request{Key: pay.Key{MerchantID: "m1", MerchantOrderNo: "A-1"}, Amount: 1250}

func fault(o Outcome, c shard.Cause) error {
	return &Fault{Outcome: o, Cause: c, Err: errors.New("as told")}
}

func wantCode(t *testing.T, err error, code string, outcome Outcome) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code != code || e.Outcome != outcome {
		t.Fatalf("error %v, want code %s and outcome %s", err, code, outcome)
	}
}

func TestCreateLandsAtHomeAndIsRepeatable(t *testing.T) {
	e, ranked := newFakeEngine(t)
	first, err := e.Create(t.Context(), testRequest)
	if err != nil || first.Group != ranked[0].id || first.No.Tag() != pay.Tag(ranked[0].id) || len(ranked[0].hops) != 0 {
		t.Fatalf("%+v, %v, hops %v", first, err, ranked[0].hops)
	}
	again, err := e.Create(t.Context(), testRequest)
	if err != nil || again.No != first.No || len(ranked[0].orders) != 1 {
		t.Errorf("asked again: %s after %s, %v", again.No, first.No, err)
	}
	other := testRequest
	other.Amount++
	_, err = e.Create(t.Context(), other)
	wantCode(t, err, CodeAmountMismatch, NotCommitted)
}

func TestUnknownTryIsRecordedByTheWinner(t *testing.T) {
	e, ranked := newFakeEngine(t)
	var told []Hop
	e.opts.OnHop = func(h Hop) {
		if len(ranked[1].hops) == 0 {
			t.Error("told of a hop before it was committed")
		}
		told = append(told, h)
	}
	ranked[0].commit = fault(Unknown, shard.Hang)
	o, err := e.Create(t.Context(), testRequest)
	if err != nil || o.Group != ranked[1].id {
		t.Fatalf("%+v, %v", o, err)
	}
	if !slices.Equal(told, ranked[1].hops) {
		t.Errorf("told of hops %+v, committed %+v", told, ranked[1].hops)
	}
	if len(ranked[1].doubts) != 1 {
		t.Fatalf("doubts %+v, want one", ranked[1].doubts)
	}
	d := ranked[1].doubts[0]
	if d.OldGroup != ranked[0].id || d.Winner != o.No || d.Key != testRequest.Key || d.Amount != 1250 {
		t.Errorf("doubt %+v", d)
	}
	if o.No.Compare(d.OrderNo) >= 0 {
		t.Errorf("the winner %s is not lower than the try in doubt %s: the rule of twins would void it", o.No, d.OrderNo)
	}
	if len(ranked[1].hops) != 1 || ranked[1].hops[0].Above != ranked[0].id || ranked[1].hops[0].Reason != "unknown" {
		t.Errorf("hops %+v", ranked[1].hops)
	}
}

// TestReasonOfAHop tells a group that was passed from one that only earlier weights put
// above the winner.
func TestReasonOfAHop(t *testing.T) {
	e, ranked := newFakeEngine(t)
	for epoch, drained := range []shard.GroupID{0, ranked[0].id} {
		topo := shard.Topology{Epoch: int64(epoch) + 1}
		for id := range shard.GroupID(3) {
			g := shard.Group{ID: id + 1, State: shard.GroupActive, Weight: 100}
			if g.ID == drained {
				g.Weight = 0
			}
			topo.Groups = append(topo.Groups, g)
		}
		e.fleet.SetTopology(topo, time.Now())
	}
	ranked[1].insert = []error{fault(NotCommitted, shard.DiskFull)}
	o, err := e.Create(t.Context(), testRequest)
	if err != nil || o.Group != ranked[2].id {
		t.Fatalf("%+v, %v", o, err)
	}
	got := map[shard.GroupID]string{}
	for _, h := range ranked[2].hops {
		got[h.Above] = h.Reason
	}
	if want := map[shard.GroupID]string{ranked[0].id: ReasonWeights, ranked[1].id: string(shard.DiskFull)}; !maps.Equal(got, want) {
		t.Errorf("reasons %v, want %v", got, want)
	}
}

func TestAfterAnUnknownTryNothingIsCalledRefused(t *testing.T) {
	e, ranked := newFakeEngine(t)
	ranked[0].commit = fault(Unknown, shard.Hang)
	ranked[1].insert = []error{ErrRefusedValue}
	ranked[2].insert = []error{fault(NotCommitted, shard.DiskFull)}
	_, err := e.Create(t.Context(), testRequest)
	wantCode(t, err, CodeUnknownOutcome, Unknown)
}

// TestARetryFindsAHopOfWhichTheAnswerWasLost: the home is well, so only that the key
// was on its way elsewhere says where to look.
func TestARetryFindsAHopOfWhichTheAnswerWasLost(t *testing.T) {
	e, ranked := newFakeEngine(t)
	lockWait := fault(NotCommitted, "")
	ranked[0].insert = []error{lockWait}
	ranked[1].commit, ranked[1].kept = fault(Unknown, shard.Crash), true
	ranked[2].insert = []error{lockWait}
	_, err := e.Create(t.Context(), testRequest)
	wantCode(t, err, CodeUnknownOutcome, Unknown)
	o, err := e.Create(t.Context(), testRequest)
	if err != nil || len(ranked[1].orders) != 1 || o.No != ranked[1].orders[0].No {
		t.Errorf("the retry is answered with %s in group %d (%v), want the one that hopped to group %d", o.No, o.Group, err, ranked[1].id)
	}
}

func TestRefusedValueIsTheCallersFault(t *testing.T) {
	e, ranked := newFakeEngine(t)
	ranked[0].insert = []error{ErrRefusedValue}
	_, err := e.Create(t.Context(), testRequest)
	wantCode(t, err, pay.CodeInvalidField, NotCommitted)
	if len(ranked[1].orders) != 0 {
		t.Error("hopped with a value that no group takes")
	}
}

func TestEveryGroupFails(t *testing.T) {
	e, ranked := newFakeEngine(t)
	ranked[0].insert = []error{fault(NotCommitted, shard.Crash)}
	ranked[1].insert = []error{fault(NotCommitted, shard.ReadOnly)}
	ranked[2].insert = []error{fault(NotCommitted, shard.DiskFull)}
	_, err := e.Create(t.Context(), testRequest)
	wantCode(t, err, CodeNoGroup, NotCommitted)
	for _, cause := range []string{"crash", "read_only", "disk_full"} {
		if !strings.Contains(err.Error(), cause) {
			t.Errorf("%q does not name %s", err, cause)
		}
	}
}

// TestEveryGroupHangs: a moment in which nothing answers is outlasted, and one that lasts is
// not waited for without end.
func TestEveryGroupHangs(t *testing.T) {
	cut, silent, answer := fault(NotCommitted, shard.Hang), fault(Unknown, shard.Hang), fault(NotCommitted, shard.DiskFull)
	for _, c := range []struct {
		name    string
		inserts [3][]error // by rank
		lands   int        // rank of the group that has the order in the end, -1 for none
	}{
		{"once", [3][]error{{cut}, {cut}, {cut}}, 0},
		{"the home for longer", [3][]error{{cut, cut}, {cut}, {cut}}, 1},
		{"two groups for longer", [3][]error{{cut, cut}, {cut, cut}, {cut}}, -1},
		{"but one, which refuses", [3][]error{{answer}, {cut}, {cut}}, 1},
		{"none, all refuse", [3][]error{{answer}, {answer}, {answer}}, -1},
		{"but two, which refuse", [3][]error{{answer}, {cut}, {answer}}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, ranked := newFakeEngine(t)
			for i, errs := range c.inserts {
				ranked[i].insert = errs
			}
			o, err := e.Create(t.Context(), testRequest)
			if c.lands < 0 {
				wantCode(t, err, CodeNoGroup, NotCommitted)
				return
			}
			if err != nil || o.Group != ranked[c.lands].id || len(ranked[c.lands].orders) != 1 {
				t.Errorf("%+v, %v, want it in group %d", o, err, ranked[c.lands].id)
			}
			if hops := ranked[c.lands].hops; len(hops) != c.lands {
				t.Errorf("hops %+v, want %d", hops, c.lands)
			}
		})
	}
	t.Run("and one was written", func(t *testing.T) {
		e, ranked := newFakeEngine(t)
		for i, g := range ranked {
			g.commits, g.kept = []error{silent}, i == 0
		}
		o, err := e.Create(t.Context(), testRequest)
		if err != nil || len(ranked[0].orders) != 1 || o.No != ranked[0].orders[0].No {
			t.Fatalf("%+v, %v, want the order that the first try wrote", o, err)
		}
		var old []shard.GroupID
		for _, d := range ranked[0].doubts {
			old = append(old, d.OldGroup)
			if d.OrderNo == o.No || d.Winner != o.No {
				t.Errorf("doubt %+v would void the order that was answered", d)
			}
		}
		if !slices.Equal(old, []shard.GroupID{ranked[1].id, ranked[2].id}) {
			t.Errorf("doubts about groups %v, want those of the two other tries", old)
		}
	})
	t.Run("and nothing was written", func(t *testing.T) {
		e, ranked := newFakeEngine(t)
		for _, g := range ranked {
			g.commits = []error{silent}
		}
		o, err := e.Create(t.Context(), testRequest)
		if err != nil || o.Group != ranked[0].id || len(ranked[0].orders) != 1 || len(ranked[0].doubts) != 3 {
			t.Fatalf("%+v, %v with %d doubts, want one at home with the doubts of three tries", o, err, len(ranked[0].doubts))
		}
		for _, d := range ranked[0].doubts {
			if o.No.Compare(d.OrderNo) >= 0 {
				t.Errorf("the winner %s is not lower than the try in doubt %s: the rule of twins would void it", o.No, d.OrderNo)
			}
		}
	})
}

func TestTakenNumberIsPassedOver(t *testing.T) {
	e, ranked := newFakeEngine(t)
	ranked[0].insert = []error{ErrDuplicateNo}
	o, err := e.Create(t.Context(), testRequest)
	if err != nil || o.Group != ranked[0].id {
		t.Fatalf("%+v, %v: a taken number is no reason to hop", o, err)
	}
}

func TestFencedTagIsHoppedAndNotCounted(t *testing.T) {
	e, ranked := newFakeEngine(t)
	ranked[0].claim = shard.TagFenced
	for i := range 20 {
		r := testRequest
		r.Key.MerchantOrderNo += strings.Repeat("x", i)
		if o, err := e.Create(t.Context(), r); err != nil || o.Group == ranked[0].id {
			t.Fatalf("%+v, %v", o, err)
		}
	}
	if !e.fleet.Admitted(ranked[0].id) {
		t.Error("a fence ejected its group")
	}
}

func TestCancelledCallerSaysNothingAboutTheGroup(t *testing.T) {
	e, ranked := newFakeEngine(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		ranked[0].insert = []error{fault(NotCommitted, shard.Hang)}
		_, err := e.Create(ctx, testRequest)
		wantCode(t, err, CodeCancelled, NotCommitted)
	}
	if !e.fleet.Admitted(ranked[0].id) {
		t.Error("cancelled callers ejected a group")
	}
}

func TestKnownKeyElsewhereIsRecordedBesideTheDoubt(t *testing.T) {
	e, ranked := newFakeEngine(t)
	existing, err := e.Create(t.Context(), testRequest)
	if err != nil {
		t.Fatal(err)
	}
	ranked[1].orders, ranked[0].orders = ranked[0].orders, nil // it hopped, long ago
	ranked[1].orders[0].No = mustNo(t, existing.No.Base(), ranked[1].id)
	ranked[0].commit = fault(Unknown, shard.Hang)
	o, err := e.Create(t.Context(), testRequest)
	if err != nil || o.No != ranked[1].orders[0].No {
		t.Fatalf("%+v, %v", o, err)
	}
	if len(ranked[1].doubts) != 1 || ranked[1].doubts[0].Winner != o.No {
		t.Errorf("doubts %+v: the try in the first group has no owner", ranked[1].doubts)
	}
}

func TestFurtherAttempt(t *testing.T) {
	e, ranked := newFakeEngine(t)
	further := testRequest
	further.NewAttempt = true
	if o, err := e.Create(t.Context(), further); err != nil || o.Attempt != 1 {
		t.Fatalf("a first attempt: %+v, %v", o, err)
	}
	_, err := e.Create(t.Context(), further)
	wantCode(t, err, CodeAttemptOpen, NotCommitted)
	ranked[0].orders[0].State = pay.Closed
	second, err := e.Create(t.Context(), further)
	if err != nil || second.Attempt != 2 {
		t.Fatalf("after the first has closed: %+v, %v", second, err)
	}
	if again, err := e.Create(t.Context(), testRequest); err != nil || again.No != second.No {
		t.Errorf("the key is answered with %s (%v), want its last attempt %s", again.No, err, second.No)
	}
}

func TestGetFollowsTwins(t *testing.T) {
	e, ranked := newFakeEngine(t)
	live, err := e.Create(t.Context(), testRequest)
	if err != nil {
		t.Fatal(err)
	}
	void := live
	void.No, void.State, void.TwinOf = mustNo(t, live.No.Base(), ranked[1].id), pay.Void, live.No
	ranked[1].orders = append(ranked[1].orders, void)
	if o, err := e.Get(t.Context(), void.No); err != nil || o.No != live.No {
		t.Errorf("%+v, %v, want the twin %s", o, err, live.No)
	}
	ranked[1].orders[0].TwinOf = void.No // a ring, which must not exist
	_, err = e.Get(t.Context(), void.No)
	wantCode(t, err, CodeNotFound, NotCommitted)
}

func TestBadRequestsHaveStableCodes(t *testing.T) {
	e, _ := newFakeEngine(t)
	for code, spoil := range map[string]func(*Request){
		pay.CodeInvalidAmount: func(r *Request) { r.Amount = 0 },
		pay.CodeInvalidField:  func(r *Request) { r.Key.MerchantOrderNo = strings.Repeat("付", 65) },
	} {
		r := testRequest
		spoil(&r)
		_, err := e.Create(t.Context(), r)
		wantCode(t, err, code, NotCommitted)
	}
	r := testRequest
	r.Key.MerchantID = pay.ShadowMerchant
	_, err := e.Create(t.Context(), r)
	wantCode(t, err, pay.CodeInvalidField, NotCommitted)
}

func mustNo(t *testing.T, base string, g shard.GroupID) pay.OrderNo {
	t.Helper()
	no, err := pay.ParseOrderNo(base + string(rune('0'+g)))
	if err != nil {
		t.Fatal(err)
	}
	return no
}

// TestWholeLedgerIsRead pages through a ledger whose pages end within a
// millisecond.
func TestWholeLedgerIsRead(t *testing.T) {
	e, ranked := newFakeEngine(t)
	g := ranked[2]
	start := time.Now().Add(-time.Minute)
	for i := range 2*ledgerBatch + 100 {
		g.hops = append(g.hops, Hop{Key: pay.Key{MerchantID: "m1", MerchantOrderNo: fmt.Sprint("H-", i)}, Above: ranked[0].id,
			Created: start.Add(time.Duration(i/7) * time.Millisecond)})
	}
	m, _ := e.member(g.id)
	e.readLedger(t.Context(), m)
	for _, h := range g.hops {
		p := e.Plan(Request{Key: h.Key})
		if p.Tries[0] != g.id && !slices.Contains(p.Lookup, g.id) {
			t.Fatalf("key %s hopped into group %d, and a create would ask %v", h.Key, g.id, p.Lookup)
		}
	}
}

func TestReadyFailsAtOnceWhenEveryGroupIsOut(t *testing.T) {
	e, ranked := newFakeEngine(t)
	for _, g := range ranked {
		e.fleet.Probed(g.id, time.Now(), shard.Crash)
	}
	err := e.Ready(t.Context())
	wantCode(t, err, CodeNoGroup, NotCommitted)
	e.fleet.Probed(ranked[0].id, time.Now(), "")
	if statuses := e.fleet.Snapshot(); !slices.ContainsFunc(statuses, func(s shard.Status) bool { return s.Ejection != nil }) {
		t.Error("one good probe readmitted a crashed group")
	}
}

func TestEachTagIsReadOnce(t *testing.T) {
	t.Parallel()
	claims := func(states ...shard.TagState) (all []Source) {
		for g, s := range states {
			source := Source{Group: shard.GroupID(g + 1), Claims: []shard.Claim{{Tag: pay.Tag(g + 10), State: shard.TagOwned}}}
			if s != "" {
				source.Claims = append(source.Claims, shard.Claim{Tag: 3, State: s})
			}
			all = append(all, source)
		}
		return all
	}
	for _, c := range []struct {
		sources []Source
		ok      bool
	}{
		{claims(shard.TagOwned, ""), true},
		{claims(shard.TagMoved, shard.TagOwned), true},
		{claims(shard.TagOwned, shard.TagOwned), false}, // the first was read before the move, the second after it
		{claims(shard.TagMoved, ""), false},             // the other way round
		{claims(shard.TagMoved, shard.TagFenced), false},
	} {
		if err := oneOwner(c.sources); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.sources, err)
		} else if err != nil && !strings.Contains(err.Error(), "tag 3") {
			t.Errorf("error %v names no tag", err)
		}
	}
}
