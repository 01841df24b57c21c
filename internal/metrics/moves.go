package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"paytool/internal/shard/move"
	"paytool/internal/shard/mover"
)

// moves are the figures of moves of tags that are open. A run's label is its plan's hash
// and its source.
type moves struct {
	step    *prometheus.GaugeVec
	rows    *prometheus.GaugeVec
	changes *prometheus.GaugeVec
	held    *prometheus.GaugeVec
}

func newMoves() moves {
	gauges := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	return moves{
		step:    gauges("paytool_move_step", "1 for the step at which an open move stands.", "run", "step"),
		rows:    gauges("paytool_move_rows", "Rows of an open move as its plan counted them.", "run"),
		changes: gauges("paytool_move_changes_outstanding", "Changes that the other group of a move does not have yet, as this instance saw them last.", "run"),
		held:    gauges("paytool_move_held_seconds", "How long updates of a move's tags waited at its last fence.", "run"),
	}
}

func (m moves) all() []prometheus.Collector {
	return []prometheus.Collector{m.step, m.rows, m.changes, m.held}
}

// MoveHeard takes what a runner of this process tells of a run.
func (m *Metrics) MoveHeard(e mover.Event) {
	if e.Mark == "" {
		m.moves.changes.WithLabelValues(e.Run).Set(float64(e.Changes))
	}
}

// MovesStand takes where all runs stand. Those that have ended are no longer shown.
func (m *Metrics) MovesStand(all []mover.Standing) {
	m.moves.step.Reset()
	for _, s := range all {
		if s.State.Ended {
			for _, figure := range []*prometheus.GaugeVec{m.moves.rows, m.moves.changes, m.moves.held} {
				figure.DeleteLabelValues(s.Run.ID)
			}
			continue
		}
		step := string(s.State.Step)
		if step == string(move.Stop) {
			step = "begun"
		}
		m.moves.step.WithLabelValues(s.Run.ID, step).Set(1)
		rows := int64(0)
		for _, carried := range s.Run.Plan.Moves {
			if carried.From == s.Run.Source && carried.To == s.Run.Target {
				rows += carried.Rows
			}
		}
		m.moves.rows.WithLabelValues(s.Run.ID).Set(float64(rows))
		m.moves.held.WithLabelValues(s.Run.ID).Set(move.Held(s.Journal).Seconds())
	}
}
