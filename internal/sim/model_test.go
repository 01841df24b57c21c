package sim

import (
	"context"
	"errors"
	"testing"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// The model of a group is tested by itself: an engine that is right about a wrong
// model proves nothing.

// bench is one group and two clients of it.
type bench struct {
	*testing.T
	*venv
	s    *server
	a, b *link
	ctx  *vctx
	seq  int
}

// benched runs a story on a group that has its rows.
func benched(t *testing.T, story func(b *bench)) {
	t.Helper()
	benchedWith(t, 7, story)
}

func benchedWith(t *testing.T, seed uint64, story func(b *bench)) {
	t.Helper()
	playing(t, seed, func(e *venv, ctx *vctx) {
		s := newServer(1, e.clock, newTruth(0, e.clock))
		s.truth.servers = []*server{s}
		s.prepare(shard.Birth{State: shard.GroupActive, Weight: 100, Epoch: 1})
		story(&bench{T: t, venv: e, s: s, a: &link{srv: s, life: &life{}}, b: &link{srv: s, life: &life{}}, ctx: ctx})
	})
}

func (b *bench) order(key string) order.Order {
	b.seq++
	no, err := pay.NewOrderNo(start, 1, b.seq, 1, 1)
	if err != nil {
		b.Fatal(err)
	}
	return order.Order{No: no, Key: pay.Key{MerchantID: "m", MerchantOrderNo: key}, Attempt: 1, State: pay.Created, Amount: 5, Version: 1}
}

func tombstone(o order.Order) order.Order {
	o.State = pay.Void
	return o
}

// within gives a context of that length.
func (b *bench) within(d time.Duration) context.Context {
	ctx, _ := b.WithTimeout(b.ctx, d)
	return ctx
}

// insert runs a create's transaction.
func (b *bench) insert(ctx context.Context, l *link, o order.Order) error {
	t, err := l.begin(ctx)
	if err != nil {
		return err
	}
	defer t.Rollback()
	if _, _, err := t.LockTag(ctx, 1, o.Key); err != nil {
		return err
	}
	if err := t.InsertOrder(ctx, o); err != nil {
		return err
	}
	return t.Commit(ctx)
}

// want checks what a fault says.
func (b *bench) want(err error, outcome order.Outcome, cause shard.Cause) {
	b.Helper()
	var f *order.Fault
	if !errors.As(err, &f) || f.Outcome != outcome || f.Cause != cause {
		b.Errorf("got %v, want %v (%s)", err, outcome, cause)
	}
}

func (b *bench) rows(key string) int {
	b.Helper()
	rows, err := b.a.FindKey(b.ctx, b.order(key).Key)
	if err != nil {
		b.Error(err)
	}
	return len(rows)
}

func TestStalledCommitIsInvisibleAndStillThere(t *testing.T) {
	t.Parallel()
	benched(t, func(b *bench) {
		o := b.order("k")
		b.s.broke(faultStall)
		b.want(b.insert(b.within(250*time.Millisecond), b.a, o), order.Unknown, shard.Hang)
		if n := b.rows("k"); n != 0 {
			b.Errorf("%d rows are visible before the acknowledgement", n)
		}
		b.want(b.insert(b.within(250*time.Millisecond), b.b, tombstone(o)), order.NotCommitted, shard.Hang)
		b.clock.after(500*time.Millisecond, b.s.heal)
		if err := b.insert(b.within(5*time.Second), b.b, tombstone(o)); !errors.Is(err, order.ErrDuplicateNo) {
			b.Errorf("a tombstone on a row that was waiting: %v", err)
		}
		if n := b.rows("k"); n != 1 {
			b.Errorf("%d rows after the acknowledgement", n)
		}
	})
}

func TestStallEndsByTimeout(t *testing.T) {
	t.Parallel()
	benched(t, func(b *bench) {
		b.s.broke(faultStall)
		if err := b.insert(b.within(time.Minute), b.a, b.order("k")); err != nil || b.clock.now < ackTimeout {
			b.Errorf("committed at %v: %v", b.clock.now, err)
		}
		if !b.s.degraded {
			b.Error("the server still waits for replicas")
		}
	})
}

func TestFrozenServerExecutesWhatIsBuffered(t *testing.T) {
	t.Parallel()
	executed := 0
	for seed := range uint64(20) {
		benchedWith(t, seed, func(b *bench) {
			tx, err := b.a.begin(b.ctx)
			if err == nil {
				err = tx.InsertOrder(b.ctx, b.order("k"))
			}
			if err != nil {
				b.Fatal(err)
			}
			b.s.broke(faultHang)
			b.want(tx.Commit(b.within(250*time.Millisecond)), order.Unknown, shard.Hang)
			b.want(b.insert(b.within(250*time.Millisecond), b.b, b.order("l")), order.NotCommitted, shard.Hang)
			b.s.heal()
			_ = b.Sleep(b.ctx, time.Second)
			executed += b.rows("k")
			if len(b.s.open) > 0 || b.rows("l") > 0 {
				b.Errorf("%d transactions stay open, %d rows of a transaction that never committed", len(b.s.open), b.rows("l"))
			}
		})
	}
	if executed == 0 || executed == 20 {
		t.Errorf("%d of 20 buffered COMMITs were executed", executed)
	}
}

func TestCrash(t *testing.T) {
	t.Parallel()
	benched(t, func(b *bench) {
		if err := b.insert(b.ctx, b.a, b.order("kept")); err != nil {
			b.Fatal(err)
		}
		tx, err := b.a.begin(b.ctx)
		if err == nil {
			err = tx.InsertOrder(b.ctx, b.order("lost"))
		}
		if err != nil {
			b.Fatal(err)
		}
		b.s.broke(faultCrash)
		b.want(b.insert(b.ctx, b.b, b.order("k")), order.NotCommitted, shard.Crash)
		b.want(tx.Commit(b.ctx), order.Unknown, shard.Crash)
		b.s.heal()
		if err := b.insert(b.ctx, b.b, b.order("lost")); err != nil {
			b.Errorf("the lost transaction still holds its locks: %v", err)
		}
		if b.rows("kept") != 1 {
			b.Error("a committed row is gone")
		}
	})
}

func TestReadOnlyRefusesCommitToo(t *testing.T) {
	t.Parallel()
	benched(t, func(b *bench) {
		tx, err := b.a.begin(b.ctx)
		if err == nil {
			err = tx.InsertOrder(b.ctx, b.order("k"))
		}
		if err != nil {
			b.Fatal(err)
		}
		b.s.broke(faultReadOnly)
		b.want(tx.Commit(b.ctx), order.NotCommitted, shard.ReadOnly)
		b.want(b.insert(b.ctx, b.b, b.order("k")), order.NotCommitted, shard.ReadOnly)
	})
}

func TestUniqueKeys(t *testing.T) {
	t.Parallel()
	benched(t, func(b *bench) {
		o := b.order("k")
		if err := b.insert(b.ctx, b.a, o); err != nil {
			b.Fatal(err)
		}
		if err := b.insert(b.ctx, b.b, b.order("k")); !errors.Is(err, order.ErrDuplicateKey) {
			b.Errorf("a second order of the key: %v", err)
		}
		o.Key.MerchantOrderNo = "l"
		if err := b.insert(b.ctx, b.b, o); !errors.Is(err, order.ErrDuplicateNo) {
			b.Errorf("a second order of the number: %v", err)
		}
		if err := b.insert(b.ctx, b.b, tombstone(b.order("k"))); err != nil {
			b.Errorf("a tombstone has no live key: %v", err)
		}
	})
}

func TestSecondInsertWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	benched(t, func(b *bench) {
		tx, err := b.a.begin(b.ctx)
		if err == nil {
			err = tx.InsertOrder(b.ctx, b.order("k"))
		}
		if err != nil {
			b.Fatal(err)
		}
		before := b.clock.now
		b.want(b.insert(b.within(time.Minute), b.b, b.order("k")), order.NotCommitted, "")
		if waited := b.clock.now - before; waited < lockWait {
			b.Errorf("waited %v for the lock", waited)
		}
		b.clock.after(100*time.Millisecond, tx.Rollback)
		if err := b.insert(b.within(time.Minute), b.b, b.order("k")); err != nil {
			b.Errorf("after the first was rolled back: %v", err)
		}
	})
}

func TestDeadlockIsFound(t *testing.T) {
	t.Parallel()
	benched(t, func(b *bench) {
		one, two, failed := b.order("one"), b.order("two"), 0
		b.Gather(b.ctx, 2, func(ctx context.Context, i int) {
			first, second := one, two
			if i == 1 {
				first, second = two, one
			}
			tx, err := b.a.begin(ctx)
			if err == nil {
				err = tx.InsertOrder(ctx, first)
			}
			_ = b.Sleep(ctx, 50*time.Millisecond)
			if err == nil {
				err = tx.InsertOrder(ctx, second)
			}
			if errors.Is(err, errDeadlock) {
				failed++
			}
			tx.Rollback()
		})
		if failed != 1 || b.clock.now > lockWait {
			b.Errorf("%d of two transactions were told of the deadlock by %v", failed, b.clock.now)
		}
	})
}

func TestFenceWaitsForWriters(t *testing.T) {
	t.Parallel()
	benched(t, func(b *bench) {
		tx, err := b.a.begin(b.ctx)
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := tx.LockTag(b.ctx, 1, pay.Key{}); err != nil {
			b.Fatal(err)
		}
		op := &operator{world: &world{env: b.venv, ctx: b.ctx, servers: []*server{b.s}, life: &life{}, truth: b.s.truth}, epoch: 1}
		b.Gather(b.ctx, 2, func(ctx context.Context, i int) {
			if i == 0 {
				op.claim(0, shard.TagFenced)
				return
			}
			_ = b.Sleep(ctx, 300*time.Millisecond)
			if b.s.tags[1].claim.State != shard.TagOwned {
				b.Error("the fence did not wait for the writer")
			}
			if err := tx.InsertOrder(ctx, b.order("k")); err != nil {
				b.Error(err)
			}
			if err := tx.Commit(ctx); err != nil {
				b.Error(err)
			}
		})
		later, err := b.b.begin(b.ctx)
		if err != nil {
			b.Fatal(err)
		}
		if claim, _, err := later.LockTag(b.ctx, 1, pay.Key{}); err != nil || claim.State != shard.TagFenced || claim.Epoch != 2 {
			b.Errorf("a later writer reads %+v, %v", claim, err)
		}
		later.Rollback()
		if len(b.s.truth.violations) > 0 {
			b.Error(b.s.truth.violations)
		}
	})
}

func TestCutLinkIsSilent(t *testing.T) {
	t.Parallel()
	benched(t, func(b *bench) {
		tx, err := b.a.begin(b.ctx)
		if err == nil {
			err = tx.InsertOrder(b.ctx, b.order("k"))
		}
		if err != nil {
			b.Fatal(err)
		}
		b.a.setCut(true)
		b.want(tx.Commit(b.within(time.Second)), order.Unknown, shard.Hang)
		b.a.setCut(false)
		b.want(b.insert(b.within(250*time.Millisecond), b.b, b.order("k")), order.NotCommitted, shard.Hang)
		_ = b.Sleep(b.ctx, unnoticedClose)
		if err := b.insert(b.ctx, b.b, b.order("k")); err != nil {
			b.Errorf("the server has not missed its client: %v", err)
		}
	})
}

func TestProbeNamesTheCause(t *testing.T) {
	t.Parallel()
	for kind, want := range map[faultKind]shard.Cause{
		faultNone: "", faultHang: shard.Hang, faultCrash: shard.Crash, faultReadOnly: shard.ReadOnly,
		faultStall: shard.SemisyncStalled, faultDegraded: shard.SemisyncDegraded, faultDiskFull: "", faultNoColumn: "",
		faultOther: shard.StalePrimary,
	} {
		benched(t, func(b *bench) {
			lease, err := b.a.Lease(b.ctx, "holder", "name", 7, b.Now(), b.Now().Add(time.Minute))
			if err != nil || lease.Slot != 7 {
				b.Fatalf("leased %+v: %v", lease, err)
			}
			b.s.broke(kind)
			answer := b.a.Probe(b.within(250*time.Millisecond), order.ProbeRequest{Lease: lease, RequireSemisync: true})
			if answer.Cause != want || answer.Changed {
				b.Errorf("%q: the probe says %+v, want cause %q", kind, answer, want)
			}
			b.s.heal()
			lease.Holder = "somebody else"
			if answer := b.a.Probe(b.ctx, order.ProbeRequest{Lease: lease}); !answer.Changed {
				b.Errorf("a probe of a lost lease says %+v", answer)
			}
		})
	}
}

func TestLeaseIsFreeAfterItsEndAndItsNumbers(t *testing.T) {
	t.Parallel()
	benched(t, func(b *bench) {
		take := func(holder string, after time.Duration) order.Lease {
			now := start.Add(after)
			l, err := b.a.Lease(b.ctx, holder, "", 3, now, now.Add(30*time.Second))
			if err != nil {
				b.Error(err)
			}
			return l
		}
		first := take("a", 0)
		high := start.Add(40 * time.Second).Unix()
		b.a.Probe(b.ctx, order.ProbeRequest{Lease: first, High: high, Until: start.Add(30 * time.Second)})
		if l := take("b", 35*time.Second); l.Slot == first.Slot {
			b.Error("a slot was given away before its last second")
		}
		if l := take("c", 41*time.Second); l.Slot != first.Slot || l.Floor != high {
			b.Errorf("the slot that is free again: %+v, want slot %d above second %d", l, first.Slot, high)
		}
	})
}
