package tagmove

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/sandbox/sandboxtest"
	"paytool/internal/shard"
	"paytool/internal/shard/move"
	"paytool/internal/shard/mover"
	"paytool/internal/store"
	"paytool/internal/store/chunk"
	"paytool/internal/store/embedded"
)

// real is two groups with a replica each.
var real = sandboxtest.Shared{Name: "tagmove", Groups: 2, Replicas: 1}

func TestMain(m *testing.M) { real.Main(m) }

// bed is two groups: tag 1 is to move from the first to the second.
type bed struct {
	t              testing.TB
	source, target *Group
	configs        [2]store.Config
}

const (
	moving pay.Tag = 1
	mine           = "holder-1"
	other          = "holder-2"
)

func onEachKind(t *testing.T, check func(t *testing.T, b *bed)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) {
		set, err := embedded.Open(t.Context(), embedded.Options{Dir: t.TempDir(), Groups: 2, Sync: embedded.Normal})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := set.Close(); err != nil {
				t.Error(err)
			}
		})
		check(t, newBed(t, store.Config{Primary: store.Node{DSN: set.Groups()[0].DSN}}, store.Config{Primary: store.Node{DSN: set.Groups()[1].DSN}}))
	})
	t.Run("mariadb", func(t *testing.T) { check(t, newRealBed(t)) })
}

func newRealBed(t testing.TB) *bed {
	t.Helper()
	var configs [2]store.Config
	for i, g := range real.Start(t) {
		configs[i] = store.Config{Primary: store.Node(g.Primary)}
		for _, r := range g.Replicas {
			configs[i].Replicas = append(configs[i].Replicas, store.Node(r))
		}
	}
	return newBed(t, configs[:]...)
}

// newBed empties both groups, admits this test's holder to the tag at both, and has
// the target wait for it.
func newBed(t testing.TB, configs ...store.Config) *bed {
	t.Helper()
	b := &bed{t: t}
	for i := range configs {
		configs[i].Group = shard.GroupID(i + 1)
		b.configs[i] = configs[i]
	}
	b.source, b.target = b.open(b.configs[0]), b.open(b.configs[1])
	for _, g := range []*Group{b.source, b.target} {
		if err := g.of.Prepare(b.ctx(), 100); err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"moves", "move_journal", "move_checkpoints", "changed", "instances"} {
			b.exec(g, "DELETE FROM "+table)
		}
		for _, m := range store.MovingTables {
			b.exec(g, "DELETE FROM "+m.Name)
		}
		b.exec(g, "DELETE FROM group_state")
		b.exec(g, "INSERT INTO group_state (tag, state, epoch) VALUES (?, 'owned', 1)", pay.Tag(g.ID()))
		b.exec(g, "UPDATE group_info SET epoch=1")
	}
	b.do(b.source.Admit(b.ctx(), []pay.Tag{moving}, mine), b.target.Admit(b.ctx(), []pay.Tag{moving}, mine))
	b.do(b.target.SetClaims(b.ctx(), mine, mover.Claims{Tags: []pay.Tag{moving}, State: shard.TagMoved, Epoch: 1}))
	return b
}

func (b *bed) open(cfg store.Config) *Group {
	b.t.Helper()
	g, err := store.Open(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if err := g.Close(); err != nil {
			b.t.Error(err)
		}
	})
	return Open(g)
}

func (b *bed) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	b.t.Cleanup(cancel)
	return ctx
}

// do ends the test at an error.
func (b *bed) do(errs ...error) {
	b.t.Helper()
	if err := errors.Join(errs...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) exec(g *Group, query string, args ...any) {
	b.t.Helper()
	if _, err := g.of.Bulk().ExecContext(b.ctx(), query, args...); err != nil {
		b.t.Fatalf("%s: %v", query, err)
	}
}

func (b *bed) count(g *Group, query string, args ...any) (n int64) {
	b.t.Helper()
	if err := g.of.Bulk().QueryRowContext(b.ctx(), query, args...).Scan(&n); err != nil {
		b.t.Fatalf("%s: %v", query, err)
	}
	return n
}

func (b *bed) claim(g *Group, tag pay.Tag) shard.Claim {
	b.t.Helper()
	info, err := g.Info(b.ctx())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range info.Claims {
		if c.Tag == tag {
			return c
		}
	}
	return shard.Claim{}
}

// lockIsAwaited reports whether a transaction waits for a row lock of a group.
func (b *bed) lockIsAwaited(g *Group) bool {
	b.t.Helper()
	var name string
	var n int
	if err := g.of.Bulk().QueryRowContext(b.ctx(), "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'").Scan(&name, &n); err != nil {
		b.t.Fatal(err)
	}
	return n > 0
}

// eventually waits for a condition, at most ten seconds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("it did not happen within ten seconds: %s", what)
		}
		time.Sleep(5 * time.Millisecond) // between two looks, not instead of one
	}
}

var t0 = time.Date(2026, 3, 1, 10, 0, 0, 0, pay.Beijing)

func number(t testing.TB, n int) pay.OrderNo {
	t.Helper()
	no, err := pay.NewOrderNo(t0, 7, n, moving, 1)
	if err != nil {
		t.Fatal(err)
	}
	return no
}

func (b *bed) order(n int) order.Order {
	return order.Order{
		No: number(b.t, n), Key: pay.Key{MerchantID: "m1", MerchantOrderNo: fmt.Sprintf("k%05d", n)},
		Attempt: 1, State: pay.Created, Amount: 1250, Channel: "wechat", Subject: "coffee",
		Created: t0, Updated: t0, Version: 1, OpID: fmt.Sprintf("op%d", n),
	}
}

// begin opens a transaction of an engine's and locks the moving tag.
func (b *bed) begin(ctx context.Context, g *Group) (order.Tx, shard.Claim) {
	b.t.Helper()
	tx, err := g.of.Begin(ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(tx.Rollback)
	claim, _, err := tx.LockTag(ctx, moving, pay.Key{})
	if err != nil {
		b.t.Fatal(err)
	}
	return tx, claim
}

func (b *bed) insert(g *Group, orders ...int) {
	b.t.Helper()
	for _, n := range orders {
		tx, _ := b.begin(b.ctx(), g)
		b.do(tx.InsertOrder(b.ctx(), b.order(n)))
		b.do(tx.Commit(b.ctx()))
	}
}

func (b *bed) changes(g *Group, below mover.Stage) []mover.Changed {
	b.t.Helper()
	list, err := g.Changes(b.ctx(), []pay.Tag{moving}, below, 10_000)
	b.do(err)
	return list
}

func run(id string, source shard.GroupID) mover.Run {
	return mover.Run{
		ID: id, Source: source, Target: 2, Tags: []pay.Tag{moving}, Begun: t0, By: "li",
		Plan: move.Plan{Kind: move.Shrink, Hash: id[:len(id)-2], Epoch: 1, Groups: []shard.GroupID{1, 2}, After: []shard.GroupID{2}, Leaving: []shard.GroupID{1},
			Joining: []shard.GroupID{}, Moves: []move.Move{}, Refusals: []move.Reason{}, Warnings: []move.Reason{{Code: "lag", Text: "replicas are behind"}}},
	}
}

func legwork(holder string) mover.Legwork {
	return mover.Legwork{Tag: moving, From: 1, To: 2, Holder: holder, Epoch: 1}
}

func (b *bed) carrier() *Carrier {
	return NewCarrier(chunk.Pace{First: 50}, b.source.of, b.target.of)
}
