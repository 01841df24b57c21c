package shard

import "time"

// HealthOptions are the thresholds of a group's health. Zero values mean the
// defaults in the comments.
type HealthOptions struct {
	// Window is how long a failed create counts (60 s, as published).
	Window time.Duration
	// Sample is how many of the last creates are looked at (8), Threshold how many
	// of them must have failed to eject (4).
	Sample, Threshold int
	// GoodProbes in a row readmit after a probe's ejection (3).
	GoodProbes int
	// HoldDown after an ejection by creates doubles from the first (1 s) to
	// MaxHoldDown (60 s).
	HoldDown, MaxHoldDown time.Duration
}

func (o HealthOptions) withDefaults() HealthOptions {
	setDefault(&o.Window, 60*time.Second)
	setDefault(&o.Sample, 8)
	setDefault(&o.Threshold, 4)
	setDefault(&o.GoodProbes, 3)
	setDefault(&o.HoldDown, time.Second)
	setDefault(&o.MaxHoldDown, 60*time.Second)
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Ejection says since when and why new orders avoid a group.
type Ejection struct {
	Cause Cause
	Since time.Time
	// ByCreates: creates failed while probes passed, so good probes prove nothing
	// and only a trial create readmits, not before HoldUntil.
	ByCreates bool
	HoldUntil time.Time
}

// health is one group as one instance sees it. Not safe for concurrent use; the
// Fleet locks.
type health struct {
	opts     HealthOptions
	ejected  *Ejection
	was      Cause     // of the last ejection that ended
	creates  []attempt // the last creates, oldest first, at most opts.Sample
	good     int       // good probes in a row
	silent   time.Time // since when no probe was good; zero after a good one
	hold     time.Duration
	trial    bool      // a trial create is under way
	inAt     time.Time // last readmission
	okAt     time.Time // last success of a create or probe
	beatenAt time.Time // last time an order went past this group, or failed in it
}

type attempt struct {
	at     time.Time
	failed bool
}

func newHealth(opts HealthOptions, now time.Time) *health {
	return &health{opts: opts, ejected: &Ejection{Cause: Starting, Since: now}, silent: now}
}

// admission is what a group has to offer to a new order.
type admission int

const (
	shut admission = iota
	open
	trialOnly
)

func (h *health) admission(now time.Time) admission {
	switch {
	case h.ejected == nil:
		return open
	case h.ejected.ByCreates && !h.trial && !now.Before(h.ejected.HoldUntil):
		return trialOnly
	}
	return shut
}

// created records a create that was started at the given time and committed. It
// readmits after an ejection by creates, and only then: a probe's ejection stands
// until probes say otherwise, and a create from before the ejection proves nothing.
func (h *health) created(now, started time.Time) (readmitted bool) {
	h.okAt = now
	h.note(now, false)
	if h.ejected != nil && h.ejected.ByCreates && !started.Before(h.ejected.Since) {
		h.readmit(now)
		return true
	}
	return false
}

// createFailed records a create that the group failed; trial says that it was
// the one trial create of an ejected group. It reports whether the group is
// ejected by it.
func (h *health) createFailed(now time.Time, cause Cause, trial bool) (ejected bool) {
	h.beatenAt = now
	h.note(now, true)
	if h.ejected != nil {
		if h.ejected.ByCreates && trial {
			h.hold = min(2*h.hold, h.opts.MaxHoldDown)
			h.ejected.HoldUntil = now.Add(h.hold)
		}
		return false
	}
	failed := 0
	for _, a := range h.creates {
		if a.failed && now.Sub(a.at) <= h.opts.Window {
			failed++
		}
	}
	if failed < h.opts.Threshold {
		return false
	}
	h.holdDown(now)
	h.eject(Ejection{Cause: cause, Since: now, ByCreates: true, HoldUntil: now.Add(h.hold)})
	return true
}

// holdDown doubles while ejections by creates follow each other closely.
func (h *health) holdDown(now time.Time) {
	if h.hold == 0 || now.Sub(h.inAt) > h.opts.MaxHoldDown {
		h.hold = h.opts.HoldDown
		return
	}
	h.hold = min(2*h.hold, h.opts.MaxHoldDown)
}

// probed records the answer of a probe, "" for a good one. It reports whether
// the group is ejected or readmitted by it. takesOrders is false for a group that
// drains: it gets no trial create, and none can flap it, so probes readmit it.
func (h *health) probed(now time.Time, cause Cause, takesOrders bool) (ejected, readmitted bool) {
	if cause != "" {
		h.good = 0
		h.beatenAt = now
		if h.silent.IsZero() {
			h.silent = now
		}
		if h.ejected == nil {
			h.eject(Ejection{Cause: cause, Since: now})
			return true, false
		}
		// Probes see the trouble as well, so probes may end it.
		h.ejected.ByCreates = false
		h.ejected.Cause = cause
		return false, false
	}
	h.good++
	h.silent = time.Time{}
	h.okAt = now
	if h.ejected == nil || (h.ejected.ByCreates && (takesOrders || now.Before(h.ejected.HoldUntil))) {
		return false, false
	}
	// At the start one good probe is enough: there is nothing to recover from.
	if h.good >= h.opts.GoodProbes || h.ejected.Cause == Starting {
		h.readmit(now)
		return false, true
	}
	return false, false
}

func (h *health) eject(e Ejection) {
	h.ejected = &e
	h.good = 0
	h.beatenAt = e.Since
}

// hopped records that an order went past this group.
func (h *health) hopped(at time.Time) {
	if at.After(h.beatenAt) {
		h.beatenAt = at
	}
}

func (h *health) readmit(now time.Time) {
	h.was = h.ejected.Cause
	h.ejected = nil
	h.trial = false
	h.creates = h.creates[:0]
	h.inAt = now
	if h.beatenAt.IsZero() {
		return // the first admission: whether orders went past before is in the hop ledger
	}
	h.beatenAt = now
}

func (h *health) note(now time.Time, failed bool) {
	if len(h.creates) == h.opts.Sample {
		h.creates = append(h.creates[:0], h.creates[1:]...)
	}
	h.creates = append(h.creates, attempt{at: now, failed: failed})
}

// disturbed reports whether an order may have hopped past this group so lately
// that no ledger told of it yet.
func (h *health) disturbed(now time.Time) bool {
	return h.ejected != nil || now.Sub(h.beatenAt) < ledgerLag
}
