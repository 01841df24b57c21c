package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/time/rate"
)

const (
	// probeTimeout is what a race waits for its winner.
	probeTimeout = 5 * time.Second
	// A race at most every probeEvery, but the first probeBurst at once: a channel
	// that is down must not be asked harder.
	probeEvery = 10 * time.Second
	probeBurst = 2
)

// hosts chooses one of a channel's addresses: the first that answers a probe, for
// as long as it serves. Safe for concurrent use.
type hosts struct {
	bases  []string
	call   caller
	now    func() time.Time
	probes *rate.Limiter

	turn   chan struct{} // a lock that a context can leave; guards winner and next
	winner string
	next   int // base to take where no race is allowed
}

func newHosts(bases []string, call caller, now func() time.Time) *hosts {
	call.patience = min(call.patience, probeTimeout)
	return &hosts{
		bases: bases, call: call, now: now, turn: make(chan struct{}, 1),
		probes: rate.NewLimiter(rate.Every(probeEvery), probeBurst),
	}
}

// pick is the host to ask. With several and no winner it races them; where a race
// is not allowed yet, or nobody answers it, it takes them in turn.
func (h *hosts) pick(ctx context.Context) (string, error) {
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	if len(h.bases) == 1 {
		return h.bases[0], nil
	}
	if h.winner == "" && h.probes.AllowN(h.now(), 1) {
		h.winner = h.race(ctx)
	}
	if h.winner != "" {
		return h.winner, nil
	}
	base := h.bases[h.next%len(h.bases)]
	h.next++
	return base, context.Cause(ctx)
}

// lost says that a host did not serve: the next pick races again.
func (h *hosts) lost(ctx context.Context, base string) {
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return
	}
	if h.winner == base {
		h.winner = ""
	}
}

// race asks all hosts at once and returns the first that answers, or "". The
// losers are cancelled and awaited.
func (h *hosts) race(ctx context.Context) string {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan string, len(h.bases))
	for _, base := range h.bases {
		go func() {
			if h.probe(ctx, base) != nil {
				base = ""
			}
			answers <- base
		}()
	}
	winner := ""
	for range h.bases {
		if base := <-answers; base != "" && winner == "" {
			winner = base
			cancel()
		}
	}
	return winner
}

// probe wants any answer at all, but not that of a gateway whose servers are gone.
func (h *hosts) probe(ctx context.Context, base string) error {
	req, err := newRequest(ctx, http.MethodGet, base+"/", nil)
	if err != nil {
		return err
	}
	resp, err := h.call.do(req)
	if err != nil {
		return err
	}
	_, err = io.CopyN(io.Discard, resp.Body, 4<<10) // a short answer leaves its connection for the question itself
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if resp.StatusCode >= http.StatusInternalServerError {
		err = fmt.Errorf("probe %s: HTTP %d", base, resp.StatusCode)
	}
	return errors.Join(err, resp.Body.Close())
}
