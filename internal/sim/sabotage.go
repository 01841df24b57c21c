package sim

import (
	"context"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// sabotage breaks one rule of the engine on purpose, between the engine and its
// groups; the invariants must notice. The zero value breaks nothing.
type sabotage struct {
	// tx puts something between the engine and a transaction.
	tx func(t *tx) order.Tx
	// probes makes probes and creates disagree about who ejected a group.
	probes bool
	spoilt map[*link]bool // the next probe answers badly
	// blind makes the guard find nothing.
	blind bool
	// deaf takes what the channel did not say for a failure.
	deaf bool
}

// The names of what can be broken.
const (
	SelectFence      = "select-fence"       // a SELECT instead of the fencing write
	HopWithoutRecord = "hop-without-record" //nolint:gosec // no credential: a hop after Unknown leaves no record
	ConditionFence   = "condition-fence"    // a fence is a condition, not a lock
	ProbeReadmission = "probe-readmission"  // probes alone readmit after an ejection by creates
	GuardSkipped     = "guard-skipped"      // no group is asked before a payment
	PayBeforeCommit  = "pay-before-commit"  // a refused move to PAYING counts as committed
	UnclearIsFailed  = "unclear-is-failed"  // no answer of the channel counts as a failure
	DoubleUnchecked  = "double-unchecked"   // money-back tasks are not written
)

// Sabotages lists what can be broken on purpose.
func Sabotages() []string {
	return []string{SelectFence, HopWithoutRecord, ConditionFence, ProbeReadmission, GuardSkipped, PayBeforeCommit, UnclearIsFailed, DoubleUnchecked}
}

// newSabotage is a run's own sabotage; ok is false for a name that is unknown.
func newSabotage(name string) (s sabotage, ok bool) {
	switch name {
	case "":
	case SelectFence:
		s.tx = func(t *tx) order.Tx { return &selectFence{tx: t} }
	case HopWithoutRecord:
		s.tx = func(t *tx) order.Tx { return forgetful{t} }
	case ConditionFence:
		s.tx = func(t *tx) order.Tx { return conditionFence{t} }
	case ProbeReadmission:
		s.probes, s.spoilt = true, map[*link]bool{}
	case GuardSkipped:
		s.blind = true
	case PayBeforeCommit:
		s.tx = func(t *tx) order.Tx { return &hasty{tx: t} }
	case UnclearIsFailed:
		s.deaf = true
	case DoubleUnchecked:
		s.tx = func(t *tx) order.Tx { return careless{t} }
	default:
		return s, false
	}
	return s, true
}

// group is a link as the engine gets it.
func (s sabotage) group(l *link) order.Group {
	if s.tx == nil && !s.probes && !s.blind {
		return l
	}
	return &saboteur{link: l, sabotage: s}
}

// channel is a line as the engine gets it.
func (s sabotage) channel(l *line) order.Channel {
	if s.deaf {
		return deafLine{l}
	}
	return l
}

// heard sees an ejection before the next probe does.
func (s sabotage) heard(in *instance, ev shard.Event) {
	if s.probes && ev.Ejected && ev.ByCreates {
		s.spoilt[in.links[int(ev.Group)-1]] = true
	}
}

// saboteur is a group with something broken in between.
type saboteur struct {
	*link
	sabotage sabotage
}

func (g *saboteur) Begin(ctx context.Context) (order.Tx, error) {
	t, err := g.begin(ctx)
	if err != nil || g.sabotage.tx == nil {
		return t, err
	}
	return g.sabotage.tx(t), nil
}

// Probe answers badly once after an ejection by creates: the ejection then counts
// as the probes', and good probes end it.
func (g *saboteur) Probe(ctx context.Context, p order.ProbeRequest) order.ProbeAnswer {
	answer := g.link.Probe(ctx, p)
	if g.sabotage.spoilt[g.link] {
		delete(g.sabotage.spoilt, g.link)
		answer.Cause, answer.Err = shard.Unknown, errInsert
	}
	return answer
}

// FindKeyFresh finds nothing for a guard that is skipped.
func (g *saboteur) FindKeyFresh(ctx context.Context, key pay.Key, down bool) ([]order.Order, error) {
	if g.sabotage.blind {
		return nil, nil
	}
	return g.link.FindKeyFresh(ctx, key, down)
}

// selectFence looks for the row of a doubt instead of fencing its number: seeing
// none, it says that the tombstone was written.
type selectFence struct{ *tx }

func (f *selectFence) InsertOrder(ctx context.Context, o order.Order) error {
	if o.State != pay.Void {
		return f.tx.InsertOrder(ctx, o)
	}
	return f.call(ctx, func(s *server, r *request) bool {
		r.answer(s.duplicate(o))
		return false
	})
}

// forgetful keeps no record of doubts and hops.
type forgetful struct{ *tx }

func (forgetful) InsertHops(context.Context, []order.Hop) error { return nil }

func (forgetful) InsertDoubts(context.Context, []order.Doubt) error { return nil }

// conditionFence reads the tag's row without a lock.
type conditionFence struct{ *tx }

func (f conditionFence) LockTag(ctx context.Context, tag pay.Tag, key pay.Key) (shard.Claim, int, error) {
	return f.readTag(ctx, tag, key, false)
}

func (f conditionFence) InsertOwned(ctx context.Context, o order.Order) (bool, error) {
	return f.insertOwned(ctx, o, false)
}

// hasty says that the move to PAYING was committed, whatever the group answered.
type hasty struct {
	*tx
	pays bool
}

func (h *hasty) Move(ctx context.Context, before, after order.Order, m order.Move) (bool, error) {
	h.pays = after.State == pay.Paying && before.State == pay.Created
	return h.tx.Move(ctx, before, after, m)
}

func (h *hasty) Commit(ctx context.Context) error {
	if err := h.tx.Commit(ctx); err != nil && !h.pays {
		return err
	}
	return nil
}

// careless drops the tasks that give money back.
type careless struct{ *tx }

func (c careless) PutTask(ctx context.Context, t order.Task) (bool, error) {
	if t.Kind == order.TaskMoneyBack {
		return true, nil
	}
	return c.tx.PutTask(ctx, t)
}

// deafLine takes silence for a failure.
type deafLine struct{ *line }

func (d deafLine) Pay(ctx context.Context, c order.PayCall) order.Answer {
	a := d.line.Pay(ctx, c)
	if a.Verdict == order.Unclear {
		a.Verdict = order.Failed
	}
	return a
}
