package store

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"paytool/internal/order"
	"paytool/internal/sandbox"
	"paytool/internal/shard"
)

// probe probes as the engine does, with 250 ms for all of it.
func (b *bed) probe(l order.Lease, at time.Time, high int64) order.ProbeAnswer {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx(), 250*time.Millisecond)
	defer cancel()
	return b.group.Probe(ctx, order.ProbeRequest{Lease: l, At: at, High: high, Until: at.Add(leaseTime), Epoch: 3, RequireSemisync: !b.embedded()})
}

// probeUntil probes until the answer has the cause, "" for a good one.
func (b *bed) probeUntil(l order.Lease, want shard.Cause) {
	b.t.Helper()
	var last order.ProbeAnswer
	defer func() {
		if b.t.Failed() {
			b.t.Logf("last answer: %+v", last)
		}
	}()
	eventually(b.t, "a probe with cause "+string(want), func() bool {
		last = b.probe(l, t0, t0.Unix())
		return last.Cause == want && !last.Changed
	})
}

func TestProbeWritesARealChange(t *testing.T) { onEachKind(t, checkProbeWritesARealChange) }

func checkProbeWritesARealChange(t *testing.T, b *bed) {
	l := b.lease("h1", 5, t0)
	for i := range int64(2) { // the same values twice: still a change
		if a := b.probe(l, t0, t0.Unix()+10-i); a.Cause != "" || a.Changed || a.Err != nil {
			t.Fatalf("probe: %+v", a)
		}
	}
	var n, at, until, high, epoch int64
	row := b.root(0).QueryRowContext(b.ctx(), "SELECT n, at_ms, until_ms, high_s, epoch FROM "+b.schema+"instances WHERE slot=5")
	if err := row.Scan(&n, &at, &until, &high, &epoch); err != nil {
		t.Fatal(err)
	}
	if n != 2 || at != t0.UnixMilli() || until != t0.Add(leaseTime).UnixMilli() || high != t0.Unix()+10 || epoch != 3 {
		t.Errorf("row: n %d, at %d, until %d, high %d, epoch %d; the high-water second never falls", n, at, until, high, epoch)
	}
}

func TestProbeSeesReadOnly(t *testing.T) { onEachKind(t, checkProbeSeesReadOnly) }

func checkProbeSeesReadOnly(t *testing.T, b *bed) {
	l := b.lease("h1", 5, t0)
	b.setReadOnly(true)
	defer b.setReadOnly(false)
	if a := b.probe(l, t0, t0.Unix()); a.Cause != shard.ReadOnly {
		t.Errorf("probe: %+v, want read_only", a)
	}
	var f *order.Fault
	if err := b.group.Prepare(b.ctx(), 100); !errors.As(err, &f) || f.Cause != shard.ReadOnly {
		t.Errorf("prepare: %v, want read_only", err)
	}
	if err := insert(b.ctx(), b.group, newOrder(t, 1)); !errors.As(err, &f) || f.Cause != shard.ReadOnly || f.Outcome != order.NotCommitted {
		t.Errorf("insert: %v, want not committed because of read_only", err)
	}
}

func TestCommitRefusedByReadOnlyIsNotCommitted(t *testing.T) {
	b := newBed(t)
	ctx := b.ctx()
	tx, err := b.group.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if err := tx.InsertOrder(ctx, newOrder(t, 1)); err != nil {
		t.Fatal(err)
	}
	// It waits for open write transactions, but the variable is set at once.
	readOnly := make(chan error, 1)
	go func() {
		_, err := b.root(0).ExecContext(ctx, "SET GLOBAL read_only=1")
		readOnly <- err
	}()
	defer b.exec(0, "SET GLOBAL read_only=0")
	admin := b.root(0)
	eventually(t, "read_only waits or is set", func() bool {
		var on, waiting int
		err := admin.QueryRowContext(ctx, "SELECT @@global.read_only, (SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SET GLOBAL read_only%' AND state LIKE 'Waiting%')").Scan(&on, &waiting)
		return err == nil && on+waiting > 0
	})
	err = tx.Commit(ctx)
	var f *order.Fault
	if err != nil && (!errors.As(err, &f) || f.Outcome != order.NotCommitted || f.Cause != shard.ReadOnly) {
		t.Errorf("commit: %v, want committed, or not committed because of read_only", err)
	}
	if setErr := <-readOnly; setErr != nil {
		t.Error(setErr)
	}
	_, findErr := b.group.Find(ctx, number(t, 1), false)
	if (err == nil) != (findErr == nil) {
		t.Errorf("commit said %v, the row is there: %v", err, findErr == nil)
	}
}

func TestProbeSeesAHang(t *testing.T) {
	b := newBed(t)
	b.healAfter()
	l := b.lease("h1", 5, t0)
	b.probeUntil(l, "")
	b.signal(0, syscall.SIGSTOP)
	defer b.signal(0, syscall.SIGCONT)
	for range 3 {
		if a := b.probe(l, t0, t0.Unix()); a.Cause != shard.Hang {
			t.Errorf("probe of a frozen primary: %+v, want hang", a)
		}
	}
	ctx, cancel := context.WithTimeout(b.ctx(), 200*time.Millisecond)
	defer cancel()
	var f *order.Fault
	if err := insert(ctx, b.group, newOrder(t, 1)); !errors.As(err, &f) || f.Cause != shard.Hang || f.Outcome != order.NotCommitted {
		t.Errorf("insert: %v, want not committed because of a hang", err)
	}
	b.signal(0, syscall.SIGCONT)
	b.probeUntil(l, "")
	if _, err := b.group.Find(b.ctx(), number(t, 1), false); !errors.Is(err, order.ErrNotFound) {
		t.Errorf("an order that was not committed is there after the thaw: %v", err)
	}
}

func TestProbeSeesACrash(t *testing.T) {
	b := newBed(t)
	b.healAfter()
	l := b.lease("h1", 5, t0)
	b.probeUntil(l, "")
	b.signal(0, syscall.SIGKILL)
	b.probeUntil(l, shard.Crash)
	if a := b.probe(l, t0, t0.Unix()); a.Cause != shard.Crash {
		t.Errorf("second probe: %+v, want crash", a)
	}
	var f *order.Fault
	if err := insert(b.ctx(), b.group, newOrder(t, 1)); !errors.As(err, &f) || f.Cause != shard.Crash || f.Outcome != order.NotCommitted {
		t.Errorf("insert: %v, want not committed because of a crash", err)
	}
	if err := healSandbox(0); err != nil {
		t.Fatal(err)
	}
	b.probeUntil(l, "")
	b.insert(newOrder(t, 1)) // the pool has forgotten its dead connections
}

func TestSemisyncStall(t *testing.T) {
	b := newBed(t)
	b.healAfter()
	l := b.lease("h1", 5, t0)
	b.probeUntil(l, "")
	b.exec(0, "SET GLOBAL rpl_semi_sync_master_timeout=10000") // longer than the test looks
	defer b.exec(0, "SET GLOBAL rpl_semi_sync_master_timeout=2000")
	b.exec(1, "STOP SLAVE IO_THREAD")
	b.exec(2, "STOP SLAVE IO_THREAD")

	for range 5 {
		if a := b.probe(l, t0, t0.Unix()); a.Cause != shard.SemisyncStalled {
			t.Errorf("probe: %+v, want semisync_stalled", a)
		}
	}
	if n := b.waiting(); n > 1 {
		t.Errorf("%d probes wait on the server, want one at most", n)
	}

	// A commit that waits for a replica is unknown, and appears later.
	ctx, cancel := context.WithTimeout(b.ctx(), 200*time.Millisecond)
	defer cancel()
	var f *order.Fault
	if err := insert(ctx, b.group, newOrder(t, 1)); !errors.As(err, &f) || f.Outcome != order.Unknown || f.Cause != shard.Hang {
		t.Errorf("insert: %v, want unknown because of a hang", err)
	}
	if _, err := b.group.Find(b.ctx(), number(t, 1), false); !errors.Is(err, order.ErrNotFound) {
		t.Errorf("a read sees the order before a replica has it: %v", err)
	}
	b.exec(1, "START SLAVE IO_THREAD")
	b.exec(2, "START SLAVE IO_THREAD")
	eventually(t, "the unknown order appears", func() bool {
		_, err := b.group.Find(b.ctx(), number(t, 1), false)
		return err == nil
	})
	b.probeUntil(l, "")
}

// waiting counts the probe's writes that are on the server.
func (b *bed) waiting() (n int) {
	b.t.Helper()
	err := b.root(0).QueryRowContext(b.ctx(), "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'UPDATE instances%'").Scan(&n)
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

func TestSemisyncDegraded(t *testing.T) {
	b := newBed(t)
	b.healAfter()
	l := b.lease("h1", 5, t0)
	b.probeUntil(l, "")
	b.exec(0, "SET GLOBAL rpl_semi_sync_master_timeout=1")
	defer b.exec(0, "SET GLOBAL rpl_semi_sync_master_timeout=2000")
	b.exec(1, "STOP SLAVE IO_THREAD")
	b.exec(2, "STOP SLAVE IO_THREAD")
	b.probeUntil(l, shard.SemisyncDegraded)

	ctx, cancel := context.WithTimeout(b.ctx(), 250*time.Millisecond)
	defer cancel()
	a := b.group.Probe(ctx, order.ProbeRequest{Lease: l, At: t0, High: t0.Unix(), Until: t0.Add(leaseTime), Epoch: 3})
	if a.Cause != "" || a.Changed {
		t.Errorf("probe that does not ask for semi-sync: %+v", a)
	}
	b.exec(1, "START SLAVE IO_THREAD")
	b.exec(2, "START SLAVE IO_THREAD")
	b.probeUntil(l, "")
}

func TestProbeKeepsOneOutstanding(t *testing.T) {
	b := newBed(t)
	l := b.lease("h1", 5, t0)
	b.probeUntil(l, "")
	lock, err := b.root(0).BeginTx(b.ctx(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Rollback() }()
	if _, err := lock.ExecContext(b.ctx(), "UPDATE pay.instances SET n=n WHERE slot=5"); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if a := b.probe(l, t0, t0.Unix()); a.Cause != shard.Hang {
			t.Errorf("probe of a locked row: %+v, want hang", a)
		}
		if n := b.waiting(); n > 1 {
			t.Errorf("%d probes wait on the server, want one at most", n)
		}
	}
	if err := lock.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		t.Fatal(err)
	}
	b.probeUntil(l, "")
}

func TestCancelledProbeSaysNothingAboutTheGroup(t *testing.T) {
	b := newBed(t)
	l := b.lease("h1", 5, t0)
	ctx, cancel := context.WithCancel(b.ctx())
	cancel()
	if a := b.group.Probe(ctx, order.ProbeRequest{Lease: l, At: t0}); a.Cause != "" || a.Err == nil {
		t.Errorf("got %+v, want an error and no cause", a)
	}
}

// signal returns once a SIGSTOP has stopped the node: until then it may answer.
func (b *bed) signal(node int, sig syscall.Signal) {
	b.t.Helper()
	if err := b.nodes[node].Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		b.t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for sig == syscall.SIGSTOP && b.nodes[node].Identity().State() == sandbox.Running {
		if time.Now().After(deadline) {
			b.t.Fatal("the node goes on after SIGSTOP")
		}
		time.Sleep(time.Millisecond) // between two looks
	}
}

// A group whose epoch has risen does not count as bad: the instance reads the
// topology and its next probe is good.
func TestProbeNoticesAHigherEpoch(t *testing.T) {
	b := newBed(t)
	l := b.lease("h1", 5, t0)
	b.probeUntil(l, "") // at epoch 3
	if err := b.group.SetWeight(b.ctx(), 50, shard.GroupActive, 4, t0); err != nil {
		t.Fatal(err)
	}
	if a := b.probe(l, t0, t0.Unix()); !a.Changed || a.Cause != "" {
		t.Errorf("probe at epoch 3 of a group at epoch 4: %+v, want changed", a)
	}
	ctx, cancel := context.WithTimeout(b.ctx(), 250*time.Millisecond)
	defer cancel()
	if a := b.group.Probe(ctx, order.ProbeRequest{Lease: l, At: t0, High: t0.Unix(), Until: t0.Add(leaseTime), Epoch: 4, RequireSemisync: true}); a.Changed || a.Cause != "" {
		t.Errorf("probe at epoch 4: %+v", a)
	}
}
