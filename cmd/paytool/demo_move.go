package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"paytool/internal/order"
	"paytool/internal/shard"
	"paytool/internal/shard/move"
	"paytool/internal/shard/mover"
)

// demoMove is the demo's shrink: what was planned, and what came of it.
type demoMove struct {
	Plan   string          `json:"plan"` // its hash
	Groups []shard.GroupID `json:"groups"`
	After  []shard.GroupID `json:"after"`
	Rows   int64           `json:"rows"` // that were copied, those that changed later not counted again
	// WaitedMS is how long updates of a tag waited, of the group that waited longest.
	WaitedMS int64       `json:"waited_ms"`
	TookMS   int64       `json:"took_ms"` // from the plan to the last switch
	Runs     []runResult `json:"runs"`
	// UnderLoad is false where the machine was so slow that no order arrived any more.
	UnderLoad bool   `json:"under_load"`
	Done      bool   `json:"done"`
	Error     string `json:"error"` // why not
}

const (
	demoLeft     = 3                // groups after the shrink
	demoShrinkAt = 24 * time.Second // all groups are well again by then, and orders still arrive
)

// shrink has groups leave while orders arrive, by the steps of `paytool shard shrink`.
func (d *demo) shrink(ctx context.Context) demoMove {
	m := demoMove{Groups: []shard.GroupID{}, After: []shard.GroupID{}, Runs: []runResult{}}
	if err := (order.System{}).Sleep(ctx, demoShrinkAt); err != nil {
		m.Error = err.Error()
		return m
	}
	if err := d.carryOver(ctx, &m); err != nil {
		m.Error = err.Error()
		if errors.Is(err, context.Canceled) {
			return m // the demo ends, and tells nothing more
		}
		d.say("the groups did not shrink: " + m.Error)
	}
	return m
}

func (d *demo) carryOver(ctx context.Context, m *demoMove) error {
	holder, err := randomHex(16)
	if err != nil {
		return err
	}
	var copied rowsCopied
	d.moves = d.engine.openMoves(mover.Options{Holder: holder, Who: "demo", Log: d.engine.log, OnEvent: copied.heard})
	d.moves.view = newMoveView(&statusLine{out: io.Discard}, time.Now) // the demo has a view of its own
	plan, err := d.planShrink(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	m.Plan, m.Groups, m.After = plan.Hash, plan.Groups, plan.After
	leave := groupNames(without(plan.Groups, plan.After)) + " leave"
	d.rec.begin(leave)
	d.say(fmt.Sprintf("%s: %s take their orders over, %s rows", leave, groupNames(plan.After), thousands(plan.Rows)))
	reached, err := d.moves.begin(ctx, *plan)
	if err != nil {
		return err
	}
	m.TookMS, m.Rows, m.Runs, m.Done = time.Since(began).Milliseconds(), copied.total(), runResults(reached), true
	m.UnderLoad = d.rec.snapshot().since < demoFor
	for _, r := range m.Runs {
		m.WaitedMS = max(m.WaitedMS, r.FenceMS)
	}
	d.rec.begin(fmt.Sprintf("%d groups are left", len(m.After)))
	d.say(fmt.Sprintf("%s: %s rows copied and compared, updates waited %d ms", leave, thousands(m.Rows), m.WaitedMS))
	return nil
}

// planShrink plans until nothing forbids it: a group that has just been healed may not
// have settled what it left open.
func (d *demo) planShrink(ctx context.Context) (*move.Plan, error) {
	for {
		plan, err := d.engine.plan(ctx, true, move.Request{Kind: move.Shrink, To: demoLeft})
		switch {
		case err == nil && plan.OK():
			return plan, nil
		case err == nil:
			err = errors.New(plan.Refusals[0].Text)
		}
		if (order.System{}).Sleep(ctx, moveInterval/2) != nil {
			return nil, fmt.Errorf("plan the shrink: %w", err)
		}
	}
}

// keepMoved keeps the groups that have left current, for as long as the demo lasts: the
// way back stays open.
func (d *demo) keepMoved(ctx context.Context) {
	for (order.System{}).Sleep(ctx, moveInterval) == nil {
		if err := d.moves.runner.Pump(ctx); err != nil && ctx.Err() == nil {
			d.engine.log.Warn("moves are not kept current", "err", err)
		}
	}
}

// rowsCopied counts the rows of copies by what the runner tells. Safe for concurrent use.
type rowsCopied struct {
	mu   sync.Mutex
	rows map[string]int64 // by run and tag
}

func (c *rowsCopied) heard(e mover.Event) {
	if e.Step != move.Copy || e.Tag == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rows == nil {
		c.rows = map[string]int64{}
	}
	c.rows[fmt.Sprint(e.Run, "/", e.Tag)] = e.Progress.Rows
}

func (c *rowsCopied) total() (rows int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.rows {
		rows += n
	}
	return rows
}

// text is the move in one line.
func (m demoMove) text() string {
	if !m.Done {
		return "they did not shrink: " + m.Error
	}
	during := "while orders arrived"
	if !m.UnderLoad {
		during = "after the last order"
	}
	return fmt.Sprintf("%d -> %d %s: %s rows copied and compared in %.1f s; updates waited %d ms",
		len(m.Groups), len(m.After), during, thousands(m.Rows), float64(m.TookMS)/1000, m.WaitedMS)
}

// groupNames is "groups 4 and 5".
func groupNames(groups []shard.GroupID) string {
	names := make([]string, len(groups))
	for i, g := range groups {
		names[i] = fmt.Sprint(g)
	}
	last := max(0, len(names)-1)
	if last == 0 {
		return "group " + strings.Join(names, "")
	}
	return "groups " + strings.Join(names[:last], ", ") + " and " + names[last]
}

func without(groups, some []shard.GroupID) []shard.GroupID {
	return slices.DeleteFunc(slices.Clone(groups), func(g shard.GroupID) bool { return slices.Contains(some, g) })
}
