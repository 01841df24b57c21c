package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"paytool/internal/drill"
	"paytool/internal/drill/plan"
	"paytool/internal/drill/result"
	"paytool/internal/order"
	"paytool/internal/store"
)

// TestDrillFindsPlantedBugs gives the drill's engine a bug, on real servers: the drill
// has to find it and name it, and the same drill without it does not.
func TestDrillFindsPlantedBugs(t *testing.T) {
	b := newBench(t, 3)
	for _, bug := range []struct {
		name, fault string
		tx          func(order.Tx) order.Tx
		count       func(v drill.Verify) int
		kind        drill.ProblemKind
	}{
		{"no bug", "lost_commit", nil, func(v drill.Verify) int {
			return v.Lost + v.Doubled + v.Diverged + v.Corrupt + v.Phantom + v.Unexpected
		}, ""},
		{"doubts are not recorded, and a COMMIT's answer is lost", "lost_commit", func(tx order.Tx) order.Tx { return forgetfulTx{tx} },
			func(v drill.Verify) int { return v.Doubled }, drill.Doubled},
		{"doubts are not recorded, and no replica acknowledges", "semisync_stall", func(tx order.Tx) order.Tx { return forgetfulTx{tx} },
			func(v drill.Verify) int { return v.Doubled }, drill.Doubled},
		{"the store drops a row", "read_only", droppingTx(), func(v drill.Verify) int { return v.Lost }, drill.Lost},
	} {
		t.Run(bug.name, func(t *testing.T) {
			b := &bench{T: t, config: b.config, dir: b.dir}
			r, status := b.drillWith(bug.fault, bug.tx)
			found, want := bug.count(r.Verify), bug.tx != nil
			named := len(r.Verify.Problems) > 0 && r.Verify.Problems[0].Kind == bug.kind && r.Verify.Problems[0].Key != ""
			if (found > 0) != want || (status == exitBroken) != want || (r.Verdict == result.Broken) != want || named != want {
				t.Errorf("exit %d, %s: %+v\n%s", status, r.Verdict, r.Verify, b.stderr)
			}
			b.sound()
		})
	}
}

// drillWith drills with an engine whose transactions may have a bug.
func (b *bench) drillWith(fault string, bug func(order.Tx) order.Tx) (r result.Summary, status int) {
	b.Helper()
	p := plan.Defaults()
	p.Targets.Groups = []int{2}
	p.Load.Rate, p.Load.Baseline, p.Load.After = 60, time.Second, 2*time.Second
	p.Method = []plan.Step{{Fault: fault, For: 2 * time.Second}}
	p.Report.Lang = "en"
	if err := p.Complete(); err != nil {
		b.Fatal(err)
	}
	var out, said bytes.Buffer
	a := &app{in: strings.NewReader(""), out: &out, err: newStatusLine(&said), configPath: b.config, output: outputJSON}
	s, err := a.openDrillSite(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	d := newDrillRun(a, p, drillRunOptions{reports: drillReportFlags{lang: "en"}}, s)
	if bug != nil {
		d.port = func(g *store.Group) order.Group { return buggyGroup{g, bug} }
	}
	if d.targets, err = d.choose(); err == nil {
		err = d.run(b.Context())
	}
	b.stderr = said.String()
	status = exitDone
	var told *statusError
	if errors.As(err, &told) {
		status = told.status
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		b.Fatalf("exit %d, %v: %s\n%s", status, err, out.Bytes(), b.stderr)
	}
	return r, status
}

// buggyGroup is a group with a bug in its transactions.
type buggyGroup struct {
	*store.Group
	bug func(order.Tx) order.Tx
}

func (g buggyGroup) Begin(ctx context.Context) (order.Tx, error) {
	tx, err := g.Group.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return g.bug(tx), nil
}

// forgetfulTx keeps no record of tries in doubt, nor of the groups that an order went
// past, from which they could still be found.
type forgetfulTx struct{ order.Tx }

func (forgetfulTx) InsertDoubts(context.Context, []order.Doubt) error { return nil }

func (forgetfulTx) InsertHops(context.Context, []order.Hop) error { return nil }

// droppingTx drops every fiftieth row of a load.
func droppingTx() func(order.Tx) order.Tx {
	n := &atomic.Int64{}
	return func(tx order.Tx) order.Tx { return lossyTx{tx, n} }
}

type lossyTx struct {
	order.Tx
	n *atomic.Int64
}

// InsertOwned is what a load's orders are written with, unless something speaks against
// them.
func (l lossyTx) InsertOwned(ctx context.Context, o order.Order) (bool, error) {
	if strings.HasPrefix(o.Key.MerchantOrderNo, "load-") && l.n.Add(1)%50 == 0 {
		return true, nil
	}
	return l.Tx.InsertOwned(ctx, o)
}
