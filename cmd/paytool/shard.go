package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/report"
	"paytool/internal/shard"
	"paytool/internal/shard/mover"
	"paytool/internal/store"
)

func newShardCmd(a *app) *cobra.Command {
	status := &cobra.Command{
		Use:   "status",
		Short: "Show every group: tags, weight, semi-sync, ejection and its cause",
		Long: `Show every group as an engine instance sees it: it joins the groups, probes each
with a write to a row of its own, and says which would take an order and why not.`,
		Example: `  paytool shard status
  paytool shard status -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runShardStatus(cmd.Context(), a) },
	}
	return group("shard", "Show and change the groups", status, newShardDoctorCmd(a), newShardSetPrimaryCmd(a),
		newShardShrinkCmd(a), newShardExpandCmd(a), newShardMoveCmd(a), newShardPauseCmd(a), newShardContinueCmd(a),
		newShardReverseCmd(a), newShardRetireCmd(a), newShardVerifyCmd(a), newShardHistoryCmd(a))
}

// shardStatus is the contract of `shard status -o json`.
type shardStatus struct {
	Epoch  int64         `json:"epoch"`
	Groups []groupStatus `json:"groups"`
	Moves  []moveStatus  `json:"moves"` // that are open
}

type groupStatus struct {
	Group    shard.GroupID    `json:"group"`
	Tags     []pay.Tag        `json:"tags"`
	State    shard.GroupState `json:"state"`
	Weight   int              `json:"weight"`
	Pilots   []string         `json:"pilots"` // merchants whose orders alone it takes, while it is joining
	Primary  string           `json:"primary"`
	Replicas []string         `json:"replicas"`
	Semisync string           `json:"semisync"`
	Ejected  bool             `json:"ejected"`
	Cause    shard.Cause      `json:"cause"`
	Orders   int64            `json:"orders"` // -1 when no node could count them
}

func runShardStatus(ctx context.Context, a *app) (err error) {
	e, err := a.openEngine(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	e.run(ctx)
	var refused *order.Error
	if err := e.Ready(ctx); err != nil && (ctx.Err() != nil || !errors.As(err, &refused)) {
		return err // that no group takes orders is a status too, not a failure
	}
	e.Refresh(ctx)
	status := e.status(ctx)
	if status.Moves, err = e.openMoveStatus(ctx); err != nil {
		_, _ = fmt.Fprintln(a.err, "warning: moves may be missing here:", err)
	}
	return a.show(status, func(w io.Writer) error { return writeShardStatus(w, status) })
}

func (e *engine) status(ctx context.Context) shardStatus {
	nodes := make([]store.Status, len(e.groups))
	sctx, cancel := context.WithTimeout(ctx, e.cfg.Engine.ProbeTimeout*4)
	defer cancel()
	order.System{}.Gather(sctx, len(e.groups), func(ctx context.Context, i int) { nodes[i] = e.groups[i].Status(ctx) })
	s := shardStatus{Epoch: e.Fleet().Topology().Epoch, Groups: []groupStatus{}}
	for _, seen := range e.Fleet().Snapshot() {
		g := groupStatus{
			Group: seen.Group.ID, Tags: append([]pay.Tag{}, seen.Tags...), State: seen.Group.State, Weight: seen.Group.Weight,
			Pilots: append([]string{}, seen.Group.Pilots...), Ejected: seen.Ejection != nil, Replicas: []string{}, Orders: -1,
		}
		if seen.Ejection != nil {
			g.Cause = seen.Ejection.Cause
		}
		if i := slices.IndexFunc(e.groups, func(sg *store.Group) bool { return sg.ID() == g.Group }); i >= 0 {
			g.addNodes(nodes[i])
		}
		s.Groups = append(s.Groups, g)
	}
	return s
}

// openMoveStatus asks the groups for the moves that are open. It answers with those
// that it knows also where it fails.
func (e *engine) openMoveStatus(ctx context.Context) ([]moveStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.Engine.ProbeTimeout*4)
	defer cancel()
	all, err := e.openMoves(mover.Options{}).runner.Standings(ctx)
	return openMoveStatus(all, time.Now()), err
}

func (g *groupStatus) addNodes(s store.Status) {
	g.Orders = s.Orders
	for _, n := range s.Nodes {
		if n.Role == store.RolePrimary {
			g.Primary, g.Semisync = n.Addr, n.Semisync
			continue
		}
		g.Replicas = append(g.Replicas, n.Addr)
	}
}

func writeShardStatus(w io.Writer, s shardStatus) error {
	t := report.Table{
		Header: []string{"GROUP", "TAGS", "STATE", "WEIGHT", "TAKES ORDERS", "SEMISYNC", "ORDERS", "PRIMARY", "REPLICAS"},
		Right:  map[string]bool{"GROUP": true, "WEIGHT": true, "ORDERS": true},
	}
	for _, g := range s.Groups {
		state, takes := string(g.State), "yes"
		switch {
		case g.Ejected:
			takes = "no: " + string(g.Cause)
		case len(g.Pilots) > 0:
			takes = "of these alone"
		case g.State != shard.GroupActive:
			takes = "no: " + string(g.State)
		case g.Weight == 0:
			takes = "no: weight 0"
		}
		switch n := len(named(g.Pilots)); {
		case n == 1:
			state += ", 1 merchant"
		case n > 1:
			state += fmt.Sprintf(", %d merchants", n)
		}
		orders := "?"
		if g.Orders >= 0 {
			orders = fmt.Sprint(g.Orders)
		}
		t.Add(g.Group, strings.Trim(fmt.Sprint(g.Tags), "[]"), state, g.Weight, takes, g.Semisync, orders, g.Primary, strings.Join(g.Replicas, " "))
	}
	if err := t.Write(w); err != nil {
		return err
	}
	if err := writeMoveStatus(w, s.Moves); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nepoch %d\n", s.Epoch)
	return err
}
