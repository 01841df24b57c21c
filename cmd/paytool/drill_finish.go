package main

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"time"

	"paytool/internal/drill"
	"paytool/internal/drill/curve"
	"paytool/internal/drill/history"
	"paytool/internal/drill/result"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// settleAndVerify brings doubts to their end and holds every order against the ledger,
// on every node.
func (d *drillRun) settleAndVerify(ctx context.Context, in *result.Input) error {
	ended := time.Now()
	sctx, cancel := context.WithTimeout(ctx, d.plan.Verify.Settle)
	defer cancel()
	d.engine.settleUp(sctx, true) // what stays open is told by the verdict
	d.begin(result.PhaseVerify)
	if d.served != nil {
		if err := d.readHops(ctx); err != nil {
			return err
		}
	}
	verdict, err := d.judge(ctx, ended)
	if err != nil {
		return err
	}
	in.Verify = &verdict
	d.mu.Lock()
	defer d.mu.Unlock()
	if verdict.DoubtsOpen == 0 {
		in.Settled = d.unknown + verdict.Recovered
	}
	return nil
}

// judge holds the data against the ledger; without one, the nodes' against each other's.
func (d *drillRun) judge(ctx context.Context, ended time.Time) (drill.Verify, error) {
	if d.plan.Load.Observe {
		return d.engine.census(ctx, d.loading, ended, d.plan.Load.Merchants)
	}
	run, err := readLedger(d.ledgerFile())
	if err != nil {
		return drill.Verify{}, err
	}
	return d.engine.judge(ctx, run)
}

// finish builds, keeps and shows the result.
func (d *drillRun) finish(in *result.Input, runErr error) error {
	d.begin(result.PhaseReport)
	d.mu.Lock()
	in.Samples = d.watched
	if !d.plan.Load.Observe {
		in.Samples = curve.FromLoad(d.loading, d.told, func(no pay.OrderNo) shard.GroupID { return d.past[no] })
	}
	in.Events, in.Ended = d.events, time.Now()
	d.failover.into(in)
	d.mu.Unlock()
	r := result.Build(*in)
	kept := history.In(d.site.dir)
	if d.opts.reports.html == "" {
		d.opts.reports.html = filepath.Join(d.site.dir, d.id+".html")
	}
	r.Report = d.opts.reports.html
	if in.Refused != "" {
		runErr = errors.Join(runErr, errors.New(in.Refused))
	}
	err := errors.Join(runErr, kept.Save(r), d.opts.reports.write(&r))
	if d.app.output == outputJSON {
		err = errors.Join(err, d.app.show(r.Summary, func(io.Writer) error { return nil }))
	} else {
		err = errors.Join(err, d.app.showDrill(&r))
	}
	switch {
	case err != nil && r.Exit == 0:
		return err
	case err != nil:
		return &statusError{status: r.Exit, err: err}
	case r.Exit != 0:
		return &statusError{status: r.Exit}
	}
	return nil
}
