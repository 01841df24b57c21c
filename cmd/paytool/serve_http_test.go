package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"paytool/internal/api"
	"paytool/internal/api/limit"
	"paytool/internal/metrics"
	"paytool/internal/order"
)

// heldEngine keeps a create until it is released.
type heldEngine struct {
	api.Engine
	entered, release chan struct{}
}

func (e *heldEngine) Check(order.Request) error { return nil }

func (e *heldEngine) Create(context.Context, order.Request) (order.Order, error) {
	e.entered <- struct{}{}
	<-e.release
	return order.Order{}, nil
}

// TestStopFinishesWhatWasAccepted walks through a graceful stop: /readyz fails first
// while everything is still taken, then the port is closed, then what is under way is
// finished, and only then does it end.
func TestStopFinishesWhatWasAccepted(t *testing.T) {
	t.Parallel()
	engine := &heldEngine{entered: make(chan struct{}), release: make(chan struct{})}
	log := slog.New(slog.DiscardHandler)
	throttle := limit.NewThrottle()
	throttle.Learn(time.Now())
	s := &server{opts: serveOptions{listen: "127.0.0.1:0", drain: 500 * time.Millisecond}, api: api.New(api.Options{
		Engine: engine, Gate: limit.NewGate(limit.GateOptions{}), Throttle: throttle, Meter: metrics.New(),
		Metrics: http.NotFoundHandler(), Ready: func() error { return nil }, Log: log, Now: time.Now, NewID: func() string { return "x" },
	})}
	ctx, stop := context.WithCancel(t.Context())
	urls, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- s.run(ctx, log, func(url string) { urls <- url }) }()
	url := <-urls

	answered := make(chan int, 2)
	create := func() {
		got, err := http.Post(url+"/v1/orders", "application/json", strings.NewReader(`{"merchant_id":"m1","merchant_order_no":"A","amount_fen":1}`))
		if err != nil {
			t.Error(err)
			answered <- 0
			return
		}
		_ = got.Body.Close()
		answered <- got.StatusCode
	}
	go create()
	<-engine.entered
	stop()
	waitFor(t, "/readyz fails", func() bool {
		got, err := http.Get(url + "/readyz")
		if err != nil {
			t.Fatal("the port was closed before /readyz failed")
		}
		_ = got.Body.Close()
		return got.StatusCode == http.StatusServiceUnavailable
	})
	go create() // a balancer that has not looked yet
	<-engine.entered
	waitFor(t, "the port is closed", func() bool {
		got, err := http.Get(url + "/readyz")
		if err == nil {
			_ = got.Body.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	})
	select {
	case err := <-ended:
		t.Fatalf("it ended with requests under way: %v", err)
	default:
	}
	close(engine.release)
	for range 2 {
		if status := <-answered; status != http.StatusOK {
			t.Errorf("an accepted request got %d", status)
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
