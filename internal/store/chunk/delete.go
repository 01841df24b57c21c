package chunk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"paytool/internal/pay"
	"paytool/internal/store"
)

// Delete removes a tag's rows from a group that does not own the tag: what is left
// behind by a move, or a copy that nobody wants any more.
type Delete struct {
	Side   *Side
	Tag    pay.Tag
	Holder string // as of Copy
	Pace   Pace
	// Save is told after each chunk, which is committed then. Who begins again finds
	// only what is left, so that there is nothing to go on behind.
	Save func(ctx context.Context, done Checkpoint) error
}

// Run deletes chunk by chunk, and answers with the rows that were deleted.
func (d Delete) Run(ctx context.Context) (rows int64, err error) {
	pace := d.Pace.withDefaults()
	size, took := pace.first(), time.Duration(0)
	for done := (Checkpoint{}); !done.Ended; {
		if err := errors.Join(pace.rest(ctx, took), pace.wait(ctx)); err != nil {
			return done.Rows, err
		}
		began := pace.Now()
		span, err := d.Side.span(ctx, d.Tag, done.After, size)
		if err != nil {
			return done.Rows, err
		}
		deleted, err := d.chunk(ctx, span)
		if err != nil {
			return done.Rows, err
		}
		done.After, done.Ended = span.Through, span.last()
		done.Chunks++
		done.Orders += deleted[0]
		for _, n := range deleted {
			done.Rows += n
		}
		rows = done.Rows
		if d.Save != nil {
			if err := d.Save(ctx, done); err != nil {
				return rows, err
			}
		}
		took = pace.Now().Sub(began)
		size = pace.next(size, took, 0)
	}
	return rows, nil
}

// chunk deletes a span's rows of every table in one transaction.
func (d Delete) chunk(ctx context.Context, span Span) (deleted []int64, err error) {
	err = d.Side.group.Work(ctx, fmt.Sprintf("delete tag %d", d.Tag), func(tx store.Querier) error {
		if err := letIn(ctx, tx, d.Tag, d.Holder); err != nil {
			return err
		}
		for _, t := range d.Side.tables {
			n, err := t.remove(ctx, tx, d.Tag, span)
			if err != nil {
				return fmt.Errorf("table %s: %w", t.Name, err)
			}
			deleted = append(deleted, n)
		}
		return nil
	})
	return deleted, err
}

// remove deletes by numbers, which it reads first: a DELETE of a span would lock, and
// wait for, rows of the group's own tags that lie between.
func (t table) remove(ctx context.Context, tx store.Querier, tag pay.Tag, span Span) (deleted int64, err error) {
	numbers, err := t.numbers(ctx, tx, tag, span)
	if err != nil {
		return 0, err
	}
	for some := range slices.Chunk(numbers, rowsAtOnce) {
		result, err := tx.ExecContext(ctx, "DELETE FROM "+t.Name+" WHERE tag=? AND "+t.number+" IN ("+strings.TrimSuffix(strings.Repeat("?,", len(some)), ",")+")",
			slices.Concat([]any{tag}, some)...)
		if err != nil {
			return deleted, err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return deleted, err
		}
		deleted += n
	}
	return deleted, nil
}

func (t table) numbers(ctx context.Context, q querier, tag pay.Tag, p part) (list []any, err error) {
	where, args := p.where(t.number)
	found, err := q.QueryContext(ctx, "SELECT DISTINCT "+t.number+" FROM "+t.Name+" WHERE tag=?"+where, slices.Concat([]any{tag}, args)...)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	for found.Next() {
		var text string
		if err := found.Scan(&text); err != nil {
			return nil, err
		}
		list = append(list, text)
	}
	return list, found.Err()
}
