package tagmove

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/shard/mover"
	"paytool/internal/store"
	"paytool/internal/store/chunk"
)

// Carrier copies, compares and deletes over package chunk. It is safe for concurrent
// use.
type Carrier struct {
	groups map[shard.GroupID]*store.Group
	pace   chunk.Pace

	mu    sync.Mutex
	sides map[shard.GroupID]*chunk.Side // those that were looked at
}

// NewCarrier carries between groups. Of the pace, Brakes are added to by those of each
// leg, and Held is its own.
func NewCarrier(pace chunk.Pace, groups ...*store.Group) *Carrier {
	c := &Carrier{groups: map[shard.GroupID]*store.Group{}, pace: pace, sides: map[shard.GroupID]*chunk.Side{}}
	for _, g := range groups {
		c.groups[g.ID()] = g
	}
	return c
}

var _ mover.Carrier = (*Carrier)(nil)

// Copy copies every chunk behind a checkpoint.
func (c *Carrier) Copy(ctx context.Context, l mover.Legwork, from string, save func(ctx context.Context, checkpoint string, p mover.Progress) error) error {
	begin, err := parse(from)
	if err != nil {
		return err
	}
	keep := &keeper{ctx: ctx, save: save, last: begin}
	work, err := c.copy(ctx, l)
	if err != nil {
		return err
	}
	work.Pace = c.paceOf(l, keep.held)
	work.Save = keep.done
	_, err = work.Run(ctx, begin)
	return store.AsFault(err)
}

// CopyOrders makes single orders at To as they are at From.
func (c *Carrier) CopyOrders(ctx context.Context, l mover.Legwork, numbers []pay.OrderNo) error {
	work, err := c.copy(ctx, l)
	if err != nil {
		return err
	}
	_, err = work.Orders(ctx, numbers)
	return store.AsFault(err)
}

func (c *Carrier) copy(ctx context.Context, l mover.Legwork) (chunk.Copy, error) {
	from, to, err := c.ends(ctx, l)
	return chunk.Copy{Source: from, Target: to, Tag: l.Tag, Holder: l.Holder}, err
}

// Compare compares every chunk behind a checkpoint.
func (c *Carrier) Compare(ctx context.Context, l mover.Legwork, from string, save func(ctx context.Context, checkpoint string, p mover.Progress) error, found func(mover.Difference) error) error {
	begin, err := parse(from)
	if err != nil {
		return err
	}
	keep := &keeper{ctx: ctx, save: save, last: begin}
	work, err := c.compare(ctx, l, found)
	if err != nil {
		return err
	}
	work.Pace = c.paceOf(l, keep.held)
	work.Save = keep.done
	work.Changed = func(ctx context.Context, number string) (bool, error) { return c.changed(ctx, l, number) }
	_, err = work.Run(ctx, begin)
	return store.AsFault(err)
}

// CompareOrders compares single orders, whether they are on record as changed or not.
func (c *Carrier) CompareOrders(ctx context.Context, l mover.Legwork, numbers []pay.OrderNo, found func(mover.Difference) error) error {
	work, err := c.compare(ctx, l, found)
	if err != nil {
		return err
	}
	_, err = work.Orders(ctx, numbers)
	return store.AsFault(err)
}

func (c *Carrier) compare(ctx context.Context, l mover.Legwork, found func(mover.Difference) error) (chunk.Compare, error) {
	from, to, err := c.ends(ctx, l)
	return chunk.Compare{Source: from, Target: to, Tag: l.Tag, Found: func(d chunk.Difference) error { return found(inPeoplesWords(d)) }}, err
}

// changed reports whether an order is on record as changed and not compared since.
func (c *Carrier) changed(ctx context.Context, l mover.Legwork, number string) (bool, error) {
	var n int
	err := c.groups[l.From].Ask(ctx, "look for a record of order "+number, func(q store.Querier) error {
		return q.QueryRowContext(ctx, "SELECT COUNT(*) FROM changed WHERE tag=? AND order_no=? AND stage<?", l.Tag, number, mover.Compared).Scan(&n)
	})
	return n > 0, err
}

// Delete removes a tag's rows from a group that does not own the tag.
func (c *Carrier) Delete(ctx context.Context, l mover.Legwork, at shard.GroupID, save func(ctx context.Context, p mover.Progress) error) error {
	side, err := c.side(ctx, at)
	if err != nil {
		return err
	}
	keep := &keeper{ctx: ctx, save: func(ctx context.Context, _ string, p mover.Progress) error { return save(ctx, p) }}
	_, err = chunk.Delete{Side: side, Tag: l.Tag, Holder: l.Holder, Pace: c.paceOf(l, keep.held), Save: keep.done}.Run(ctx)
	return store.AsFault(err)
}

func (c *Carrier) ends(ctx context.Context, l mover.Legwork) (from, to *chunk.Side, err error) {
	if from, err = c.side(ctx, l.From); err != nil {
		return nil, nil, err
	}
	to, err = c.side(ctx, l.To)
	return from, to, err
}

// side looks at a group's tables, once.
func (c *Carrier) side(ctx context.Context, id shard.GroupID) (*chunk.Side, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.sides[id]; s != nil {
		return s, nil
	}
	g := c.groups[id]
	if g == nil {
		return nil, fmt.Errorf("the config has no group %d", id)
	}
	s, err := chunk.Open(ctx, g)
	if err != nil {
		return nil, store.AsFault(err)
	}
	c.sides[id] = s
	return s, nil
}

func (c *Carrier) paceOf(l mover.Legwork, held func(reason string)) chunk.Pace {
	pace := c.pace
	pace.Brakes = append([]chunk.Brake(nil), c.pace.Brakes...)
	for _, b := range l.Brakes {
		pace.Brakes = append(pace.Brakes, b)
	}
	pace.Held = held
	return pace
}

// keeper tells how far the work is, one call after the other: chunks that are done
// come from one goroutine, and what holds the next ones from another.
type keeper struct {
	ctx  context.Context // of the work, for what is told while it waits
	save func(ctx context.Context, checkpoint string, p mover.Progress) error

	mu   sync.Mutex
	last chunk.Checkpoint
}

func (k *keeper) done(ctx context.Context, done chunk.Checkpoint) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last = done
	return k.tell(ctx, "")
}

// held says why the work waits, at the checkpoint where it was. That this could not be
// saved shows again after the next chunk.
func (k *keeper) held(reason string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	_ = k.tell(k.ctx, reason) // see above
}

func (k *keeper) tell(ctx context.Context, held string) error {
	text, err := json.Marshal(k.last)
	if err != nil {
		return fmt.Errorf("write a checkpoint: %w", err)
	}
	return k.save(ctx, string(text), mover.Progress{Orders: k.last.Orders, Rows: k.last.Rows, Chunks: k.last.Chunks, Held: held})
}

// parse reads a checkpoint as tell wrote it; "" is the beginning.
func parse(text string) (begin chunk.Checkpoint, err error) {
	if text == "" {
		return begin, nil
	}
	if err := json.Unmarshal([]byte(text), &begin); err != nil {
		return begin, fmt.Errorf("the checkpoint as it is stored: %w", err)
	}
	return begin, nil
}

func inPeoplesWords(d chunk.Difference) mover.Difference {
	var columns []string
	for _, c := range d.Columns {
		columns = append(columns, fmt.Sprintf("%s: %s at the source, %s at the target", c.Name, c.Source, c.Target))
	}
	return mover.Difference{
		Table: d.Table, Key: d.Key, OrderNo: d.OrderNo, Tag: d.Tag, Source: d.Source, Target: d.Target,
		Fate: string(d.Fate), Text: strings.Join(columns, "; "),
	}
}
