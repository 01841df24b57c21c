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
	"path/filepath"
	"sync"

	"paytool/internal/channel/builtin"
	"paytool/internal/config"
	"paytool/internal/eventlog"
	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/store"
	"paytool/internal/store/embedded"
)

// engine is an order engine over the config's groups, with its connections and what
// it keeps on this machine.
type engine struct {
	*order.Engine
	cfg     *config.Config
	log     *slog.Logger
	groups  []*store.Group
	channel *builtin.Channel
	set     *embedded.Set // nil where a config names the groups
	events  *eventlog.Log // nil where it cannot be written: an order does not depend on it
	probed  probeTimes
	stop    func()
}

// withEngine opens an engine for one command, and closes it.
func (a *app) withEngine(ctx context.Context, f func(e *engine) error) error {
	return a.withEngineAs(ctx, func(*order.Options) {}, f)
}

// withEngineAs is withEngine for commands that change what the config says.
func (a *app) withEngineAs(ctx context.Context, adjust func(*order.Options), f func(e *engine) error) (err error) {
	e, err := a.openEngineWith(ctx, embedded.Full, adjust)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	return f(e)
}

// openEngine connects to nothing yet: groups may be down.
func (a *app) openEngine(ctx context.Context) (*engine, error) {
	return a.openEngineSync(ctx, embedded.Full)
}

// openEngineSync is openEngine for commands that may trade durability for speed on
// embedded groups: a process that is killed still loses nothing, a power cut may.
func (a *app) openEngineSync(ctx context.Context, sync embedded.Sync) (*engine, error) {
	return a.openEngineWith(ctx, sync, func(*order.Options) {})
}

// openEngineWith is openEngineSync for commands that change what the config says, or
// listen to the engine.
func (a *app) openEngineWith(ctx context.Context, sync embedded.Sync, adjust func(*order.Options)) (*engine, error) {
	if a.dir != "" {
		if a.configPath != "" {
			return nil, usageError(errors.New("--dir and --config exclude each other: embedded groups have no config"))
		}
		return a.openEmbedded(ctx, a.dir, sync, adjust)
	}
	cfg, err := a.loadConfig()
	if err != nil {
		return nil, err
	}
	log := a.logger(cfg.Log)
	groups, err := openGroups(cfg, log)
	if err != nil {
		return nil, err
	}
	return newEngine(cfg, groups, log, adjust)
}

// openEmbedded serves the embedded groups of a folder, or joins the process that
// does.
func (a *app) openEmbedded(ctx context.Context, dir string, sync embedded.Sync, adjust func(*order.Options)) (*engine, error) {
	log := a.logger(config.Log{Level: "warn"})
	set, err := embedded.Open(ctx, embedded.Options{Dir: dir, Sync: sync, Log: log})
	if err != nil {
		return nil, err
	}
	e, err := newEmbeddedEngine(set, embeddedSetup{
		dir: dir, log: log, dsn: func(g embedded.Group) string { return g.DSN },
		config: func(*config.Config) {}, options: adjust,
	})
	if err != nil {
		return nil, errors.Join(err, set.Close())
	}
	return e, nil
}

// embeddedSetup says how an engine works on embedded groups.
type embeddedSetup struct {
	dir     string
	log     *slog.Logger
	dsn     func(embedded.Group) string // how a group is reached
	config  func(*config.Config)        // changes of the defaults
	options func(*order.Options)
}

// newEmbeddedEngine sets up an engine over embedded groups, which it closes.
func newEmbeddedEngine(set *embedded.Set, setup embeddedSetup) (*engine, error) {
	var groups []config.Group
	for _, g := range set.Groups() {
		groups = append(groups, config.Group{Group: g.Number, Primary: config.Node{DSN: config.DSN(setup.dsn(g))}})
	}
	cfg, err := config.ForGroups(setup.dir, groups)
	if err != nil {
		return nil, err
	}
	setup.config(cfg)
	opened, err := openGroups(cfg, setup.log)
	if err != nil {
		return nil, err
	}
	e, err := newEngine(cfg, opened, setup.log, setup.options)
	if err != nil {
		return nil, err
	}
	e.set = set
	return e, nil
}

// newEngine sets up an engine over opened groups, which it closes. adjust changes
// what the config says.
func newEngine(cfg *config.Config, groups []*store.Group, log *slog.Logger, adjust func(*order.Options)) (*engine, error) {
	return newEngineOver(cfg, groups, func(g *store.Group) order.Group { return g }, log, adjust)
}

// newEngineOver is newEngine with a say in how the engine reaches a group.
func newEngineOver(cfg *config.Config, groups []*store.Group, port func(*store.Group) order.Group, log *slog.Logger, adjust func(*order.Options)) (*engine, error) {
	holder, err := randomHex(16)
	if err != nil {
		return nil, errors.Join(err, closeGroups(groups))
	}
	e := &engine{cfg: cfg, log: log, groups: groups, stop: func() {}}
	e.channel = builtin.New(builtin.Options{Books: filepath.Join(cfg.StateDir, "builtin-channel.db"), RefundGap: cfg.Engine.RefundGap})
	ports := make([]order.Group, len(groups))
	opts := engineOptions(cfg)
	opts.Holder, opts.Channels, opts.OnTrace = holder, []order.Channel{e.channel}, e.traced
	for i, g := range groups {
		ports[i] = timedGroup{port(g), &e.probed}
		opts.Weights[g.ID()] = cfg.Groups[i].Weight
		opts.AsyncGroups[g.ID()] = !cfg.Engine.SemisyncFor(cfg.Groups[i])
	}
	adjust(&opts)
	e.Engine = order.New(opts, ports, order.System{}, mathrand.Uint64, log)
	return e, nil
}

func engineOptions(cfg *config.Config) order.Options {
	c := cfg.Engine
	return order.Options{
		Name: fmt.Sprintf("%s:%d", c.Name, os.Getpid()), TagWidth: c.TagWidth, LegacyGroup: shard.GroupID(c.LegacyGroup),
		Weights: map[shard.GroupID]int{}, AsyncGroups: map[shard.GroupID]bool{},
		Selection: shard.Selection(c.Selection), InlineProbe: c.Probe == config.ProbeInline,
		CreateTimeout: c.CreateTimeout, LookupTimeout: c.LookupTimeout, ProbeInterval: c.ProbeInterval,
		ProbeTimeout: c.ProbeTimeout, Expiry: c.CreatedExpiry, MaxAmount: pay.Fen(c.MaxAmountFen),
		Guard: order.GuardPolicy(c.Guard), RevokePaid: c.RevokePaid, Timetable: order.Timetable{PayFor: c.PayTimeout},
	}
}

// start runs the engine until close, and waits until it takes orders.
func (e *engine) start(ctx context.Context) error {
	e.run(ctx)
	return e.Ready(ctx)
}

func (e *engine) run(ctx context.Context) {
	if err := e.openState(); err != nil {
		e.log.Warn("no event log, and no built-in channel", "err", err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // ends with close, after the caller's last order
	var wg sync.WaitGroup
	wg.Go(func() { e.Run(ctx) })
	e.stop = func() {
		cancel()
		wg.Wait()
	}
}

// openState makes the folder of what lies on this machine. It is made by engines
// that run, not by commands that only read.
func (e *engine) openState() (err error) {
	if err := os.MkdirAll(e.cfg.StateDir, 0o700); err != nil {
		return fmt.Errorf("make state_dir: %w", err)
	}
	e.events, err = eventlog.Open(e.eventDir(), e.cfg.Engine.Name)
	return err
}

func (e *engine) eventDir() string { return filepath.Join(e.cfg.StateDir, "events") }

func (e *engine) traced(t order.TraceEvent) {
	if e.events != nil {
		e.events.Add(eventlog.Event{At: t.At, OrderNo: t.OrderNo.String(), What: t.What, Detail: t.Detail})
	}
}

// close stops the engine, releases its leases and closes what is open.
func (e *engine) close() error {
	e.stop()
	errs := []error{closeGroups(e.groups), e.channel.Close()}
	if e.set != nil {
		errs = append(errs, e.set.Close())
	}
	if e.events != nil {
		errs = append(errs, e.events.Close())
	}
	return errors.Join(errs...)
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
