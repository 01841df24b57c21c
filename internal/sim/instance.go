package sim

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"paytool/internal/order"
	"paytool/internal/shard"
)

// instance is one host with the engine on it; its process may die and start
// again, each time with a new life.
type instance struct {
	world *world
	n     int // index
	lives int
	up    bool

	life   *life
	env    *venv
	ctx    *vctx
	links  []*link // one for each group
	engine *order.Engine
	ran    bool // Run has returned
}

// start starts the engine's process with a clock that may be off by up to 200 ms.
func (in *instance) start() {
	w := in.world
	in.lives++
	in.up, in.ran = true, false
	in.life = &life{}
	in.env = &venv{clock: w.clock, skew: within(w.chance, 400*time.Millisecond) - 200*time.Millisecond}
	in.ctx = in.env.withCancel(context.Background())
	name := fmt.Sprintf("e%d.%d", in.n+1, in.lives)
	in.links = nil
	groups := make([]order.Group, 0, len(w.servers))
	for g, s := range w.servers {
		l := &link{srv: s, life: in.life, who: name, cut: w.cuts[[2]int{in.n, g}]}
		in.links = append(in.links, l)
		groups = append(groups, w.sabotage.group(l))
	}
	weights := map[shard.GroupID]int{}
	for i := range w.servers {
		weights[shard.GroupID(i+1)] = 100
	}
	till := &line{channel: w.channel, env: in.env, who: name, account: account(in.n, in.lives)}
	in.engine = order.New(order.Options{
		Channels: []order.Channel{w.sabotage.channel(till)}, Guard: w.guard, RevokePaid: w.revokePaid,
		Timetable: timetable, ChannelTimeout: channelTimeout,
		Name: name, Holder: name, Weights: weights, ProbeInterval: w.plan.probeEvery,
		Expiry: expiry, Health: shard.HealthOptions{MaxHoldDown: maxHoldDown}, OnEvent: in.heard,
	}, groups, in.env, w.chance.Uint64, w.logger(name))
	w.truth.note("%s: started, clock off by %v", name, in.env.skew)
	engine := in.engine
	in.spawn(func() {
		engine.Run(in.ctx)
		in.ran = true
	})
}

// spawn starts a process of the instance's present life.
func (in *instance) spawn(f func()) { in.world.clock.spawn(in.life, f) }

// stop asks the process to end and waits for it.
func (in *instance) stop() {
	in.world.truth.note("%s: stopping", in.links[0].who)
	in.ctx.cancel()
	in.up = false
}

// kill ends the process as kill -9 does.
func (in *instance) kill() {
	w := in.world
	w.truth.note("%s: killed", in.links[0].who)
	w.truth.saw("killed")
	w.clock.kill(in.life)
	for _, s := range w.servers {
		s.hangUp(in.life)
	}
	in.up = false
}

func (in *instance) heard(ev shard.Event) {
	w := in.world
	switch {
	case !ev.Ejected:
		w.truth.saw("readmitted")
	case ev.ByCreates:
		w.truth.saw("ejected_by_creates")
	default:
		w.truth.saw("ejected_by_probes")
	}
	w.sabotage.heard(in, ev)
}

// admitted counts the groups that this instance takes for good.
func (in *instance) admitted() (n int) {
	for _, s := range in.world.servers {
		if in.engine.Fleet().Admitted(s.id) {
			n++
		}
	}
	return n
}

// logger writes the engine's log to the trace.
func (w *world) logger(name string) *slog.Logger {
	if w.truth.log == nil {
		return slog.New(slog.DiscardHandler)
	}
	lines := traceWriter(func(line string) { w.truth.note("%s: %s", name, line) })
	return slog.New(slog.NewTextHandler(lines, &slog.HandlerOptions{Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey { // the real time would differ from run to run
				return slog.Attr{}
			}
			return a
		}}))
}

// traceWriter is a writer that passes each line on.
type traceWriter func(line string)

var _ io.Writer = traceWriter(nil)

func (t traceWriter) Write(p []byte) (int, error) {
	t(string(p[:len(p)-1]))
	return len(p), nil
}
