package mover

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/shard/move"
)

// world is a fleet in memory: groups with rows, engines that write between any two
// calls, and what clients were told. Everything happens in one goroutine and by one
// seed, so a failing seed fails again.
type world struct {
	rng     *rand.Rand
	clock   time.Time
	groups  map[shard.GroupID]*fake
	all     []Group
	truth   map[pay.OrderNo]int // acknowledged versions
	live    []pay.OrderNo       // its keys
	created int
	calls   int
	broken  error // the first thing that must never be

	writes float64 // chance of a write before each call
	losing float64 // chance that a call fails, with its effect or without
	stalls float64 // chance that a call takes two seconds
	busy   float64 // chance that writers do not let go of a tag
	// between is called before each call, for what a test does in between.
	between func(g *fake, call string)
	inside  bool
}

type row struct{ version, body int }

type tagRow struct {
	state     shard.TagState
	epoch     int64
	mover     string
	recording bool
}

type fake struct {
	w           *world
	id          shard.GroupID
	state       shard.GroupState
	weight      int
	epoch       int64
	tags        map[pay.Tag]*tagRow
	rows        map[pay.OrderNo]row
	changed     []Changed
	lastID      int64
	runs        []Run
	leases      map[string]Lease
	journals    map[string][]move.Entry
	checkpoints map[string]string
	knows       int64     // the epoch that its one instance knows
	silent      time.Time // until when the lease of a second one lasts that hears of nothing
	down        bool
	late        []func() error // commits that have not arrived yet; their rows are locked
}

// land lets commits arrive: whoever wants their rows has waited for them.
func (g *fake) land() {
	late := g.late
	g.late = nil
	for _, f := range late {
		_ = f()
	}
}

const callLimit = 200_000

func newWorld(seed uint64, groups int) *world {
	w := &world{
		rng: rand.New(rand.NewPCG(seed, 1)), clock: time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC),
		groups: map[shard.GroupID]*fake{}, truth: map[pay.OrderNo]int{}, writes: 0.3, busy: 0.05,
	}
	for id := shard.GroupID(1); int(id) <= groups; id++ {
		g := &fake{
			w: w, id: id, state: shard.GroupActive, weight: 100, epoch: 5, knows: 5,
			tags: map[pay.Tag]*tagRow{pay.Tag(id): {state: shard.TagOwned, epoch: 5}}, rows: map[pay.OrderNo]row{},
			leases: map[string]Lease{}, journals: map[string][]move.Entry{}, checkpoints: map[string]string{},
		}
		w.groups[id], w.all = g, append(w.all, g)
		for range 9 {
			w.create(g)
		}
	}
	return w
}

func (w *world) topology() shard.Topology {
	var reports []shard.Report
	for _, g := range w.groups {
		reports = append(reports, g.report())
	}
	return shard.NewTopology(0, reports...)
}

func (w *world) breaks(format string, args ...any) {
	if w.broken == nil {
		w.broken = fmt.Errorf(format, args...)
	}
}

// create is a new order of a group's own tag.
func (w *world) create(g *fake) {
	tag := pay.Tag(g.id)
	row := g.tags[tag]
	if row.state != shard.TagOwned || g.weight == 0 {
		return
	}
	w.created++
	no, err := pay.NewOrderNo(w.clock, 1, w.created, tag, 1)
	if err != nil {
		panic(err)
	}
	w.truth[no] = 0
	w.live = append(w.live, no)
	w.update(g, no)
}

// update is a payment of an order in a group that takes it.
func (w *world) update(g *fake, no pay.OrderNo) {
	tag := g.tags[no.Tag()]
	if g.rows[no].version != w.truth[no] {
		w.breaks("order %s was acknowledged at version %d, and group %d has version %d", no, w.truth[no], g.id, g.rows[no].version)
	}
	w.truth[no]++
	g.rows[no] = row{version: w.truth[no], body: w.truth[no] * 7}
	if tag.recording {
		g.lastID++
		g.changed = append(g.changed, Changed{ID: g.lastID, Tag: no.Tag(), No: no})
	}
}

// purge deletes an order, as the purge of shadow orders does.
func (w *world) purge(g *fake, no pay.OrderNo) {
	if g.tags[no.Tag()].recording {
		g.lastID++
		g.changed = append(g.changed, Changed{ID: g.lastID, Tag: no.Tag(), No: no})
	}
	delete(g.rows, no)
	delete(w.truth, no)
	w.live = slices.DeleteFunc(w.live, func(other pay.OrderNo) bool { return other == no })
}

// engines lets engines do something: any engine tries any group, as a stale one would,
// and the group's row decides.
func (w *world) engines() {
	for _, g := range w.groups {
		g.knows = max(g.knows, g.epoch)
	}
	if w.rng.Float64() >= w.writes {
		return
	}
	no := w.live[w.rng.IntN(len(w.live))]
	owners := 0
	for id := shard.GroupID(1); int(id) <= len(w.groups); id++ {
		g := w.groups[id]
		g.land()
		if row := g.tags[no.Tag()]; row == nil || row.state != shard.TagOwned {
			continue
		}
		if owners++; owners > 1 {
			w.breaks("two groups own tag %d", no.Tag())
			return
		}
		switch dice := w.rng.IntN(20); {
		case dice == 0 && len(w.live) > 12:
			w.purge(g, no)
		case dice < 4:
			w.create(g)
		default:
			w.update(g, no)
		}
	}
}

func (w *world) sleep(ctx context.Context, d time.Duration) error {
	w.clock = w.clock.Add(d)
	w.engines()
	return ctx.Err()
}

func (w *world) now() time.Time { return w.clock }

// reading are the calls that lock no rows.
var reading = []string{"info", "runs", "journal", "checkpoint", "changes", "count", "open", "instances", "compare", "compare orders"}

var errLost = errors.New("the connection was lost")

// call is one call to a group: engines and tests may do something before it, and its
// answer may be lost, before or after its effect.
func (w *world) call(ctx context.Context, g *fake, name string, f func() error) error {
	w.clock = w.clock.Add(time.Millisecond)
	w.engines()
	if w.calls++; w.calls > callLimit {
		w.breaks("no end after %d calls", callLimit)
		return ErrHeld // ends whatever is under way
	}
	if w.between != nil && !w.inside {
		w.inside = true
		w.between(g, name)
		w.inside = false
	}
	if w.rng.Float64() < w.stalls {
		w.clock = w.clock.Add(2 * time.Second)
	}
	if err := ctx.Err(); err != nil {
		return &order.Fault{Outcome: order.NotCommitted, Err: err}
	}
	if g.down {
		return &order.Fault{Outcome: order.NotCommitted, Err: errLost}
	}
	reads := slices.Contains(reading, name)
	if !reads {
		g.land()
	}
	if w.rng.Float64() >= w.losing {
		return f()
	}
	switch w.rng.IntN(3) {
	case 0:
		if err := f(); err != nil {
			return err
		}
	case 1:
		if !reads {
			g.late = append(g.late, f)
		}
	}
	return &order.Fault{Outcome: order.Unknown, Err: errLost}
}

// runner is a new process.
func (w *world) runner(change ...func(*Options)) *Runner {
	opts := Options{Holder: "h" + strconv.Itoa(w.calls), Who: "ops", Now: w.now, Sleep: w.sleep, Batch: 5, FewChanges: 4}
	for _, c := range change {
		c(&opts)
	}
	r := New(opts, w.all, w)
	r.beat = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	return r
}
