package api_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"paytool/internal/api"
	"paytool/internal/api/limit"
)

// BenchmarkRejected is what a create costs that finds no place: under an overload it is
// what most of the machine's time goes to.
func BenchmarkRejected(b *testing.B) {
	s := newShop(b, func(o *api.Options) {
		o.Gate = limit.NewGate(limit.GateOptions{Adaptive: limit.AdaptiveOptions{Start: 1, Min: 1, Max: 1}, Patience: 1 << 40, Rush: -1})
	})
	if _, err := s.Gate.Enter(b.Context(), limit.Create); err != nil {
		b.Fatal(err)
	}
	for range 8 { // the queue
		go func() { _, _ = s.Gate.Enter(b.Context(), limit.Create) }()
	}
	for s.Gate.Full(limit.Create) == nil {
		continue
	}
	h := s.Handler()
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("POST", "/v1/orders", strings.NewReader(samples[0].body))
		r.Host = "127.0.0.1"
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}
