package store

import (
	"errors"
	"testing"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// A fence that were only a condition of the write would be up at once, with the
// writer still open; that it waits here is what makes it one.
func TestFenceWaitsForOpenWriters(t *testing.T) { onEachKind(t, checkFenceWaitsForOpenWriters) }

func checkFenceWaitsForOpenWriters(t *testing.T, b *bed) {
	ctx := b.ctx()
	writer, err := b.group.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Rollback()
	if claim, _, err := writer.LockTag(ctx, 1, pay.Key{}); err != nil || claim.State != shard.TagOwned {
		t.Fatalf("lock: %+v, %v", claim, err)
	}
	if err := writer.InsertOrder(ctx, newOrder(t, 1)); err != nil {
		t.Fatal(err)
	}
	checkFenceWaitsFor(t, b, writer)
}

func TestFenceWaitsForAnOrderInOneStatement(t *testing.T) {
	onEachKind(t, checkFenceWaitsForAnOrderInOneStatement)
}

func checkFenceWaitsForAnOrderInOneStatement(t *testing.T, b *bed) {
	writer, err := b.group.Begin(b.ctx())
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Rollback()
	if done, err := writer.InsertOwned(b.ctx(), newOrder(t, 1)); !done || err != nil {
		t.Fatalf("insert: %v, %v", done, err)
	}
	checkFenceWaitsFor(t, b, writer)
}

// checkFenceWaitsFor commits a writer that has written order 1.
func checkFenceWaitsFor(t *testing.T, b *bed, writer order.Tx) {
	t.Helper()
	ctx := b.ctx()

	fenced := make(chan error, 1)
	go func() {
		fenced <- b.group.SetClaim(ctx, shard.Claim{Tag: 1, Group: 1, State: shard.TagFenced, Epoch: 2})
	}()
	eventually(t, "the fence waits for the writer", b.lockIsAwaited)
	select {
	case err := <-fenced:
		t.Fatalf("the fence is up while a writer is open: %v", err)
	default:
	}
	if err := writer.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-fenced; err != nil {
		t.Fatal(err)
	}
	b.find(number(t, 1)) // what was written before the fence is there

	later, err := b.group.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer later.Rollback()
	claim, _, err := later.LockTag(ctx, 1, pay.Key{})
	if want := (shard.Claim{Tag: 1, Group: 1, State: shard.TagFenced, Epoch: 2}); err != nil || claim != want {
		t.Errorf("a later writer sees %+v, %v, want %+v", claim, err, want)
	}
	if done, err := later.InsertOwned(ctx, newOrder(t, 2)); done || err != nil {
		t.Errorf("a later writer wrote behind the fence: %v, %v", done, err)
	}
}

// A client that goes without a word leaves its connection as it was: the server holds
// its locks until it gives the transaction up. Here the client only keeps still, which
// is the same to the server.
func TestFenceOutlastsLostClients(t *testing.T) {
	b := newBed(t)
	ctx := b.ctx()
	locks := map[string]func(order.Tx) error{
		"holds the tag": func(tx order.Tx) error {
			_, _, err := tx.LockTag(ctx, 1, pay.Key{})
			return err
		},
		"wrote an order": func(tx order.Tx) error {
			_, err := tx.InsertOwned(ctx, newOrder(t, 1))
			return err
		},
	}
	lost := map[string]order.Tx{}
	for name, lock := range locks {
		tx, err := b.group.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		if err := lock(tx); err != nil {
			t.Fatal(name, err)
		}
		lost[name] = tx
	}
	eventually(t, "the fence is up", func() bool {
		return b.group.SetClaim(ctx, shard.Claim{Tag: 1, Group: 1, State: shard.TagFenced, Epoch: 2}) == nil
	})
	for name, tx := range lost {
		var f *order.Fault
		if err := tx.Commit(ctx); !errors.As(err, &f) || f.Outcome != order.Unknown {
			t.Errorf("one that %s and comes back commits: %v, want an unknown outcome", name, err)
		}
	}
	if n := b.count("orders"); n != 0 {
		t.Errorf("%d orders lie behind the fence", n)
	}
}

func TestAnOrderInOneStatementWaitsForTheFence(t *testing.T) {
	onEachKind(t, checkAnOrderInOneStatementWaitsForTheFence)
}

// checkAnOrderInOneStatementWaitsForTheFence: the tag as it was before the fence began
// must not do, though it is what a plain read sees until the fence is committed.
func checkAnOrderInOneStatementWaitsForTheFence(t *testing.T, b *bed) {
	ctx := b.ctx()
	fence, err := b.group.begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer fence.Rollback()
	if _, err := fence.exec(ctx, "fence tag 1", "UPDATE group_state SET state=? WHERE tag=1", shard.TagFenced); err != nil {
		t.Fatal(err)
	}
	type outcome struct {
		done bool
		err  error
	}
	wrote := make(chan outcome, 1)
	go func() {
		var o outcome
		o.err = b.group.inTx(ctx, func(tx *tx) (err error) {
			o.done, err = tx.InsertOwned(ctx, newOrder(t, 1))
			return err
		})
		wrote <- o
	}()
	eventually(t, "the order waits for the fence", b.lockIsAwaited)
	if err := fence.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if o := <-wrote; o.done || o.err != nil || b.count("orders") != 0 {
		t.Errorf("done %v, %v, %d orders; want none behind the fence", o.done, o.err, b.count("orders"))
	}
}

func TestFenceGivesUpOnAWriterThatStays(t *testing.T) {
	onEachKind(t, checkFenceGivesUpOnAWriterThatStays)
}

func checkFenceGivesUpOnAWriterThatStays(t *testing.T, b *bed) {
	ctx := b.ctx()
	err := write(ctx, b.group, func(order.Tx) error {
		err := b.group.SetClaim(ctx, shard.Claim{Tag: 1, Group: 1, State: shard.TagFenced, Epoch: 2})
		var f *order.Fault
		if !errors.As(err, &f) || f.Outcome != order.NotCommitted || f.Cause != "" {
			t.Errorf("got %v, want a fault that says nothing about the group's health", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	info, err := b.group.Info(ctx)
	if err != nil || info.Epoch != 1 || info.Claims[0].State != shard.TagOwned {
		t.Errorf("after a fence that gave up: %+v, %v", info, err)
	}
}

func TestEpochsNeverFall(t *testing.T) { onEachKind(t, checkEpochsNeverFall) }

func checkEpochsNeverFall(t *testing.T, b *bed) {
	ctx := b.ctx()
	set := func(tag pay.Tag, state shard.TagState, epoch int64) error {
		return b.group.SetClaim(ctx, shard.Claim{Tag: tag, Group: 1, State: state, Epoch: epoch})
	}
	if err := errors.Join(set(4, shard.TagOwned, 5), set(4, shard.TagMoved, 5), set(1, shard.TagFenced, 3)); err != nil {
		t.Fatal(err)
	}
	if err := set(4, shard.TagOwned, 4); !errors.Is(err, ErrOldEpoch) {
		t.Errorf("claim at a lower epoch: %v", err)
	}
	if err := b.group.SetWeight(ctx, 0, shard.GroupDraining, 4, time.UnixMilli(1)); !errors.Is(err, ErrOldEpoch) {
		t.Errorf("weight at a lower epoch: %v", err)
	}
	if err := b.group.SetWeight(ctx, 0, shard.GroupDraining, 6, time.UnixMilli(1_700_000_000_123)); err != nil {
		t.Fatal(err)
	}
	if err := b.group.SetClaim(ctx, shard.Claim{Tag: 1, Group: 2, State: shard.TagOwned, Epoch: 9}); err == nil {
		t.Error("took the claim of another group")
	}
	info, err := b.group.Info(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !info.Changed.Equal(time.UnixMilli(1_700_000_000_123)) {
		t.Errorf("changed at %v", info.Changed)
	}
	if info.Epoch != 6 || info.Weight != 0 || info.State != shard.GroupDraining || len(info.Claims) != 2 ||
		info.Claims[0] != (shard.Claim{Tag: 1, Group: 1, State: shard.TagFenced, Epoch: 3}) ||
		info.Claims[1] != (shard.Claim{Tag: 4, Group: 1, State: shard.TagMoved, Epoch: 5}) {
		t.Errorf("got %+v", info)
	}
}
