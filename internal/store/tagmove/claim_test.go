package tagmove

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/shard/mover"
)

func fence(epoch int64) mover.Claims {
	return mover.Claims{Tags: []pay.Tag{moving}, State: shard.TagFenced, Epoch: epoch}
}

// TestFenceWaitsAndHolds: it is up when open writers have ended, and who comes while
// it waits sees it.
func TestFenceWaitsAndHolds(t *testing.T) {
	onEachKind(t, func(t *testing.T, b *bed) {
		ctx := b.ctx()
		writer, claim := b.begin(ctx, b.source)
		if claim.State != shard.TagOwned {
			t.Fatalf("%+v", claim)
		}
		fenced, later := make(chan error, 1), make(chan shard.Claim, 1)
		go func() { fenced <- b.source.SetClaims(ctx, mine, fence(2)) }()
		eventually(t, "the fence waits for the writer", func() bool { return b.lockIsAwaited(b.source) })
		go func() {
			tx, err := b.source.of.Begin(ctx)
			if err == nil {
				defer tx.Rollback()
				claim, _, err = tx.LockTag(ctx, moving, pay.Key{})
			}
			if err != nil {
				claim = shard.Claim{}
			}
			later <- claim
		}()
		select {
		case err := <-fenced:
			t.Fatalf("the fence is up while a writer is open: %v", err)
		default:
		}
		b.do(writer.InsertOrder(ctx, b.order(1)), writer.Commit(ctx))
		b.do(<-fenced)
		if got := <-later; got.State != shard.TagFenced || got.Epoch != 2 {
			t.Errorf("who came while the fence waited sees %+v", got)
		}
		if info, err := b.source.Info(ctx); err != nil || info.Epoch != 2 {
			t.Errorf("the group's epoch: %+v, %v", info, err)
		}
		if _, err := b.source.of.Read(ctx, number(t, 1)); err != nil {
			t.Errorf("what was written before the fence: %v", err)
		}
	})
}

// TestWriterThatStays: nothing changes where a writer does not let go in time.
func TestWriterThatStays(t *testing.T) {
	onEachKind(t, func(t *testing.T, b *bed) {
		b.begin(b.ctx(), b.source)
		for name, err := range map[string]error{
			"fence":  b.source.SetClaims(b.ctx(), mine, fence(2)),
			"record": b.source.Record(b.ctx(), mine, []pay.Tag{moving}, true),
			"admit":  b.source.Admit(b.ctx(), []pay.Tag{moving}, other),
		} {
			var f *order.Fault
			if !errors.Is(err, mover.ErrBusy) || !errors.As(err, &f) || f.Outcome != order.NotCommitted {
				t.Errorf("%s: %v, want busy, not committed", name, err)
			}
		}
		if got := b.claim(b.source, moving); got.State != shard.TagOwned || got.Epoch != 1 {
			t.Errorf("%+v", got)
		}
	})
}

// TestClaimsOfSeveralTagsAreOneChange, with the epoch and the recording.
func TestClaimsOfSeveralTagsAreOneChange(t *testing.T) {
	onEachKind(t, func(t *testing.T, b *bed) {
		ctx, on := b.ctx(), true
		tags := []pay.Tag{9, moving}
		b.do(b.target.Admit(ctx, tags, mine))
		if got := b.claim(b.target, 9); got.State != shard.TagMoved || got.Epoch != 0 {
			t.Errorf("a tag that nobody claimed here is admitted as %+v", got)
		}
		claims := mover.Claims{Tags: tags, State: shard.TagOwned, Epoch: 3, Record: &on}
		b.do(b.target.SetClaims(ctx, mine, claims), b.target.SetClaims(ctx, mine, claims)) // repeated, as after an unknown outcome
		for _, tag := range tags {
			if got := b.claim(b.target, tag); got.State != shard.TagOwned || got.Epoch != 3 {
				t.Errorf("tag %d: %+v", tag, got)
			}
		}
		if n := b.count(b.target, "SELECT COUNT(*) FROM group_state WHERE recording=1"); n != 2 {
			t.Errorf("%d tags are recorded", n)
		}
		b.exec(b.target, "UPDATE group_state SET epoch=5 WHERE tag=9")
		if err := b.target.SetClaims(ctx, mine, fence(4)); err != nil {
			t.Errorf("of one tag: %v", err)
		}
		if err := b.target.SetClaims(ctx, mine, mover.Claims{Tags: tags, State: shard.TagMoved, Epoch: 4}); !errors.Is(err, mover.ErrOldEpoch) {
			t.Errorf("one of two tags is at a higher epoch: %v", err)
		}
		if got := b.claim(b.target, moving); got.State != shard.TagFenced || got.Epoch != 4 {
			t.Errorf("a refused change went halfway: %+v", got)
		}
		if err := b.target.SetClaims(ctx, mine, mover.Claims{Tags: []pay.Tag{12}, State: shard.TagMoved, Epoch: 4}); err != nil || b.claim(b.target, 12).State != shard.TagMoved {
			t.Errorf("a tag without a row: %v", err)
		}
		if n := b.count(b.target, "SELECT COUNT(*) FROM group_state WHERE tag=12 AND mover=?", mine); n != 1 {
			t.Error("the first claim does not name its holder")
		}
		if err := b.target.Record(ctx, mine, []pay.Tag{77}, true); !errors.Is(err, errNoClaim) {
			t.Errorf("recording of a tag that the group does not know: %v", err)
		}
	})
}

// TestRecordMissesNothing: of orders that are written while recording is turned on,
// each was there when it returned, or is on record. A copy that begins then and the
// record together have all of them.
func TestRecordMissesNothing(t *testing.T) {
	onEachKind(t, func(t *testing.T, b *bed) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		missing, recorded := 0, 0
		for round := range 6 {
			b.exec(b.source, "DELETE FROM changed")
			b.do(b.source.Record(b.ctx(), mine, []pay.Tag{moving}, false))
			w := b.startWriters(seed+uint64(round), 10_000*round)
			eventually(t, "orders are written", func() bool { return w.done() > 5 })
			for err := errors.New("not yet"); err != nil; {
				if err = b.source.Record(b.ctx(), mine, []pay.Tag{moving}, true); err != nil && !errors.Is(err, mover.ErrBusy) {
					t.Fatal(err)
				}
			}
			there := b.numbers("SELECT order_no FROM orders")
			before := w.done()
			eventually(t, "more orders are written", func() bool { return w.done() > before+5 })
			w.end()
			on := b.numbers("SELECT order_no FROM changed")
			recorded += len(on)
			for _, no := range w.committed {
				if !there[no] && !on[no] {
					missing++
				}
			}
		}
		if missing > 0 || recorded == 0 {
			t.Errorf("%d orders would be lost, %d were recorded", missing, recorded)
		}
	})
}

func (b *bed) numbers(query string) map[string]bool {
	b.t.Helper()
	set := map[string]bool{}
	b.do(each(b.ctx(), b.source.of.Bulk(), query, nil, func(scan scan) error {
		var no string
		err := scan(&no)
		set[no] = true
		return err
	}))
	return set
}

// writers insert orders, and commit most of them.
type writers struct {
	stop context.CancelFunc
	all  sync.WaitGroup

	mu        sync.Mutex
	committed []string
}

func (b *bed) startWriters(seed uint64, from int) *writers {
	ctx, cancel := context.WithCancel(context.Background())
	w := &writers{stop: cancel}
	for i := range 4 {
		chance := rand.New(rand.NewPCG(seed, uint64(i)))
		w.all.Go(func() {
			for n := from + i*2000; ctx.Err() == nil; n++ {
				if err := w.write(b, n, chance.IntN(4) > 0); err != nil {
					b.t.Error(err)
					return
				}
			}
		})
	}
	b.t.Cleanup(w.end)
	return w
}

func (w *writers) write(b *bed, n int, commit bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	tx, err := b.source.of.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	o := b.order(n)
	if _, _, err := tx.LockTag(ctx, moving, o.Key); err != nil {
		if answered(err, errLockWait, errDeadlock) {
			return nil
		}
		return fmt.Errorf("order %d: %w", n, err)
	}
	if err := tx.InsertOrder(ctx, o); err != nil || !commit {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.committed = append(w.committed, o.No.String())
	return nil
}

func (w *writers) done() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.committed)
}

func (w *writers) end() {
	w.stop()
	w.all.Wait()
}
