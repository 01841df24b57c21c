package join

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"paytool/internal/shard"
)

// fleet is groups in memory under a clock that only sleeping moves.
type fleet struct {
	groups  []*fake
	now     time.Time
	weights []int // as OnStep heard of them, those for pilots alone negative
	pilots  []string
	slept   int
	asleep  func(n int) error // before each sleep
	check   func() string
}

type fake struct {
	id      shard.GroupID
	report  shard.Report
	holders []string
	deaf    int // calls of SetWeight that apply and get no answer
	lost    int // that do not apply and get none
	down    error
}

func (f *fake) ID() shard.GroupID { return f.id }

func (f *fake) Info(context.Context) (shard.Report, error) { return f.report, f.down }

func (f *fake) SetWeight(_ context.Context, weight int, state shard.GroupState, epoch int64, _ time.Time) error {
	return f.set(shard.Report{State: state, Weight: weight, Epoch: epoch})
}

func (f *fake) SetPilots(_ context.Context, weight int, merchants []string, epoch int64, _ time.Time) error {
	return f.set(shard.Report{State: shard.GroupJoining, Weight: weight, Pilots: slices.Clone(merchants), Epoch: epoch})
}

func (f *fake) set(r shard.Report) error {
	if f.down != nil {
		return f.down
	}
	if f.lost > 0 {
		f.lost--
		return errors.New("no answer")
	}
	if r.Epoch < f.report.Epoch {
		return errors.New("at a higher epoch")
	}
	r.Group = f.id
	f.report = r
	if f.deaf > 0 {
		f.deaf--
		return errors.New("no answer")
	}
	return nil
}

func (f *fake) RaiseEpoch(_ context.Context, epoch int64) error {
	f.report.Epoch = max(f.report.Epoch, epoch)
	return f.down
}

func (f *fake) Instances(context.Context, time.Time) (map[string]int64, error) {
	holders := map[string]int64{}
	for _, h := range f.holders {
		holders[h] = f.report.Epoch
	}
	return holders, f.down
}

// newFleet has two groups at work, of which the second is at a higher epoch, and a
// third one that joins.
func newFleet() *fleet {
	f := &fleet{now: time.Unix(1_700_000_000, 0), check: func() string { return "" }, asleep: func(int) error { return nil }}
	for i, state := range []shard.GroupState{shard.GroupActive, shard.GroupActive, shard.GroupJoining} {
		id := shard.GroupID(i + 1)
		weight := 100
		if state == shard.GroupJoining {
			weight = 0
		}
		f.groups = append(f.groups, &fake{id: id, holders: []string{"a", "b"}, report: shard.Report{Group: id, State: state, Weight: weight, Epoch: []int64{4, 7, 1}[i]}})
	}
	return f
}

func (f *fleet) run() error {
	return Run(context.Background(), f.groups[2], []Group{f.groups[0], f.groups[1]}, Options{
		Merchants: f.pilots, Weights: []int{1, 12, 100}, Watch: time.Second, Wait: 2 * time.Second, Look: 100 * time.Millisecond,
		Check: func(context.Context) string { return f.check() },
		OnStep: func(w int, pilots []string) {
			if len(pilots) > 0 {
				w = -w
			}
			f.weights = append(f.weights, w)
		},
		Now: func() time.Time { return f.now },
		Sleep: func(_ context.Context, d time.Duration) error {
			f.slept++
			f.now = f.now.Add(d)
			return f.asleep(f.slept)
		},
	})
}

func (f *fleet) want(t *testing.T, state shard.GroupState, weight int, steps ...int) {
	t.Helper()
	got := f.groups[2].report
	if got.State != state || got.Weight != weight || !slices.Equal(f.weights, steps) {
		t.Errorf("%s with weight %d after %v, want %s with %d after %v", got.State, got.Weight, f.weights, state, weight, steps)
	}
	for _, g := range f.groups {
		if len(steps) > 0 && g.report.Epoch != got.Epoch {
			t.Errorf("group %d is at epoch %d, group 3 at %d", g.id, g.report.Epoch, got.Epoch)
		}
	}
}

func TestWeightGrows(t *testing.T) {
	t.Parallel()
	f := newFleet()
	if err := f.run(); err != nil {
		t.Fatal(err)
	}
	f.want(t, shard.GroupActive, 100, 1, 12, 100)
	if got := f.groups[2].report.Epoch; got != 10 {
		t.Errorf("epoch %d, want one more for each step above 7", got)
	}
}

// TestGoesOn begins where another process stopped.
func TestGoesOn(t *testing.T) {
	t.Parallel()
	f := newFleet()
	stop := errors.New("interrupted")
	f.asleep = func(n int) error {
		if n == 15 { // in the second step
			return stop
		}
		return nil
	}
	if err := f.run(); !errors.Is(err, stop) {
		t.Fatalf("stopped with %v", err)
	}
	f.want(t, shard.GroupActive, 12, 1, 12)
	f.asleep = func(int) error { return nil }
	if err := f.run(); err != nil {
		t.Fatal(err)
	}
	f.want(t, shard.GroupActive, 100, 1, 12, 100)
}

func TestTakenBack(t *testing.T) {
	t.Parallel()
	f := newFleet()
	f.check = func() string {
		if f.groups[2].report.Weight == 12 {
			return "semi-sync is off"
		}
		return ""
	}
	var back *TakenBack
	if err := f.run(); !errors.As(err, &back) || back.Weight != 12 || back.Reason != "semi-sync is off" {
		t.Fatalf("ended with %v", err)
	}
	f.want(t, shard.GroupJoining, 0, 1, 12, 0)

	// It may try again.
	f.check = func() string { return "" }
	if err := f.run(); err != nil {
		t.Fatal(err)
	}
	f.want(t, shard.GroupActive, 100, 1, 12, 0, 1, 12, 100)
}

// TestTakenBackOnceItAnswers: the group is down, which is why its weight is to go.
func TestTakenBackOnceItAnswers(t *testing.T) {
	t.Parallel()
	f := newFleet()
	down := errors.New("connection refused")
	f.check = func() string {
		if f.groups[2].report.Weight == 1 {
			f.groups[2].down = down
		}
		if f.groups[2].down != nil {
			return "ejected: down"
		}
		return ""
	}
	f.asleep = func(n int) error {
		if n == 5 {
			f.groups[2].down = nil
		}
		return nil
	}
	var back *TakenBack
	if err := f.run(); !errors.As(err, &back) {
		t.Fatalf("ended with %v", err)
	}
	f.want(t, shard.GroupJoining, 0, 1, 0)

	f = newFleet()
	f.check = func() string {
		if f.groups[2].report.Weight == 1 {
			f.groups[2].down = down
			return "ejected: down"
		}
		return ""
	}
	if err := f.run(); !errors.Is(err, down) || errors.As(err, &back) || !strings.Contains(err.Error(), "has weight 1") {
		t.Errorf("a group that never answers again: %v", err)
	}
}

func TestEveryInstanceHasToKnow(t *testing.T) {
	t.Parallel()
	f := newFleet()
	f.groups[1].holders = append(f.groups[1].holders, "old")
	if err := f.run(); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "1 of them") {
		t.Fatalf("ended with %v", err)
	}
	f.want(t, shard.GroupJoining, 0)
	if waited := f.now.Sub(time.Unix(1_700_000_000, 0)); waited != 2*time.Second {
		t.Errorf("waited %s", waited)
	}

	f = newFleet()
	f.groups[1].holders = append(f.groups[1].holders, "old")
	f.asleep = func(n int) error {
		if n == 3 {
			f.groups[2].holders = append(f.groups[2].holders, "old") // restarted meanwhile
		}
		return nil
	}
	if err := f.run(); err != nil {
		t.Error(err)
	}

	f = newFleet()
	f.groups[0].down = errors.New("connection refused")
	if err := f.run(); !errors.Is(err, f.groups[0].down) {
		t.Errorf("a group that cannot tell its instances: %v", err)
	}
	f.want(t, shard.GroupJoining, 0)
}

func TestNotReady(t *testing.T) {
	t.Parallel()
	f := newFleet()
	f.check = func() string { return "starting" }
	if err := f.run(); err == nil || !strings.Contains(err.Error(), "nothing was changed: starting") {
		t.Errorf("ended with %v", err)
	}
	f.want(t, shard.GroupJoining, 0)

	f = newFleet()
	f.check = func() string {
		if f.slept < 4 {
			return "starting"
		}
		return ""
	}
	if err := f.run(); err != nil {
		t.Error(err)
	}
}

func TestLostAnswers(t *testing.T) {
	t.Parallel()
	f := newFleet()
	f.groups[2].deaf, f.groups[2].lost = 2, 2
	if err := f.run(); err != nil {
		t.Fatal(err)
	}
	f.want(t, shard.GroupActive, 100, 1, 12, 100)
	f = newFleet()
	f.groups[2].lost = setTries
	if err := f.run(); err == nil {
		t.Error("a group that never answers has joined")
	}
}

// TestSomebodyElse: two operators do not undo each other's steps.
func TestSomebodyElse(t *testing.T) {
	t.Parallel()
	f := newFleet()
	f.asleep = func(n int) error {
		if n == 12 {
			f.groups[2].report.Weight = 50
		}
		return nil
	}
	if err := f.run(); !errors.Is(err, ErrChanged) {
		t.Errorf("ended with %v", err)
	}
	if got := f.groups[2].report.Weight; got != 50 {
		t.Errorf("weight %d", got)
	}
	f = newFleet()
	f.groups[2].report.State = shard.GroupRetired
	if err := f.run(); err == nil || !strings.Contains(err.Error(), "retired") {
		t.Errorf("ended with %v", err)
	}
}

func TestSteps(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		full int
		want []int
	}{
		{"1/256,1/8,1/4,1/2,1", 100, []int{1, 12, 25, 50, 100}},
		{"1/256, 1/8, 1", 1024, []int{4, 128, 1024}},
		{"1/256,1/8,1", 4, []int{1, 4}},
		{"1/256,1/8,1", 1, []int{1}},
		{"1", 7, []int{7}},
	} {
		steps, err := ParseSteps(c.text)
		if got := Weights(c.full, steps); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s of %d: %v, %v", c.text, c.full, got, err)
		}
	}
	for _, text := range []string{"", "1/2", "1/2,1/2,1", "1/2,1/4,1", "0,1", "2/1", "1/0,1", "a,1", "1/99999999,1"} {
		if steps, err := ParseSteps(text); err == nil {
			t.Errorf("%q is read as %v", text, steps)
		}
	}
}
