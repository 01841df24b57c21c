package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"paytool/internal/drill/result"
	"paytool/internal/drill/watch"
	"paytool/internal/order"
	"paytool/internal/shard"
	"paytool/internal/store"
)

// keepWatch ends the drill once one of the plan's conditions is not met, and draws.
func (d *drillRun) keepWatch(ctx context.Context) {
	for (order.System{}).Sleep(ctx, drawEvery) == nil {
		states := d.states()
		d.mu.Lock()
		faulted := !d.faulted.IsZero()
		d.mu.Unlock()
		if why := d.eyes.Breach(time.Now(), states); why != "" && faulted {
			d.stop(errors.New(why))
		}
		d.view.draw(d.picture())
	}
}

// ejectedFor is how long a group is out before it counts as hurt: on a busy machine
// even a healthy one is passed over for a moment.
const ejectedFor = time.Second

func (d *drillRun) states() []watch.State {
	off := d.semisyncOff()
	var states []watch.State
	for _, s := range d.fleet() {
		state := watch.State{ID: s.Group.ID, Ejected: s.Ejection != nil && time.Since(s.Ejection.Since) >= ejectedFor}
		if off[s.Group.ID] {
			state.Broken = "commits no longer wait for a replica"
		}
		states = append(states, state)
	}
	return states
}

// semisyncOff are the groups whose commits do not wait for a replica now.
func (d *drillRun) semisyncOff() map[shard.GroupID]bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	off := map[shard.GroupID]bool{}
	for _, e := range d.events {
		if e.Kind == result.SemisyncOff || e.Kind == result.SemisyncOn {
			off[e.Group] = e.Kind == result.SemisyncOff
		}
	}
	return off
}

const (
	semisyncEvery = 80 * time.Millisecond // below the 100 ms of semisync_degrade
	semisyncWait  = 500 * time.Millisecond
)

// keepSemisync notes when a group's commits no longer wait for a replica. A group that
// does not answer is as it was.
func (d *drillRun) keepSemisync(ctx context.Context) {
	var each sync.WaitGroup
	for i, g := range d.engine.groups {
		if !d.engine.cfg.Engine.SemisyncFor(d.engine.cfg.Groups[i]) {
			continue
		}
		each.Go(func() {
			l := semisyncLooks{group: g}
			for (order.System{}).Sleep(ctx, semisyncEvery) == nil {
				if e, changed := l.look(ctx); changed {
					d.event(e)
				}
			}
		})
	}
	each.Wait()
}

// semisyncLooks are the looks at one group.
type semisyncLooks struct {
	group *store.Group
	off   bool
	last  time.Time // when the last look that saw what is so now was begun
	alone time.Time // since when no look has seen a replica; zero while there is one
}

// look tells a change. It has come after the last look that saw it otherwise began: what
// was acknowledged while nobody looked is judged by what it can have waited for.
func (l *semisyncLooks) look(ctx context.Context) (e result.Event, changed bool) {
	ctx, cancel := context.WithTimeout(ctx, semisyncWait)
	defer cancel()
	begun := time.Now()
	wait, replicas, err := l.group.CommitsWait(ctx)
	if err != nil {
		return e, false
	}
	now := time.Now()
	switch {
	case replicas > 0:
		l.alone = time.Time{}
	case l.alone.IsZero():
		l.alone = now
	}
	before := l.last
	l.last = begun
	if !wait == l.off {
		return e, false
	}
	l.off = !wait
	if !l.off {
		return result.Event{At: before, Kind: result.SemisyncOn, Group: l.group.ID()}, true
	}
	atMost, _ := l.group.CommitsWaitAtMost(ctx) // 0 says that nobody knows
	return result.Event{At: now, Kind: result.SemisyncOff, Group: l.group.ID(), Since: before, Alone: l.alone, Wait: atMost}, true
}
