package mover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
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
	knows       int64 // the epoch that its one instance knows
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

func (g *fake) ID() shard.GroupID { return g.id }

func (g *fake) report() shard.Report {
	r := shard.Report{Group: g.id, State: g.state, Weight: g.weight, Epoch: g.epoch}
	for _, tag := range slices.Sorted(maps.Keys(g.tags)) {
		r.Claims = append(r.Claims, shard.Claim{Tag: tag, Group: g.id, State: g.tags[tag].state, Epoch: g.tags[tag].epoch})
	}
	return r
}

func (g *fake) Info(ctx context.Context) (r shard.Report, err error) {
	err = g.w.call(ctx, g, "info", func() error { r = g.report(); return nil })
	return r, err
}

func (g *fake) Follow(context.Context) (bool, error) { return false, nil }

func (g *fake) Lag(context.Context) (time.Duration, bool) {
	return time.Duration(g.w.rng.IntN(1200)) * time.Millisecond, g.w.rng.IntN(10) > 0
}

func (g *fake) SetWeight(ctx context.Context, weight int, state shard.GroupState, epoch int64, _ time.Time) error {
	return g.w.call(ctx, g, "weight", func() error {
		if epoch < g.epoch {
			return ErrOldEpoch
		}
		g.weight, g.state, g.epoch = weight, state, epoch
		return nil
	})
}

func (g *fake) RaiseEpoch(ctx context.Context, epoch int64) error {
	return g.w.call(ctx, g, "raise", func() error { g.epoch = max(g.epoch, epoch); return nil })
}

func (g *fake) Runs(ctx context.Context) (runs []Run, leases []Lease, err error) {
	err = g.w.call(ctx, g, "runs", func() error {
		runs = slices.Clone(g.runs)
		for _, l := range g.leases {
			leases = append(leases, l)
		}
		return nil
	})
	return runs, leases, err
}

func (g *fake) Begin(ctx context.Context, r Run, ended []string) error {
	return g.w.call(ctx, g, "begin", func() error {
		for _, other := range g.runs {
			if other.ID == r.ID {
				return nil
			}
			if other.Plan.Hash != r.Plan.Hash && !slices.Contains(ended, other.ID) {
				return ErrHeld
			}
		}
		g.runs = append(g.runs, r)
		return nil
	})
}

func (g *fake) Journal(ctx context.Context, run string) (j []move.Entry, err error) {
	err = g.w.call(ctx, g, "journal", func() error { j = slices.Clone(g.journals[run]); return nil })
	return j, err
}

func (g *fake) held(run, holder string) error {
	if holder != "" && g.leases[run].Holder != holder {
		return ErrHeld
	}
	return nil
}

func (g *fake) Append(ctx context.Context, run, holder string, e move.Entry) error {
	return g.w.call(ctx, g, "append "+string(e.Mark)+" "+string(e.Step), func() error {
		if err := g.held(run, holder); err != nil {
			return err
		}
		if e.Seq != int64(len(g.journals[run]))+1 {
			return ErrSeq
		}
		g.journals[run] = append(g.journals[run], e)
		return nil
	})
}

func (g *fake) Checkpoint(ctx context.Context, run, name string) (text string, err error) {
	err = g.w.call(ctx, g, "checkpoint", func() error { text = g.checkpoints[run+" "+name]; return nil })
	return text, err
}

func (g *fake) SaveCheckpoint(ctx context.Context, run, holder, name, text string) error {
	return g.w.call(ctx, g, "save", func() error {
		if err := g.held(run, holder); err != nil {
			return err
		}
		g.checkpoints[run+" "+name] = text
		return nil
	})
}

func (g *fake) Hold(ctx context.Context, run, holder string, now, until time.Time) error {
	return g.w.call(ctx, g, "hold", func() error {
		if l := g.leases[run]; l.Holder != "" && l.Holder != holder && now.Before(l.Until) {
			return ErrHeld
		}
		g.leases[run] = Lease{Run: run, Holder: holder, Until: until}
		return nil
	})
}

func (g *fake) Drop(ctx context.Context, run, holder string) error {
	return g.w.call(ctx, g, "drop", func() error {
		if g.leases[run].Holder == holder {
			delete(g.leases, run)
		}
		return nil
	})
}

func (g *fake) Admit(ctx context.Context, tags []pay.Tag, holder string) error {
	return g.w.call(ctx, g, "admit", func() error {
		for _, tag := range tags {
			if g.tags[tag] == nil {
				g.tags[tag] = &tagRow{state: shard.TagMoved}
			}
			g.tags[tag].mover = holder
		}
		return nil
	})
}

func (g *fake) admitted(holder string, tags []pay.Tag) error {
	for _, tag := range tags {
		if row := g.tags[tag]; row != nil && row.mover != holder {
			return ErrHeld
		}
	}
	return nil
}

func (g *fake) SetClaims(ctx context.Context, holder string, c Claims) error {
	return g.w.call(ctx, g, "claims "+string(c.State), func() error {
		if err := g.admitted(holder, c.Tags); err != nil {
			return err
		}
		for _, tag := range c.Tags {
			if row := g.tags[tag]; row != nil && row.epoch > c.Epoch {
				return ErrOldEpoch
			}
		}
		if c.State == shard.TagFenced && g.w.rng.Float64() < g.w.busy {
			return ErrBusy
		}
		for _, tag := range c.Tags {
			row := g.tags[tag]
			if row == nil {
				row = &tagRow{mover: holder}
				g.tags[tag] = row
			}
			row.state, row.epoch = c.State, c.Epoch
			if c.Record != nil {
				row.recording = *c.Record
			}
		}
		g.epoch = max(g.epoch, c.Epoch)
		return nil
	})
}

func (g *fake) Record(ctx context.Context, holder string, tags []pay.Tag, on bool) error {
	return g.w.call(ctx, g, "record", func() error {
		if err := g.admitted(holder, tags); err != nil {
			return err
		}
		for _, tag := range tags {
			g.tags[tag].recording = on
		}
		return nil
	})
}

func (g *fake) below(tags []pay.Tag, stage Stage) (list []Changed) {
	for _, c := range g.changed {
		if c.Stage < stage && slices.Contains(tags, c.Tag) {
			list = append(list, c)
		}
	}
	return list
}

func (g *fake) Changes(ctx context.Context, tags []pay.Tag, below Stage, limit int) (list []Changed, err error) {
	err = g.w.call(ctx, g, "changes", func() error {
		list = g.below(tags, below)
		list = list[:min(limit, len(list))]
		return nil
	})
	return list, err
}

func (g *fake) CountChanges(ctx context.Context, tags []pay.Tag, below Stage) (n int64, err error) {
	err = g.w.call(ctx, g, "count", func() error { n = int64(len(g.below(tags, below))); return nil })
	return n, err
}

func (g *fake) Advance(ctx context.Context, ids []int64, to Stage) error {
	return g.w.call(ctx, g, "advance", func() error {
		for i := range g.changed {
			if slices.Contains(ids, g.changed[i].ID) {
				g.changed[i].Stage = to
			}
		}
		return nil
	})
}

func (g *fake) Forget(ctx context.Context, holder string, tags []pay.Tag, through int64) error {
	return g.w.call(ctx, g, "forget", func() error {
		if err := g.admitted(holder, tags); err != nil {
			return err
		}
		g.changed = slices.DeleteFunc(g.changed, func(c Changed) bool {
			return slices.Contains(tags, c.Tag) && (through == 0 || c.Stage == Compared && c.ID <= through)
		})
		return nil
	})
}

func (g *fake) Open(ctx context.Context, _ shard.GroupID) (n int64, err error) {
	err = g.w.call(ctx, g, "open", func() error {
		if g.w.rng.IntN(8) == 0 {
			n = 1
		}
		return nil
	})
	return n, err
}

func (g *fake) Instances(ctx context.Context, _ time.Time) (m map[string]int64, err error) {
	err = g.w.call(ctx, g, "instances", func() error { m = map[string]int64{"01": g.knows}; return nil })
	return m, err
}

// The carrier.

const chunkOf = 4

// numbers lists a tag's orders in a group behind a checkpoint.
func (g *fake) numbers(tag pay.Tag, behind string) (list []pay.OrderNo) {
	for no := range g.rows {
		if no.Tag() == tag && no.String() > behind {
			list = append(list, no)
		}
	}
	slices.SortFunc(list, func(a, b pay.OrderNo) int { return cmp.Compare(a.String(), b.String()) })
	return list
}

// admits refuses a chunk of a holder that is not the admitted one, or into the owner.
func (g *fake) admits(l Legwork) error {
	if err := g.admitted(l.Holder, []pay.Tag{l.Tag}); err != nil {
		return err
	}
	if g.tags[l.Tag].state == shard.TagOwned {
		return fmt.Errorf("tag %d is owned in group %d", l.Tag, g.id)
	}
	return nil
}

func (w *world) Copy(ctx context.Context, l Legwork, from string, save func(context.Context, string, Progress) error) error {
	src, dst := w.groups[l.From], w.groups[l.To]
	for chunk := int64(1); ; chunk++ {
		numbers := src.numbers(l.Tag, from)
		if len(numbers) == 0 {
			return nil
		}
		numbers = numbers[:min(chunkOf, len(numbers))]
		read := map[pay.OrderNo]row{}
		for _, no := range numbers {
			read[no] = src.rows[no]
		}
		err := w.call(ctx, dst, "chunk", func() error {
			if err := dst.admits(l); err != nil {
				return err
			}
			for no, r := range read {
				if dst.rows[no].version <= r.version {
					dst.rows[no] = r
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		from = numbers[len(numbers)-1].String()
		if err := save(ctx, from, Progress{Chunks: chunk}); err != nil {
			return err
		}
	}
}

func (w *world) CopyOrders(ctx context.Context, l Legwork, numbers []pay.OrderNo) error {
	src, dst := w.groups[l.From], w.groups[l.To]
	read := map[pay.OrderNo]row{}
	for _, no := range numbers {
		if r, ok := src.rows[no]; ok {
			read[no] = r
		}
	}
	return w.call(ctx, dst, "copy orders", func() error {
		if err := dst.admits(l); err != nil {
			return err
		}
		for _, no := range numbers {
			if r, ok := read[no]; ok {
				dst.rows[no] = r
			} else {
				delete(dst.rows, no)
			}
		}
		return nil
	})
}

func (w *world) differs(l Legwork, no pay.OrderNo) bool {
	a, here := w.groups[l.From].rows[no]
	b, there := w.groups[l.To].rows[no]
	return here != there || a != b
}

func (w *world) Compare(ctx context.Context, l Legwork, from string, save func(context.Context, string, Progress) error, found func(Difference) error) error {
	src, dst := w.groups[l.From], w.groups[l.To]
	for {
		numbers := slices.Concat(src.numbers(l.Tag, from), dst.numbers(l.Tag, from))
		slices.SortFunc(numbers, func(a, b pay.OrderNo) int { return cmp.Compare(a.String(), b.String()) })
		numbers = slices.Compact(numbers)
		if len(numbers) == 0 {
			return nil
		}
		numbers = numbers[:min(chunkOf, len(numbers))]
		if err := w.call(ctx, src, "compare", func() error { return nil }); err != nil {
			return err
		}
		for _, no := range numbers {
			onRecord := slices.ContainsFunc(src.below([]pay.Tag{l.Tag}, Compared), func(c Changed) bool { return c.No == no })
			if w.differs(l, no) && !onRecord {
				if err := found(Difference{Table: "orders", OrderNo: no.String(), Tag: l.Tag, Source: l.From, Target: l.To, Fate: "differs"}); err != nil {
					return err
				}
			}
		}
		from = numbers[len(numbers)-1].String()
		if err := save(ctx, from, Progress{}); err != nil {
			return err
		}
	}
}

func (w *world) CompareOrders(ctx context.Context, l Legwork, numbers []pay.OrderNo, found func(Difference) error) error {
	return w.call(ctx, w.groups[l.From], "compare orders", func() error {
		for _, no := range numbers {
			if w.differs(l, no) {
				if err := found(Difference{Table: "orders", OrderNo: no.String(), Tag: l.Tag}); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (w *world) Delete(ctx context.Context, l Legwork, at shard.GroupID, save func(context.Context, Progress) error) error {
	g := w.groups[at]
	for {
		numbers := g.numbers(l.Tag, "")
		if len(numbers) == 0 {
			return nil
		}
		err := w.call(ctx, g, "delete", func() error {
			if err := g.admits(l); err != nil {
				return err
			}
			for _, no := range numbers[:min(chunkOf, len(numbers))] {
				delete(g.rows, no)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := save(ctx, Progress{}); err != nil {
			return err
		}
	}
}

// The runs.

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
