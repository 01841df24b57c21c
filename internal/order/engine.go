package order

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// Options set up an Engine. Zero durations mean the defaults in the comments.
type Options struct {
	Name   string // of this instance, for people
	Holder string // of its leases; unique to this process

	TagWidth    int // digits of the tag in new numbers (1)
	LegacyGroup shard.GroupID
	Weights     map[shard.GroupID]int // of groups that do not say so themselves yet (100)
	// AsyncGroups may take orders while no replica acknowledges their commits; by
	// default none may (money rules, rule 10).
	AsyncGroups map[shard.GroupID]bool
	Selection   shard.Selection
	// InlineProbe probes inside each create, as published, for comparison; the
	// background probe then only renews leases.
	InlineProbe bool

	CreateTimeout time.Duration // of one try (250 ms)
	LookupTimeout time.Duration // of one look-up (50 ms)
	ProbeInterval time.Duration // 100 ms
	ProbeTimeout  time.Duration // of one whole probe (250 ms)
	Expiry        time.Duration // of CREATED orders, and so of clients' retries (15 min)
	MaxAmount     pay.Fen       // 100,000,000 fen
	Health        shard.HealthOptions

	// LeaseFor is how long a lease lasts without a probe (30 s). For so long an instance
	// that says nothing is waited for, as it may still write by what it knew. Its numbers
	// stay its own for as long as they were written ahead, however short this is.
	LeaseFor time.Duration

	// Channels move the money. The first one is used where an order names none.
	Channels []Channel
	// Guard says what a payment does when a group does not tell whether it holds
	// another attempt of the key (money rules, rule 7). "" is GuardAsk for groups
	// with replicas and GuardPay for those in AsyncGroups.
	Guard      GuardPolicy
	RevokePaid bool // a cashier may revoke a paid order instead of refunding it
	Timetable  Timetable

	GuardTimeout   time.Duration // 100 ms
	ChannelTimeout time.Duration // of one call (5 s)

	// OnEvent hears of ejections and readmissions, after they are logged.
	OnEvent func(shard.Event)
	// OnHop hears of each hop once its order is committed. It must be fast and safe
	// for concurrent use.
	OnHop func(Hop)
	// OnTrace hears what happens to single orders beside their moves: tries, hops,
	// calls and answers. It must be fast and safe for concurrent use.
	OnTrace func(TraceEvent)
}

func (o Options) withDefaults() Options {
	o.TagWidth = orDefault(o.TagWidth, 1)
	o.CreateTimeout = orDefault(o.CreateTimeout, 250*time.Millisecond)
	o.LookupTimeout = orDefault(o.LookupTimeout, 50*time.Millisecond)
	o.ProbeInterval = orDefault(o.ProbeInterval, 100*time.Millisecond)
	o.ProbeTimeout = orDefault(o.ProbeTimeout, 250*time.Millisecond)
	o.LeaseFor = orDefault(o.LeaseFor, 30*time.Second)
	o.Expiry = orDefault(o.Expiry, 15*time.Minute)
	o.MaxAmount = orDefault(o.MaxAmount, 100_000_000)
	o.GuardTimeout = orDefault(o.GuardTimeout, 100*time.Millisecond)
	o.ChannelTimeout = orDefault(o.ChannelTimeout, 5*time.Second)
	o.Timetable = o.Timetable.withDefaults()
	if o.OnEvent == nil {
		o.OnEvent = func(shard.Event) {}
	}
	if o.OnHop == nil {
		o.OnHop = func(Hop) {}
	}
	if o.OnTrace == nil {
		o.OnTrace = func(TraceEvent) {}
	}
	return o
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// Keys of log attributes.
const (
	logGroup = "group"
	logCause = "cause"
	logOrder = "order_no"
	logKey   = "key"
	logErr   = "err"
)

// Engine creates, reads and settles orders over all groups. Run keeps it alive;
// the other methods are safe for concurrent use while it runs.
type Engine struct {
	opts    Options
	env     Env
	draw    func() uint64
	log     *slog.Logger
	fleet   *shard.Fleet
	members []*member // sorted by group
	seq     sequencer
	counts  counts

	stale     atomic.Bool // a group refused a write: the topology has changed
	reloading sync.Mutex  // held by the one reload under way
}

// New sets up an engine over the groups, none of which needs to be up. draw is
// the source of chance (operation ids, the random selection); it must be safe for
// concurrent use.
func New(opts Options, groups []Group, env Env, draw func() uint64, log *slog.Logger) *Engine {
	opts = opts.withDefaults()
	e := &Engine{opts: opts, env: env, draw: draw, log: log}
	reports := make([]shard.Report, 0, len(groups))
	for _, g := range groups {
		weight, ok := opts.Weights[g.ID()]
		if !ok {
			weight = 100
		}
		r := defaultReport(g.ID(), weight)
		e.members = append(e.members, &member{Group: g, info: r})
		reports = append(reports, r)
	}
	slices.SortFunc(e.members, func(a, b *member) int { return int(a.ID() - b.ID()) })
	health := opts.Health
	if opts.InlineProbe && health.HoldDown == 0 {
		health.HoldDown, health.MaxHoldDown = 60*time.Second, 60*time.Second // back when the counter's window has passed
	}
	e.fleet = shard.NewFleet(shard.FleetOptions{Health: health, Selection: opts.Selection, RetryWindow: opts.Expiry},
		shard.NewTopology(opts.LegacyGroup, reports...), env.Now())
	return e
}

// defaultReport is what is assumed of a group that has not answered yet. At
// epoch 0 it gives way to every claim that a group really made.
func defaultReport(g shard.GroupID, weight int) shard.Report {
	return shard.Report{Group: g, State: shard.GroupActive, Weight: weight,
		Claims: []shard.Claim{{Tag: pay.Tag(g), Group: g, State: shard.TagOwned}}}
}

// Fleet is this instance's view of the groups.
func (e *Engine) Fleet() *shard.Fleet { return e.fleet }

// Run probes the groups, follows the topology, settles doubts, sweeps, and carries
// open payments, revokes, refunds and tasks on, until the context ends. It then releases the leases and returns.
func (e *Engine) Run(ctx context.Context) {
	loops := []func(context.Context){e.followTopology, e.settleLoop}
	for _, m := range e.members {
		loops = append(loops, func(ctx context.Context) { e.watch(ctx, m) }, func(ctx context.Context) { e.dueLoop(ctx, m) })
	}
	e.env.Gather(ctx, len(loops), func(ctx context.Context, i int) { loops[i](ctx) })
}

// Ready waits until each group has answered or shown why not, at most two
// seconds, and then until one takes orders. It fails when none does, or when the
// context ends first; groups that are out now may still join later.
func (e *Engine) Ready(ctx context.Context) error {
	const step = 10 * time.Millisecond
	patience := e.env.Now().Add(2 * time.Second)
	for {
		admitted, starting := 0, 0
		statuses := e.fleet.Snapshot()
		for _, s := range statuses {
			switch {
			case s.Ejection == nil:
				admitted++
			case s.Ejection.Cause == shard.Starting:
				starting++
			}
		}
		switch {
		case admitted > 0 && (starting == 0 || e.env.Now().After(patience)):
			return nil
		case admitted == 0 && starting == 0:
			return errNoGroup(statuses, nil, false)
		}
		if err := e.env.Sleep(ctx, step); err != nil {
			return fmt.Errorf("wait for a group that takes orders: %w", errNoGroup(statuses, nil, false))
		}
	}
}

// member looks up a group; a topology may name groups that this instance's
// config does not have.
func (e *Engine) member(g shard.GroupID) (*member, bool) {
	for _, m := range e.members {
		if m.ID() == g {
			return m, true
		}
	}
	return nil, false
}

func (e *Engine) opID() string { return fmt.Sprintf("%016x%016x", e.draw(), e.draw()) }

func (e *Engine) heard(events []shard.Event) {
	for _, ev := range events {
		if m, ok := e.member(ev.Group); ok {
			back := time.Time{}
			if !ev.Ejected {
				back = e.env.Now()
			}
			m.setBack(back)
		}
		switch {
		case ev.Ejected:
			e.log.Warn("group ejected", logGroup, ev.Group, logCause, ev.Cause, "by_creates", ev.ByCreates)
		case ev.Cause == shard.Starting:
			e.log.Debug("group joined", logGroup, ev.Group)
		default:
			e.log.Info("group readmitted", logGroup, ev.Group, logCause, ev.Cause)
		}
		e.opts.OnEvent(ev)
	}
}

// transact runs one write transaction; f's first statement is LockTag or InsertOwned.
func transact(ctx context.Context, g Group, f func(tx Tx) error) error {
	tx, err := g.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit(ctx)
}
