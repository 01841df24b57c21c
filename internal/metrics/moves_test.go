package metrics_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"paytool/internal/metrics"
	"paytool/internal/shard/move"
	"paytool/internal/shard/mover"
)

func TestMoves(t *testing.T) {
	t.Parallel()
	m := metrics.New()
	at := time.UnixMilli(1_700_000_000_000)
	s := mover.Standing{
		Run: mover.Run{ID: "0123456789abcdef-4", Source: 4, Target: 1, Plan: move.Plan{Moves: []move.Move{
			{Leg: move.Leg{Tag: 4, From: 4, To: 1}, Rows: 70}, {Leg: move.Leg{Tag: 8, From: 4, To: 1}, Rows: 7}, {Leg: move.Leg{Tag: 5, From: 5, To: 2}, Rows: 1000},
		}}},
		State: move.Run{Step: move.ReverseWindow, Switched: true},
		Journal: []move.Entry{
			{At: at, Step: move.Fence, Mark: move.Intent}, {At: at.Add(250 * time.Millisecond), Step: move.Switch, Mark: move.Done},
		},
	}
	m.MovesStand([]mover.Standing{s})
	m.MoveHeard(mover.Event{Run: s.Run.ID, Step: move.ReverseWindow, Changes: 3})
	shown := figures(m)
	for _, want := range []string{
		`paytool_move_step{run="0123456789abcdef-4",step="reverse_window"} 1`,
		`paytool_move_rows{run="0123456789abcdef-4"} 77`,
		`paytool_move_changes_outstanding{run="0123456789abcdef-4"} 3`,
		`paytool_move_held_seconds{run="0123456789abcdef-4"} 0.25`,
	} {
		if !strings.Contains(shown, want+"\n") {
			t.Errorf("no %s", want)
		}
	}
	s.State.Step = move.Retire
	m.MovesStand([]mover.Standing{s})
	if shown := figures(m); strings.Contains(shown, `step="reverse_window"`) || !strings.Contains(shown, `step="retire"`) {
		t.Error("the step that is over is still shown")
	}
	s.State.Ended = true
	m.MovesStand([]mover.Standing{s})
	if shown := figures(m); strings.Contains(shown, "paytool_move_") {
		t.Errorf("a move that has ended is still shown")
	}
}

func figures(m *metrics.Metrics) string {
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}
