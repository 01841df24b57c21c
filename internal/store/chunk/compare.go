package chunk

import (
	"context"
	"fmt"
	"slices"

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
// the rows.
func (c Compare) Run(ctx context.Context, from Checkpoint) (Compared, error) {
	sum := Compared{Source: map[string]Digest{}, Target: map[string]Digest{}}
	if err := alike(c.Source, c.Target); err != nil {
		return sum, err
	}
	pace := c.Pace.withDefaults()
	for size := pace.First; !from.Ended; {
		if err := pace.wait(ctx); err != nil {
			return sum, err
		}
		began := pace.Now()
		span, err := c.Source.span(ctx, c.Tag, from.After, size)
		if err != nil {
			return sum, err
		}
		source, err := c.chunk(ctx, span, &sum)
		if err != nil {
			return sum, err
		}
		from.After, from.Ended = span.Through, span.last()
		from.Chunks++
		from.Orders += source[0].Rows
		for _, d := range source {
			from.Rows += d.Rows
		}
		if c.Save != nil {
			if err := c.Save(ctx, from); err != nil {
				return sum, err
			}
		}
		size = pace.next(size, pace.Now().Sub(began), 0)
	}
	return sum, nil
}

// Orders compares single orders, those that changed.
func (c Compare) Orders(ctx context.Context, numbers []pay.OrderNo) (Compared, error) {
	sum := Compared{Source: map[string]Digest{}, Target: map[string]Digest{}}
	if len(numbers) == 0 {
		return sum, nil
	}
	if err := alike(c.Source, c.Target); err != nil {
		return sum, err
	}
	_, err := c.chunk(ctx, orders(numbers), &sum)
	return sum, err
}

// chunk compares one chunk and answers with the source's digests.
func (c Compare) chunk(ctx context.Context, p part, sum *Compared) ([]Digest, error) {
	var source, target []Digest
	both, bothCtx := errgroup.WithContext(ctx)
	both.Go(func() (err error) { source, err = c.Source.digest(bothCtx, c.Tag, p); return err })
	both.Go(func() (err error) { target, err = c.Target.digest(bothCtx, c.Tag, p); return err })
	if err := both.Wait(); err != nil {
		return nil, err
	}
	sum.Chunks++
	for i, t := range c.Source.tables {
		sum.Source[t.Name] = plus(sum.Source[t.Name], source[i])
		sum.Target[t.Name] = plus(sum.Target[t.Name], target[i])
	}
	if slices.Equal(source, target) {
		return source, nil
	}
	return source, c.rows(ctx, p, sum)
}

func plus(a, b Digest) Digest {
	a.add(b)
	return a
}

// rows finds the rows that make two digests differ. They may be the same by now: an
// order that changed between the two questions.
func (c Compare) rows(ctx context.Context, p part, sum *Compared) error {
	source, err := c.Source.read(ctx, c.Tag, p)
	if err != nil {
		return err
	}
	target, err := c.Target.read(ctx, c.Tag, p)
	if err != nil {
		return err
	}
	for i, t := range c.Source.tables {
		for _, d := range t.differences(source.of[i], target.of[i]) {
			d.Tag, d.Source, d.Target = c.Tag, c.Source.Group, c.Target.Group
			if err := c.tell(ctx, d, sum); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c Compare) tell(ctx context.Context, d Difference, sum *Compared) error {
	if c.Changed != nil {
		changed, err := c.Changed(ctx, d.OrderNo)
		if err != nil {
			return fmt.Errorf("ask whether order %s was changed: %w", d.OrderNo, err)
		}
		if changed {
			sum.Outstanding++
			return nil
		}
	}
	sum.Differing++
	if c.Found == nil {
		return nil
	}
	return c.Found(d)
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
