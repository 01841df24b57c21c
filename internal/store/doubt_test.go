package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

func TestDoubts(t *testing.T) { onEachKind(t, checkDoubts) }

func checkDoubts(t *testing.T, b *bed) {
	ctx := b.ctx()
	var all []order.Doubt
	for i := range 5 {
		all = append(all, order.Doubt{
			OrderNo: taggedNumber(t, 90-i, 2), OldGroup: 2, Key: pay.Key{MerchantID: "m1", MerchantOrderNo: "k1"}, Attempt: 1,
			Amount: 1250, Shadow: i%2 == 0, Winner: number(t, 1), Created: t0.Add(time.Duration(i) * time.Millisecond),
		})
	}
	about3 := order.Doubt{OrderNo: taggedNumber(t, 1, 3), OldGroup: 3, Key: all[0].Key, Winner: number(t, 1), Created: t0}
	// The same try in doubt beside another winner, as a tag that moved in brings it.
	again := all[0]
	again.Winner, again.Created = number(t, 2), t0.Add(time.Second)
	all = append(all, again)
	err := write(ctx, b.group, func(tx order.Tx) error { return tx.InsertDoubts(ctx, append([]order.Doubt{about3}, all...)) })
	if err != nil {
		t.Fatal(err)
	}
	list := func(limit int) []order.Doubt {
		t.Helper()
		got, err := b.group.Doubts(ctx, 2, limit)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if d := cmp.Diff(all[:3], list(3), compareNumbers); d != "" {
		t.Errorf("the oldest three (-want +got):\n%s", d)
	}
	for range 2 { // the second time changes nothing
		if err := b.group.SettleDoubt(ctx, all[0], order.Voided, t0); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.group.SettleDoubt(ctx, all[0], order.Kept, t0); err != nil {
		t.Fatal(err)
	}
	if n := b.count("doubts WHERE settlement=? AND tag=1", order.Voided); n != 1 {
		t.Error("the first settlement did not stay, or the doubt lies under another tag than its winner")
	}
	if d := cmp.Diff(all[1:], list(10), compareNumbers); d != "" {
		t.Errorf("open doubts (-want +got):\n%s", d)
	}
	if n, err := b.group.OpenDoubts(ctx); err != nil || n != 6 {
		t.Errorf("%d open doubts, %v, want 6", n, err)
	}
	repeated := write(ctx, b.group, func(tx order.Tx) error { return tx.InsertDoubts(ctx, all[1:2]) })
	if !errors.Is(repeated, order.ErrDuplicateNo) {
		t.Errorf("recorded twice: %v", repeated)
	}
}

func TestHops(t *testing.T) { onEachKind(t, checkHops) }

func checkHops(t *testing.T, b *bed) {
	ctx := b.ctx()
	var past2 []order.Hop
	var numbers []pay.OrderNo
	err := write(ctx, b.group, func(tx order.Tx) error {
		for i := range 7 {
			hop := order.Hop{OrderNo: number(t, i), Above: 2, Key: pay.Key{MerchantID: "m1", MerchantOrderNo: "k1"}, Attempt: 1,
				Reason: "hang", Created: t0.Add(time.Duration(i) * time.Second), Due: t0}
			past3 := hop
			past3.Above, past3.Reason, past3.Due = 3, order.ReasonWeights, t0.Add(time.Hour)
			if err := tx.InsertHops(ctx, []order.Hop{hop, past3}); err != nil {
				return err
			}
			past2, numbers = append(past2, hop), append(numbers, hop.OrderNo)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var paged []order.Hop
	var after pay.OrderNo
	for {
		page, err := b.group.Hops(ctx, 2, t0, after, 3)
		if err != nil {
			t.Fatal(err)
		}
		if paged = append(paged, page...); len(page) < 3 {
			break
		}
		after = page[2].OrderNo
	}
	if d := cmp.Diff(past2, paged, compareNumbers); d != "" {
		t.Errorf("hops past group 2, in pages (-want +got):\n%s", d)
	}
	if early, err := b.group.Hops(ctx, 3, t0, pay.OrderNo{}, 10); err != nil || len(early) != 0 {
		t.Errorf("hops that are not due: %v, %v", early, err)
	}

	if err := b.group.AskedHops(ctx, 2, numbers[:2], time.Time{}); err != nil {
		t.Fatal(err)
	}
	if err := b.group.AskedHops(ctx, 2, numbers[:4], t0.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[time.Time]int{t0: 3, t0.Add(time.Hour): 5} {
		if due, err := b.group.Hops(ctx, 2, at, pay.OrderNo{}, 10); err != nil || len(due) != want {
			t.Errorf("at %s %d hops are due, %v, want %d: two are closed, two come later", at, len(due), err, want)
		}
	}
	if others, err := b.group.Hops(ctx, 3, t0.Add(time.Hour), pay.OrderNo{}, 10); err != nil || len(others) != 7 {
		t.Errorf("hops past group 3: %d, %v, want all 7 untouched", len(others), err)
	}
	since, err := b.group.HopsSince(ctx, t0.Add(4*time.Second), 2)
	if err != nil || len(since) != 2 || !since[0].Created.Equal(t0.Add(4*time.Second)) || !since[1].Created.Equal(t0.Add(5*time.Second)) {
		t.Errorf("two of the last three hops past group 2, none past where earlier weights would have sent orders: %+v, %v", since, err)
	}
}

func TestBacklog(t *testing.T) { onEachKind(t, checkBacklog) }

func checkBacklog(t *testing.T, b *bed) {
	ctx := b.ctx()
	ask := func(q order.BacklogQuery) order.Backlog {
		t.Helper()
		got, err := b.group.Backlog(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	query := order.BacklogQuery{About: []shard.GroupID{2, 3, 77}, Slot: 40, Now: t0, Due: t0}
	none := order.Backlog{Doubts: map[shard.GroupID]time.Time{}, Hops: map[shard.GroupID]time.Time{}}
	if diff := cmp.Diff(none, ask(query)); diff != "" {
		t.Errorf("of nothing (-want +got):\n%s", diff)
	}

	key := pay.Key{MerchantID: "m1", MerchantOrderNo: "k1"}
	err := write(ctx, b.group, func(tx order.Tx) error {
		var hops []order.Hop
		var doubts []order.Doubt
		for i := range 3 {
			at := t0.Add(time.Duration(i-2) * time.Second) // 2 s ago, 1 s ago, now
			hops = append(hops, order.Hop{OrderNo: number(t, i), Above: 2, Key: key, Attempt: 1, Created: at, Due: at},
				order.Hop{OrderNo: number(t, i), Above: 3, Key: key, Attempt: 1, Created: at, Due: t0.Add(time.Hour)},
				order.Hop{OrderNo: number(t, i), Above: 9, Key: key, Attempt: 1, Created: at, Due: at})
			doubts = append(doubts, order.Doubt{OrderNo: number(t, 10+i), OldGroup: 77, Key: key, Attempt: 1, Winner: number(t, i), Created: at})
		}
		return errors.Join(tx.InsertHops(ctx, hops), tx.InsertDoubts(ctx, doubts))
	})
	if err != nil {
		t.Fatal(err)
	}
	for slot, until := range map[int]time.Time{7: t0.Add(time.Second), 39: t0.Add(time.Second), 12: t0, 41: t0.Add(time.Minute)} {
		if _, err := b.group.Lease(ctx, fmt.Sprintf("holder %d", slot), "", slot, t0.Add(-time.Minute), until); err != nil {
			t.Fatal(err)
		}
	}
	want := order.Backlog{Ahead: 2, // 7 and 39; the lease of 12 has ended
		Doubts: map[shard.GroupID]time.Time{77: t0.Add(-2 * time.Second)}, Hops: map[shard.GroupID]time.Time{2: t0.Add(-2 * time.Second)}}
	if diff := cmp.Diff(want, ask(query)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	query.Due = t0.Add(time.Hour)
	want.Hops[3] = t0.Add(time.Hour)
	if diff := cmp.Diff(want, ask(query)); diff != "" {
		t.Errorf("what is due in an hour as well (-want +got):\n%s", diff)
	}

	if err := b.group.SettleDoubt(ctx, order.Doubt{OrderNo: number(t, 10), Winner: number(t, 0)}, order.Tombstoned, t0); err != nil {
		t.Fatal(err)
	}
	if err := b.group.AskedHops(ctx, 2, []pay.OrderNo{number(t, 0)}, time.Time{}); err != nil {
		t.Fatal(err)
	}
	want.Doubts[77], want.Hops[2] = t0.Add(-time.Second), t0.Add(-time.Second)
	if diff := cmp.Diff(want, ask(query)); diff != "" {
		t.Errorf("once the oldest are settled (-want +got):\n%s", diff)
	}
}
