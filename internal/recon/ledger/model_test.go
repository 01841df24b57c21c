package ledger

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"paytool/internal/pay"
	"paytool/internal/recon"
)

// model is the ledger as a plain map, without pairs of late counterparts and without
// proposals of several differences: those have tests of their own.
type model struct {
	runs  map[string]*recon.Result
	diffs map[recon.ID]*modelled
	moved map[string]*Movement
	next  int
}

type modelled struct {
	recon.Difference
	date    string
	state   State
	reason  string
	pending *Proposal
}

func (m *model) open() (n int) {
	for _, d := range m.diffs {
		if !d.state.Ended() {
			n++
		}
	}
	return n
}

func (m *model) today(now time.Time) *Movement {
	date := now.Format(time.DateOnly)
	if m.moved[date] == nil {
		m.moved[date] = &Movement{Date: date, Opening: m.open()}
	}
	return m.moved[date]
}

// end and reopen keep the count of the day.
func (m *model) end(now time.Time, d *modelled, s State, reason string) {
	m.today(now).Closed++
	d.state, d.reason, d.pending = s, reason, nil
}

func (m *model) reopen(now time.Time, d *modelled, reason string) {
	m.today(now).Reopened++
	d.state, d.reason = StateOpen, reason
}

// run is what Record has to do with a result that replaces another, or none.
func (m *model) run(now time.Time, r *recon.Result) {
	found := map[recon.ID]bool{}
	for _, d := range r.Differences {
		found[d.ID] = true
		switch old := m.diffs[d.ID]; {
		case old == nil:
			m.today(now).Opened++
			m.diffs[d.ID] = &modelled{Difference: d, date: r.Date, state: StateOpen}
		case old.state.Ended() && old.reason == reasonSuperseded:
			m.reopen(now, old, reasonFoundAgain)
		}
	}
	if old := m.runs[r.Date]; old != nil {
		for _, d := range old.Differences {
			if e := m.diffs[d.ID]; !found[d.ID] && !e.state.Ended() {
				m.end(now, e, StateResolved, reasonSuperseded)
			}
		}
	}
	m.runs[r.Date] = r
}

// TestAgainstModel: chance runs, superseding runs and decisions; the ledger says what
// the model says, its movements close, and it verifies.
func TestAgainstModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		b := newBench(t)
		defer b.Close() //nolint:errcheck // closed again, with its error seen, at the end of the test
		m := &model{runs: map[string]*recon.Result{}, diffs: map[recon.ID]*modelled{}, moved: map[string]*Movement{}}
		m.today(b.clock.Now())
		heads := []Head{{}}
		rt.Repeat(map[string]func(*rapid.T){
			"run":     func(rt *rapid.T) { m.drawRun(rt, b) },
			"propose": func(rt *rapid.T) { m.drawProposal(rt, b) },
			"approve": func(rt *rapid.T) { m.drawDecision(rt, b, true) },
			"reject":  func(rt *rapid.T) { m.drawDecision(rt, b, false) },
			"wait": func(rt *rapid.T) {
				b.clock.pass(time.Duration(rapid.IntRange(1, 30).Draw(rt, "hours")) * time.Hour)
				m.today(b.clock.Now())
			},
			"verify": func(rt *rapid.T) {
				known := rapid.SampledFrom(heads).Draw(rt, "an older head")
				b.whole(&known)
				heads = append(heads, must(b.Head(b.ctx))(b))
			},
			"": func(rt *rapid.T) { m.compare(rt, b) },
		})
		b.whole(&heads[len(heads)-1])
	})
}

func (m *model) drawRun(rt *rapid.T, b *bench) {
	m.next++
	date := rapid.SampledFrom([]string{"2026-11-19", "2026-11-20", "2026-11-21"}).Draw(rt, "date")
	var ds []recon.Difference
	for i := range 4 {
		if rapid.Bool().Draw(rt, "found") {
			ds = append(ds, lacking(recon.StateMismatch, date, fmt.Sprint(i), pay.Fen(1+i)))
		}
	}
	again := m.runs[date]
	if again != nil && rapid.Bool().Draw(rt, "same") {
		if done := b.mustRun(again, ""); !done.Known {
			rt.Fatalf("%s was recorded twice", again.RunID)
		}
		return
	}
	r := result(fmt.Sprintf("r%d", m.next), date, ds...)
	reason := ""
	if again != nil {
		if _, err := b.run(r, ""); err == nil {
			rt.Fatal("a closed day was replaced without a reason")
		}
		reason = "a new bill"
	}
	b.mustRun(r, reason)
	m.run(b.clock.Now(), r)
}

func (m *model) sorted(fits func(*modelled) bool) (found []*modelled) {
	for _, d := range m.diffs {
		if fits(d) {
			found = append(found, d)
		}
	}
	slices.SortFunc(found, func(a, b *modelled) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return found
}

func (m *model) drawProposal(rt *rapid.T, b *bench) {
	free := m.sorted(func(d *modelled) bool { return d.pending == nil })
	if len(free) == 0 {
		rt.Skip("nothing to propose")
	}
	d := rapid.SampledFrom(free).Draw(rt, "difference")
	m.next++ // a text of its own: nothing is said twice
	p := NewProposal{
		Actor: "li", Action: rapid.SampledFrom(Actions()).Draw(rt, "action"), Reason: "our_error", Text: fmt.Sprint(m.next), Differences: []recon.ID{d.ID},
	}
	if p.Action == Carry {
		p.Until = b.clock.Now().AddDate(0, 0, 2).Format(time.DateOnly)
	}
	fits := (p.Action == Reopen) == d.state.Ended() && p.Action != ConsoleRefund
	made, err := b.Propose(b.ctx, p)
	if (err == nil) != fits {
		rt.Fatalf("%s of one that is %s: %v", p.Action, d.state, err)
	}
	switch {
	case !fits:
	case p.Action == Carry:
		d.state, d.reason = StateCarried, "our_error"
	case p.Action == Reopen:
		m.reopen(b.clock.Now(), d, "our_error")
	case p.Action == Reissue: // taken back, so that all is decided by persons here
		must(b.Reject(b.ctx, "li", made.ID, ""))(b)
	default:
		d.pending = &made
	}
}

func (m *model) drawDecision(rt *rapid.T, b *bench, approve bool) {
	waiting := m.sorted(func(d *modelled) bool { return d.pending != nil })
	if len(waiting) == 0 {
		rt.Skip("nothing waits")
	}
	d := rapid.SampledFrom(waiting).Draw(rt, "difference")
	p := d.pending
	if !approve {
		must(b.Reject(b.ctx, "li", p.ID, ""))(b)
		d.pending = nil
		return
	}
	must(b.Approve(b.ctx, "wang", p.ID, ""))(b)
	m.end(b.clock.Now(), d, p.Action.outcome(), "our_error")
}

func (m *model) compare(rt *rapid.T, b *bench) {
	entries := must(b.Differences(b.ctx, Query{}))(b)
	if len(entries) != len(m.diffs) {
		rt.Fatalf("%d differences, want %d", len(entries), len(m.diffs))
	}
	for _, e := range entries {
		d := m.diffs[e.ID]
		if d == nil || e.State != d.state || e.Reason != d.reason || (e.Pending == nil) != (d.pending == nil) {
			rt.Fatalf("%+v, want %+v", e, d)
		}
	}
	now := b.clock.Now()
	for _, got := range must(b.Movements(b.ctx, nil, 5))(b) {
		if got.Opening+got.Opened+got.Reopened-got.Closed != got.Closing {
			rt.Fatalf("the movements do not close: %+v", got)
		}
		want := m.moved[got.Date]
		if want == nil {
			continue // nobody looked on that day
		}
		if want.Closing = got.Closing; got.Date == now.Format(time.DateOnly) {
			want.Closing = m.open()
		}
		if got != *want {
			rt.Fatalf("%+v, want %+v", got, *want)
		}
	}
	today := must(b.Ages(b.ctx, nil, 1))(b)[0]
	if n := today.UpTo1.Rows + today.UpTo3.Rows + today.UpTo7.Rows + today.Beyond.Rows; n != m.open() {
		rt.Fatalf("%d are open by age, want %d", n, m.open())
	}
}
