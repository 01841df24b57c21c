package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"paytool/internal/config"
	"paytool/internal/drill/plan"
	"paytool/internal/shard"
)

// drillPlanFlags make the plan of a drill: from a file, or alone.
type drillPlanFlags struct {
	file string

	groups   []int
	zone     string
	fault    string
	hold     time.Duration
	promote  bool
	rate     int
	baseline time.Duration
	ttl      time.Duration
	observe  bool
	urls     []string
	tokens   string // file
	lang     string
}

// planFlags are those that a plan file stands for.
var planFlags = []string{"groups", "zone", "fault", "for", "promote", "rate", "baseline", "ttl", "observe", "url", "token-file", "lang"}

func (f *drillPlanFlags) add(cmd *cobra.Command) {
	d := plan.Defaults()
	flags := cmd.Flags()
	flags.StringVar(&f.file, "plan", "", "plan file, instead of the flags below; see docs/drills")
	flags.IntSliceVar(&f.groups, "groups", nil, "groups to break, never all")
	flags.StringVar(&f.zone, "zone", "", "break all groups of this zone instead")
	flags.StringVar(&f.fault, "fault", "", "what to do: see \"paytool drill faults\"")
	flags.DurationVar(&f.hold, "for", 10*time.Second, "how long the fault lasts")
	flags.BoolVar(&f.promote, "promote", false, "with crash: fail over within the group, and measure how long it takes")
	flags.IntVar(&f.rate, "rate", d.Load.Rate, "shadow orders a second")
	flags.DurationVar(&f.baseline, "baseline", d.Load.Baseline, "load before the fault")
	flags.DurationVar(&f.ttl, "ttl", 0, "after this long, from the injection, a watchdog takes the fault back (default: --for and 50s)")
	flags.BoolVar(&f.observe, "observe", d.Load.Observe, "send nothing: watch the orders that others send to the engines at --url; without a ledger nothing proves that none is lost")
	flags.StringArrayVar(&f.urls, "url", nil, "an engine that is being served, which takes the orders instead of one in this process; may be repeated")
	flags.StringVar(&f.tokens, "token-file", "", "file whose first token goes with each request to --url")
	flags.StringVar(&f.lang, "lang", d.Report.Lang, "language of the report: zh or en")
}

// read is the plan, complete and checked.
func (f *drillPlanFlags) read(flags *pflag.FlagSet) (plan.Plan, error) {
	if f.file == "" {
		p := f.plan()
		if err := p.Complete(); err != nil {
			return plan.Plan{}, usageError(fmt.Errorf("the flags make no plan; see `paytool drill run --help`:\n%w", err))
		}
		return p, nil
	}
	var beside []string
	for _, name := range planFlags {
		if flags.Changed(name) {
			beside = append(beside, "--"+name)
		}
	}
	if len(beside) > 0 {
		return plan.Plan{}, usageError(fmt.Errorf("--plan says it all: leave out %s, or write it into the plan", strings.Join(beside, ", ")))
	}
	p, err := plan.Read(f.file)
	if err != nil {
		return plan.Plan{}, usageError(err)
	}
	return p, nil
}

// plan is what the flags say. They name no environment and no window: it is for a
// sandbox.
func (f *drillPlanFlags) plan() plan.Plan {
	p := plan.Defaults()
	p.Targets = plan.Targets{Groups: f.groups, Zone: f.zone}
	p.Load.Rate, p.Load.Baseline, p.Load.Observe = f.rate, f.baseline, f.observe
	p.Load.URLs, p.Load.TokenFile = f.urls, f.tokens
	p.Method = []plan.Step{{Fault: f.fault, For: f.hold, Promote: f.promote}}
	p.TTL, p.Report.Lang = f.ttl, f.lang
	return p
}

// chooseTargets is the groups that a drill breaks today, within the plan's window.
func chooseTargets(p *plan.Plan, cfg *config.Config, now time.Time) ([]shard.GroupID, error) {
	if err := p.Window.Open(now); err != nil {
		return nil, fmt.Errorf("outside the window of the plan: %w", err)
	}
	groups := make([]plan.Group, len(cfg.Groups))
	for i, g := range cfg.Groups {
		groups[i] = plan.Group{ID: shard.GroupID(g.Group), Zone: g.Zone}
	}
	return p.Targets.Choose(groups, now)
}
