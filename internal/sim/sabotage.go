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
}

// The names of what can be broken.
const (
	SelectFence      = "select-fence"       // a SELECT instead of the fencing write
	HopWithoutRecord = "hop-without-record" //nolint:gosec // no credential: a hop after Unknown leaves no record
	ConditionFence   = "condition-fence"    // a fence is a condition, not a lock
	ProbeReadmission = "probe-readmission"  // probes alone readmit after an ejection by creates
)

// Sabotages lists what can be broken on purpose.
func Sabotages() []string {
	return []string{SelectFence, HopWithoutRecord, ConditionFence, ProbeReadmission}
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
	default:
		return s, false
	}
	return s, true
}

// group is a link as the engine gets it.
func (s sabotage) group(l *link) order.Group {
	if s.tx == nil && !s.probes {
		return l
	}
	return &saboteur{link: l, sabotage: s}
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
