package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"paytool/internal/config"
	"paytool/internal/drill"
	"paytool/internal/drill/mttr"
	"paytool/internal/drill/result"
	"paytool/internal/order"
	"paytool/internal/sandbox"
	"paytool/internal/shard"
	"paytool/internal/shard/promote"
	"paytool/internal/store"
)

// TestPromotionUnderLoad kills a primary while orders come in, promotes a replica,
// and wants: every acknowledged order once, old orders updated again by an engine that
// nobody told, and the old primary back as a replica that nobody writes to.
func TestPromotionUnderLoad(t *testing.T) {
	b := newBench(t, 2)
	old, err := config.Load(b.config)
	if err != nil {
		t.Fatal(err)
	}
	before := b.nodes(2, sandbox.RolePrimary)[0]
	ledger := filepath.Join(t.TempDir(), "run.jsonl")
	type loaded struct {
		status int
		result drill.LoadResult
	}
	done := make(chan loaded, 1)
	go func() {
		var l loaded
		l.status = b.json(&l.result, "load", "--rate", "100", "--for", "10s", "--ledger", ledger)
		done <- l
	}()
	waitForLines(t, ledger, 300)
	e, outage := measure(t, b, 2)

	var refused *promote.Refusal
	_, err = promoteDrilled(t.Context(), old, 2, slog.New(slog.DiscardHandler))
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "still takes writes") {
		t.Errorf("while the primary lives: %v", err)
	}
	if err := before.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	awaitDown(t, e, 2)
	promoted := time.Now()
	plan, err := promoteDrilled(t.Context(), old, 2, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	o := outage()
	if d, over := o.Length(); !over || d == 0 || o.Failed == 0 {
		t.Errorf("the outage of old orders: %v, over %t, %+v", d, over, o)
	} else {
		t.Logf("old orders could not be updated for %v, %d of %d tries failed; back %v after the promotion began", d, o.Failed, o.Tried, o.To.Sub(promoted))
	}

	// The old primary comes back with rows that name itself.
	if err := sandbox.Rejoin(t.Context(), b.dir, 2); err != nil {
		t.Fatal(err)
	}
	if now := b.nodes(2, sandbox.RolePrimary)[0]; now.Port == before.Port || !strings.HasSuffix(plan.Primary, ":"+fmt.Sprint(now.Port)) {
		t.Errorf("the primary is on port %d, the plan was %s", now.Port, plan.Primary)
	}
	if replicas := b.nodes(2, sandbox.RoleReplica); len(replicas) != 2 || replicas[0].SemiSync != sandbox.SemiSyncOn || replicas[1].SemiSync != sandbox.SemiSyncOn {
		t.Errorf("replicas %+v", replicas)
	}
	staleClientIsRefused(t, old)

	l := <-done
	if l.status != exitDone || l.result.Acked == 0 {
		t.Errorf("load ended with %d: %+v", l.status, l.result)
	}
	if v := b.verify(ledger); v.Lost+v.Doubled+v.Diverged+v.Unread > 0 {
		t.Errorf("verify: %+v", v)
	}
	var status shardStatus
	if b.json(&status, "shard", "status"); status.Groups[1].Primary != plan.Primary || status.Groups[1].Ejected || status.Epoch != plan.Epoch {
		t.Errorf("status %+v, want primary %s", status, plan.Primary)
	}
}

// TestPromotionDrill drills the promotion of two groups at once.
func TestPromotionDrill(t *testing.T) {
	b := newBench(t, 3)
	var r result.Summary
	status := b.json(&r, short("--groups", "2,3", "--fault", "crash", "--promote")...)
	if v := r.Verify; status != r.Exit || r.Exit != 0 && r.Exit != exitDeviated || !v.OK || v.Acked == 0 || v.Found != v.Acked || !r.Restore.OK {
		t.Errorf("exit %d: %+v\n%s", status, r, b.stderr)
	}
	if r.MTTRMs == nil || *r.MTTRMs <= 0 || r.Affected.OrdersWaiting == 0 || r.Affected.Merchants == 0 {
		t.Errorf("MTTR %v, affected %+v", r.MTTRMs, r.Affected)
	}
	var report doctorReport
	if status := b.json(&report, "shard", "doctor"); status != exitDone || report.Errors+report.Warnings > 0 {
		t.Errorf("after the drill: exit %d, %+v", status, report.Findings)
	}
}

// measure runs an engine with the config of before and updates an old order of a
// group until the returned function is called, which waits until that works again.
func measure(t *testing.T, b *bench, g shard.GroupID) (e *engine, end func() mttr.Outage) {
	t.Helper()
	a := &app{configPath: b.config, err: newStatusLine(io.Discard)}
	e, err := a.openEngine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.close(); err != nil {
			t.Error(err)
		}
	})
	if err := e.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w, err := e.watchOutage(t.Context(), g, "test", true)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := w.affected(t.Context()); err != nil || n.OrdersWaiting == 0 || n.Merchants != 1 {
		t.Errorf("affected %+v, %v", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	seen := make(chan mttr.Outage, 1)
	var failed, back atomic.Int32
	go func() {
		seen <- mttr.Watch(ctx, mttr.Every, time.Now, func(ctx context.Context) error {
			err := w.update(ctx)
			switch {
			case err != nil:
				failed.Add(1)
				back.Store(0)
			case failed.Load() > 0:
				back.Add(1)
			}
			return err
		})
	}()
	return e, func() mttr.Outage {
		eventually(t, "old orders are updated again", func() bool { return back.Load() >= 2 })
		cancel()
		return <-seen
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("it did not happen within %s: %s", patience, what)
		}
		time.Sleep(5 * time.Millisecond) // between two looks, not instead of one
	}
}

func awaitDown(t *testing.T, e *engine, g shard.GroupID) {
	t.Helper()
	eventually(t, "the group is out", func() bool { _, down := e.Fleet().Down(g); return down })
}

// staleClientIsRefused: a process that knows the old primary alone, and asks nobody
// else, is refused by the database.
func staleClientIsRefused(t *testing.T, old *config.Config) {
	t.Helper()
	g, err := store.Open(store.Config{Group: 2, Primary: storeNode(old.Groups[1].Primary)}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close() //nolint:errcheck // nothing was written
	var fault *order.Fault
	eventually(t, "the old primary knows the new one", func() bool {
		_, err := g.Info(t.Context())
		return errors.As(err, &fault) && fault.Cause == shard.StalePrimary
	})
	if err := g.SetWeight(t.Context(), 100, shard.GroupActive, 99, time.Now()); !errors.As(err, &fault) || fault.Cause != shard.ReadOnly {
		t.Errorf("a write to the old primary: %v, want read_only", err)
	}
}

// TestSetPrimary is the command as an operator uses it, mostly wrongly.
func TestSetPrimary(t *testing.T) {
	b := newBench(t, 1)
	create := func(key string) (o map[string]any) {
		eventually(t, "order "+key+" is created", func() bool { // as a client does: again, with the same key
			_, out, _ := b.paytool("order", "create", "--merchant", "m1", "--merchant-order", key, "--amount", "1", "-o", "json")
			return json.Unmarshal([]byte(out), &o) == nil
		})
		return o
	}
	create("early")
	refuse := func(want string, args ...string) {
		t.Helper()
		status, out, stderr := b.paytool(append([]string{"shard", "set-primary", "--group", "1"}, args...)...)
		if status != exitFailed || !strings.Contains(stderr, want) {
			t.Errorf("set-primary %v: exit %d\n%s%s\nwant %q", args, status, out, stderr, want)
		}
	}
	primary, replicas := b.nodes(1, sandbox.RolePrimary), b.nodes(1, sandbox.RoleReplica)
	refuse("primary 127.0.0.1:"+fmt.Sprint(primary[0].Port)+" still takes writes", "--promote", "--yes")
	refuse("replica1 127.0.0.1:"+fmt.Sprint(replicas[0].Port)+" does not take writes", "--node", "replica1", "--yes") // and every other reason
	refuse("is no node of group 1 in the config", "--dsn", "root@tcp(127.0.0.1:1)/", "--promote", "--yes")

	// A replica that lacks acknowledged orders, and a primary that took them with it.
	eventually(t, "the replica has the group's rows", func() bool {
		return strings.Contains(b.gtid(replicas[0]), "-") && b.gtid(replicas[0]) == b.gtid(primary[0])
	})
	b.sql(replicas[:1], "STOP SLAVE IO_THREAD")
	late := create("late")
	b.signal(1, syscall.SIGSTOP)
	refuse("which is not the same as dead", "--promote", "--yes")
	b.signal(1, syscall.SIGKILL)
	refuse("lacks transactions that", "--node", "replica1", "--promote", "--yes")

	// The other one has them. Two operators at once: one is refused.
	old, err := config.Load(b.config)
	if err != nil {
		t.Fatal(err)
	}
	first, err := store.OpenPromoter(1, promoteNodes(old.Groups[0]))
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Claim(t.Context()); err != nil {
		t.Fatal(err)
	}
	refuse(store.ErrPromoting.Error(), "--promote", "--yes")
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	refuse("say --yes", "--promote")
	var r setPrimaryResult
	eventually(t, "the first operator is gone", func() bool {
		status, out, stderr := b.paytool("shard", "set-primary", "--group", "1", "--promote", "--yes", "-o", "json")
		if status != exitDone {
			t.Log(stderr)
		}
		return status == exitDone && json.Unmarshal([]byte(out), &r) == nil
	})
	if want := fmt.Sprint("127.0.0.1:", replicas[1].Port); r.Primary != want || !r.Done || r.Epoch != 2 {
		t.Errorf("%+v, want %s at epoch 2", r, want)
	}
	if now, err := config.Load(b.config); err != nil || now.Groups[0].Primary != old.Groups[0].Replicas[1] || now.Groups[0].Replicas[1] != old.Groups[0].Primary {
		t.Errorf("the config's nodes have not changed places: %v", err)
	}
	if status := b.json(&r, "shard", "set-primary", "--group", "1", "--node", "primary", "--yes"); status != exitDone || !r.Already || r.Done {
		t.Errorf("again: exit %d, %+v", status, r)
	}
	b.repair()
	if again := create("late"); again["order_no"] != late["order_no"] {
		t.Errorf("the late order was %v, and is %v", late["order_no"], again["order_no"])
	}
}

// gtid is what a node has.
func (b *bench) gtid(n sandbox.Node) (position string) {
	b.Helper()
	db, err := n.Admin()
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // nothing was written
	if err := db.QueryRowContext(b.Context(), "SELECT @@gtid_binlog_pos").Scan(&position); err != nil {
		b.Fatal(err)
	}
	return position
}
