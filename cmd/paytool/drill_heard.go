package main

import (
	"fmt"
	"time"

	"paytool/internal/drill"
	"paytool/internal/drill/result"
	"paytool/internal/drill/rig"
	"paytool/internal/order"
	"paytool/internal/shard"
)

func (d *drillRun) heardOrder(s drill.Sample) {
	d.eyes.Told(s)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.told = append(d.told, s)
}

func (d *drillRun) heardHop(h order.Hop) {
	m := shard.GroupID(h.OrderNo.Tag())
	if d.eyes != nil {
		d.eyes.Hopped(h.Above, m)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.past[h.OrderNo] == 0 {
		d.past[h.OrderNo] = h.Above
	}
	if h.Reason == string(shard.Unknown) {
		d.unknown++
	}
}

func (d *drillRun) heardGroup(e shard.Event) {
	switch {
	case e.Cause == shard.Starting:
	case e.Ejected:
		d.event(result.Event{At: time.Now(), Kind: result.Ejected, Group: e.Group, Detail: string(e.Cause)})
	default:
		d.event(result.Event{At: time.Now(), Kind: result.Readmitted, Group: e.Group})
	}
}

// heardRig notes what happens to the fault. It is there from the moment it was
// injected, once it was measured.
func (d *drillRun) heardRig(e rig.Event) {
	switch e.Phase {
	case rig.Inject:
		d.mu.Lock()
		d.injected[e.Group] = e.At
		if d.faulted.IsZero() {
			d.faulted = e.At
		}
		d.mu.Unlock()
	case rig.There:
		d.mu.Lock()
		at := d.injected[e.Group]
		d.mu.Unlock()
		d.event(result.Event{At: at, Kind: result.Injected, Group: shard.GroupID(e.Group), Detail: e.Text})
	case rig.Undo:
		d.begin(result.PhaseRestore)
	case rig.Gone:
		d.event(result.Event{At: e.At, Kind: result.Recovered, Group: shard.GroupID(e.Group), Detail: d.plan.FaultText()})
	case rig.Canary:
		d.event(result.Event{At: e.At, Kind: result.Canary, Group: shard.GroupID(e.Group)})
	default:
	}
}

func (d *drillRun) event(e result.Event) {
	d.mu.Lock()
	d.events = append(d.events, e)
	d.mu.Unlock()
	if d.view != nil {
		d.view.say(d.eventLine(e))
	}
}

func (d *drillRun) begin(p result.Phase) {
	d.mu.Lock()
	d.phase = p
	d.mu.Unlock()
	d.event(result.Event{At: time.Now(), Kind: result.PhaseBegan, Detail: string(p)})
}

// eventLine is an event for people, with the time since the load began.
func (d *drillRun) eventLine(e result.Event) string {
	at := 0.0
	if !d.loading.IsZero() {
		at = e.At.Sub(d.loading).Seconds()
	}
	words := map[result.EventKind]string{
		result.PhaseBegan: "phase", result.Injected: "injected and measured:", result.Recovered: "gone:", result.Ejected: "takes no new orders any more:",
		result.Readmitted: "takes orders again", result.SemisyncOff: "commits no longer wait for a replica", result.SemisyncOn: "commits wait for a replica again",
		result.Canary: "has acknowledged an order", result.Promoted: "has another primary:",
	}
	who := ""
	if e.Group != 0 {
		who = fmt.Sprintf("group %d ", e.Group)
	}
	return fmt.Sprintf("%6.1fs  %s%s %s", at, who, words[e.Kind], e.Detail)
}
