package sim

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRunLeavesNoProcess is not parallel: it counts goroutines.
func TestRunLeavesNoProcess(t *testing.T) {
	before := runtime.NumGoroutine()
	for seed := range uint64(20) {
		play(seed, "", nil)
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines before, %d after twenty runs", before, after)
	}
}

// TestSeeds is the simulation itself: a failure names its seed, and
// `paytool sim --seed N --trace` shows what happened.
func TestSeeds(t *testing.T) {
	t.Parallel()
	seeds := 300
	if testing.Short() {
		seeds = 50
	}
	done := 0
	// From 1001 on, for these three hundred have all that may rarely happen; any others do for
	// the invariants.
	report, err := Run(t.Context(), Options{Seed: 1001, Seeds: seeds, Progress: func(n int) { done = n }})
	if err != nil || report.Seeds != seeds || done != seeds {
		t.Fatalf("%d of %d seeds ran, progress says %d: %v", report.Seeds, seeds, done, err)
	}
	for _, v := range report.Violations {
		t.Error(v)
	}
	if !testing.Short() && len(report.Never) > 0 {
		t.Errorf("never happened in %d seeds: %v", seeds, report.Never)
	}
	st := report.Stats
	if st.FailedWhileHealthy > st.Requests/1000 {
		t.Errorf("%d of %d creates failed while a group was healthy", st.FailedWhileHealthy, st.Requests)
	}
	if unnoticed, refused := st.Sometimes["other_amount_unnoticed"], st.Sometimes["other_amount_refused"]; unnoticed > refused/20 {
		t.Errorf("%d other amounts were not noticed, %d were refused", unnoticed, refused)
	}
}

// TestSabotageIsCaught: an invariant that nothing can break proves nothing.
func TestSabotageIsCaught(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		SelectFence:      {settledBothLive, oneLive},
		HopWithoutRecord: {oneLive, ackedKept},
		ConditionFence:   {fencedCommit},
		ProbeReadmission: {noFlapping},
		GuardSkipped:     {guarded, paidOnce},
		PayBeforeCommit:  {commitFirst},
		UnclearIsFailed:  {endedKeepsMoney},
		DoubleUnchecked:  {paidOnce},
	}
	for _, sabotage := range Sabotages() {
		t.Run(sabotage, func(t *testing.T) {
			t.Parallel()
			const batch, most = 10, 1000
			for from := 0; from < most; from += batch {
				report, err := Run(t.Context(), Options{Seed: uint64(from), Seeds: batch, Sabotage: sabotage})
				if err != nil {
					t.Fatal(err)
				}
				for _, v := range report.Violations {
					for _, invariant := range want[sabotage] {
						if v.Invariant == invariant {
							t.Logf("caught: %v", v)
							return
						}
					}
				}
			}
			t.Errorf("none of %v was violated in %d seeds", want[sabotage], most)
		})
	}
}

// TestSeedReplays: the steps of a run depend on its seed, on nothing else.
func TestSeedReplays(t *testing.T) {
	t.Parallel()
	alone, err := Run(t.Context(), Options{Seed: 100, Seeds: 12, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	beside, err := Run(t.Context(), Options{Seed: 100, Seeds: 12, Workers: 4})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(alone, beside); diff != "" {
		t.Errorf("one worker and four bring different reports:\n%s", diff)
	}
	var first, second strings.Builder
	traced, err := Trace(104, "", &first)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Trace(104, "", &second); err != nil {
		t.Fatal(err)
	}
	if first.String() != second.String() || first.Len() == 0 {
		t.Errorf("two traces of one seed differ, %d and %d bytes", first.Len(), second.Len())
	}
	untraced, err := Run(t.Context(), Options{Seed: 104, Seeds: 1})
	if err != nil || untraced.Stats.Digest != traced.Stats.Digest {
		t.Errorf("a trace takes other steps than the run that it explains (%v)", err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk is full") }

func TestRefusals(t *testing.T) {
	t.Parallel()
	if _, err := Run(t.Context(), Options{Seeds: 1, Sabotage: "coffee"}); err == nil || !strings.Contains(err.Error(), SelectFence) {
		t.Errorf("unknown sabotage: %v", err)
	}
	if _, err := Trace(1, "coffee", &strings.Builder{}); err == nil {
		t.Error("unknown sabotage was traced")
	}
	if _, err := Trace(1, "", brokenWriter{}); err == nil || !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("trace to a broken writer: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if report, err := Run(ctx, Options{Seeds: 1000}); !errors.Is(err, context.Canceled) || report.Seeds > 100 {
		t.Errorf("a cancelled batch ran %d seeds: %v", report.Seeds, err)
	}
}
