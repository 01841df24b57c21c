package order

import (
	"context"
	"slices"
	"testing"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// busyGroup has work in it and notes what of it was asked for.
type busyGroup struct {
	Group
	id      shard.GroupID
	backlog Backlog
	about   []shard.GroupID
	slot    int
	dues    []time.Time // up to which hops, doubts and orders were asked for
	asked   []string
}

func (g *busyGroup) ID() shard.GroupID { return g.id }

func (g *busyGroup) Backlog(_ context.Context, q BacklogQuery) (Backlog, error) {
	g.about, g.slot = q.About, q.Slot
	return g.backlog, nil
}

func (g *busyGroup) Doubts(context.Context, shard.GroupID, int) ([]Doubt, error) {
	g.asked = append(g.asked, "doubts")
	return nil, nil
}

func (g *busyGroup) Hops(_ context.Context, _ shard.GroupID, due time.Time, _ pay.OrderNo, _ int) ([]Hop, error) {
	g.asked = append(g.asked, "hops")
	g.dues = append(g.dues, due)
	return nil, nil
}

func (g *busyGroup) DueOrders(_ context.Context, q DueQuery) ([]Order, error) {
	g.dues = append(g.dues, q.Now)
	return nil, nil
}

// TestSettlingTakesTurns: with others ahead, what they have had no time for is left to
// them, and only that.
func TestSettlingTakesTurns(t *testing.T) {
	now := time.Now()
	for _, tc := range []struct {
		name         string
		ahead        int
		doubts, hops time.Duration // how long they have waited
		want         []string
		heldBack     time.Duration // what is due
	}{
		{name: "first", doubts: 0, hops: 0, want: []string{"doubts", "hops"}},
		{name: "second, and it is young", ahead: 1, doubts: time.Second, hops: time.Second, want: nil, heldBack: turn},
		{name: "second, and the first does nothing", ahead: 1, doubts: 3 * time.Second, hops: time.Second, want: []string{"doubts"}, heldBack: turn},
		{name: "third", ahead: 2, doubts: 3 * time.Second, hops: 5 * time.Second, want: []string{"hops"}, heldBack: 2 * turn},
		{name: "the last of many", ahead: 90, doubts: 7 * time.Second, hops: 5 * time.Second, want: []string{"doubts"}, heldBack: longestWait},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e, _ := newFakeEngine(t)
			g := &busyGroup{id: 1, backlog: Backlog{
				Doubts: map[shard.GroupID]time.Time{2: now.Add(-tc.doubts)}, Hops: map[shard.GroupID]time.Time{3: now.Add(-tc.hops)}, Ahead: tc.ahead,
			}}
			e.members = []*member{{Group: g, lease: Lease{Slot: 42}, joined: true}}
			e.settle(t.Context(), time.Now(), true)
			if !slices.Equal(g.asked, tc.want) {
				t.Errorf("asked for %v, want %v", g.asked, tc.want)
			}
			if g.slot != 42 || !slices.Contains(g.about, 3) {
				t.Errorf("asked as slot %d about groups %v", g.slot, g.about)
			}
			g.dues = nil
			if err := e.expire(t.Context(), e.members[0]); err != nil {
				t.Fatal(err)
			}
			if late := time.Since(g.dues[0]); late < tc.heldBack || late > tc.heldBack+turn/2 {
				t.Errorf("orders that were due %v ago are carried on, want %v", late, tc.heldBack)
			}

			g.asked = nil
			e.Settle(t.Context()) // asks for everything, whoever is ahead
			if !slices.Equal(g.asked, []string{"doubts", "hops"}) {
				t.Errorf("asked for %v, want all", g.asked)
			}
		})
	}
}
