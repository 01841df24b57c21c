package sim

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options say what to simulate.
type Options struct {
	Seed     uint64 // the first seed; the others follow it
	Seeds    int    // how many runs
	Workers  int    // runs at a time (GOMAXPROCS)
	Sabotage string // what to break on purpose, one of Sabotages, "" for nothing
	// Progress hears how many runs are done, after each. It is called by one
	// goroutine at a time.
	Progress func(done int)
}

// Report is what a batch of runs brought.
type Report struct {
	Seeds      int         `json:"seeds"`
	Violations []Violation `json:"violations"` // by seed, at most a few of each
	Stats      Stats       `json:"stats"`
	// Never lists what happened in no run though a batch of some size ought to
	// see it. An invariant that was never in danger was not tested.
	Never []string `json:"never"`
}

// Stats are counts over all runs.
type Stats struct {
	Keys     int `json:"keys"`     // different payments
	Requests int `json:"requests"` // creates asked for, retries included
	Acked    int `json:"acked"`    // creates answered with an order
	Unknown  int `json:"unknown"`  // creates that the client heard nothing of, or that nobody knows
	Failed   int `json:"failed"`   // creates that were refused, nothing written
	// FailedWhileHealthy are those during which a group was healthy and admitted
	// all the time.
	FailedWhileHealthy int            `json:"failed_while_healthy"`
	Orders             int            `json:"orders"` // rows committed as CREATED
	Events             int            `json:"events"`
	Virtual            time.Duration  `json:"virtual_ns"`
	Digest             uint64         `json:"digest"` // of all steps of all runs
	Sometimes          map[string]int `json:"sometimes"`
}

func (s *Stats) add(o Stats) {
	s.Keys += o.Keys
	s.Requests += o.Requests
	s.Acked += o.Acked
	s.Unknown += o.Unknown
	s.Failed += o.Failed
	s.FailedWhileHealthy += o.FailedWhileHealthy
	s.Orders += o.Orders
	s.Events += o.Events
	s.Virtual += o.Virtual
	s.Digest ^= o.Digest
	for what, n := range o.Sometimes {
		s.Sometimes[what] += n
	}
}

// sometimes lists what a batch of runs ought to see.
var sometimes = []string{
	"doubt", "ejected_by_creates", "ejected_by_probes", "fenced", "further_attempt", "got", "guard_found_paid", "guard_silent", "hop",
	"insert_waited", "journal_applied", "key_found", "killed", "late_commit", "late_success", "money_back_done", "moved_by_expiry",
	"moved_by_guard", "other_amount_refused", "paid", "panic", "pilots_order", "readmitted", "recording", "recovered_commit", "refund_unknown_then_done",
	"replayed", "revoke_refused_paid", "risk_confirmed", "settled_kept", "settled_tombstoned", "settled_voided", "slot_reused",
	"tag_moved", "tombstone_waited", "two_payers", "unknown_move_decided",
}

// Run runs the seeds of the options, several at a time, each on its own. An error
// is an unknown sabotage or the end of the context; violations are in the report.
func Run(ctx context.Context, opts Options) (Report, error) {
	if _, ok := newSabotage(opts.Sabotage); !ok {
		return Report{}, fmt.Errorf("simulate with sabotage %q: choose one of %s", opts.Sabotage, strings.Join(Sabotages(), ", "))
	}
	if opts.Workers <= 0 {
		opts.Workers = runtime.GOMAXPROCS(0)
	}
	// Runs are short and small, and a collector of so small a heap never rests: memory
	// that nobody touches makes it wait, at twice the speed.
	ballast := make([]byte, 64<<20)
	defer runtime.KeepAlive(ballast)
	report := newReport()
	var next atomic.Int64
	var mu sync.Mutex // guards report and Progress
	var workers sync.WaitGroup
	for range min(opts.Workers, opts.Seeds) {
		workers.Go(func() {
			for n := next.Add(1) - 1; n < int64(opts.Seeds) && ctx.Err() == nil; n = next.Add(1) - 1 {
				w := play(opts.Seed+uint64(n), opts.Sabotage, nil) //nolint:gosec // n counts up from 0
				mu.Lock()
				report.add(w.truth)
				if opts.Progress != nil {
					opts.Progress(report.Seeds)
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	slices.SortStableFunc(report.Violations, func(a, b Violation) int { return int(a.Seed) - int(b.Seed) }) //nolint:gosec // seeds of one batch are neighbours
	for _, what := range sometimes {
		if report.Stats.Sometimes[what] == 0 {
			report.Never = append(report.Never, what)
		}
	}
	return report, ctx.Err()
}

// newReport has empty lists rather than none, for the readers of its JSON.
func newReport() Report {
	return Report{Violations: []Violation{}, Never: []string{}, Stats: Stats{Sometimes: map[string]int{}}}
}

func (r *Report) add(t *truth) {
	r.Seeds++
	r.Violations = append(r.Violations, t.violations...)
	r.Stats.add(t.stats)
}

// Trace replays one seed and writes what happened, line by line: faults, commits,
// answers and the engines' logs, each with the time since the start of the run.
func Trace(seed uint64, sabotage string, out io.Writer) (Report, error) {
	if _, ok := newSabotage(sabotage); !ok {
		return Report{}, fmt.Errorf("simulate with sabotage %q: choose one of %s", sabotage, strings.Join(Sabotages(), ", "))
	}
	var failed error
	w := play(seed, sabotage, func(line string) {
		if _, err := fmt.Fprintln(out, line); err != nil && failed == nil {
			failed = fmt.Errorf("write the trace of seed %d: %w", seed, err)
		}
	})
	report := newReport()
	report.add(w.truth)
	return report, failed
}

// play runs one seed.
func play(seed uint64, name string, log func(line string)) *world {
	s, _ := newSabotage(name)
	w := newWorld(seed, s, log)
	w.run()
	return w
}
