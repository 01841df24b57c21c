package tagmove

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/shard/mover"
	"paytool/internal/store/chunk"
)

func ignore(context.Context, string, mover.Progress) error { return nil }

// TestAMoveByHand takes the steps of a move one after the other, with a payment's
// changes in between, and then the same way back.
func TestAMoveByHand(t *testing.T) {
	onEachKind(t, func(t *testing.T, b *bed) {
		ctx, tags, carrier, on, off := b.ctx(), []pay.Tag{moving}, b.carrier(), true, false
		for n := range 120 {
			b.insert(b.source, n)
		}
		b.do(b.source.Record(ctx, mine, tags, true))
		var saved []string
		b.do(carrier.Copy(ctx, legwork(mine), "", func(_ context.Context, text string, _ mover.Progress) error {
			saved = append(saved, text)
			return nil
		}))
		if len(saved) < 2 {
			t.Errorf("saved %q", saved)
		}
		b.insert(b.source, 500, 501)
		if got := b.different(carrier, legwork(mine)); len(got) != 0 {
			t.Errorf("what is on record was told as different: %v", got)
		}
		b.follow(b.source, legwork(mine), carrier)
		b.exec(b.target, "UPDATE orders SET amount_fen=1 WHERE order_no=?", number(t, 7).String())
		if got := b.different(carrier, legwork(mine)); !slices.Equal(got, []string{"orders " + number(t, 7).String() + " differs amount_fen: 1250 at the source, 1 at the target"}) {
			t.Errorf("%v", got)
		}
		b.do(carrier.CopyOrders(ctx, legwork(mine), []pay.OrderNo{number(t, 7)}))

		b.do(b.source.SetClaims(ctx, mine, fence(2)))
		b.do(b.target.SetClaims(ctx, mine, mover.Claims{Tags: tags, State: shard.TagOwned, Epoch: 3, Record: &on}))
		if err := carrier.Copy(ctx, legwork(mine), "", ignore); !errors.Is(err, chunk.ErrNotWaiting) {
			t.Errorf("copy to a group that owns the tag: %v", err)
		}
		back := mover.Legwork{Tag: moving, From: 2, To: 1, Holder: mine, Epoch: 3}
		if err := carrier.Copy(ctx, back, "", ignore); !errors.Is(err, chunk.ErrNotWaiting) {
			t.Errorf("copy to a group that fences the tag: %v", err)
		}
		b.do(b.source.SetClaims(ctx, mine, mover.Claims{Tags: tags, State: shard.TagMoved, Epoch: 3, Record: &off}))
		b.insert(b.target, 600) // after the switch, followed backwards
		b.follow(b.target, back, carrier)
		if got := b.different(carrier, back); len(got) != 0 {
			t.Errorf("after following backwards: %v", got)
		}
		if n := b.count(b.source, "SELECT COUNT(*) FROM orders"); n != 123 {
			t.Errorf("%d orders are at the source", n)
		}
		var last mover.Progress
		b.do(carrier.Delete(ctx, back, 1, func(_ context.Context, p mover.Progress) error { last = p; return nil }))
		if n := b.count(b.source, "SELECT COUNT(*) FROM orders") + b.count(b.source, "SELECT COUNT(*) FROM outbox"); n != 0 || last.Orders != 123 || last.Rows != 246 {
			t.Errorf("%d rows are left, %+v", n, last)
		}
		if err := carrier.Delete(ctx, back, 2, nil); !errors.Is(err, chunk.ErrNotWaiting) {
			t.Errorf("deletion in the group that owns the tag: %v", err)
		}
	})
}

// follow works off the records of a group, as far as the stages go.
func (b *bed) follow(g *Group, l mover.Legwork, carrier *Carrier) {
	b.t.Helper()
	list := b.changes(g, mover.Copied)
	if len(list) == 0 {
		b.t.Error("nothing is on record")
	}
	var ids []int64
	var numbers []pay.OrderNo
	for _, c := range list {
		ids, numbers = append(ids, c.ID), append(numbers, c.No)
	}
	b.do(carrier.CopyOrders(b.ctx(), l, numbers), g.Advance(b.ctx(), ids, mover.Copied))
	b.do(carrier.CompareOrders(b.ctx(), l, numbers, func(d mover.Difference) error { return errors.New("differs: " + d.Key) }))
	b.do(g.Advance(b.ctx(), ids, mover.Compared), g.Advance(b.ctx(), ids, mover.Copied)) // which it is beyond
	if n, err := g.CountChanges(b.ctx(), []pay.Tag{moving}, mover.Compared); n != 0 || err != nil {
		b.t.Errorf("%d records are open, %v", n, err)
	}
}

func (b *bed) different(carrier *Carrier, l mover.Legwork) (list []string) {
	b.t.Helper()
	b.do(carrier.Compare(b.ctx(), l, "", ignore, func(d mover.Difference) error {
		list = append(list, d.Table+" "+d.OrderNo+" "+d.Fate+" "+d.Text)
		return nil
	}))
	return list
}

func TestForget(t *testing.T) {
	onEachKind(t, func(t *testing.T, b *bed) {
		ctx, tags := b.ctx(), []pay.Tag{moving}
		b.do(b.source.Record(ctx, mine, tags, true))
		b.insert(b.source, 1, 2, 3, 4)
		b.exec(b.source, "INSERT INTO changed (tag, order_no, stage) VALUES (5, 'x', 2)") // of another tag
		list := b.changes(b.source, mover.Compared)
		if len(list) != 4 || list[0].No != number(t, 1) || list[0].Tag != moving {
			t.Fatalf("%+v", list)
		}
		if limited, err := b.source.Changes(ctx, tags, mover.Compared, 2); err != nil || !slices.Equal(limited, list[:2]) {
			t.Errorf("%+v, %v", limited, err)
		}
		b.do(b.source.Advance(ctx, []int64{list[0].ID, list[2].ID}, mover.Compared), b.source.Forget(ctx, mine, tags, list[1].ID))
		if n := b.count(b.source, "SELECT COUNT(*) FROM changed WHERE tag=?", moving); n != 3 {
			t.Errorf("%d records are left of those up to the second", n)
		}
		b.do(b.source.Forget(ctx, mine, tags, math.MaxInt64))
		if got := b.changes(b.source, mover.Compared); len(got) != 2 {
			t.Errorf("what was not compared went: %+v", got)
		}
		for range 10 { // more than one transaction deletes
			b.exec(b.source, "INSERT INTO changed (tag, order_no, stage) SELECT tag, order_no, stage FROM changed")
		}
		b.do(b.source.Forget(ctx, mine, tags, 0))
		if n := b.count(b.source, "SELECT COUNT(*) FROM changed WHERE tag=?", moving); n != 0 {
			t.Errorf("%d records are left", n)
		}
		if n := b.count(b.source, "SELECT COUNT(*) FROM changed WHERE tag=5"); n == 0 {
			t.Error("another tag's went too")
		}
	})
}

// TestHeldIsTold: a brake's reason comes with the checkpoint where the work stands.
func TestHeldIsTold(t *testing.T) {
	onEachKind(t, func(t *testing.T, b *bed) {
		for n := range 60 {
			b.insert(b.source, n)
		}
		asked := 0
		l := legwork(mine)
		l.Brakes = []mover.Brake{chunk.BrakeFunc(func(context.Context) (string, error) {
			if asked++; asked == 2 {
				return "replicas lag", nil
			}
			return "", nil
		})}
		held := 0
		b.do(b.carrier().Copy(b.ctx(), l, "", func(_ context.Context, text string, p mover.Progress) error {
			if p.Held == "replicas lag" && text != "" {
				held++
			}
			return nil
		}))
		if held != 1 || b.count(b.target, "SELECT COUNT(*) FROM orders") != 60 {
			t.Errorf("told %d times", held)
		}
	})
}

func TestOpenAndInstances(t *testing.T) {
	onEachKind(t, func(t *testing.T, b *bed) {
		ctx := b.ctx()
		b.insert(b.source, 1)
		tx, _ := b.begin(ctx, b.source)
		o := b.order(1)
		b.do(tx.InsertHops(ctx, []order.Hop{{OrderNo: o.No, Above: 2, Key: o.Key, Attempt: 1, Reason: "hang", Created: t0, Due: t0}}))
		b.do(tx.InsertDoubts(ctx, []order.Doubt{{OrderNo: number(t, 2), OldGroup: 2, Key: o.Key, Attempt: 1, Amount: 1, Winner: o.No, Created: t0}}), tx.Commit(ctx))
		if n, err := b.source.Open(ctx, 2); n != 1 || err != nil { // the hop is the sweep's
			t.Errorf("%d are open, %v", n, err)
		}
		if n, err := b.source.Open(ctx, 3); n != 0 || err != nil {
			t.Errorf("%d are open about another group, %v", n, err)
		}
		b.do(b.carrier().CopyOrders(ctx, legwork(mine), []pay.OrderNo{o.No}))
		if n, err := b.target.Open(ctx, 2); n != 0 || err != nil {
			t.Errorf("a copy counts: %d, %v", n, err)
		}
		for i, holder := range []string{"new", "old", "gone"} {
			_, err := b.source.of.Lease(ctx, holder, holder, i, t0, t0.Add(time.Duration(3-i)*time.Minute))
			b.do(err)
		}
		b.exec(b.source, "UPDATE instances SET epoch=4")
		b.exec(b.source, "UPDATE instances SET recorder='' WHERE holder='old'") // as of a program that does not know the column
		got, err := b.source.Instances(ctx, t0.Add(90*time.Second))
		if err != nil || len(got) != 2 || got["new"] != 4 || got["old"] != 0 {
			t.Errorf("%v, %v", got, err)
		}
		if behind, known := b.source.Lag(ctx); !known || behind > time.Minute {
			t.Errorf("behind by %s, known %t", behind, known)
		}
		if err := b.source.SetWeight(ctx, 0, shard.GroupDraining, 0, t0); !errors.Is(err, mover.ErrOldEpoch) {
			t.Errorf("weight at an old epoch: %v", err)
		}
	})
}
