package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"sync"

	"paytool/internal/config"
	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/store"
)

// engine is an order engine over the config's groups, with its connections.
type engine struct {
	*order.Engine
	cfg    *config.Config
	log    *slog.Logger
	groups []*store.Group
	stop   func()
}

// openEngine connects to nothing yet: groups may be down.
func (a *app) openEngine() (*engine, error) {
	cfg, err := a.loadConfig()
	if err != nil {
		return nil, err
	}
	log := a.logger(cfg)
	groups, err := openGroups(cfg, log)
	if err != nil {
		return nil, err
	}
	holder, err := randomHex(16)
	if err != nil {
		return nil, errors.Join(err, closeGroups(groups))
	}
	ports := make([]order.Group, len(groups))
	weights, async := map[shard.GroupID]int{}, map[shard.GroupID]bool{}
	for i, g := range groups {
		ports[i] = g
		weights[g.ID()] = cfg.Groups[i].Weight
		async[g.ID()] = !cfg.Engine.SemisyncFor(cfg.Groups[i])
	}
	e := cfg.Engine
	opts := order.Options{
		Name: fmt.Sprintf("%s:%d", e.Name, os.Getpid()), Holder: holder, TagWidth: e.TagWidth,
		LegacyGroup: shard.GroupID(e.LegacyGroup), Weights: weights, AsyncGroups: async, Selection: shard.Selection(e.Selection),
		InlineProbe:   e.Probe == config.ProbeInline,
		CreateTimeout: e.CreateTimeout, LookupTimeout: e.LookupTimeout, ProbeInterval: e.ProbeInterval,
		ProbeTimeout: e.ProbeTimeout, Expiry: e.CreatedExpiry, MaxAmount: pay.Fen(e.MaxAmountFen),
	}
	return &engine{
		Engine: order.New(opts, ports, order.System{}, mathrand.Uint64, log),
		cfg:    cfg, log: log, groups: groups, stop: func() {},
	}, nil
}

// start runs the engine until close, and waits until it takes orders.
func (e *engine) start(ctx context.Context) error {
	e.run(ctx)
	return e.Ready(ctx)
}

func (e *engine) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // ends with close, after the caller's last order
	var wg sync.WaitGroup
	wg.Go(func() { e.Run(ctx) })
	e.stop = func() {
		cancel()
		wg.Wait()
	}
}

// close stops the engine, releases its leases and closes the connections.
func (e *engine) close() error {
	e.stop()
	return closeGroups(e.groups)
}

func openGroups(cfg *config.Config, log *slog.Logger) ([]*store.Group, error) {
	groups := make([]*store.Group, 0, len(cfg.Groups))
	for _, g := range cfg.Groups {
		replicas := make([]store.Node, len(g.Replicas))
		for i, r := range g.Replicas {
			replicas[i] = storeNode(r)
		}
		opened, err := store.Open(store.Config{
			Group: shard.GroupID(g.Group), Primary: storeNode(g.Primary), Replicas: replicas,
			Pool: cfg.Engine.Pool,
		}, log)
		if err != nil {
			return nil, errors.Join(err, closeGroups(groups))
		}
		groups = append(groups, opened)
	}
	return groups, nil
}

func storeNode(n config.Node) store.Node {
	return store.Node{DSN: string(n.DSN), MonitorDSN: string(n.MonitorDSN)}
}

func closeGroups(groups []*store.Group) error {
	var errs []error
	for _, g := range groups {
		errs = append(errs, g.Close())
	}
	return errors.Join(errs...)
}

func randomHex(n int) (string, error) {
	buf := make([]byte, n)
	if _, err := rand.Read(buf); err != nil {
		return "", fmt.Errorf("read random bytes: %w", err)
	}
	return hex.EncodeToString(buf), nil
}
