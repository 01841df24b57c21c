package site

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"time"

	"paytool/internal/config"
	"paytool/internal/drill/rig"
)

const (
	errTooMany = 1040
	maxFlood   = 20_000 // connections; more are this machine's problem before they are the server's
	floodEvery = 50 * time.Millisecond
	dialFlood  = 5 * time.Second
)

// flood takes all connections that the server has, as the application would.
type flood struct {
	node rig.Node
	at   config.Node

	mu    sync.Mutex
	conns []driver.Conn
	stop  context.CancelFunc
	work  sync.WaitGroup
}

// Begin takes what is free, and goes on taking what becomes free.
func (f *flood) Begin(ctx context.Context) error {
	if err := f.fill(ctx); err != nil {
		return errors.Join(fmt.Errorf("take the connections of %s: %w", f.node.Name, err), f.End())
	}
	ctx, f.stop = context.WithCancel(context.WithoutCancel(ctx)) // End ends it
	f.work.Go(func() {
		tick := time.NewTicker(floodEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				_ = f.fill(ctx) // the next tick tries again; Holds measures
			}
		}
	})
	return nil
}

func (f *flood) fill(ctx context.Context) error {
	c, err := connector(f.at.DSN)
	if err != nil {
		return err
	}
	for len(f.conns) < maxFlood {
		dctx, cancel := context.WithTimeout(ctx, dialFlood)
		conn, err := c.Connect(dctx)
		cancel()
		switch {
		case isError(err, errTooMany):
			return nil
		case err != nil:
			return err
		}
		f.mu.Lock()
		f.conns = append(f.conns, conn)
		f.mu.Unlock()
	}
	return fmt.Errorf("%d connections are not all of them", maxFlood)
}

// Holds tries to connect as the application.
func (f *flood) Holds(ctx context.Context) (bool, error) {
	c, err := connector(f.at.DSN)
	if err != nil {
		return false, err
	}
	conn, err := c.Connect(ctx)
	switch {
	case isError(err, errTooMany):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("connect to %s: %w", f.node.Name, err)
	}
	return false, conn.Close()
}

// End gives the connections back.
func (f *flood) End() error {
	if f.stop != nil {
		f.stop()
		f.work.Wait()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		_ = c.Close() // the server may have ended it
	}
	f.conns = nil
	return nil
}
