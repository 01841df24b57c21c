package chunk

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// Compare is one tag in two groups. It only reads, and may run while orders change:
// such an order then counts as differing unless Changed knows it.
type Compare struct {
	Source, Target *Side
	Tag            pay.Tag
	Pace           Pace
	Save           func(ctx context.Context, done Checkpoint) error // as of Copy
	// Found is told of each row that differs, one chunk after the other.
	Found func(Difference) error
	// Changed reports whether the rows of an order are on record as changed since they
	// were copied, to be compared again later; nil for none. It is asked after both
	// groups were read.
	Changed func(ctx context.Context, number string) (bool, error)
}

// Fate says how a row differs.
type Fate string

// The ways in which rows differ.
const (
	Missing Fate = "missing" // the target lacks it
	Extra   Fate = "extra"   // only the target has it
	Differs Fate = "differs"
)

// Difference is a row that is not the same in both groups.
type Difference struct {
	Table   string        `json:"table"`
	Key     string        `json:"key"` // values of the columns that identify it
	OrderNo string        `json:"order_no"`
	Tag     pay.Tag       `json:"tag"`
	Source  shard.GroupID `json:"source"`
	Target  shard.GroupID `json:"target"`
	Fate    Fate          `json:"fate"`
	Columns []Column      `json:"columns"` // that differ, of a row that both have
}

// Column is one value in both groups, as text; "NULL" for none.
type Column struct {
	Name   string `json:"name"`
	Source string `json:"source"`
	Target string `json:"target"`
}

// Compared is what a comparison came to.
type Compared struct {
	Chunks      int64 `json:"chunks"`
	Differing   int64 `json:"differing"`   // rows that were told to Found
	Outstanding int64 `json:"outstanding"` // rows that differ and were changed meanwhile
	// Source and Target are the sums of each table, by its name.
	Source map[string]Digest `json:"source"`
	Target map[string]Digest `json:"target"`
}

// Clean reports whether nothing differs.
func (c Compared) Clean() bool { return c.Differing == 0 }

// Run compares every chunk behind a checkpoint: the digests, and where they differ
// the rows. The digests of the next chunk are asked for meanwhile, so that a server
// has one to add up while another waits for its disk.
func (c Compare) Run(ctx context.Context, from Checkpoint) (Compared, error) {
	sum := newCompared()
	if err := alike(c.Source, c.Target); err != nil {
		return sum, err
	}
	ahead := make(chan *asked)
	crew, ctx := errgroup.WithContext(ctx)
	crew.Go(func() error {
		defer close(ahead)
		return c.askAhead(ctx, crew, from, ahead)
	})
	crew.Go(func() error {
		for next := range ahead {
			if err := until(ctx, next.answered); err != nil {
				return err
			}
			if err := c.settle(ctx, next.span, next.both, &sum); err != nil {
				return err
			}
			from = next.behind(from)
			if c.Save == nil {
				continue
			}
			if err := c.Save(ctx, from); err != nil {
				return err
			}
		}
		return nil
	})
	err := crew.Wait()
	return sum, err
}

// asked is a chunk whose digests are on their way.
type asked struct {
	span     Span
	answered chan struct{} // closed once both are set
	both     both
}

// both are the digests of a chunk, by table, at the two sides.
type both struct{ source, target []Digest }

// behind is the checkpoint after a chunk that was compared.
func (a *asked) behind(c Checkpoint) Checkpoint {
	c.After, c.Ended = a.span.Through, a.span.last()
	c.Chunks++
	c.Orders += a.both.source[0].Rows
	for _, d := range a.both.source {
		c.Rows += d.Rows
	}
	return c
}

func (c Compare) askAhead(ctx context.Context, crew *errgroup.Group, from Checkpoint, ahead chan<- *asked) error {
	pace := c.Pace.withDefaults()
	pace.Time /= finest         // reading has no commit whose cost is spread over a chunk
	var size, last atomic.Int64 // orders of the next chunk, nanoseconds that the last one took
	size.Store(int64(pace.first()))
	for after, ended := from.After, from.Ended; !ended; {
		if err := pace.wait(ctx); err != nil {
			return err
		}
		if err := pace.rest(ctx, time.Duration(last.Load())); err != nil {
			return err
		}
		orders := int(size.Load())
		span, err := c.Source.span(ctx, c.Tag, after, orders)
		if err != nil {
			return err
		}
		next := &asked{span: span, answered: make(chan struct{})}
		crew.Go(func() (err error) {
			began := pace.Now()
			if next.both, err = c.digests(ctx, span); err != nil {
				return err
			}
			took := pace.Now().Sub(began)
			last.Store(int64(took))
			size.Store(int64(pace.next(orders, took, 0)))
			close(next.answered)
			return nil
		})
		select {
		case ahead <- next:
		case <-ctx.Done():
			return ctx.Err()
		}
		after, ended = span.Through, span.last()
	}
	return nil
}

func newCompared() Compared {
	return Compared{Source: map[string]Digest{}, Target: map[string]Digest{}}
}

// Orders compares single orders, those that changed.
func (c Compare) Orders(ctx context.Context, numbers []pay.OrderNo) (Compared, error) {
	sum := newCompared()
	if len(numbers) == 0 {
		return sum, nil
	}
	if err := alike(c.Source, c.Target); err != nil {
		return sum, err
	}
	these := orders(numbers)
	both, err := c.digests(ctx, these)
	if err != nil {
		return sum, err
	}
	err = c.settle(ctx, these, both, &sum)
	return sum, err
}

func (c Compare) digests(ctx context.Context, p part) (d both, err error) {
	sides, ctx := errgroup.WithContext(ctx)
	sides.Go(func() (err error) { d.source, err = c.Source.digest(ctx, c.Tag, p); return err })
	sides.Go(func() (err error) { d.target, err = c.Target.digest(ctx, c.Tag, p); return err })
	err = sides.Wait()
	return d, err
}

// settle adds a chunk's digests up, and looks at its rows where they differ.
func (c Compare) settle(ctx context.Context, p part, d both, sum *Compared) error {
	sum.Chunks++
	for i, t := range c.Source.tables {
		sum.Source[t.Name] = plus(sum.Source[t.Name], d.source[i])
		sum.Target[t.Name] = plus(sum.Target[t.Name], d.target[i])
	}
	if slices.Equal(d.source, d.target) {
		return nil
	}
	return c.rows(ctx, p, sum)
}

func plus(a, b Digest) Digest {
	a.add(b)
	return a
}

// rows finds the rows that make two digests differ. They may be the same by now: an
// order that changed between the two questions. What is not on record as changed may have
// been, and carried over and struck off since it was read: that is looked at again, and
// told if it still differs.
func (c Compare) rows(ctx context.Context, p part, sum *Compared) error {
	found, err := c.look(ctx, p)
	if err != nil {
		return err
	}
	for i := 1; ; i++ {
		var known int
		if found, known, err = c.unrecorded(ctx, found); err != nil {
			return err
		}
		sum.Outstanding += int64(known)
		if len(found) == 0 || c.Changed == nil || i == looks {
			break
		}
		again, err := c.look(ctx, p)
		if err != nil {
			return err
		}
		found = slices.DeleteFunc(again, func(d Difference) bool {
			return !slices.ContainsFunc(found, func(before Difference) bool { return d.Table == before.Table && d.Key == before.Key })
		})
	}
	sum.Differing += int64(len(found))
	if c.Found == nil {
		return nil
	}
	for _, d := range found {
		if err := c.Found(d); err != nil {
			return err
		}
	}
	return nil
}

// looks is how often a row is looked at before it is told as differing.
const looks = 3

// look reads a chunk at both sides and lists what differs.
func (c Compare) look(ctx context.Context, p part) (found []Difference, err error) {
	source, err := c.Source.read(ctx, c.Tag, p)
	if err != nil {
		return nil, err
	}
	target, err := c.Target.read(ctx, c.Tag, p)
	if err != nil {
		return nil, err
	}
	for i, t := range c.Source.tables {
		for _, d := range t.differences(source.of[i], target.of[i]) {
			d.Tag, d.Source, d.Target = c.Tag, c.Source.Group, c.Target.Group
			found = append(found, d)
		}
	}
	return found, nil
}

// unrecorded leaves the rows of orders that are not on record as changed, and counts the
// others.
func (c Compare) unrecorded(ctx context.Context, found []Difference) (left []Difference, known int, err error) {
	if c.Changed == nil {
		return found, 0, nil
	}
	for _, d := range found {
		changed, err := c.Changed(ctx, d.OrderNo)
		if err != nil {
			return nil, 0, fmt.Errorf("ask whether order %s was changed: %w", d.OrderNo, err)
		}
		if changed {
			known++
		} else {
			left = append(left, d)
		}
	}
	return left, known, nil
}

func (t table) differences(source, target []row) (list []Difference) {
	there := make(map[string]row, len(target))
	for _, r := range target {
		there[t.key(r)] = r
	}
	for _, r := range source {
		d := t.named(r)
		other, ok := there[d.Key]
		delete(there, d.Key)
		switch {
		case !ok:
			d.Fate = Missing
		case slices.Equal(r, other):
			continue
		default:
			d.Fate, d.Columns = Differs, t.columnsThatDiffer(r, other)
		}
		list = append(list, d)
	}
	for _, r := range target {
		if d := t.named(r); there[d.Key] != nil {
			d.Fate = Extra
			list = append(list, d)
		}
	}
	return list
}

func (t table) named(r row) Difference {
	return Difference{Table: t.Name, Key: t.key(r), OrderNo: fmt.Sprint(t.get(r, t.number)), Columns: []Column{}}
}

func (t table) columnsThatDiffer(a, b row) (list []Column) {
	for i, name := range t.columns {
		if a[i] != b[i] {
			list = append(list, Column{Name: name, Source: valueText(a[i]), Target: valueText(b[i])})
		}
	}
	return list
}

func valueText(v any) string {
	if v == nil {
		return "NULL"
	}
	return fmt.Sprint(v)
}
