package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"paytool/internal/api"
	"paytool/internal/api/limit"
	"paytool/internal/metrics"
	"paytool/internal/order"
	"paytool/internal/shard"
	"paytool/internal/store/embedded"
)

type serveOptions struct {
	listen    string
	tokenFile string
	cert, key string
	drain     time.Duration
	target    time.Duration
}

func newServeCmd(a *app) *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the order engine over HTTP, with metrics and health checks",
		Long: `Serve the order engine over HTTP: /v1/orders and below, /metrics, /healthz, /readyz,
and /openapi.yaml, which describes all of it. Several instances may serve the same
groups side by side; each takes leases of its own.

It listens on this machine alone. Elsewhere it wants a token file and TLS files, and
is not to be had without either. The token file has one token on each line and is
readable by its owner alone; clients send "Authorization: Bearer TOKEN". /healthz and
/readyz want no token.

When there is more to do than the groups can take, requests beyond it are answered with
503 and Retry-After at once, reads before creates. Limits of single merchants are changed
live with "paytool limit".

On SIGTERM or Ctrl-C /readyz fails first, so that load balancers turn away; after --drain
the port is closed and what was accepted is finished.

Exit status: 0 stopped when asked to; 1 failed.`,
		Example: `  paytool serve
  paytool serve --dir shop
  paytool serve --listen 0.0.0.0:8443 --token-file tokens --tls-cert cert.pem --tls-key key.pem`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runServe(cmd.Context(), a, o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.listen, "listen", "127.0.0.1:8080", "address to listen on; port 0 takes a free one")
	flags.StringVar(&o.tokenFile, "token-file", "", "file of tokens, of which a request must bring one")
	flags.StringVar(&o.cert, "tls-cert", "", "certificate chain, PEM")
	flags.StringVar(&o.key, "tls-key", "", "its private key, PEM")
	flags.DurationVar(&o.drain, "drain", 5*time.Second, "how long /readyz fails before the port is closed")
	flags.DurationVar(&o.target, "create-target", 15*time.Millisecond, "median time of a create above which fewer are let in at a time")
	return cmd
}

// check refuses what would let strangers in, before anything is opened.
func (o serveOptions) check() error {
	switch {
	case (o.cert == "") != (o.key == ""):
		return usageError(errors.New("--tls-cert and --tls-key go together"))
	case !api.Loopback(o.listen) && (o.tokenFile == "" || o.cert == ""):
		return usageError(fmt.Errorf("--listen %s can be reached from elsewhere: give --token-file, --tls-cert and --tls-key, or listen on 127.0.0.1", o.listen))
	case o.drain < 0 || o.target <= 0:
		return usageError(errors.New("--drain is 0 or longer and --create-target longer than 0"))
	}
	return nil
}

func runServe(ctx context.Context, a *app, o serveOptions) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	server, err := newServer(o)
	if err != nil {
		return err
	}
	collectLess()
	m := metrics.New()
	e, err := a.openEngineWith(ctx, embedded.Full, func(opts *order.Options) {
		opts.OnEvent, opts.OnHop = m.Heard, m.Hopped
		for i, ch := range opts.Channels {
			opts.Channels[i] = m.Channel(ch)
		}
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	info := metrics.Info{Version: buildVersion(), GoVersion: runtime.Version()}
	if info.ConfigHash, err = configHash(e); err != nil {
		return err
	}
	m.About(info)
	gate := limit.NewGate(limit.GateOptions{Adaptive: limit.AdaptiveOptions{Target: o.target}})
	throttle := limit.NewThrottle()
	m.Observe(metrics.Live{Groups: e.Fleet().Snapshot, Epoch: func() int64 { return e.Fleet().Topology().Epoch }, Gate: gate.Status, Counts: e.Counts})
	e.run(ctx)
	_ = e.Ready(ctx) // /readyz tells; groups that are out may join later
	defer e.helpers(ctx, m, throttle)()
	server.api = api.New(api.Options{
		Engine: e, Gate: gate, Throttle: throttle, Meter: m, Metrics: m.Handler(), Ready: e.takesOrders,
		Tokens: server.tokens, Log: e.log, Now: time.Now, NewID: requestID,
	})
	e.log.Info("serving", "version", info.Version, "config_hash", info.ConfigHash, "instance", e.cfg.Engine.Name)
	return server.run(ctx, e.log, func(url string) { _, _ = fmt.Fprintln(a.err, "serving on", url) })
}

// collectLess lets garbage lie until there is four times as much of it as there is live
// memory, unless GOGC says otherwise. What is live is small, so that collections would
// come more than once a second under load, and each one has to stop all threads: on a machine
// whose processors are all busy that takes as long as the last of them waits for one.
func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}

// Intervals of what goes on beside the requests.
const (
	limitInterval = 500 * time.Millisecond
	pollInterval  = 5 * time.Second
)

// helpers follow the limits, poll the figures that lie in the groups and look after the
// moves, until the returned function ends them. No request waits for either.
func (e *engine) helpers(ctx context.Context, m *metrics.Metrics, throttle *limit.Throttle) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // beyond the last request
	var wg sync.WaitGroup
	book := e.limitBook()
	inForce := func(r limit.Rule) { logLimit(e.log, r) }
	rules, _ := book.Teach(ctx, throttle) // before the first request; Follow tells the error
	for _, r := range rules {
		inForce(r)
	}
	wg.Go(func() {
		book.Follow(ctx, throttle, limitInterval, inForce, func(err error) { e.log.Warn("limits stay as they are", "err", err) })
	})
	groups := make([]metrics.Group, len(e.groups))
	for i, g := range e.groups {
		groups[i] = g
	}
	wg.Go(func() { m.Poll(ctx, groups, e.openTasks, pollInterval) })
	wg.Go(func() { e.lookAfterMoves(ctx, m) })
	return func() {
		cancel()
		wg.Wait()
	}
}

func (e *engine) openTasks(ctx context.Context) ([]order.Task, []shard.GroupID) {
	return e.Tasks(ctx, order.TaskOpen, false, 1000)
}

// logLimit writes down when a limit came into force here; who set it and why lies
// with the rule.
func logLimit(log *slog.Logger, r limit.Rule) {
	log.Info("limit in force", "subject", r.String(), "per_second", r.PerSecond, "burst", r.Burst, "cleared", r.Cleared, "version", r.Version, "by", r.By, "reason", r.Reason)
}

// takesOrders says why no group takes an order, if none does.
func (e *engine) takesOrders() error {
	var out []string
	for _, s := range e.Fleet().Snapshot() {
		if s.Ejection == nil {
			return nil
		}
		out = append(out, fmt.Sprintf("group %d: %s", s.Group.ID, s.Ejection.Cause))
	}
	return &order.Error{Code: order.CodeNoGroup, Outcome: order.NotCommitted, RetryAfter: time.Second,
		Message: fmt.Sprintf("no group takes orders %v", out), Hint: "see `paytool shard status`"}
}

// configHash tells two settings apart without telling them.
func configHash(e *engine) (string, error) {
	text, err := json.Marshal(e.cfg.Masked())
	if err != nil {
		return "", fmt.Errorf("hash the config: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:6]), nil
}

// requestID falls back on a fixed word: a request is not refused for want of an id.
func requestID() string {
	id, err := randomHex(8)
	if err != nil {
		return "none"
	}
	return id
}
