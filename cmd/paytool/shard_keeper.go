package main

import (
	"context"
	"log/slog"
	"time"

	"paytool/internal/metrics"
	"paytool/internal/order"
	"paytool/internal/shard/mover"
)

// standEvery is after how many calls of a keeper the figures of moves are read anew.
const standEvery = 5

// moveInterval is how often an instance looks after the moves.
const moveInterval = time.Second

// lookAfterMoves calls the keeper of the moves until the context ends.
func (e *engine) lookAfterMoves(ctx context.Context, m *metrics.Metrics) {
	holder, err := randomHex(16)
	if err != nil {
		e.log.Warn("moves are not kept current", "err", err)
		return
	}
	all := e.openMoves(mover.Options{Holder: holder, Who: e.cfg.Engine.Name, Log: e.log, OnEvent: m.MoveHeard})
	keep := keepMoves(all.runner, m, e.log)
	for (order.System{}).Sleep(ctx, moveInterval) == nil {
		keep(ctx)
	}
}

// keepMoves is what an engine does once a second for moves that nobody carries out: it
// keeps the old groups of switched ones current, and lifts a fence that was left
// behind. It is called from one goroutine.
func keepMoves(runner moveRunner, m *metrics.Metrics, log *slog.Logger) func(ctx context.Context) {
	said, calls := "", 0
	return func(ctx context.Context) {
		err := runner.Pump(ctx)
		if calls++; err == nil && calls%standEvery == 1 {
			var all []mover.Standing
			if all, err = runner.Standings(ctx); err == nil {
				m.MovesStand(all)
			}
		}
		if ctx.Err() != nil {
			return
		}
		now := ""
		if err != nil {
			now = err.Error()
		}
		if now != said && err != nil { // once, not every second
			log.Warn("moves are not kept current", "err", err)
		}
		said = now
	}
}
