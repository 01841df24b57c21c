package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"paytool/internal/config"
	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/sandbox"
	"paytool/internal/shard"
	"paytool/internal/shard/move"
	"paytool/internal/shard/mover"
	"paytool/internal/store"
)

// TestMoveOfWhatIsWrong moves a group while something is wrong each time: a key that is
// live in both groups, rows that were changed behind the tool's back, a client that
// knows nothing of the move, two operators. All on one pair of groups, in this order.
func TestMoveOfWhatIsWrong(t *testing.T) {
	s := newShop(t, 2, 1)
	s.open()
	s.sell(1, 2)
	s.twins()
	stale := s.staleEngine()
	hash := s.corruptedCopy()
	s.refusedByTheDatabase(stale)
	s.corruptedAfterTheSwitch(hash)
	s.reversedWithWrites(hash)
	s.twoOperators()
}

// twins makes one key live in both groups: the COMMIT's answer of the first try is lost,
// and the second group takes the order.
func (s *shop) twins() {
	s.Helper()
	s.engine.stop() // it would settle the doubt
	lossy := s.engineOver(func(g *store.Group) order.Group { return unansweredGroup{g} })
	key := pay.Key{MerchantID: "twins", MerchantOrderNo: "T-1"}
	_, err := lossy.Create(s.Context(), order.Request{Key: key, Amount: 1})
	var failed *order.Error
	if !errors.As(err, &failed) || failed.Outcome != order.Unknown {
		s.Fatalf("no answer to any COMMIT: %v, want an unknown outcome", err)
	}
	var p move.Plan
	status := s.json(&p, "shard", "shrink", "--to", "1", "--yes")
	refused := slices.ContainsFunc(p.Refusals, func(r move.Reason) bool { return r.Code == "duplicates" })
	if status != exitFailed || !refused || len(p.Moves) != 1 || len(p.Moves[0].Duplicates) != 1 {
		s.Fatalf("a key that is live twice: exit %d, %+v", status, p)
	}
	d := p.Moves[0].Duplicates[0]
	if d.MerchantID != key.MerchantID || d.MerchantOrderNo != key.MerchantOrderNo || !strings.HasSuffix(d.Source, "2") || !strings.HasSuffix(d.Target, "1") {
		s.Errorf("the pair is %+v", d)
	}
	if runs := s.runs(); len(runs) != 0 {
		s.Errorf("a move was begun: %+v", runs)
	}
	// Another engine settles the doubt, and a client asks again with the same key.
	s.open()
	o, err := s.engine.Create(s.Context(), order.Request{Key: key, Amount: 1})
	if err != nil {
		s.Fatal(err)
	}
	s.Logf("the pair %s and %s ends as %s", d.Source, d.Target, o.No)
	eventually(s.T, "one of the pair is void", func() bool {
		status := s.json(&p, "shard", "shrink", "--to", "1", "--dry-run")
		return status == exitDone && p.OK()
	})
}

// engineOver runs an engine that reaches its groups through something of a test's.
func (s *shop) engineOver(port func(*store.Group) order.Group) *engine {
	s.Helper()
	cfg, err := config.Load(s.config)
	if err != nil {
		s.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	groups, err := openGroups(cfg, log)
	if err != nil {
		s.Fatal(err)
	}
	e, err := newEngineOver(cfg, groups, port, log, func(*order.Options) {})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		if err := e.close(); err != nil {
			s.Error(err)
		}
	})
	if err := e.start(s.Context()); err != nil {
		s.Fatal(err)
	}
	return e
}

// unansweredGroup commits what is asked of it, and its answer is lost. It settles nothing.
type unansweredGroup struct{ *store.Group }

func (unansweredGroup) Doubts(context.Context, shard.GroupID, int) ([]order.Doubt, error) {
	return nil, nil
}

func (unansweredGroup) Hops(context.Context, shard.GroupID, time.Time, pay.OrderNo, int) ([]order.Hop, error) {
	return nil, nil
}

func (g unansweredGroup) Begin(ctx context.Context) (order.Tx, error) {
	tx, err := g.Group.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return unansweredTx{tx}, nil
}

type unansweredTx struct{ order.Tx }

func (t unansweredTx) Commit(ctx context.Context) error {
	if err := t.Tx.Commit(ctx); err != nil {
		return err
	}
	return &order.Fault{Outcome: order.Unknown, Err: io.ErrUnexpectedEOF}
}

// corruptedCopy changes a copied row before it is compared, with the process dead. What
// goes on names the row, copies it again, and switches with the right one.
func (s *shop) corruptedCopy() (hash string) {
	s.Helper()
	died := errors.New("killed before it compares")
	p := s.plan("--to", "1")
	m := s.mover(func(point string) error {
		if point == "after write done of follow" {
			return died
		}
		return nil
	})
	if _, err := m.runner.Drive(s.Context(), s.only(m, p).ID, mover.UntilSwitched); !errors.Is(err, died) {
		s.Fatalf("got %v, want a dead process", err)
	}
	victim := s.of(2)[0].no.String()
	s.on(1, "UPDATE pay.orders SET amount_fen=amount_fen+1 WHERE order_no='%s'", victim)

	s.differs(victim, 2, 1)
	reached := s.resume()
	if n, note := s.steps(move.Verify, move.Again); n != 1 || !strings.Contains(note, victim) {
		s.Errorf("%d comparisons were taken again, with the note %q; want one that names order %s", n, note, victim)
	}
	if n, _ := s.steps(move.Copy, move.Done); n != 2 || !reached.Switched {
		s.Errorf("copied %d times, %+v", n, reached)
	}
	s.check()
	s.must("shard", "verify")
	return p.Hash
}

// differs wants `shard verify` to name a row of one order, and no other.
func (s *shop) differs(no string, owner, copied shard.GroupID) {
	s.Helper()
	var v shardVerdict
	if status := s.json(&v, "shard", "verify"); status != exitFailed || v.OK || len(v.Differences) != 1 || len(v.Strays) != 0 {
		s.Fatalf("exit %d, %+v", status, v)
	}
	d := v.Differences[0]
	if d.Table != "orders" || d.OrderNo != no || d.Tag != 2 || d.Owner != owner || d.Copy != copied || d.Fate != "differs" || !strings.Contains(d.Text, "amount_fen") {
		s.Errorf("named %+v, want order %s", d, no)
	}
}

// resume has another process go on with the only run that is open.
func (s *shop) resume() runResult {
	s.Helper()
	var result struct {
		Runs []runResult `json:"runs"`
	}
	eventually(s.T, "the lease of the process that died runs out", func() bool {
		status, out, errOut := s.paytool("shard", "continue")
		if status != exitDone && !strings.Contains(errOut, mover.ErrHeld.Error()) {
			s.Fatalf("continue: exit %d\n%s%s", status, out, errOut)
		}
		return status == exitDone
	})
	result.Runs = s.runs()
	return result.Runs[len(result.Runs)-1]
}

// staleEngine is a client that took the topology in before the move, then stood still
// until its leases were gone, and hears of no other topology. Moves wait for one that
// still has a lease.
func (s *shop) staleEngine() *engine {
	s.Helper()
	e := s.engineOver(func(g *store.Group) order.Group {
		info, err := g.Info(s.Context())
		if err != nil {
			s.Fatal(err)
		}
		return frozenGroup{g, info}
	})
	e.stop()
	return e
}

// frozenGroup always says of itself what it said at first.
type frozenGroup struct {
	*store.Group
	info shard.Report
}

func (g frozenGroup) Info(context.Context) (shard.Report, error) { return g.info, nil }

// refusedByTheDatabase has the stale client go on. Its updates of what has moved are
// refused by the database of the group that gave them away, and nothing is written.
func (s *shop) refusedByTheDatabase(stale *engine) {
	s.Helper()
	o := s.of(2)[0]
	if at, err := stale.Fleet().Topology().Locate(o.no); err != nil || at != 2 {
		s.Fatalf("the stale client looks for order %s in group %d, %v", o.no, at, err)
	}
	if _, _, err := stale.Refund(s.Context(), o.no, order.RefundRequest{No: "R-stale", Amount: 1}); !errors.Is(err, order.ErrNotOwned) {
		s.Errorf("a refund by a client that knows nothing of the move: %v, want %v", err, order.ErrNotOwned)
	}
	s.bareWrites(o)
	s.must("shard", "verify") // a row that was written in one group alone would differ
	s.check()
}

// bareWrites writes to the old group as an engine would that looks at nothing.
func (s *shop) bareWrites(o *sold) {
	s.Helper()
	i := slices.IndexFunc(s.engine.groups, func(g *store.Group) bool { return g.ID() == 2 })
	g := s.engine.groups[i]
	tx, err := g.Begin(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	defer tx.Rollback()
	if claim, _, err := tx.LockTag(s.Context(), 2, o.key); err != nil || claim.State != shard.TagMoved {
		s.Errorf("the old group says of its tag %+v, %v", claim, err)
	}
	if _, err := g.Expire(s.Context(), 2, []pay.OrderNo{o.no}, o.made, "stale"); !errors.Is(err, order.ErrNotOwned) {
		s.Errorf("expire at the old group: %v, want %v", err, order.ErrNotOwned)
	}
	doubt := order.Doubt{OrderNo: o.no, Winner: o.no, OldGroup: 1, Key: o.key, Attempt: 1}
	if err := g.SettleDoubt(s.Context(), doubt, order.Voided, o.made); !errors.Is(err, order.ErrNotOwned) {
		s.Errorf("settle a doubt at the old group: %v, want %v", err, order.ErrNotOwned)
	}
}

// corruptedAfterTheSwitch changes a row of the old group after the switch: it is named,
// and the old group keeps its rows until it is mended.
func (s *shop) corruptedAfterTheSwitch(hash string) {
	s.Helper()
	victim := s.of(2)[0].no.String()
	s.on(2, "UPDATE pay.orders SET amount_fen=amount_fen+1 WHERE order_no='%s'", victim)
	s.differs(victim, 1, 2)
	status, _, errOut := s.paytool("shard", "retire", "--plan", hash, "--yes")
	if status != exitFailed || !strings.Contains(errOut, "the source keeps its rows") || !strings.Contains(errOut, victim) {
		s.Errorf("retire: exit %d, %s", status, errOut)
	}
	s.differs(victim, 1, 2) // the row is still there
	s.on(2, "UPDATE pay.orders SET amount_fen=amount_fen-1 WHERE order_no='%s'", victim)
	s.must("shard", "verify")
	s.check()
}

// reversedWithWrites goes the way back after orders were refunded in the new group.
func (s *shop) reversedWithWrites(hash string) {
	s.Helper()
	s.refund()
	s.must("shard", "reverse", "--plan", hash, "--yes")
	s.check()
	if at, err := s.locate(s.of(2)[0].no); err != nil || at != 2 {
		s.Errorf("after the way back the orders are in group %d, %v", at, err)
	}
	s.refund()
	s.check()
	s.must("shard", "verify")
}

func (s *shop) locate(no pay.OrderNo) (shard.GroupID, error) {
	s.engine.Refresh(s.Context())
	return s.engine.Fleet().Topology().Locate(no)
}

// twoOperators: while one process copies, another one is told so, and does nothing.
func (s *shop) twoOperators() {
	s.Helper()
	p := s.plan("--to", "1")
	copying, goOn := make(chan struct{}), make(chan struct{})
	m := s.mover(func(point string) error {
		if strings.HasPrefix(point, "before save copy") {
			select {
			case <-copying:
			default:
				close(copying)
			}
			<-goOn
		}
		return nil
	})
	id := s.only(m, p).ID
	done := make(chan error, 1)
	go func() {
		_, err := m.runner.Drive(s.Context(), id, mover.UntilSwitched)
		done <- err
	}()
	<-copying
	before := s.runs()
	if status, _, errOut := s.paytool("shard", "continue"); status != exitFailed || !strings.Contains(errOut, mover.ErrHeld.Error()) {
		s.Errorf("continue by a second operator: exit %d, %s", status, errOut)
	}
	var second move.Plan
	status := s.json(&second, "shard", "shrink", "--to", "1", "--yes")
	if status != exitFailed || !slices.ContainsFunc(second.Refusals, func(r move.Reason) bool { return r.Code == "another_move" }) {
		s.Errorf("shrink by a second operator: exit %d, %+v", status, second.Refusals)
	}
	if after := s.runs(); len(after) != len(before) || len(after[len(after)-1].Steps) != len(before[len(before)-1].Steps) {
		s.Errorf("the second operator left something in the history: %+v", after)
	}
	close(goOn)
	if err := <-done; err != nil {
		s.Error(err)
	}
	s.refund()
	s.check()
	s.must("shard", "verify")
}

// TestPrimaryLostDuringAMove kills the primary of one of the two groups at a moment of
// each step, and promotes a replica. The move goes on by itself or with the next
// process, and no order is lost.
func TestPrimaryLostDuringAMove(t *testing.T) {
	s := newShop(t, 2, 2)
	s.open()
	s.sell(1, 2)
	cfg, err := config.Load(s.config)
	if err != nil {
		t.Fatal(err)
	}
	losses := []struct {
		point string
		group shard.GroupID
	}{
		{"before save copy", 1}, {"after fence", 1}, {"after write intent of fence", 2}, {"before own", 1}, {"after own", 2},
	}
	lost := map[string]bool{}
	m := s.mover(func(point string) error {
		for _, l := range losses {
			if lost[l.point] || !strings.HasPrefix(point, l.point) {
				continue
			}
			lost[l.point] = true
			s.loseAndPromote(cfg, l.group)
			return nil
		}
		return nil
	})
	id := s.only(m, s.plan("--to", "1")).ID
	s.awaitMove(t.Context(), m, id)
	for _, l := range losses {
		if !lost[l.point] {
			t.Errorf("the move did not come past %q", l.point)
		}
	}
	eventually(t, "both groups are back", func() bool {
		var status shardStatus
		s.json(&status, "shard", "status")
		return !slices.ContainsFunc(status.Groups, func(g groupStatus) bool { return g.Ejected })
	})
	s.refund()
	s.check()
	s.must("shard", "verify")
	s.must("shard", "reverse", "--yes")
	s.refund()
	s.check()
	s.listWithout(2)
}

// listWithout kills a group's primary for good, and lists in a process that has never
// heard of what the group owns: other groups say that its tag was theirs. The group is
// named as missing rather than its orders left out in silence.
func (s *shop) listWithout(g shard.GroupID) {
	s.Helper()
	s.signal(int(g), syscall.SIGKILL)
	var page struct {
		Missing []shard.GroupID `json:"missing_groups"`
	}
	status := s.json(&page, "order", "list", "--merchant", shopMerchant, "--limit", "500")
	if status != exitFailed || !slices.Equal(page.Missing, []shard.GroupID{g}) {
		s.Errorf("list without group %d: exit %d, groups %v are missing", g, status, page.Missing)
	}
}

// loseAndPromote kills a primary, makes a replica the primary, and brings the old one
// back as a replica.
func (s *shop) loseAndPromote(cfg *config.Config, g shard.GroupID) {
	s.Helper()
	old := s.nodes(int(g), sandbox.RolePrimary)[0]
	if err := old.Signal(syscall.SIGKILL); err != nil {
		s.Error(err)
		return
	}
	eventually(s.T, "a replica is the primary", func() bool {
		_, err := promoteDrilled(s.Context(), cfg, g, slog.New(slog.DiscardHandler))
		if err != nil {
			s.Logf("promote in group %d: %v", g, err)
		}
		return err == nil
	})
	if err := sandbox.Rejoin(s.Context(), s.dir, int(g)); err != nil {
		s.Error(err)
	}
}
