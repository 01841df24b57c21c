package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/spf13/cobra"

	"paytool/internal/config"
	"paytool/internal/drill/fault"
	"paytool/internal/drill/history"
	"paytool/internal/drill/plan"
	"paytool/internal/drill/result"
	"paytool/internal/drill/rig"
	"paytool/internal/order"
	"paytool/internal/shard"
	"paytool/internal/shard/doctor"
	"paytool/internal/store"
	"paytool/internal/store/embedded"
)

type drillRunOptions struct {
	plan    drillPlanFlags
	reports drillReportFlags
	yes     bool
	dryRun  bool
}

func newDrillRunCmd(a *app) *cobra.Command {
	var o drillRunOptions
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Break groups under load, take the fault back, and prove that no order suffered",
		Long: `Run a drill: check that all is well, send shadow orders at a steady rate, inject the
fault into the groups, prove that it is there, take it back, prove that it is gone, and
then hold every order against what its client was told, on every node of every group.

The orders come from an engine inside this process, or with --url go to engines that are
being served, whose groups are those of the config. With --observe the drill sends nothing
and watches what others send there: it shows how smooth that was, and finds orders that
are doubled or differ between nodes. That none is lost it cannot show: nobody keeps a
ledger. So it is inconclusive at best.

With --dir the groups are embedded ones: then the faults are those of the network, in a
proxy between the engine and the groups.

The plan comes from a file (docs/drills has two) or from flags alone, which are for a
sandbox. Never are all groups broken. Ctrl-C takes the fault back and ends the drill; a
second one does not make it forget. Whatever happens to this process, a watchdog takes
the fault back, at the latest after --ttl.

Exit status: 0 held, 1 the program failed, 2 wrong usage, 3 refused by a guard (nothing
was touched), 4 not as smooth as hoped, data intact, 5 stopped before its time, restored,
6 an order was lost, doubled or changed, 7 a fault may still be there: call "paytool
drill recover", 8 inconclusive. The worst wins: 7, 6, 8, 5, 4.`,
		Example: `  paytool drill run --groups 2 --fault hang
  paytool drill run --groups 2,3 --fault crash --for 20s --rate 300 --html drill.html
  paytool drill run --groups 2 --fault crash --url http://127.0.0.1:8080 --url http://127.0.0.1:8081
  paytool drill run --plan docs/drills/weekly.yaml --yes
  paytool drill run --plan docs/drills/quarterly.yaml --dry-run`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := o.plan.read(cmd.Flags())
			if err != nil {
				return err
			}
			o.reports.lang = p.Report.Lang
			return runDrill(cmd.Context(), a, p, o)
		},
	}
	o.plan.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.reports.html, "html", "", "write the page here (default: beside the result)")
	flags.StringVar(&o.reports.junit, "junit", "", "write the verdict here as JUnit")
	flags.BoolVar(&o.yes, "yes", false, "consent to a drill on servers that are no sandbox")
	flags.BoolVar(&o.dryRun, "dry-run", false, "print the plan and the groups that it would break, and touch nothing")
	return cmd
}

func runDrill(ctx context.Context, a *app, p plan.Plan, o drillRunOptions) (err error) {
	var s *drillSite
	if a.dir == "" {
		s, err = a.openDrillSite(ctx)
	} else {
		var set *embedded.Set
		if s, set, err = a.openEmbeddedSite(ctx); err == nil {
			defer func() { err = errors.Join(err, set.Close()) }()
		}
	}
	if errors.Is(err, rig.ErrRefused) {
		return drillRefused(err)
	}
	if err != nil {
		return err
	}
	d := newDrillRun(a, p, o, s)
	targets, err := d.choose()
	if o.dryRun {
		return errors.Join(a.showPlan(p, targets), drillRefused(err))
	}
	if err == nil {
		err = d.guard(ctx)
	}
	if err != nil {
		return d.refuse(err)
	}
	return d.run(ctx)
}

func newDrillRun(a *app, p plan.Plan, o drillRunOptions, s *drillSite) *drillRun {
	now := time.Now()
	return &drillRun{app: a, plan: p, opts: o, site: s, started: now, id: newDrillID(now), port: func(g *store.Group) order.Group { return g }}
}

// drillRefused gives a guard's word its exit status.
func drillRefused(err error) error {
	if err == nil {
		return nil
	}
	return &statusError{status: exitRefused, err: err}
}

// showPlan prints what would be done.
func (a *app) showPlan(p plan.Plan, targets []shard.GroupID) error {
	text, err := p.Text()
	if err != nil {
		return err
	}
	shown := struct {
		Targets []shard.GroupID `json:"targets"`
		Plan    string          `json:"plan"`
	}{append([]shard.GroupID{}, targets...), string(text)}
	return a.show(shown, func(w io.Writer) error { return fprintf(w, "%s\n# today: groups %v\n", text, targets) })
}

// choose finds the groups that are broken today, in the environment that the plan is
// for.
func (d *drillRun) choose() ([]shard.GroupID, error) {
	if err := d.environment(); err != nil {
		return nil, err
	}
	targets, err := chooseTargets(&d.plan, d.site.cfg, d.started)
	d.targets = targets
	return targets, err
}

// environment: flags alone name none, and are for a sandbox.
func (d *drillRun) environment() error {
	here, sandbox := d.site.cfg.Environment, d.site.sandbox()
	if here == "" && sandbox {
		here = plan.Sandbox
	}
	switch want := d.plan.Environment; {
	case want == "" && !sandbox:
		return fmt.Errorf("%w: these servers are no sandbox: a drill on them needs a plan that names their environment (--plan)", rig.ErrRefused)
	case want != "" && want != here:
		return fmt.Errorf("%w: the plan is for environment %q, and this config is of %q (its key environment)", rig.ErrRefused, want, here)
	case !sandbox && !d.opts.yes:
		return fmt.Errorf("%w: these servers are no sandbox: say --yes to break them", rig.ErrRefused)
	}
	return nil
}

// sandbox reports whether every server belongs to a sandbox of this machine, or is no
// server but a file.
func (s *drillSite) sandbox() bool {
	if s.embedded {
		return true
	}
	for _, g := range s.cfg.Groups {
		described, err := s.Group(g.Group)
		if err != nil {
			return false
		}
		for _, n := range append([]rig.Node{described.Primary}, described.Replicas...) {
			if n.Sandbox == "" {
				return false
			}
		}
	}
	return len(s.cfg.Groups) > 0
}

// guardPatience is how long servers may take to be examined.
const guardPatience = 3 * time.Second

// gateFindings are what the doctor may not find before a drill: a copy that is missing
// or not durable, or a group that is not whole.
var gateFindings = []string{
	"unreachable", "access_denied", "semisync_missing", "semisync_off", "semisync_no_replica", "semisync_degraded", "semisync_not_acknowledging",
	"sync_binlog", "flush_log_at_commit", "not_replicating", "receiver_stopped", "applier_stopped", "primary_read_only", "stale_primary",
}

// guard refuses a drill on groups that are not well.
func (d *drillRun) guard(ctx context.Context) error {
	if promotes := slices.ContainsFunc(d.plan.Method, func(s plan.Step) bool { return s.Promote }); promotes && !d.site.sandbox() {
		return fmt.Errorf("%w: --promote is for a sandbox: elsewhere nobody here can bring the old primary back; see `paytool shard set-primary`", rig.ErrRefused)
	}
	for _, f := range d.allFaults() {
		if spec, ok := fault.Lookup(f.Name); ok && slices.Equal(spec.Scopes, []fault.Scope{fault.Disk}) {
			return fmt.Errorf("%w: %s needs %s", rig.ErrRefused, f.Name, spec.Needs)
		}
	}
	if err := errors.Join(rig.Free(d.site.dir), d.reachable(), d.breakable()); err != nil {
		return err
	}
	for i, step := range d.plan.Method[1:] {
		if before := d.plan.Method[i]; step.At < before.At+before.For {
			return fmt.Errorf("%w: %s begins while %s is in force: faults at the same time are written as one, %s+%s", rig.ErrRefused, step.Fault, before.Fault, before.Fault, step.Fault)
		}
	}
	if d.site.embedded {
		return nil // there are no servers to examine
	}
	var wrong []string
	for _, f := range examine(ctx, d.site.cfg, doctorOptions{timeout: guardPatience}).Findings {
		if f.Severity == doctor.Error && slices.Contains(gateFindings, f.ID) {
			wrong = append(wrong, fmt.Sprintf("%s: %s: %s", findingPlace(f), f.ID, f.Found))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%w: the groups are not well: %s; see `paytool shard doctor`", rig.ErrRefused, strings.Join(wrong, "; "))
	}
	return nil
}

// breakable refuses what embedded groups cannot have: they are files in the process that
// serves them, and break in a proxy alone.
func (d *drillRun) breakable() error {
	for _, f := range d.allFaults() {
		if spec, ok := fault.Lookup(f.Name); ok && d.site.embedded && !spec.ActsOn(fault.Network) {
			return fmt.Errorf("%w: %s needs servers, and embedded groups (--dir) have none: only faults of the network act on them, such as hang, lost_commit or partition; see `paytool drill faults` and `paytool sandbox up`", rig.ErrRefused, f.Name)
		}
	}
	return nil
}

// refuse keeps the guard's word like any other result.
func (d *drillRun) refuse(why error) error {
	r := result.Build(result.Input{
		ID: d.id, Plan: d.plan, Targets: d.targets, By: whoami(), Host: hostname(), Tool: "paytool " + buildVersion(), Started: d.started, Ended: time.Now(),
		Refused: why.Error(), Restore: result.Restore{OK: true},
	})
	if err := history.In(d.site.dir).Save(r); err != nil {
		return errors.Join(drillRefused(why), err)
	}
	if d.app.output == outputJSON {
		return errors.Join(d.app.show(r.Summary, nil), drillRefused(why))
	}
	return drillRefused(why)
}

func hostname() string {
	name, _ := os.Hostname() // a report without it is still one
	return name
}

// through is the config with the proxies before the groups that need one.
func through(cfg *config.Config, groups []rig.Group) (*config.Config, error) {
	c := *cfg
	c.Groups = slices.Clone(cfg.Groups)
	for _, g := range groups {
		i := slices.IndexFunc(c.Groups, func(x config.Group) bool { return x.Group == g.Number })
		if g.Door == nil || i < 0 {
			continue
		}
		dsn, err := mysql.ParseDSN(string(c.Groups[i].Primary.DSN))
		if err != nil {
			return nil, fmt.Errorf("read the dsn of group %d: %w", g.Number, err)
		}
		dsn.Net, dsn.Addr = "tcp", g.Door.Addr
		c.Groups[i].Primary.DSN = config.DSN(dsn.FormatDSN())
	}
	return &c, nil
}

// allFaults are those of every step.
func (d *drillRun) allFaults() (all fault.List) {
	for _, s := range d.plan.Method {
		all = append(all, s.Faults()...)
	}
	return all
}

func (d *drillRun) ledgerFile() string { return filepath.Join(d.site.dir, d.id+".ledger") }
