package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"paytool/internal/config"
	"paytool/internal/drill"
	"paytool/internal/drill/curve"
	"paytool/internal/drill/plan"
	"paytool/internal/drill/result"
	"paytool/internal/drill/rig"
	"paytool/internal/drill/watch"
	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/store"
)

// drillRun is one drill from its plan to its report.
type drillRun struct {
	app     *app
	plan    plan.Plan
	opts    drillRunOptions
	site    *drillSite
	targets []shard.GroupID
	id      string
	started time.Time
	port    func(*store.Group) order.Group // how the engine reaches a group: tests plant bugs there

	engine *engine      // of this process: it judges, and takes the load if nobody else does
	served *servedDrill // nil: the load goes to engine
	eyes   *watch.Watch
	view   drillView
	stop   context.CancelCauseFunc // ends the drill early; its faults are taken back

	waiting  []*outageWatch // of the targets, where the drill promotes
	failover failover

	mu       sync.Mutex
	told     []drill.Sample
	watched  []curve.Sample                // of an observing drill, which has no others
	prefix   string                        // of the keys of the drill's orders, "" where it has none
	past     map[pay.OrderNo]shard.GroupID // the first group that an order went past
	unknown  int                           // hops after a try whose outcome nobody knew
	events   []result.Event
	injected map[int]time.Time // by group: of the fault that comes now
	phase    result.Phase
	faulted  time.Time // the first injection
	loading  time.Time
}

// errStopKey is the cause of a drill that a person has stopped.
var errStopKey = errors.New("a person stopped it")

// run drills. Whatever happens between injection and restore, the rig takes its fault
// back; what is known is kept as a result.
func (d *drillRun) run(ctx context.Context) (err error) {
	ctx, d.stop = context.WithCancelCause(ctx)
	defer d.stop(nil)
	ctx, quit := signal.NotifyContext(ctx, syscall.SIGTERM) // `drill stop` sends it
	defer quit()
	d.past, d.injected = map[pay.OrderNo]shard.GroupID{}, map[int]time.Time{}
	d.begin(result.PhaseGate)
	numbers := make([]int, len(d.targets))
	for i, g := range d.targets {
		numbers[i] = int(g)
	}
	groups, closeDoors, err := d.site.targets(ctx, d.app, d.allFaults(), numbers)
	if err != nil {
		return err
	}
	defer closeDoors()
	if d.served, err = openServed(d.plan.Load); err != nil {
		return err
	}
	defer d.served.close()
	if err := d.openEngine(groups); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.engine.close()) }()
	if err := d.well(ctx); err != nil {
		return d.refuse(err)
	}
	d.view = newDrillView(d.app.err, d.app.verbose, func() { d.stop(errStopKey) })
	in, runErr := d.phases(ctx, groups)
	d.view.close()
	if in == nil {
		return runErr
	}
	return d.finish(in, runErr)
}

func (d *drillRun) openEngine(groups []rig.Group) error {
	cfg, err := through(d.site.cfg, groups)
	if err != nil {
		return err
	}
	level := config.Log{Level: "error", Format: cfg.Log.Format} // the view tells what matters
	if d.app.verbose {
		level = cfg.Log
	}
	log := d.app.logger(level)
	opened, err := openGroups(cfg, log)
	if err != nil {
		return err
	}
	d.engine, err = newEngineOver(cfg, opened, d.port, log, func(o *order.Options) {
		if d.served == nil {
			o.OnEvent, o.OnHop = d.heardGroup, d.heardHop
		}
	})
	return err
}

// wellWithin is how long the engine may take to find every group well.
const wellWithin = 10 * time.Second

// well waits until every group takes orders: a drill begins from health.
func (d *drillRun) well(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, wellWithin)
	defer cancel()
	if err := d.engine.start(ctx); err != nil {
		return fmt.Errorf("%w: %w", rig.ErrRefused, err)
	}
	for {
		var sick []string
		for _, s := range d.engine.Fleet().Snapshot() {
			if s.Ejection != nil {
				sick = append(sick, fmt.Sprintf("group %d (%s)", s.Group.ID, s.Ejection.Cause))
			}
		}
		if len(sick) == 0 {
			return d.servedWell(ctx)
		}
		if (order.System{}).Sleep(ctx, 50*time.Millisecond) != nil {
			return fmt.Errorf("%w: not every group takes orders: %v", rig.ErrRefused, sick)
		}
	}
}

// phases plays the drill. A nil Input means that nothing was begun.
func (d *drillRun) phases(ctx context.Context, groups []rig.Group) (*result.Input, error) {
	run, err := randomHex(4)
	if err == nil {
		err = os.MkdirAll(d.site.dir, 0o700)
	}
	if err != nil {
		return nil, err
	}
	opts := drill.LoadOptions{
		Rate: float64(d.plan.Load.Rate), For: d.plan.LoadFor(), Merchant: pay.ShadowMerchant, RunID: run, Shadow: true, Seed: uint64(d.started.UnixNano()),
		Told: d.heardOrder,
	}
	if !d.plan.Load.Observe {
		d.prefix = opts.LedgerHeader(d.started).Prefix
		if opts.Ledger, err = drill.CreateLedger(d.ledgerFile(), opts.LedgerHeader(d.started)); err != nil {
			return nil, err
		}
	}
	in := &result.Input{
		ID: d.id, Plan: d.plan, Targets: d.targets, By: whoami(), Host: hostname(), Tool: "paytool " + buildVersion(), Started: d.started,
		Restore: result.Restore{OK: true},
	}
	lctx, endLoad := context.WithCancel(context.WithoutCancel(ctx))
	defer endLoad()
	var behind sync.WaitGroup
	var loadErr error
	d.begin(result.PhaseBaseline)
	d.loading = time.Now()
	in.LoadStarted, d.eyes = d.loading, watch.New(d.plan.Stop, d.targets, d.loading)
	behind.Go(func() { loadErr = d.load(lctx, opts) })
	wctx, endWatch := context.WithCancel(ctx)
	defer d.keepEngines(context.WithoutCancel(ctx))() // to the end: a group may come back late
	behind.Go(func() { d.keepWatch(wctx) })
	behind.Go(func() { d.keepSemisync(wctx) })
	broken := d.breakGroups(ctx, groups, in)
	if in.Stopped != "" {
		endLoad()
	} else {
		_ = (order.System{}).Sleep(ctx, time.Until(d.loading.Add(d.plan.LoadFor())))
	}
	d.begin(result.PhaseSettle)
	endWatch()
	if ctx.Err() != nil {
		endLoad()
	}
	behind.Wait()
	if lctx.Err() != nil {
		loadErr = nil // the drill was stopped, and its load with it; what the ledger lacks is an error all the same
	}
	err = errors.Join(broken, loadErr)
	if opts.Ledger != nil {
		err = errors.Join(err, opts.Ledger.Close())
	}
	return in, errors.Join(err, d.settleAndVerify(context.WithoutCancel(ctx), in))
}

// breakGroups waits for each step's time, breaks the groups and puts them right.
func (d *drillRun) breakGroups(ctx context.Context, groups []rig.Group, in *result.Input) error {
	begin := d.loading.Add(d.plan.Load.Baseline)
	for i, step := range d.plan.Method {
		if (order.System{}).Sleep(ctx, time.Until(begin.Add(step.At))) != nil {
			in.Stopped = stopWords(context.Cause(ctx))
			return nil
		}
		if err := d.ready(); i == 0 && err != nil {
			in.Refused = err.Error()
			d.stop(err)
			return nil
		}
		out, err := d.breakOnce(ctx, i, step, groups)
		d.restored(in, out, err)
		var none *rig.NoEffectError
		var left *rig.RestoreError
		if errors.As(err, &none) {
			in.Effectless = append(in.Effectless, fmt.Sprintf("%s on group %d: %v", none.Fault, none.Group, none.Seen))
		}
		switch {
		case errors.Is(err, rig.ErrRefused):
			in.Refused = err.Error()
			d.stop(err)
			return nil
		case errors.Is(err, rig.ErrStopped):
			in.Stopped = stopWords(out.Cause)
			return nil
		case errors.As(err, &left), err == nil, none != nil:
		default:
			return err
		}
	}
	return nil
}

func stopWords(cause error) string {
	if cause == nil || errors.Is(cause, context.Canceled) {
		return "it was interrupted"
	}
	return cause.Error()
}

func (d *drillRun) breakOnce(ctx context.Context, n int, step plan.Step, groups []rig.Group) (rig.Outcome, error) {
	id := d.id
	if n > 0 {
		id += fmt.Sprintf(".%d", n+1)
	}
	opts := rig.Options{
		Dir: d.site.dir, ID: id, Who: whoami(), Config: d.site.file, Faults: step.Faults(), Groups: groups, TTL: d.plan.TTL,
		World: d.site, Watchdog: watchdogCmd, Canary: d.site.canary(d.engine.log), Log: d.engine.log, Heard: d.heardRig,
	}
	if d.opts.yes {
		for _, f := range step.Faults() {
			opts.Allowed = append(opts.Allowed, f.Name)
		}
	}
	r, err := rig.Open(opts)
	if err != nil {
		return rig.Outcome{}, err
	}
	defer r.Close()
	d.begin(result.PhaseFault)
	hold := func(ctx context.Context) error {
		if err := (order.System{}).Sleep(ctx, step.For); err != nil {
			return context.Cause(ctx)
		}
		return nil
	}
	if !step.Promote {
		return r.Run(ctx, hold)
	}
	var out rig.Outcome
	err = d.watchFailover(ctx, func() (err error) {
		out, err = r.Run(ctx, func(ctx context.Context) error { return errors.Join(d.promote(ctx), hold(ctx)) })
		return err
	})
	return out, err
}

// restored takes in how the way back went.
func (d *drillRun) restored(in *result.Input, out rig.Outcome, err error) {
	var left *rig.RestoreError
	switch {
	case errors.As(err, &left):
		in.Restore = result.Restore{Detail: left.Error()}
	case out.OK && in.Restore.OK:
		in.Restore.Ms += float64(out.Restored.Sub(out.Undoing).Microseconds()) / 1000
	}
}

// load sends orders until their time is over, or waits while others do.
func (d *drillRun) load(ctx context.Context, opts drill.LoadOptions) (err error) {
	switch {
	case d.plan.Load.Observe:
		_ = (order.System{}).Sleep(ctx, d.plan.LoadFor())
	case d.served != nil:
		_, err = drill.Load(ctx, d.served, order.System{}, opts)
	default:
		_, err = drill.Load(ctx, d.engine, order.System{}, opts)
	}
	return err
}
