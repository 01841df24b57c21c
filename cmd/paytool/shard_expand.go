package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"paytool/internal/config"
	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/report"
	"paytool/internal/shard"
	"paytool/internal/shard/join"
	"paytool/internal/shard/move"
	"paytool/internal/store/tagmove"
)

type expandOptions struct {
	add    int
	weight int
	steps  string
	join.Options
	limits canaryLimits
	yes    bool
	dryRun bool
}

func newShardExpandCmd(a *app) *cobra.Command {
	var o expandOptions
	cmd := &cobra.Command{
		Use:   "expand",
		Short: "Have more groups: they take on new orders step by step",
		Long: `Let new groups join. A new group's number is its tag, one above the highest that was
ever given out: the number of a retired group stays on its orders. No old order moves.
Add the new groups to the config first, under these numbers, and restart every engine
with it; without --add all groups of the config that are not at work yet join.

The plan is printed, with all that the doctor finds wrong. With --yes the groups get
schema and epoch; once every engine at work knows a group, it takes new orders: with
--merchants those of these merchants alone first, then of all, a small part of its weight
first (--steps), each for --watch. Meanwhile shadow orders are created in it. If one of
them fails or they are slow, if the group is ejected, its semi-sync is off or a replica
lags, the whole weight is taken back.

Called again, it goes on where the group stands: without --merchants, from the step for
some merchants to those for all.

Exit status: 0 the groups have their full weight, or nothing forbids it with --dry-run,
1 refused or taken back, 2 wrong usage, 130 interrupted.`,
		Example: `  paytool shard expand --dry-run
  paytool shard expand --yes
  paytool shard expand --yes --merchants m1,m2 --watch 1h
  paytool shard expand --add 1 --yes --steps 1/256,1/2,1 --watch 5m`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runShardExpand(cmd.Context(), a, o) },
	}
	f := cmd.Flags()
	f.IntVar(&o.add, "add", 0, "groups that are to join (default: all of the config that are not at work yet)")
	f.IntVar(&o.weight, "weight", 0, "full weight of the new groups (default: the config's, or where that is 0 the highest of the groups at work)")
	f.StringVar(&o.steps, "steps", "1/256,1/8,1/4,1/2,1", "parts of the full weight that a group is given, one after the other")
	f.StringSliceVar(&o.Merchants, "merchants", nil, "merchants whose orders alone a group takes first, as a CSV list (default: there is no such step)")
	f.DurationVar(&o.Watch, "watch", 10*time.Second, "how long each step is looked at before the next")
	f.DurationVar(&o.Wait, "wait", time.Minute, "how long to wait until every engine knows the group")
	f.DurationVar(&o.limits.maxP99, "max-p99", 200*time.Millisecond, "one in a hundred shadow orders may take longer; 0: any time")
	f.DurationVar(&o.limits.maxLag, "max-lag", 5*time.Second, "a replica of the group may be further behind")
	f.BoolVar(&o.yes, "yes", false, "carry the plan out")
	f.BoolVar(&o.dryRun, "dry-run", false, "show the plan and change nothing")
	return cmd
}

func (o *expandOptions) check() ([]join.Fraction, error) {
	switch {
	case o.add < 0 || o.weight < 0:
		return nil, errors.New("--add and --weight are 1 or more")
	case o.Watch <= 0 || o.Wait <= 0:
		return nil, errors.New("--watch and --wait are longer than 0")
	case o.limits.maxP99 < 0 || o.limits.maxLag < 0:
		return nil, errors.New("--max-p99 and --max-lag are 0 or more")
	}
	steps, err := join.ParseSteps(o.steps)
	if err != nil {
		return nil, fmt.Errorf("--steps: %w", err)
	}
	if o.Merchants != nil {
		if err := checkPilots(o.Merchants); err != nil {
			return nil, fmt.Errorf("--merchants: %w", err)
		}
	}
	return steps, errBoth(o.yes, o.dryRun)
}

// checkPilots refuses what can be no merchant. The shadow merchant is always added.
func checkPilots(merchants []string) error {
	if len(merchants) == 0 {
		return errors.New("name at least one merchant")
	}
	for _, m := range merchants {
		if err := pay.CheckField("merchant_id", m, 1, pay.MaxMerchantID); err != nil {
			return fmt.Errorf("%q: %w", m, err)
		}
		if m == pay.ShadowMerchant {
			return fmt.Errorf("%s is always among them: name the merchants beside it", m)
		}
	}
	return nil
}

// named are the pilots that an operator named.
func named(pilots []string) []string {
	return slices.DeleteFunc(slices.Clone(pilots), func(m string) bool { return m == pay.ShadowMerchant })
}

func runShardExpand(ctx context.Context, a *app, o expandOptions) error {
	steps, err := o.check()
	if err != nil {
		return usageError(err)
	}
	return a.withEngine(ctx, func(e *engine) error {
		asked := e.ask(ctx, a.dir != "")
		pending := waiting(e.cfg.Groups, asked.reports)
		plan, err := e.planWith(ctx, expansion(pending, o, asked.topology(e.cfg)), asked)
		if err != nil {
			return err
		}
		if !o.yes || !plan.OK() {
			return a.showMovePlan(plan, o.dryRun)
		}
		if a.output == outputTable {
			if err := writePlan(a.out, plan); err != nil {
				return err
			}
		}
		x := expander{app: a, engine: e, opts: o, steps: steps}
		for _, g := range e.groups {
			x.groups = append(x.groups, tagmove.Open(g))
		}
		return x.run(ctx, plan)
	})
}

// waiting lists the groups of the config that have not their full weight yet: those
// that no engine has prepared, that are joining, or that an expansion left with a part.
// New groups have the highest numbers; a group below one at work has the weight that
// somebody wanted it to have.
func waiting(groups []config.Group, reports []shard.Report) (list []shard.GroupID) {
	at := map[shard.GroupID]shard.Report{}
	highest := shard.GroupID(0) // of those with their full weight
	for _, r := range reports {
		at[r.Group] = r
		if r.State == shard.GroupActive && r.Weight >= fullWeight(groups, reports, r.Group) {
			highest = max(highest, r.Group)
		}
	}
	for _, g := range groups {
		id := shard.GroupID(g.Group)
		r, prepared := at[id]
		partly := r.State == shard.GroupActive && r.Weight > 0 && id > highest
		if !prepared || r.State == shard.GroupJoining || partly {
			list = append(list, id)
		}
	}
	slices.Sort(list)
	return list
}

// fullWeight is what the config gives a group, or where it gives it nothing yet the
// highest weight of the groups at work.
func fullWeight(groups []config.Group, reports []shard.Report, id shard.GroupID) int {
	for _, g := range groups {
		if shard.GroupID(g.Group) == id && g.Weight > 0 {
			return g.Weight
		}
	}
	full := 0
	for _, r := range reports {
		if r.State == shard.GroupActive && r.Group != id {
			full = max(full, r.Weight)
		}
	}
	return max(full, 1)
}

// expansion asks for the groups that wait, or for as many as --add says: those that wait
// first, then the next numbers.
func expansion(pending []shard.GroupID, o expandOptions, t shard.Topology) move.Request {
	r := move.Request{Kind: move.Expand, Join: pending, Pilots: o.Merchants}
	switch {
	case o.add == 0 && len(pending) == 0:
		r.Add = 1 // its refusal tells which number to add to the config
		return r
	case o.add == 0:
		return r
	case o.add < len(pending):
		r.Join = pending[:o.add]
		return r
	}
	next := move.NextGroup(t)
	for _, g := range pending {
		next = max(next, g+1)
	}
	for len(r.Join) < o.add {
		r.Join = append(r.Join, next)
		next++
	}
	return r
}

// expander lets the groups of a plan join, one after the other.
type expander struct {
	app    *app
	engine *engine
	groups []*tagmove.Group
	opts   expandOptions
	steps  []join.Fraction
}

// joinResult is one group that has joined.
type joinResult struct {
	Group  shard.GroupID `json:"group"`
	Weight int           `json:"weight"`
	MS     int64         `json:"ms"`
}

// expandResult is the contract of `shard expand -o json`: the plan, and what came of it.
type expandResult struct {
	*move.Plan
	Joined []joinResult `json:"joined"`
}

func (x *expander) run(ctx context.Context, plan *move.Plan) error {
	x.engine.run(ctx) // prepares the new groups, and is one of the engines that have to know them
	result := expandResult{Plan: plan, Joined: []joinResult{}}
	for _, id := range plan.Joining {
		start := time.Now()
		weight, err := x.join(ctx, id)
		if ctx.Err() != nil {
			return fmt.Errorf("group %d stays as it stands: `paytool shard expand --yes` goes on with it", id)
		}
		if err != nil {
			return err
		}
		result.Joined = append(result.Joined, joinResult{Group: id, Weight: weight, MS: time.Since(start).Milliseconds()})
	}
	return x.app.show(result, func(w io.Writer) error {
		if _, err := io.WriteString(w, "\n"); err != nil {
			return err
		}
		t := report.Table{Header: []string{"GROUP", "WEIGHT", "TOOK"}, Right: map[string]bool{"GROUP": true, "WEIGHT": true}}
		for _, j := range result.Joined {
			t.Add(j.Group, j.Weight, (time.Duration(j.MS) * time.Millisecond).Round(100*time.Millisecond))
		}
		return t.Write(w)
	})
}

// join lets one group join and answers with its full weight.
func (x *expander) join(ctx context.Context, id shard.GroupID) (full int, err error) {
	group, others, reports, err := x.look(ctx, id)
	if err != nil {
		return 0, err
	}
	if full = x.opts.weight; full == 0 {
		full = fullWeight(x.engine.cfg.Groups, reports, id)
	}
	canary := newCanary(x.engine, id, group, x.opts.limits)
	o := x.opts.Options
	o.Weights, o.Check, o.Now, o.Sleep, o.Log = join.Weights(full, x.steps), canary.check, time.Now, order.System{}.Sleep, x.engine.log
	if len(o.Merchants) > 0 {
		o.Merchants = append(slices.Clone(o.Merchants), pay.ShadowMerchant) // the canary's
	}
	o.OnStep = func(weight int, pilots []string) {
		whose := ""
		if len(pilots) > 0 {
			whose = " for the orders of " + merchantList(named(pilots)) + " alone"
		}
		x.engine.Refresh(ctx) // so that shadow orders go by the new weight at once
		canary.reset()
		_, _ = fmt.Fprintf(x.app.err, "group %d: weight %d of %d%s, for %s\n", id, weight, full, whose, o.Watch) // stderr is the last resort
	}
	return full, join.Run(ctx, group, others, o)
}

// look waits until this process's engine has prepared the group, and reads all groups.
func (x *expander) look(ctx context.Context, id shard.GroupID) (group *tagmove.Group, others []join.Group, reports []shard.Report, err error) {
	for _, g := range x.groups {
		if g.ID() == id {
			group = g
		} else if info, err := g.Info(ctx); err == nil && info.State != shard.GroupRetired && info.State != shard.GroupMoved {
			others, reports = append(others, g), append(reports, info)
		}
	}
	if group == nil {
		return nil, nil, nil, fmt.Errorf("group %d is not in the config", id)
	}
	for until := time.Now().Add(x.opts.Wait); ; {
		info, err := group.Info(ctx)
		if err == nil {
			return group, others, append(reports, info), nil
		}
		if ctx.Err() != nil || time.Now().After(until) {
			return nil, nil, nil, fmt.Errorf("group %d was not prepared: %w", id, err)
		}
		if err := (order.System{}).Sleep(ctx, time.Second/4); err != nil {
			return nil, nil, nil, err
		}
	}
}
