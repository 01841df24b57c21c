package join

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"paytool/internal/shard"
)

func (f *fleet) wantPilots(t *testing.T, want ...string) {
	t.Helper()
	if got := f.groups[2].report.Pilots; !slices.Equal(got, want) {
		t.Errorf("pilots %v, want %v", got, want)
	}
}

// TestPilotsFirst: the full weight for them, and then a little of it for all.
func TestPilotsFirst(t *testing.T) {
	t.Parallel()
	f := newFleet()
	f.pilots = []string{"m2", "m1", "m2"}
	f.asleep = func(n int) error {
		if n == 3 {
			f.want(t, shard.GroupJoining, 100, -100)
			f.wantPilots(t, "m1", "m2")
		}
		return nil
	}
	if err := f.run(); err != nil {
		t.Fatal(err)
	}
	f.want(t, shard.GroupActive, 100, -100, 1, 12, 100)
	f.wantPilots(t)
}

// TestPilotsGoOn begins where another process stopped: with others' pilots these are
// taken, and without any the weights for all merchants come.
func TestPilotsGoOn(t *testing.T) {
	t.Parallel()
	stop := errors.New("interrupted")
	for _, c := range []struct {
		name  string
		then  []string
		steps []int
	}{
		{"the same", []string{"m2", "m1"}, []int{-100, 1, 12, 100}},
		{"others", []string{"m3"}, []int{-100, -100, 1, 12, 100}},
		{"none", nil, []int{-100, 1, 12, 100}},
	} {
		f := newFleet()
		f.pilots = []string{"m1", "m2"}
		f.asleep = func(n int) error {
			if n == 5 {
				return stop
			}
			return nil
		}
		if err := f.run(); !errors.Is(err, stop) {
			t.Fatalf("stopped with %v", err)
		}
		f.want(t, shard.GroupJoining, 100, -100)
		f.pilots, f.asleep = c.then, func(int) error { return nil }
		if err := f.run(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		f.want(t, shard.GroupActive, 100, c.steps...)
	}

	// An active group takes everybody's orders: it does not go back to a few.
	f := newFleet()
	f.groups[2].report.State, f.groups[2].report.Weight = shard.GroupActive, 12
	f.pilots = []string{"m1"}
	if err := f.run(); err != nil {
		t.Fatal(err)
	}
	f.want(t, shard.GroupActive, 100, 100)
}

func TestPilotsTakenBack(t *testing.T) {
	t.Parallel()
	f := newFleet()
	f.pilots = []string{"m1"}
	f.check = func() string {
		if f.groups[2].report.Pilots != nil {
			return "semi-sync is off"
		}
		return ""
	}
	var back *TakenBack
	if err := f.run(); !errors.As(err, &back) || back.Weight != 100 || !slices.Equal(back.Pilots, f.pilots) || !strings.Contains(err.Error(), "for its first merchants") {
		t.Fatalf("ended with %v", err)
	}
	f.want(t, shard.GroupJoining, 0, -100, 0)
	f.wantPilots(t)

	// Found with pilots, and not fit: they go as well.
	f = newFleet()
	f.groups[2].report.Weight, f.groups[2].report.Pilots = 100, []string{"m1"}
	f.check = func() string { return "ejected" }
	if err := f.run(); !errors.As(err, &back) {
		t.Errorf("ended with %v", err)
	}
	f.want(t, shard.GroupJoining, 0, 0)
	f.wantPilots(t)
}

// TestPilotsOfSomebodyElse: two operators do not undo each other's steps, and an answer
// that was lost is no other operator.
func TestPilotsOfSomebodyElse(t *testing.T) {
	t.Parallel()
	f := newFleet()
	f.pilots = []string{"m1"}
	f.asleep = func(n int) error {
		if n == 5 {
			f.groups[2].report.Pilots = []string{"m1", "m9"}
		}
		return nil
	}
	if err := f.run(); !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), "m9") {
		t.Errorf("ended with %v", err)
	}
	f.wantPilots(t, "m1", "m9")

	f = newFleet()
	f.pilots = []string{"m1"}
	f.groups[2].deaf, f.groups[2].lost = 2, 2
	if err := f.run(); err != nil {
		t.Error(err)
	}
	f.want(t, shard.GroupActive, 100, -100, 1, 12, 100)
}
