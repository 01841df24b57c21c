package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"

	"paytool/internal/config"
	"paytool/internal/drill"
	"paytool/internal/drill/fault"
	"paytool/internal/drill/proxy"
	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/store/embedded"
)

const (
	demoGroups   = 5
	demoMerchant = "demo-shop"
	demoFor      = 30 * time.Second
	demoPatience = time.Minute
)

// demo is one demo on its way: embedded groups, a proxy before each, an engine, a
// shop.
type demo struct {
	opts    demoOptions
	dir     string
	runID   string
	set     *embedded.Set
	proxies []*proxy.Proxy // by group - 1
	engine  *engine
	till    *drill.Till
	rec     *recorder
	moves   *moves // nil until the groups shrink
	view    view
}

// trouble is one thing that goes wrong, and comes right again.
type trouble struct {
	name     string
	group    shard.GroupID
	from, to time.Duration
	begin    func() error
	end      func() error
}

func openDemo(ctx context.Context, a *app, dir string, o demoOptions) (_ *demo, err error) {
	d := &demo{opts: o, dir: dir, rec: newRecorder()}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	d.view = newView(a.err, a.verbose)
	if d.runID, err = randomHex(4); err != nil {
		return nil, err
	}
	log := slog.New(slog.DiscardHandler) // the view tells what matters
	if a.verbose {
		log = a.logger(config.Log{Level: "debug"})
	}
	if d.set, err = embedded.Open(ctx, embedded.Options{Dir: dir, Groups: demoGroups, Sync: embedded.Normal, Log: log}); err != nil {
		return nil, err
	}
	if !d.set.Serving() || len(d.set.Groups()) != demoGroups {
		return nil, fmt.Errorf("run the demo in %s: it is in use, or has not %d groups; name another folder", dir, demoGroups)
	}
	var dsn func(embedded.Group) string
	if dsn, err = d.openProxies(ctx); err != nil {
		return nil, err
	}
	d.engine, err = newEmbeddedEngine(d.set, embeddedSetup{
		dir: dir, log: log, dsn: dsn,
		config: func(c *config.Config) { c.Engine.RefundGap = 0 }, // a day in half a minute
		options: func(o *order.Options) {
			o.OnEvent = d.heard
			o.Timetable.NotFoundAfter = 10 * time.Second // the channel is in this process: nothing is under way for longer
		},
	})
	if err == nil {
		d.engine.set = nil // it is closed after the proxies
	}
	return d, err
}

// openProxies puts a proxy before each group and returns the way through it.
func (d *demo) openProxies(ctx context.Context) (func(embedded.Group) string, error) {
	for _, g := range d.set.Groups() {
		p, err := proxy.Listen(context.WithoutCancel(ctx), d.set.Server(g.Number).Addr(), proxy.Options{Seed: d.opts.seed})
		if err != nil {
			return nil, err
		}
		d.proxies = append(d.proxies, p)
	}
	return func(g embedded.Group) string {
		c, err := mysql.ParseDSN(g.DSN)
		if err != nil {
			return "" // the config refuses it
		}
		c.Net, c.Addr = "tcp", d.proxies[g.Number-1].Addr()
		return c.FormatDSN()
	}, nil
}

func (d *demo) close() error {
	var errs []error
	d.view.close()
	if d.engine != nil {
		errs = append(errs, d.engine.close())
	}
	for _, p := range d.proxies {
		p.Close()
	}
	if d.set != nil {
		errs = append(errs, d.set.Close())
	}
	return errors.Join(errs...)
}

// troubles is the script of the day.
func (d *demo) troubles() []trouble {
	at := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	hang := fault.List{fault.New(fault.Hang)}
	return []trouble{
		{"group 2 hangs", 2, at(4), at(9),
			func() error { return d.proxies[1].Set(hang) }, d.proxies[1].Clear},
		{"group 4 crashes", 4, at(11), at(15),
			func() error { d.set.Server(4).Kill(); return nil }, d.set.Server(4).Restart},
		{"group 1 turns read-only", 1, at(17), at(21),
			func() error { d.set.Server(1).SetReadOnly(true); return nil },
			func() error { d.set.Server(1).SetReadOnly(false); return nil }},
	}
}

// run plays the day and judges it.
func (d *demo) run(ctx context.Context) (demoResult, error) {
	result := demoResult{Seed: d.opts.seed, Dir: d.dir}
	d.rec.start(d.troubles())
	if err := d.engine.start(ctx); err != nil {
		return result, err
	}
	opts := drill.LoadOptions{Rate: d.opts.rate, For: demoFor, Merchant: demoMerchant, RunID: d.runID, Pays: true, Seed: d.opts.seed}
	var err error
	if opts.Ledger, err = drill.CreateLedger(d.ledgerFile(), opts.LedgerHeader(time.Now())); err != nil {
		return result, err
	}
	mix := drill.EverydayMix()
	d.till = drill.NewTill(d.engine, order.System{}, mix, d.opts.seed)
	bctx, stop := context.WithCancel(ctx)
	var behind sync.WaitGroup
	behind.Go(func() { d.play(bctx, d.troubles()) })
	behind.Go(func() { d.watch(bctx) })
	shrunk := make(chan demoMove, 1)
	behind.Go(func() {
		mctx, cancel := context.WithTimeout(bctx, demoFor+demoPatience/2)
		defer cancel()
		m := d.shrink(mctx)
		shrunk <- m
		if m.Done {
			d.keepMoved(bctx)
		}
	})
	d.say(fmt.Sprintf("%d groups take %.0f orders a second for %s; %d of 100 are paid at once", demoGroups, d.opts.rate, demoFor, 100-mix.Late-mix.Lost-mix.Refuse-mix.Error-mix.Never-mix.Unpaid))
	result.Load, err = drill.Load(ctx, recording{d.till, d.rec}, order.System{}, opts)
	err = errors.Join(err, opts.Ledger.Close())
	if err == nil {
		d.say("the last buyers are waited for")
		result.Till, result.Move = d.till.Wait(), <-shrunk
		err = d.finish(ctx, &result)
	}
	stop()
	behind.Wait()
	result.Phases, result.Events = d.rec.phases(), d.rec.events()
	if err == nil {
		result.Next = d.next(ctx)
	}
	d.view.close()
	return result, err
}

// play makes trouble by the script and ends it, also when the demo is interrupted.
func (d *demo) play(ctx context.Context, troubles []trouble) {
	start := time.Now()
	for _, t := range troubles {
		if (order.System{}).Sleep(ctx, time.Until(start.Add(t.from))) != nil {
			return
		}
		d.say(t.name)
		if err := t.begin(); err != nil {
			d.say(fmt.Sprintf("%s: it did not: %v", t.name, err))
		}
		_ = (order.System{}).Sleep(ctx, time.Until(start.Add(t.to))) // ended either way
		if err := t.end(); err != nil {
			d.say(fmt.Sprintf("group %d could not be healed: %v", t.group, err))
		}
		d.say(fmt.Sprintf("group %d is healed", t.group))
	}
}

// heard tells of ejections and readmissions.
func (d *demo) heard(e shard.Event) {
	switch {
	case e.Cause == shard.Starting:
	case e.Ejected:
		d.say(fmt.Sprintf("group %d takes no new orders any more (%s), the others take them", e.Group, e.Cause))
	default:
		d.say(fmt.Sprintf("group %d takes orders again", e.Group))
	}
}

func (d *demo) say(text string) {
	d.view.say(d.rec.event(text))
}

func (d *demo) ledgerFile() string { return filepath.Join(d.dir, "ledger-"+d.runID+".jsonl") }

// interesting finds an order that is worth a trace: one that hopped, and was paid.
func (d *demo) interesting(ctx context.Context) (pay.OrderNo, bool) {
	no := d.rec.hopped()
	if no.IsZero() {
		return no, false
	}
	o, err := d.engine.Get(ctx, no)
	return o.No, err == nil
}
