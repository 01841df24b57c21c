package result

import (
	"slices"
	"time"

	"paytool/internal/drill"
	"paytool/internal/drill/curve"
	"paytool/internal/drill/fault"
	"paytool/internal/shard"
)

// checks holds the figures against the hypothesis. What the plan does not ask for is
// shown and does not decide.
func (b *builder) checks(r *Result) []Check {
	h := b.Plan.Hypothesis
	unserved := float64(r.Curve.During.Unserved() + r.Curve.After.Unserved())
	dip := new(100 * (1 - r.Curve.Second.DipDepth))
	if r.Curve.Second.Median == 0 {
		dip = nil
	}
	p99 := new(ms(inMs(r.During.P99Ms) - inMs(r.Baseline.P99Ms)))
	asked := func(d time.Duration) bool { return d > 0 }
	return []Check{
		newCheck(CheckFailed, "orders", float64(h.Failed), &unserved, true),
		newCheck(CheckP99, "ms", ms(h.P99Delta), p99, true),
		newCheck(CheckGap, "ms", ms(h.LongestGap), &r.LongestGapMs, true),
		newCheck(CheckMax, "ms", ms(h.Max), &r.During.MaxMs, asked(h.Max)),
		newCheck(CheckEject, "ms", ms(h.Eject), r.TimeToEjectMs, asked(h.Eject)),
		newCheck(CheckReadmit, "ms", ms(h.Readmit), r.TimeToReadmitMs, asked(h.Readmit)),
		newCheck(CheckRecovery, "ms", ms(h.Recovery), r.Curve.Second.RecoveryMs, asked(h.Recovery)),
		newCheck(CheckDip, "percent", float64(h.DipPercent), dip, h.DipPercent > 0),
		newCheck(CheckMTTR, "ms", ms(h.MTTR), r.MTTRMs, asked(h.MTTR)),
	}
}

func newCheck(code CheckCode, unit string, want float64, got *float64, decides bool) Check {
	c := Check{Code: code, Unit: unit, Want: want, Decides: decides}
	if got != nil {
		c.Got = new(*got)
	}
	c.Held = !decides || got != nil && *got <= want
	return c
}

func inMs(x float64) time.Duration { return time.Duration(x * float64(time.Millisecond)) }

// reasons applies every rule, and lists the worst first.
func (b *builder) reasons(r *Result) []Reason {
	if b.Refused != "" {
		return []Reason{{Verdict: Refused, Code: NotAllowed, Detail: b.Refused}}
	}
	all := []Reason{}
	add := func(v Verdict, code Code, n int, detail string) {
		all = append(all, Reason{Verdict: v, Code: code, N: n, Detail: detail})
	}
	if !b.Restore.OK {
		add(RestoreFailed, NotBack, 0, b.Restore.Detail)
	}
	b.dataReasons(add)
	b.proofReasons(r, add)
	if b.Stopped != "" {
		add(Stopped, EndedEarly, 0, b.Stopped)
	}
	for _, c := range r.Checks {
		if !c.Held {
			add(Deviated, NotHeld, 0, string(c.Code))
		}
	}
	slices.SortStableFunc(all, func(a, b Reason) int {
		return slices.Index(ranked, b.Verdict) - slices.Index(ranked, a.Verdict)
	})
	return all
}

// dataReasons are what is wrong with the data.
func (b *builder) dataReasons(add func(Verdict, Code, int, string)) {
	if n := b.oneCopy(); n > 0 {
		add(Broken, OneCopy, n, "")
	}
	v := b.Verify
	if v == nil {
		add(Inconclusive, NotVerified, 0, "")
		return
	}
	if b.Plan.Load.Observe {
		add(Inconclusive, NoLedger, v.Found, "")
	}
	counts := []struct {
		code Code
		n    int
	}{
		{Lost, v.Lost}, {Doubled, v.Doubled}, {Diverged, v.Diverged}, {Corrupt, v.Corrupt},
		{Phantom, v.Phantom}, {Unexpected, v.Unexpected},
	}
	explained := v.Unread > 0
	for _, c := range counts {
		if c.n > 0 {
			add(Broken, c.code, c.n, "")
			explained = true
		}
	}
	if off := int(v.FoundFen - v.AckedFen); off != 0 && !explained {
		add(Broken, Sums, off, "")
	}
	if v.Unread > 0 {
		add(Inconclusive, Unread, v.Unread, "")
	}
	if v.DoubtsOpen > 0 {
		add(Inconclusive, DoubtsOpen, v.DoubtsOpen, "")
	}
}

// proofReasons are what keeps the drill from having proven anything. One that was
// stopped proves nothing anyway, and is told as such.
func (b *builder) proofReasons(r *Result, add func(Verdict, Code, int, string)) {
	for _, what := range b.Effectless {
		add(Inconclusive, NoEffect, 0, what)
	}
	if b.Stopped != "" {
		return
	}
	if !b.injected && len(b.Effectless) == 0 {
		add(Inconclusive, NotInjected, 0, "")
	}
	if r.Curve.Baseline.Acked == 0 {
		add(Inconclusive, NoBaseline, 0, "")
	}
	if b.expects(fault.OrderHopped) && !b.hopped(r) {
		add(Inconclusive, NothingHopped, 0, "")
	}
	if b.expects(fault.UnknownSettled) && b.Settled == 0 {
		add(Inconclusive, NoneSettled, 0, "")
	}
}

// expects reports whether a fault of the plan shows nothing unless this happened.
func (b *builder) expects(what fault.Sometimes) bool {
	for _, step := range b.Plan.Method {
		for _, f := range step.Faults() {
			if spec, ok := fault.Lookup(f.Name); ok && slices.Contains(spec.Sometimes, what) {
				return true
			}
		}
	}
	return false
}

// hopped reports whether an order went past a target.
func (b *builder) hopped(r *Result) bool {
	for _, f := range r.Curve.Flows {
		if f.Orders > 0 && slices.Contains(b.Targets, f.From) {
			return true
		}
	}
	return false
}

// oneCopy counts the orders that a group acknowledged while its semi-sync was off:
// those that were due and done within such a time, and those before it with which it
// turned itself off, having waited in vain. The server's own counter would also count
// probes.
func (b *builder) oneCopy() int {
	n := 0
	for group, times := range b.semisyncOff() {
		for i := range times {
			times[i].begin(b.Samples, group)
		}
		for _, s := range b.Samples {
			if s.Answer == drill.Acked && s.Group == group && slices.ContainsFunc(times, func(t span) bool {
				return s.Done <= t.to && (s.Due >= t.from || s.Done >= t.fell)
			}) {
				n++
			}
		}
	}
	return n
}

// span is a time in which semi-sync was seen off, from the start of the load.
type span struct {
	from, to time.Duration
	since    time.Duration // when it was seen on the last time
	alone    time.Duration // since when there was no replica; from if nobody knows
	wait     time.Duration // of a commit, after which it turns itself off; 0 if nobody knows
	fell     time.Duration // when it did
}

// begin finds the first order that was acknowledged after the whole wait, or while there
// was no replica: from there on nothing has waited for one. A commit that gives up
// releases all that wait, however short they have.
func (t *span) begin(samples []curve.Sample, group shard.GroupID) {
	t.fell = t.from
	for _, s := range samples {
		vain := s.Done >= t.since && (t.wait > 0 && s.Done-s.Due >= t.wait || s.Done >= t.alone)
		if s.Answer == drill.Acked && s.Group == group && vain && s.Done < t.fell {
			t.fell = s.Done
		}
	}
	if t.fell == t.from {
		t.fell = t.to + 1 // nobody knows: what was under way may have had its copy
	}
}

// semisyncOff is when each group's semi-sync was off. One that did not come back was
// off to the end.
func (b *builder) semisyncOff() map[shard.GroupID][]span {
	off := map[shard.GroupID][]span{}
	begun := map[shard.GroupID]span{}
	for _, e := range b.events {
		t, open := begun[e.Group]
		switch {
		case e.Kind == SemisyncOff && !open:
			t = span{from: b.since(e.At), since: b.since(e.Since), alone: b.since(e.Alone), wait: e.Wait}
			if e.Alone.IsZero() {
				t.alone = t.from
			}
			begun[e.Group] = t
		case e.Kind == SemisyncOn && open:
			t.to = b.since(e.At)
			off[e.Group] = append(off[e.Group], t)
			delete(begun, e.Group)
		}
	}
	for g, t := range begun {
		t.to = max(b.at.End, b.since(b.Ended))
		off[g] = append(off[g], t)
	}
	return off
}
