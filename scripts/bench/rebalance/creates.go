package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// creates are orders that an engine made in the target at a steady rate.
type creates struct {
	took   []time.Duration
	failed int
}

func (c *creates) add(other creates) {
	c.took = append(c.took, other.took...)
	c.failed += other.failed
}

func (c *creates) String() string {
	if len(c.took) == 0 {
		return fmt.Sprintf("none made, %d failed", c.failed)
	}
	slices.Sort(c.took)
	at := func(share int) float64 { return c.took[len(c.took)*share/100].Seconds() * 1000 }
	return fmt.Sprintf("%d made, p50 %.1f ms, p99 %.1f ms, %d failed", len(c.took), at(50), at(99), c.failed)
}

// payments says what a copy without brakes does to the creates of the group that it
// goes to. Orders come by the clock, whether the ones before are answered or not.
func (s *scene) payments(ctx context.Context, o options) error {
	engine := order.New(order.Options{Name: "bench", Holder: fmt.Sprintf("bench-%d", os.Getpid())}, []order.Group{s.target}, order.System{}, rand.Uint64, slog.New(slog.DiscardHandler))
	running, stop := context.WithCancel(ctx)
	var ended sync.WaitGroup
	ended.Go(func() { engine.Run(running) })
	defer ended.Wait()
	defer stop()
	if err := engine.Ready(ctx); err != nil {
		return err
	}
	var before, during creates
	var copying time.Duration
	for range o.rounds {
		if err := s.empty(ctx); err != nil {
			return err
		}
		alone, err := s.createBeside(ctx, engine, o.creates, func(context.Context) error {
			time.Sleep(5 * time.Second)
			return nil
		})
		if err != nil {
			return err
		}
		began := time.Now()
		beside, err := s.createBeside(ctx, engine, o.creates, s.copy)
		if err != nil {
			return err
		}
		copying += time.Since(began)
		before.add(alone)
		during.add(beside)
	}
	fmt.Printf("\nCreates in the target, %d a second: %s. While the tag is copied into it without brakes, at %.0f rows/s: %s.\n",
		o.creates, &before, float64(s.rows)*float64(o.rounds)/copying.Seconds(), &during)
	return nil
}

// createBeside creates orders while f runs.
func (s *scene) createBeside(ctx context.Context, engine *order.Engine, rate int, f func(context.Context) error) (creates, error) {
	var mu sync.Mutex
	var made creates
	var all sync.WaitGroup
	ended := make(chan struct{})
	all.Go(func() {
		for due := time.Now(); ; due = due.Add(time.Second / time.Duration(rate)) {
			select {
			case <-ended:
				return
			case <-time.After(time.Until(due)):
			}
			s.created++
			key := pay.Key{MerchantID: "bench", MerchantOrderNo: fmt.Sprintf("B-%012d", s.created)}
			all.Go(func() {
				_, err := engine.Create(ctx, order.Request{Key: key, Amount: 1250})
				took := time.Since(due)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					made.failed++
					return
				}
				made.took = append(made.took, took)
			})
		}
	})
	err := f(ctx)
	close(ended)
	all.Wait()
	return made, err
}
