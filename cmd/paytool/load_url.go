package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"paytool/internal/api"
	"paytool/internal/api/client"
	"paytool/internal/drill"
	"paytool/internal/order"
	"paytool/internal/store/embedded"
)

// loadTarget is what a load is sent to: an engine in this process, or engines that
// are being served.
type loadTarget interface {
	drill.Payer
	start(ctx context.Context) error
	settleAfterLoad(ctx context.Context) order.Open
	close() error
}

func (o loadOptions) target(ctx context.Context, a *app) (loadTarget, error) {
	if len(o.urls) == 0 {
		if o.tokens != "" {
			return nil, usageError(errors.New("--token-file goes with --url"))
		}
		return a.openEngineSync(ctx, embedded.Normal)
	}
	if a.dir != "" || a.configPath != "" {
		return nil, usageError(errors.New("--url excludes --dir and --config: the engines that are served have their own"))
	}
	opts := client.Options{URLs: o.urls, Clock: order.System{}}
	if o.tokens != "" {
		var err error
		if opts.Token, err = api.FirstToken(o.tokens); err != nil {
			return nil, err
		}
	}
	c, err := client.New(opts)
	if err != nil {
		return nil, usageError(err)
	}
	return servedEngines{c}, nil
}

// servedEngines are engines of other processes.
type servedEngines struct{ *client.Client }

// start waits until one of them is ready.
func (s servedEngines) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for {
		err := s.Ready(ctx)
		if err == nil {
			return nil
		}
		if (order.System{}).Sleep(ctx, 100*time.Millisecond) != nil {
			return fmt.Errorf("wait for an engine at --url: %w", err)
		}
	}
}

// settleAfterLoad leaves that to the engines, which settle by themselves.
func (servedEngines) settleAfterLoad(context.Context) order.Open { return order.Open{} }

func (s servedEngines) close() error {
	s.Close()
	return nil
}
