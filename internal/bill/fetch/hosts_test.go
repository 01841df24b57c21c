package fetch

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// host is one host of a channel, which can be hung.
type host struct {
	*httptest.Server
	asked atomic.Int32
	hung  atomic.Bool
}

func newHost(t *testing.T) *host {
	h := &host{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		h.asked.Add(1)
		if h.hung.Load() {
			<-r.Context().Done()
		}
	}))
	t.Cleanup(h.Close)
	return h
}

func TestRace(t *testing.T) {
	t.Parallel()
	first, second := newHost(t), newHost(t)
	now := afterwards
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	h := newHosts([]string{first.URL, second.URL}, caller{client: client, patience: time.Minute}, func() time.Time { return now })
	pick := func() string {
		base, err := h.pick(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return base
	}

	first.hung.Store(true)
	if got := pick(); got != second.URL {
		t.Errorf("picked %s, want the host that answers, %s", got, second.URL)
	}
	probes := first.asked.Load() + second.asked.Load()
	if got := pick(); got != second.URL || first.asked.Load()+second.asked.Load() != probes {
		t.Errorf("picked %s with %d probes more: the winner was to be kept", got, first.asked.Load()+second.asked.Load()-probes)
	}

	// The winner stops serving: the hosts are raced again.
	first.hung.Store(false)
	second.hung.Store(true)
	h.lost(t.Context(), second.URL)
	if got := pick(); got != first.URL {
		t.Errorf("picked %s, want %s", got, first.URL)
	}

	// No third race at once: the hosts are taken in turn, unprobed.
	h.lost(t.Context(), first.URL)
	probes = first.asked.Load() + second.asked.Load()
	if a, b := pick(), pick(); a == b || first.asked.Load()+second.asked.Load() != probes {
		t.Errorf("picked %s and %s with %d probes", a, b, first.asked.Load()+second.asked.Load()-probes)
	}
	now = now.Add(probeEvery)
	if got := pick(); got != first.URL {
		t.Errorf("picked %s, want a race again and %s", got, first.URL)
	}
}

func TestPickEndsWithItsContext(t *testing.T) {
	t.Parallel()
	h := newHosts([]string{"http://127.0.0.1:1"}, caller{}, time.Now)
	h.turn <- struct{}{} // somebody else is racing
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.pick(ctx); err == nil {
		t.Error("pick returned while somebody else was racing")
	}
}
