package store

import (
	"errors"
	"slices"
	"testing"
	"time"

	"paytool/internal/shard"
)

func TestPilots(t *testing.T) { onEachKind(t, checkPilots) }

func checkPilots(t *testing.T, b *bed) {
	at := func(minute int) time.Time {
		return time.UnixMilli(1_700_000_000_123).Add(time.Duration(minute) * time.Minute)
	}
	record := []shard.Share{{Share: 100}, {Share: 50, Pilots: true, Since: at(1)}, {Share: 50, Pilots: true, Since: at(3)},
		{Share: 1, Since: at(4)}, {Share: 50, Pilots: true, Since: at(5)}, {Since: at(6)}}
	for _, step := range []struct {
		name    string
		set     func() error
		want    shard.Report
		changed int // shares that the record has since then
	}{
		{"pilots", func() error { return b.group.SetPilots(b.ctx(), 50, []string{"m2", "m,1", "m2"}, 2, at(1)) },
			shard.Report{State: shard.GroupJoining, Weight: 50, Pilots: []string{"m,1", "m2"}, Epoch: 2}, 2},
		{"the same", func() error { return b.group.SetPilots(b.ctx(), 50, []string{"m2", "m,1"}, 3, at(2)) },
			shard.Report{State: shard.GroupJoining, Weight: 50, Pilots: []string{"m,1", "m2"}, Epoch: 3}, 2},
		{"others", func() error { return b.group.SetPilots(b.ctx(), 50, []string{"m3"}, 4, at(3)) },
			shard.Report{State: shard.GroupJoining, Weight: 50, Pilots: []string{"m3"}, Epoch: 4}, 3},
		{"all merchants", func() error { return b.group.SetWeight(b.ctx(), 1, shard.GroupActive, 5, at(4)) },
			shard.Report{State: shard.GroupActive, Weight: 1, Epoch: 5}, 4},
		{"pilots again", func() error { return b.group.SetPilots(b.ctx(), 50, []string{"m3"}, 6, at(5)) },
			shard.Report{State: shard.GroupJoining, Weight: 50, Pilots: []string{"m3"}, Epoch: 6}, 5},
		{"taken back", func() error { return b.group.SetWeight(b.ctx(), 0, shard.GroupJoining, 7, at(6)) },
			shard.Report{State: shard.GroupJoining, Epoch: 7}, 6},
		{"the weight alone", func() error { return b.group.SetWeight(b.ctx(), 50, shard.GroupJoining, 8, at(7)) },
			shard.Report{State: shard.GroupJoining, Weight: 50, Epoch: 8}, 6}, // brings no pilots back
	} {
		if err := step.set(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		all := record[:step.changed]
		got, err := b.group.Info(b.ctx())
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got.State != step.want.State || got.Weight != step.want.Weight || got.Epoch != step.want.Epoch || !slices.Equal(got.Pilots, step.want.Pilots) ||
			!got.Changed.Equal(all[len(all)-1].Since) || !slices.EqualFunc(got.Shares, all, sameShare) {
			t.Errorf("%s: %+v, want %+v with record %v", step.name, got, step.want, all)
		}
	}
	if err := b.group.SetPilots(b.ctx(), 50, []string{"m1"}, 7, at(8)); !errors.Is(err, ErrOldEpoch) {
		t.Errorf("pilots at a lower epoch: %v", err)
	}
	history, err := b.group.BaseHistory(b.ctx(), fleetKind, pilotsID)
	if err != nil || len(history) != 5 || string(history[0].Body) != "[]" || !history[0].Updated.Equal(at(6)) {
		t.Errorf("%d versions of the pilots, the last %+v: %v", len(history), history, err)
	}
}
