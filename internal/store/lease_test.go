package store

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"paytool/internal/order"
	"paytool/internal/shard"
)

func TestChooseSlot(t *testing.T) {
	t.Parallel()
	now := t0
	past, future := now.Add(-time.Minute), now.Add(time.Minute)
	row := func(n int, holder string, until time.Time, high int64) slot {
		return slot{number: n, holder: holder, untilMS: until.UnixMilli(), high: high}
	}
	full := make([]slot, 100)
	for i := range full {
		full[i] = row(i, "other", future, 0)
	}
	for _, tc := range []struct {
		name   string
		used   []slot
		prefer int
		want   int // -1 for none
		exists bool
	}{
		{"preferred, never used", nil, 42, 42, false},
		{"preferred is taken", []slot{row(42, "other", future, 0)}, 42, 0, false},
		{"preferred has ended", []slot{row(42, "other", past, past.Unix())}, 42, 42, true},
		{"ended, but its high-water second has not", []slot{row(42, "other", past, now.Unix())}, 42, 0, false},
		{"released", []slot{row(42, "", time.UnixMilli(0), now.Unix()-1)}, 42, 42, true},
		{"no preference", []slot{row(0, "other", future, 0)}, -1, 1, false},
		{"preference out of range", nil, 100, 0, false},
		{"own slot before the preferred one", []slot{row(7, "me", past, now.Unix()+9)}, 42, 7, true},
		{"all taken", full, 42, -1, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s, exists, ok := chooseSlot(tc.used, "me", tc.prefer, now)
			got := s.number
			if !ok {
				got = -1
			}
			if got != tc.want || exists != tc.exists {
				t.Errorf("got slot %d, exists %v, want %d, %v", got, exists, tc.want, tc.exists)
			}
		})
	}
}

func TestChooseSlotNeverTakesALiveOne(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		now := t0
		offset := rapid.Int64Range(-3, 3)
		var used []slot
		for i := range rapid.IntRange(0, 100).Draw(t, "rows") {
			used = append(used, slot{number: i, holder: fmt.Sprintf("h%d", i), untilMS: now.UnixMilli() + offset.Draw(t, "until"), high: now.Unix() + offset.Draw(t, "high")})
		}
		s, exists, ok := chooseSlot(used, "me", rapid.IntRange(-1, 101).Draw(t, "prefer"), now)
		if ok && exists && (s.untilMS >= now.UnixMilli() || s.high >= now.Unix()) {
			t.Fatalf("took slot %+v, which may still be used", s)
		}
		if ok && !exists && s.number < len(used) {
			t.Fatalf("slot %d has a row", s.number)
		}
	})
}

const leaseTime = 30 * time.Second

func (b *bed) lease(holder string, prefer int, now time.Time) order.Lease {
	b.t.Helper()
	l, err := b.group.Lease(b.ctx(), holder, "test", prefer, now, now.Add(leaseTime))
	if err != nil {
		b.t.Fatal(err)
	}
	return l
}

func TestLeasePassesOnTheHighWaterSecond(t *testing.T) {
	onEachKind(t, checkLeasePassesOnTheHighWaterSecond)
}

func checkLeasePassesOnTheHighWaterSecond(t *testing.T, b *bed) {
	first := b.lease("h1", 5, t0)
	if first != (order.Lease{Slot: 5, Holder: "h1"}) {
		t.Fatalf("first lease: %+v", first)
	}
	high := t0.Add(10 * time.Second).Unix()
	if a := b.probe(first, t0, high); a.Cause != "" || a.Changed {
		t.Fatalf("probe: %+v", a)
	}

	again := b.lease("h1", 9, t0.Add(time.Second))
	if again != (order.Lease{Slot: 5, Holder: "h1", Floor: 0, High: high}) {
		t.Errorf("the same holder got %+v, want its slot with the same floor", again)
	}
	if other := b.lease("h2", 5, t0.Add(time.Second)); other.Slot == 5 {
		t.Error("a second holder got a slot that is held")
	}
	later := t0.Add(leaseTime + 2*time.Second)
	if heir := b.lease("h3", 5, later); heir != (order.Lease{Slot: 5, Holder: "h3", Floor: high, High: high}) {
		t.Errorf("heir of an ended lease: %+v, want slot 5 with floor %d", heir, high)
	}
	if err := b.group.Release(b.ctx(), first); !errors.Is(err, order.ErrLeaseLost) {
		t.Errorf("the old holder released the heir's slot: %v", err)
	}
	if a := b.probe(first, later, high); !a.Changed || a.Cause != "" {
		t.Errorf("probe of a lost lease: %+v, want changed and no cause", a)
	}
}

func TestReleaseFreesTheNextSecond(t *testing.T) { onEachKind(t, checkReleaseFreesTheNextSecond) }

func checkReleaseFreesTheNextSecond(t *testing.T, b *bed) {
	l := b.lease("h1", 5, t0)
	if a := b.probe(l, t0, t0.Unix()+10); a.Cause != "" {
		t.Fatalf("probe: %+v", a)
	}
	l.High = t0.Unix()
	if err := b.group.Release(b.ctx(), l); err != nil {
		t.Fatal(err)
	}
	if next := b.lease("h2", 5, t0); next.Slot == 5 {
		t.Error("the slot was given out in the second in which it was used last")
	}
	if next := b.lease("h3", 5, t0.Add(time.Second)); next.Slot != 5 || next.Floor != t0.Unix() {
		t.Errorf("one second later: %+v, want slot 5 with floor %d", next, t0.Unix())
	}
}

func TestLeasesOfManyHoldersDiffer(t *testing.T) { onEachKind(t, checkLeasesOfManyHoldersDiffer) }

func checkLeasesOfManyHoldersDiffer(t *testing.T, b *bed) {
	const holders = 12
	slots := make([]int, holders)
	ctx := b.ctx()
	var wg sync.WaitGroup
	for i := range holders {
		wg.Go(func() {
			l, err := b.group.Lease(ctx, fmt.Sprintf("h%d", i), "test", 3, t0, t0.Add(leaseTime))
			if err != nil {
				t.Error(err)
			}
			slots[i] = l.Slot
		})
	}
	wg.Wait()
	seen := map[int]bool{}
	for _, s := range slots {
		if seen[s] {
			t.Errorf("slot %d was given out twice: %v", s, slots)
		}
		seen[s] = true
	}
}

func TestLeaseWhenAllSlotsAreTaken(t *testing.T) { onEachKind(t, checkLeaseWhenAllSlotsAreTaken) }

func checkLeaseWhenAllSlotsAreTaken(t *testing.T, b *bed) {
	for i := range 100 {
		b.exec(0, "INSERT INTO "+b.schema+"instances (slot, holder, name, n, at_ms, until_ms, floor_s, high_s, epoch) VALUES (?, ?, '', 0, 0, ?, 0, 0, 0)", i, fmt.Sprint("h", i), t0.Add(leaseTime).UnixMilli())
	}
	_, err := b.group.Lease(b.ctx(), "late", "test", 3, t0, t0.Add(leaseTime))
	var f *order.Fault
	if !errors.As(err, &f) || f.Outcome != order.NotCommitted || f.Cause != shard.Starting {
		t.Errorf("got %v, want a fault with cause starting", err)
	}
}
