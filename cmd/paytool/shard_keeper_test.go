package main

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"paytool/internal/metrics"
	"paytool/internal/shard/mover"
)

func TestKeeper(t *testing.T) {
	t.Parallel()
	f := newFakeRunner(t)
	if _, err := f.Begin(t.Context(), plan54()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Drive(t.Context(), run4, mover.UntilSwitched); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	m := metrics.New()
	keep := keepMoves(f, m, slog.New(slog.NewTextHandler(&log, nil)))
	f.calls = nil
	keep(t.Context())
	if shown := scraped(m); !strings.Contains(shown, `paytool_move_step{run="`+run4+`",step="reverse_window"} 1`) || !strings.Contains(shown, `step="begun"`) {
		t.Errorf("figures:\n%s", shown)
	}
	f.pumped = errBroken
	for range 3 {
		keep(t.Context())
	}
	f.pumped = nil
	keep(t.Context())
	f.pumped = errBroken
	keep(t.Context())
	if got := strings.Count(log.String(), "broken"); got != 2 {
		t.Errorf("told %d times:\n%s", got, log.String())
	}
	if len(f.calls) != 6 {
		t.Errorf("called %v", f.calls)
	}
}

func scraped(m *metrics.Metrics) string {
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Body.String()
}
