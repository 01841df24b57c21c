package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/spf13/cobra"

	"paytool/internal/config"
	"paytool/internal/shard"
	"paytool/internal/shard/promote"
	"paytool/internal/store"
)

type setPrimaryOptions struct {
	group   int
	node    string
	dsn     string
	wish    promote.Wish
	timeout time.Duration
	yes     bool
	dryRun  bool
}

func newShardSetPrimaryCmd(a *app) *cobra.Command {
	var o setPrimaryOptions
	cmd := &cobra.Command{
		Use:   "set-primary --group N [--node NODE | --dsn DSN] [--promote] --yes",
		Short: "Make another node the primary of a group, after a failover or as one",
		Long: `Make another node of a group its primary: check who it is and that it lacks nothing,
that the old primary takes no writes any more, and record the new one at a higher epoch.
Engines find it by themselves within a second, as long as the node is in their config;
no restart is needed.

After a failover by other means (orchestrator, MHA, a person) name the new primary. With
--promote the failover is done here, on replicas that are well: nothing more is received,
all that was received is applied, the replica that has the most is promoted (or the one
that is named, if it has the most), and the others follow it. The old primary has to be
dead or read-only; bring it back read-only and as a replica (in a sandbox "paytool
sandbox up" does that).

It needs an admin_dsn for every node. Every reason against is named at once, and then
nothing is changed.

Exit status: 0 done, or it was the primary already, 1 refused or not done, 2 wrong usage,
130 interrupted.`,
		Example: `  paytool shard set-primary --group 2 --promote --dry-run
  paytool shard set-primary --group 2 --promote --yes
  paytool shard set-primary --group 2 --node replica1 --yes     after a failover by other means`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runSetPrimary(cmd.Context(), a, o) },
	}
	flags := cmd.Flags()
	flags.IntVar(&o.group, "group", 0, "number of the group")
	flags.StringVar(&o.node, "node", "", "the new primary, by its place in the config: primary, replica1, replica2, ...")
	flags.StringVar(&o.dsn, "dsn", "", "the new primary by its address: host:port, or a data source name, of which only the address counts")
	flags.BoolVar(&o.wish.Promote, "promote", false, "do the failover too; without --node or --dsn the replica that has the most is taken")
	flags.BoolVar(&o.wish.Fenced, "fenced", false, "your word that an old primary that does not answer is off and stays off")
	flags.BoolVar(&o.wish.AcceptLoss, "accept-loss", false, "go on although orders may be lost that only a missing replica has")
	flags.DurationVar(&o.timeout, "timeout", 30*time.Second, "for all of it; a promotion waits that long for replicas to apply")
	flags.BoolVar(&o.yes, "yes", false, "do it; without it the plan is only shown")
	flags.BoolVar(&o.dryRun, "dry-run", false, "show the plan and change nothing")
	cmd.MarkFlagsMutuallyExclusive("node", "dsn")
	cmd.MarkFlagsMutuallyExclusive("yes", "dry-run")
	return cmd
}

// setPrimaryResult is the contract of `shard set-primary -o json`.
type setPrimaryResult struct {
	promote.Plan
	Done bool   `json:"done"`
	MS   int64  `json:"ms"`   // from the first step to the last
	Next string `json:"next"` // what is left to do
}

func runSetPrimary(ctx context.Context, a *app, o setPrimaryOptions) error {
	if a.dir != "" {
		return usageError(errors.New("--dir: embedded groups have one node each; name a config with --config"))
	}
	cfg, err := a.loadConfig()
	if err != nil {
		return err
	}
	g, err := o.read(cfg)
	if err != nil {
		return usageError(err)
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	if !o.yes {
		return o.show(ctx, a, g)
	}
	r, err := setPrimary(ctx, cfg, g, o.wish, a.logger(cfg.Log))
	if err != nil {
		return err
	}
	return a.show(r, func(w io.Writer) error { return writeSetPrimary(w, r) })
}

// show prints the plan. Without --dry-run that was not what was asked for.
func (o *setPrimaryOptions) show(ctx context.Context, a *app, g config.Group) (err error) {
	p, err := store.OpenPromoter(o.wish.Group, promoteNodes(g))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	plan, err := promote.Decide(o.wish, p.Look(ctx), false)
	if err != nil {
		return err
	}
	r := setPrimaryResult{Plan: plan, Next: "nothing was changed"}
	if err := a.show(r, func(w io.Writer) error { return writeSetPrimary(w, r) }); err != nil {
		return err
	}
	if !o.dryRun && !plan.Already {
		return errors.New("set the primary: nothing was changed: say --yes to do it")
	}
	return nil
}

// read checks the flags and completes the wish.
func (o *setPrimaryOptions) read(cfg *config.Config) (config.Group, error) {
	i := slices.IndexFunc(cfg.Groups, func(g config.Group) bool { return g.Group == o.group })
	switch {
	case o.group == 0:
		return config.Group{}, errors.New("--group: name the group")
	case i < 0:
		return config.Group{}, fmt.Errorf("--group %d: the config has no such group; see `paytool config show`", o.group)
	case o.node == "" && o.dsn == "" && !o.wish.Promote:
		return config.Group{}, errors.New("name the new primary with --node or --dsn, or let --promote choose it")
	case o.timeout <= 0:
		return config.Group{}, fmt.Errorf("--timeout %s: want more than 0", o.timeout)
	}
	g := cfg.Groups[i]
	o.wish.Group, o.wish.Semisync = shard.GroupID(g.Group), cfg.Engine.SemisyncFor(g)
	var err error
	switch {
	case o.node != "":
		o.wish.Addr, err = addressOf(g, o.node)
	case o.dsn != "":
		o.wish.Addr, err = addressIn(o.dsn)
	}
	return g, err
}

// addressOf is the address of a node that is named by its place in the config.
func addressOf(g config.Group, name string) (string, error) {
	dsn := g.Primary.DSN
	if name != store.RolePrimary {
		n, err := strconv.Atoi(strings.TrimPrefix(name, store.RoleReplica))
		if err != nil || n < 1 || n > len(g.Replicas) || !strings.HasPrefix(name, store.RoleReplica) {
			return "", fmt.Errorf("--node %s: group %d has primary and replica1 to replica%d in the config", name, g.Group, len(g.Replicas))
		}
		dsn = g.Replicas[n-1].DSN
	}
	return addressIn(string(dsn))
}

func addressIn(dsn string) (string, error) {
	if _, _, err := net.SplitHostPort(dsn); err == nil && !strings.ContainsAny(dsn, "@/()") {
		return dsn, nil
	}
	c, err := mysql.ParseDSN(dsn)
	if err != nil {
		return "", errors.New("--dsn: does not parse (value withheld): write host:port, or user@tcp(host:port)/database")
	}
	return c.Addr, nil
}

func promoteNodes(g config.Group) []store.PromoteNode {
	var nodes []store.PromoteNode
	for _, n := range append([]config.Node{g.Primary}, g.Replicas...) {
		nodes = append(nodes, store.PromoteNode{DSN: string(n.DSN), AdminDSN: string(n.AdminDSN)})
	}
	return nodes
}

func writeSetPrimary(w io.Writer, r setPrimaryResult) error {
	p := printer{w: w}
	if r.Already {
		p.printf("%s is the primary of group %d already, at epoch %d\n", r.Name, r.Group, r.Epoch)
		return p.err
	}
	for _, s := range r.Steps {
		p.printf("%-10s %s", s.Kind, s.Node)
		if s.From != "" {
			p.printf(" from %s", s.From)
		}
		if s.Epoch > 0 {
			p.printf(" epoch %d, server %s", s.Epoch, s.UID)
		}
		p.printf("\n")
	}
	if r.Done {
		p.printf("%s is the primary of group %d from epoch %d on, done in %d ms\n", r.Name, r.Group, r.Epoch, r.MS)
	}
	p.printf("%s\n", r.Next)
	return p.err
}
