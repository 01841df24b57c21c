package main

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/shard/move"
	"paytool/internal/shard/mover"
)

// moveView tells how runs go on: on a terminal in one line that is drawn again and
// again, elsewhere in plain lines. Steps are told of on both. Safe for concurrent use.
type moveView struct {
	out *statusLine
	now func() time.Time

	mu    sync.Mutex
	runs  map[string]*runView
	plain time.Time // when the last line of figures was written
	said  string    // that line
}

// runView is one run as it was last heard of.
type runView struct {
	name    string            // "4 -> 1"
	total   int64             // rows of its tags as the plan counted them
	began   time.Time         // of the step
	rows    map[pay.Tag]int64 // done in the step
	seen    []sighting        // of the last rateOver
	changes int64
	held    string
	fenced  time.Time // since when updates wait; zero: they do not
}

// sighting is how many rows were done at a time.
type sighting struct {
	at   time.Time
	rows int64
}

const (
	moveLineEvery = 2 * time.Second  // between plain lines of figures
	sameLineEvery = 30 * time.Second // between two that say the same
	rateOver      = 10 * time.Second // rows a second are those of that long
)

func newMoveView(out *statusLine, now func() time.Time) *moveView {
	return &moveView{out: out, now: now, runs: map[string]*runView{}}
}

// expect says what a run is to carry.
func (v *moveView) expect(r mover.Run) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.runs[r.ID] = &runView{name: runName(r.Source, r.Target), total: rowsOf(r), rows: map[pay.Tag]int64{}}
}

func runName(source, target shard.GroupID) string { return fmt.Sprintf("%d -> %d", source, target) }

// rowsOf is what the plan counted for a run.
func rowsOf(r mover.Run) (rows int64) {
	for _, m := range r.Plan.Moves {
		if m.From == r.Source && m.To == r.Target {
			rows += m.Rows
		}
	}
	return rows
}

// heard takes what the runner tells.
func (v *moveView) heard(e mover.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := v.runs[e.Run]
	if r == nil {
		return // of a run that nobody asked about
	}
	if e.Mark != "" {
		if line := r.marked(e); line != "" {
			_, _ = fmt.Fprintln(v.out, r.name+": "+line) // stderr is the last resort
		}
		v.out.Set("")
		return
	}
	r.progressed(e)
	line := r.name + ": " + r.line(e)
	v.out.Set(line)
	every := moveLineEvery
	if line == v.said {
		every = sameLineEvery
	}
	if now := v.now(); !v.out.visible && now.Sub(v.plain) >= every {
		v.plain, v.said = now, line
		_, _ = fmt.Fprintln(v.out, line)
	}
}

// close takes the drawn line away.
func (v *moveView) close() { v.out.Set("") }

// marked answers what is worth a line of its own.
func (r *runView) marked(e mover.Event) string {
	step := stepWords(e.Step)
	switch e.Mark {
	case move.Intent:
		r.began, r.rows, r.seen, r.held = e.At, map[pay.Tag]int64{}, nil, ""
		if e.Step == move.Fence || e.Step == move.FenceBack {
			r.fenced = e.At
		}
		if e.Step.Holds() {
			return "" // these take milliseconds; what counts is how long they held updates
		}
		return step
	case move.Done:
		return r.ended(e, step)
	case move.Again:
		return step + " once more: " + e.Note
	case move.Reverse, move.Consent, move.Pause, move.Resume:
		return string(e.Mark)
	}
	return ""
}

func (r *runView) ended(e mover.Event, step string) string {
	waited := "updates waited for " + e.At.Sub(r.fenced).Round(time.Millisecond).String()
	switch {
	case e.Step == move.Switch || e.Step == move.SwitchBack || e.Step == move.Unfence:
		if r.fenced.IsZero() {
			waited = "updates go on"
		}
		r.fenced = time.Time{}
		return step + ": done, " + waited
	case e.Step.Holds():
		return ""
	}
	line := step + ": done"
	if !r.began.IsZero() { // by this process
		line += " in " + e.At.Sub(r.began).Round(100*time.Millisecond).String()
	}
	if rows := r.done(); rows > 0 {
		line += ", " + thousands(rows) + " rows"
	}
	if e.Note != "" {
		line += ", " + e.Note
	}
	return line
}

func (r *runView) progressed(e mover.Event) {
	r.changes, r.held = e.Changes, e.Progress.Held
	if e.Tag == 0 {
		return
	}
	r.rows[e.Tag] = e.Progress.Rows
	r.seen = append(r.seen, sighting{e.At, r.done()})
	for len(r.seen) > 2 && e.At.Sub(r.seen[0].at) > rateOver {
		r.seen = r.seen[1:]
	}
}

func (r *runView) done() (rows int64) {
	for _, n := range r.rows {
		rows += n
	}
	return rows
}

// line is the step under way in figures.
func (r *runView) line(e mover.Event) string {
	parts := []string{stepWords(e.Step)}
	if done := r.done(); done > 0 {
		parts = append(parts, fmt.Sprintf("%s of %s rows", thousands(done), thousands(max(done, r.total))))
	}
	if rate := r.rate(); rate > 0 && r.held == "" {
		parts = append(parts, thousands(rate)+" rows/s")
		if left := r.total - r.done(); left > 0 {
			parts = append(parts, fmt.Sprintf("about %s left", (time.Duration(left)*time.Second/time.Duration(rate)).Round(time.Second)))
		}
	}
	if r.changes > 0 {
		parts = append(parts, thousands(r.changes)+" changes outstanding")
	}
	if r.held != "" {
		parts = append(parts, "waits: "+r.held)
	}
	return strings.Join(parts, ", ")
}

// rate is the rows a second of the last ten seconds, 0 while it cannot be told.
func (r *runView) rate() int64 {
	if len(r.seen) < 2 {
		return 0
	}
	first, last := r.seen[0], r.seen[len(r.seen)-1]
	took := last.at.Sub(first.at)
	if took <= 0 {
		return 0
	}
	return int64(float64(last.rows-first.rows) / took.Seconds())
}

// stepWords is a step as people read it.
func stepWords(s move.Step) string { return strings.ReplaceAll(string(s), "_", " ") }

// thousands writes a number with its digits in groups of three.
func thousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
