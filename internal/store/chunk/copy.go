package chunk

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"
	"golang.org/x/sync/errgroup"

	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/shard/mover"
	"paytool/internal/store"
)

var (
	// ErrNotWaiting means that the target does not have the tag as moved elsewhere: it
	// owns it, so that its rows are newer than a copy, or nobody prepared it.
	ErrNotWaiting = errors.New("the group does not wait for this tag: only where its claim says moved may rows be copied or deleted")
	// ErrNewer means that a row of the target is newer than the source's: another
	// process copied it, and this one is behind.
	ErrNewer = errors.New("the target has a newer version: another process copies too; read the move's journal again")
	// ErrClash means that the target has a live row of its own for an attempt of a key.
	ErrClash = errors.New("the target has another order for the same attempt of a key: the sweep voids one of them unless both are paid; a plan lists such duplicates")
)

// Checkpoint is how far a tag is copied or compared. It is kept by the caller: what
// begins with one goes on behind it.
type Checkpoint struct {
	After  string `json:"after"` // every number up to this one is done
	Ended  bool   `json:"ended"` // the last chunk too
	Chunks int64  `json:"chunks"`
	Orders int64  `json:"orders"`
	Rows   int64  `json:"rows"` // read at the source
}

// Copy is one tag on its way.
type Copy struct {
	Source, Target *Side
	Tag            pay.Tag
	// Holder is who works on the move. A target that has admitted another one refuses
	// with mover.ErrHeld.
	Holder string
	Pace   Pace
	// Save is told after each chunk, which is committed then. A process that dies
	// before it has saved does one chunk again.
	Save func(ctx context.Context, done Checkpoint) error
}

// Copied counts what became of rows.
type Copied struct {
	Rows     int64 // read at the source
	Inserted int64
	Replaced int64 // were there and differed
	Deleted  int64 // were there and are not at the source
}

func (c *Copied) add(other Copied) {
	c.Rows += other.Rows
	c.Inserted += other.Inserted
	c.Replaced += other.Replaced
	c.Deleted += other.Deleted
}

// Run copies every chunk behind a checkpoint. While one chunk commits, which is a wait
// for disks and a replica, the next one is written in a transaction of its own, and the
// one after that is read: three at most are in memory. Chunks are committed and saved
// one after the other; the transaction of the next one ends after that.
func (c Copy) Run(ctx context.Context, from Checkpoint) (Copied, error) {
	if err := alike(c.Source, c.Target); err != nil {
		return Copied{}, err
	}
	r := &running{Copy: c, pace: c.Pace.withDefaults(), at: from, ahead: make(chan loaded)}
	r.size.Store(int64(r.pace.first()))
	r.crew, ctx = errgroup.WithContext(ctx)
	r.crew.Go(func() error {
		defer close(r.ahead)
		return r.readAhead(ctx, from)
	})
	r.crew.Go(func() error { return r.writeAll(ctx) })
	err := r.crew.Wait()
	return r.sum, err
}

// running is a Copy under way.
type running struct {
	Copy
	pace  Pace
	crew  *errgroup.Group
	ahead chan loaded
	size  atomic.Int64 // orders of the next chunk
	took  atomic.Int64 // by the last chunk, in nanoseconds

	// Those of the chunk whose turn it is to commit.
	at  Checkpoint
	sum Copied
}

// loaded is a chunk that was read and is to be written.
type loaded struct {
	span Span
	rows rows
}

// writeAll begins to write a chunk when the one before may commit.
func (r *running) writeAll(ctx context.Context) error {
	before := make(chan struct{}) // closed once the chunk before is saved
	close(before)
	for next := range r.ahead {
		mayCommit, saved, its := make(chan struct{}), make(chan struct{}), before
		r.crew.Go(func() error {
			if err := r.writeOne(ctx, next, its, mayCommit); err != nil {
				return errors.Join(err, until(ctx, its))
			}
			close(saved)
			return nil
		})
		goOn := mayCommit
		if !r.Target.hashes { // an embedded group has one writer
			goOn = saved
		}
		if err := until(ctx, goOn); err != nil {
			return err
		}
		if err := r.pace.rest(ctx, time.Duration(r.took.Load())); err != nil {
			return err
		}
		before = saved
	}
	return nil
}

// writeOne writes a chunk, and commits and saves it after the one before.
func (r *running) writeOne(ctx context.Context, next loaded, before <-chan struct{}, mayCommit chan<- struct{}) error {
	began := r.pace.Now()
	done, err := r.write(ctx, next.span, next.rows, func() error {
		defer close(mayCommit)
		return until(ctx, before)
	})
	if err != nil {
		return err
	}
	r.sum.add(done)
	r.at = r.at.behind(next.span, next.rows)
	if err := r.save(ctx, r.at); err != nil {
		return err
	}
	took := r.pace.Now().Sub(began)
	r.took.Store(int64(took))
	r.size.Store(int64(r.pace.next(len(next.rows.of[0]), took, next.rows.bytes)))
	return nil
}

func until(ctx context.Context, closed <-chan struct{}) error {
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *running) readAhead(ctx context.Context, from Checkpoint) error {
	for after, ended := from.After, from.Ended; !ended; {
		if err := r.pace.wait(ctx); err != nil {
			return err
		}
		span, err := r.Source.span(ctx, r.Tag, after, int(r.size.Load()))
		if err != nil {
			return err
		}
		all, err := r.Source.read(ctx, r.Tag, span)
		if err != nil {
			return err
		}
		select {
		case r.ahead <- loaded{span, all}:
		case <-ctx.Done():
			return ctx.Err()
		}
		after, ended = span.Through, span.last()
	}
	return nil
}

// behind is the checkpoint after a chunk.
func (c Checkpoint) behind(s Span, all rows) Checkpoint {
	c.After, c.Ended = s.Through, s.last()
	c.Chunks++
	c.Orders += int64(len(all.of[0]))
	c.Rows += all.count
	return c
}

func (c Copy) save(ctx context.Context, done Checkpoint) error {
	if c.Save == nil {
		return nil
	}
	return c.Save(ctx, done)
}

// Orders copies single orders, those that changed, with all that belongs to them.
func (c Copy) Orders(ctx context.Context, numbers []pay.OrderNo) (Copied, error) {
	if len(numbers) == 0 {
		return Copied{}, nil
	}
	if err := alike(c.Source, c.Target); err != nil {
		return Copied{}, err
	}
	all, err := c.Source.read(ctx, c.Tag, orders(numbers))
	if err != nil {
		return Copied{}, err
	}
	return c.write(ctx, orders(numbers), all, func() error { return nil })
}

// write makes a chunk of the target like the source's, in one transaction. It commits
// when mayCommit returns nil.
func (c Copy) write(ctx context.Context, p part, all rows, mayCommit func() error) (done Copied, err error) {
	err = c.Target.group.Work(ctx, fmt.Sprintf("copy tag %d from %s", c.Tag, c.Source.Name), func(tx store.Querier) error {
		if done, err = c.writeIn(ctx, tx, p, all); err != nil {
			return err
		}
		return mayCommit()
	})
	if err != nil {
		return Copied{}, err
	}
	return done, nil
}

// letIn holds the claim of the side that is written to until the transaction ends: a
// switch, and who takes the move over, wait for the transaction, and after them
// nothing of the old holder's is written any more.
func letIn(ctx context.Context, tx store.Querier, tag pay.Tag, holder string) error {
	var state shard.TagState
	var admitted string
	err := tx.QueryRowContext(ctx, "SELECT state, mover FROM group_state WHERE tag=? /*! LOCK IN SHARE MODE */", tag).Scan(&state, &admitted)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return ErrNotWaiting
	case err != nil:
		return err
	case admitted != holder:
		return fmt.Errorf("%w: tag %d is in the hands of %q", mover.ErrHeld, tag, admitted)
	case state != shard.TagMoved:
		return ErrNotWaiting
	}
	return nil
}

func (c Copy) writeIn(ctx context.Context, tx store.Querier, p part, all rows) (Copied, error) {
	done := Copied{Rows: all.count}
	if err := letIn(ctx, tx, c.Tag, c.Holder); err != nil {
		return Copied{}, err
	}
	counts, err := c.Target.count(ctx, tx, c.Tag, p)
	if err != nil {
		return Copied{}, err
	}
	for i, t := range c.Target.tables {
		change := change{insert: all.of[i]}
		if counts[i] > 0 {
			there, err := t.read(ctx, tx, c.Tag, p)
			if err != nil {
				return Copied{}, err
			}
			if change, err = t.difference(all.of[i], there); err != nil {
				return Copied{}, err
			}
		}
		if err := t.carryOut(ctx, tx, change); err != nil {
			return Copied{}, err
		}
		done.Replaced += change.replaced
		done.Deleted += int64(len(change.remove)) - change.replaced
		done.Inserted += int64(len(change.insert)) - change.replaced
	}
	return done, nil
}

// count counts a chunk's rows by table.
func (s *Side) count(ctx context.Context, q querier, tag pay.Tag, p part) ([]int64, error) {
	var selects []string
	var args []any
	for i, t := range s.tables {
		where, these := p.where(t.number)
		selects = append(selects, fmt.Sprintf("SELECT %d, COUNT(*) FROM %s WHERE tag=?%s", i, t.Name, where))
		args = slices.Concat(args, []any{tag}, these)
	}
	found, err := q.QueryContext(ctx, strings.Join(selects, " UNION ALL "), args...)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	counts := make([]int64, len(s.tables))
	for found.Next() {
		var i int
		var n int64
		if err := found.Scan(&i, &n); err != nil {
			return nil, err
		}
		counts[i] = n
	}
	return counts, found.Err()
}

// change is what makes a target's rows like the source's. A row that differs is
// removed and inserted.
type change struct {
	remove   []row
	insert   []row
	replaced int64
}

func (t table) difference(source, target []row) (change, error) {
	var c change
	there := make(map[string]row, len(target))
	for _, r := range target {
		there[t.key(r)] = r
	}
	for _, r := range source {
		key := t.key(r)
		old, ok := there[key]
		delete(there, key)
		switch {
		case !ok:
			c.insert = append(c.insert, r)
		case slices.Equal(old, r):
		case t.newer(old, r):
			return change{}, fmt.Errorf("%s %s: %w", t.Name, key, ErrNewer)
		default:
			c.remove, c.insert = append(c.remove, old), append(c.insert, r)
			c.replaced++
		}
	}
	for _, r := range target {
		if _, extra := there[t.key(r)]; extra {
			c.remove = append(c.remove, r)
		}
	}
	return c, nil
}

// newer compares versions, of rows that have one that is not part of their key.
func (t table) newer(a, b row) bool {
	if !slices.Contains(t.columns, "version") || slices.Contains(t.Key, "version") {
		return false
	}
	have, _ := t.get(a, "version").(int64)
	want, _ := t.get(b, "version").(int64)
	return have > want
}

// rowsAtOnce bounds the rows of a statement.
const rowsAtOnce = 1000

func (t table) carryOut(ctx context.Context, tx store.Querier, c change) error {
	match := strings.Join(t.Key, "=? AND ") + "=?"
	for _, r := range c.remove {
		args := make([]any, 0, len(t.Key)+1)
		for _, k := range t.Key {
			args = append(args, t.get(r, k))
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM "+t.Name+" WHERE "+match+" AND tag=?", append(args, t.get(r, t.Tag))...); err != nil {
			return fmt.Errorf("remove from %s: %w", t.Name, err)
		}
	}
	one := "(" + strings.TrimSuffix(strings.Repeat("?,", len(t.columns)), ",") + ")"
	for batch := range slices.Chunk(c.insert, rowsAtOnce) {
		args := make([]any, 0, len(batch)*len(t.columns))
		for _, r := range batch {
			args = append(args, r...)
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO "+t.Name+" ("+strings.Join(t.columns, ",")+") VALUES "+
			strings.TrimSuffix(strings.Repeat(one+",", len(batch)), ","), args...)
		var answer *mysql.MySQLError
		if errors.As(err, &answer) && answer.Number == errDuplicate {
			return fmt.Errorf("%s from %s on: %w: %s", t.Name, t.key(batch[0]), ErrClash, answer.Message)
		}
		if err != nil {
			return fmt.Errorf("insert into %s: %w", t.Name, err)
		}
	}
	return nil
}

const errDuplicate = 1062
