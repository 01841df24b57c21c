package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// Settings of the simulated engines, short so that a run sees their ends.
const (
	expiry      = 20 * time.Second
	maxHoldDown = 8 * time.Second
)

// Bounds of a run. A run that does not come to its end within them is broken.
const (
	maxEvents   = 3_000_000
	settleTries = 150
	settlePause = 400 * time.Millisecond
	endWithin   = 5 * time.Second
	moneyWithin = 3 * time.Minute
)

// world is one run.
type world struct {
	plan      *plan
	clock     *clock
	chance    *rand.Rand
	truth     *truth
	sabotage  sabotage
	servers   []*server
	instances []*instance
	channel   *channel
	cuts      map[[2]int]bool // by instance and group

	guard      order.GuardPolicy // of all engines
	revokePaid bool

	env     *venv // of everybody but the instances
	ctx     *vctx
	life    *life
	clients int // that have not ended
	calls   int // of clients, that instances work on, heard or not
	keys    int // given out
	moving  int // tags that have not arrived yet
	over    bool
}

// newWorld draws the run of a seed. log takes the lines of a trace, nil for none.
func newWorld(seed uint64, sabotage sabotage, log func(line string)) *world {
	chance := rand.New(rand.NewPCG(seed, 2))
	w := &world{plan: drawPlan(rand.New(rand.NewPCG(seed, 1))), clock: newClock(chance), chance: chance,
		sabotage: sabotage, cuts: map[[2]int]bool{}, life: &life{}}
	w.truth = newTruth(seed, w.clock)
	if log != nil {
		w.truth.log = func(line string) { log(fmt.Sprintf("%12v %s", w.clock.now.Round(time.Microsecond), line)) }
	}
	w.env = &venv{clock: w.clock}
	w.ctx = w.env.withCancel(context.Background())
	for g := range w.plan.groups {
		w.servers = append(w.servers, newServer(shard.GroupID(g+1), w.clock, w.truth))
	}
	w.truth.servers = w.servers
	w.channel = newChannel(w.clock, w.truth)
	w.truth.channel = w.channel
	w.guard = []order.GuardPolicy{"", "", "", order.GuardPay, order.GuardRefuse}[chance.IntN(5)]
	w.revokePaid = chance.IntN(4) == 0
	for n := range w.plan.instances {
		w.instances = append(w.instances, &instance{world: w, n: n})
	}
	return w
}

// run plays the run to its end and checks it.
func (w *world) run() {
	w.spawn(w.direct)
	if !w.clock.run(maxEvents, func() bool { return w.over }) {
		switch {
		case w.clock.panicked != "":
			w.truth.violated(noPanic, "%s", w.clock.panicked)
		default:
			w.truth.violated(comesToRest, "%d events happened by %v, and the run is not over", w.clock.events, w.clock.now)
		}
	}
	w.clock.killAll()
	w.truth.stats.Events = w.clock.events
	w.truth.stats.Virtual = w.clock.now
	w.truth.stats.Digest = w.clock.digest
}

func (w *world) spawn(f func()) { w.clock.spawn(w.life, f) }

// sleep is a wait of somebody who is no instance.
func (w *world) sleep(d time.Duration) { _ = w.env.Sleep(w.ctx, d) } // the context does not end

// direct is the run's course: trouble and clients, then peace, then the checks.
func (w *world) direct() {
	w.scheduleTrouble()
	for _, in := range w.instances {
		if in.n > 0 {
			w.sleep(within(w.chance, time.Second))
		}
		in.start()
	}
	w.sleep(300 * time.Millisecond)
	w.admitClients()
	w.wait(func() bool { return w.clients == 0 && w.clock.now >= w.plan.quiet() })
	w.makePeace()
	if w.settle() {
		w.truth.checkAtRest(w.plan)
		w.settleMoney()
		w.truth.checkMoney()
	}
	w.end()
	w.over = true
}

// wait looks again and again until something is so.
func (w *world) wait(done func() bool) {
	for !done() {
		w.sleep(50 * time.Millisecond)
	}
}

// scheduleTrouble sets an alarm for everything in the plan.
func (w *world) scheduleTrouble() {
	p, c := w.plan, w.clock
	for _, f := range p.faults {
		s := w.servers[f.group]
		c.after(f.from, func() { s.broke(f.kind) })
		if f.crash > 0 {
			c.after(f.to, func() { s.broke(faultCrash) })
		}
		c.after(f.to+f.crash, s.heal)
	}
	for _, cut := range p.cuts {
		c.after(cut.from, func() { w.setCut(cut, true) })
		c.after(cut.to, func() { w.setCut(cut, false) })
	}
	op := &operator{world: w, epoch: 1}
	for _, weight := range p.weights {
		c.after(weight.at, func() { w.spawn(func() { op.weigh(weight) }) })
	}
	for _, f := range p.fences {
		c.after(f.from, func() { w.spawn(func() { op.fence(f) }) })
	}
	for _, m := range p.moves {
		w.moving++
		c.after(m.at, func() {
			w.spawn(func() {
				op.move(m)
				w.moving--
			})
		})
	}
	for _, r := range p.restarts {
		c.after(r.from, func() { w.spawn(func() { w.restart(r) }) })
	}
}

func (w *world) setCut(cut plannedCut, on bool) {
	in := w.instances[cut.instance]
	w.truth.note("instance %d and group %d: cut %t", cut.instance+1, cut.group+1, on)
	w.truth.saw("cut")
	w.cuts[[2]int{cut.instance, cut.group}] = on
	if in.links != nil {
		in.links[cut.group].setCut(on)
	}
}

func (l *link) setCut(on bool) { l.cut, l.mended = on, l.srv.clock.now }

// restart ends an instance and starts it again.
func (w *world) restart(r plannedRestart) {
	in := w.instances[r.instance]
	if !in.up {
		return
	}
	if r.clean {
		in.stop()
		w.wait(func() bool { return in.ran })
	} else {
		in.kill()
	}
	w.sleep(r.to - r.from)
	in.start()
}

// admitClients lets the clients arrive, at random and in bursts.
func (w *world) admitClients() {
	gap := (w.plan.horizon - w.clock.now) / time.Duration(w.plan.keys)
	for range w.plan.keys {
		w.sleep(time.Duration(w.chance.ExpFloat64() * float64(gap)))
		w.admitClient(false)
	}
}

func (w *world) admitClient(idle bool) {
	w.keys++
	key := pay.Key{MerchantID: fmt.Sprintf("m%d", w.keys%3), MerchantOrderNo: fmt.Sprintf("k%d", w.keys)}
	c := &client{world: w, idle: idle, home: w.chance.IntN(len(w.instances)),
		req: order.Request{Key: key, Amount: pay.Fen(1 + w.chance.IntN(10_000)), Channel: "sim"}}
	w.clients++
	w.spawn(func() {
		c.run()
		w.clients--
	})
}

// quiet is when everything in the plan has happened.
func (p *plan) quiet() (end time.Duration) {
	for _, f := range p.faults {
		end = max(end, f.whole().to)
	}
	for _, c := range p.cuts {
		end = max(end, c.to)
	}
	for _, r := range p.restarts {
		end = max(end, r.to)
	}
	for _, f := range p.fences {
		end = max(end, f.to)
	}
	return end
}

// makePeace waits until nothing is left of the trouble: servers have noticed lost
// connections, instances are up, fences are lifted.
func (w *world) makePeace() {
	w.truth.note("everything has healed")
	w.channel.calm = true
	w.wait(func() bool {
		up := !slices.ContainsFunc(w.instances, func(in *instance) bool { return !in.up })
		busy := slices.ContainsFunc(w.servers, func(s *server) bool {
			return s.kind != faultNone || len(s.open) > 0 || s.tags[pay.Tag(s.id)].claim.State == shard.TagFenced
		})
		return up && !busy && w.moving == 0
	})
}

// settle lets the engines settle, under a little traffic: a group that was
// ejected by creates comes back by a create. A pass looks at one group after the
// other, so only one that began when nobody wrote any more has seen everything.
func (w *world) settle() bool {
	for n := range settleTries {
		in := w.instances[n%len(w.instances)]
		silent := w.clients == 0 && w.calls == 0
		if open := in.engine.Settle(in.ctx); open.None() && silent && w.openDoubts() == 0 {
			return true
		}
		w.admitClient(true)
		w.sleep(settlePause)
		if n%2 == 1 {
			w.wait(func() bool { return w.clients == 0 && w.calls == 0 })
		}
	}
	w.truth.violated(comesToRest, "%d passes of settling left %d doubts open; %s", settleTries, w.openDoubts(), w.views())
	return false
}

// settleMoney waits until nothing about money is due any more. A task or a revoke
// that had many tries waits for long until its next one.
func (w *world) settleMoney() {
	by := w.clock.now + moneyWithin
	w.wait(func() bool {
		for range w.truth.unsettled() {
			return w.clock.now > by
		}
		return true
	})
}

func (w *world) openDoubts() (n int) {
	for _, s := range w.servers {
		n += s.openDoubts()
	}
	return n
}

// views says how the instances see the groups.
func (w *world) views() (text string) {
	for _, in := range w.instances {
		for _, s := range in.engine.Fleet().Snapshot() {
			if s.Ejection != nil {
				text += fmt.Sprintf("%s has group %d out: %s since %v, by creates %t; ", in.links[0].who, s.Group.ID,
					s.Ejection.Cause, s.Ejection.Since.Sub(start), s.Ejection.ByCreates)
			}
		}
	}
	return text
}

// end stops the engines as a signal does, and expects them to end.
func (w *world) end() {
	for _, in := range w.instances {
		in.stop()
	}
	by := w.clock.now + endWithin
	w.wait(func() bool {
		return w.clock.now > by || !slices.ContainsFunc(w.instances, func(in *instance) bool { return !in.ran })
	})
	for _, in := range w.instances {
		if !in.ran {
			w.truth.violated(comesToRest, "instance %d has not ended %v after it was asked to", in.n+1, endWithin)
		}
	}
}
