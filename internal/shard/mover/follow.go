package mover

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"paytool/internal/pay"
)

// catchUp follows changes until a fence would be short.
func (s *session) catchUp(ctx context.Context, d sides) error {
	if s.lifted > 0 {
		// Whatever made the last fence too long may take a moment to pass.
		if err := s.r.opts.Sleep(ctx, min(pause<<min(s.lifted, 6), 5*time.Second)); err != nil {
			return err
		}
	}
	for {
		if err := s.round(ctx, d); err != nil {
			return err
		}
		left, held, err := s.ready(ctx, d)
		if err != nil {
			return err
		}
		if held == "" {
			s.caught = true
			return s.askEpoch(ctx)
		}
		s.tell(Event{Step: s.state.Step, Changes: left, Progress: Progress{Held: held}})
		if err := s.wait(ctx); err != nil {
			return err
		}
	}
}

// ready says how many records are left, and what a fence has to wait for; "" for
// nothing.
func (s *session) ready(ctx context.Context, d sides) (left int64, held string, err error) {
	left, err = d.from.CountChanges(ctx, s.run.Tags, Compared)
	if err != nil {
		return 0, "", fmt.Errorf("count the changes at group %d: %w", d.from.ID(), err)
	}
	if left > s.r.opts.FewChanges {
		return left, fmt.Sprintf("%d changes are left", left), nil
	}
	behind, known := d.to.Lag(ctx)
	switch {
	case !known:
		return left, fmt.Sprintf("a replica of group %d does not say how far it is behind", d.to.ID()), nil
	case behind >= time.Second:
		return left, fmt.Sprintf("a replica of group %d is %v behind", d.to.ID(), behind), nil
	case s.state.Switched:
		// A group that took tags over goes on with orders of its own, whose doubts never
		// end. They are settled by their numbers, which the topology finds.
		return left, "", nil
	}
	held, err = s.settled(ctx)
	return left, held, err
}

// settled asks every group whether it has doubts that name the source, and the source
// for those that name the target: it may have a twin of such an order, which the copy
// would meet.
func (s *session) settled(ctx context.Context) (held string, err error) {
	for _, id := range s.r.ids() {
		named := s.run.Source
		if id == s.run.Source {
			named = s.run.Target
		}
		open, err := s.r.groups[id].Open(ctx, named)
		switch {
		case err != nil && ctx.Err() != nil:
			return "", err
		case err != nil:
			return fmt.Sprintf("group %d cannot be asked for doubts: %v", id, err), nil
		case open > 0:
			return fmt.Sprintf("%d doubts of group %d name group %d", open, id, named), nil
		}
	}
	return "", nil
}

// round copies what has changed once, and compares what it copied. Orders that change
// again meanwhile have a new record and are left for the next round.
func (s *session) round(ctx context.Context, d sides) error {
	legs, err := s.legs(ctx, d)
	if err != nil {
		return err
	}
	for {
		if err := s.peek(ctx); err != nil {
			return err
		}
		copied, err := s.copyBatch(ctx, d, legs)
		if err != nil {
			return err
		}
		if copied < s.r.opts.Batch {
			break
		}
	}
	for {
		clean, err := s.compareBatch(ctx, d, legs)
		if err != nil || clean == 0 {
			return err
		}
		if err := s.peek(ctx); err != nil {
			return err
		}
	}
}

// copyBatch copies the orders of one batch of records, and counts the records.
func (s *session) copyBatch(ctx context.Context, d sides, legs map[pay.Tag]Legwork) (int, error) {
	records, err := d.from.Changes(ctx, s.run.Tags, Copied, s.r.opts.Batch)
	if err != nil {
		return 0, fmt.Errorf("read the changes at group %d: %w", d.from.ID(), err)
	}
	if len(records) == 0 {
		return 0, nil
	}
	if err := s.copyOrders(ctx, legs, records); err != nil {
		return 0, err
	}
	return len(records), s.advance(ctx, d, records, Copied)
}

func (s *session) copyOrders(ctx context.Context, legs map[pay.Tag]Legwork, records []Changed) error {
	orders := byTag(records)
	for _, tag := range slices.Sorted(maps.Keys(orders)) {
		numbers := orders[tag]
		err := s.effect("copy orders", func() error { return s.r.carrier.CopyOrders(ctx, legs[tag], numbers) })
		if err != nil {
			return fmt.Errorf("copy %d changed orders of tag %d: %w", len(numbers), tag, err)
		}
	}
	return nil
}

// compareBatch compares the copied orders of one batch, and counts those that are
// alike. The others are copied again.
func (s *session) compareBatch(ctx context.Context, d sides, legs map[pay.Tag]Legwork) (int, error) {
	records, err := d.from.Changes(ctx, s.run.Tags, Compared, s.r.opts.Batch)
	if err != nil {
		return 0, fmt.Errorf("read the changes at group %d: %w", d.from.ID(), err)
	}
	records = slices.DeleteFunc(records, func(c Changed) bool { return c.Stage != Copied })
	if len(records) == 0 {
		return 0, nil
	}
	differ, _, err := s.differing(ctx, legs, records)
	if err != nil {
		return 0, err
	}
	var clean, again []Changed
	for _, c := range records {
		if differ[c.No.String()] || differ[""] {
			again = append(again, c)
		} else {
			clean = append(clean, c)
		}
	}
	if err := s.copyOrders(ctx, legs, again); err != nil {
		return 0, err
	}
	return len(clean), s.advance(ctx, d, clean, Compared)
}

// differing compares orders and names those that differ, with the first difference.
func (s *session) differing(ctx context.Context, legs map[pay.Tag]Legwork, records []Changed) (map[string]bool, Difference, error) {
	differ := map[string]bool{}
	var first Difference
	orders := byTag(records)
	for _, tag := range slices.Sorted(maps.Keys(orders)) {
		numbers := orders[tag]
		err := s.r.carrier.CompareOrders(ctx, legs[tag], numbers, func(d Difference) error {
			if len(differ) == 0 {
				first = d
			}
			differ[d.OrderNo] = true
			return nil
		})
		if err != nil {
			return nil, Difference{}, fmt.Errorf("compare %d changed orders of tag %d: %w", len(numbers), tag, err)
		}
	}
	return differ, first, nil
}

func (s *session) advance(ctx context.Context, d sides, records []Changed, to Stage) error {
	if len(records) == 0 {
		return nil
	}
	ids := make([]int64, len(records))
	for i, c := range records {
		ids[i] = c.ID
	}
	err := s.effect(fmt.Sprintf("advance to %d", to), func() error { return d.from.Advance(ctx, ids, to) })
	if err != nil {
		return fmt.Errorf("mark %d changes at group %d: %w", len(ids), d.from.ID(), err)
	}
	return nil
}

// byTag sorts the orders of records, each once, to their tags.
func byTag(records []Changed) map[pay.Tag][]pay.OrderNo {
	orders := map[pay.Tag][]pay.OrderNo{}
	for _, c := range records {
		if !slices.Contains(orders[c.Tag], c.No) {
			orders[c.Tag] = append(orders[c.Tag], c.No)
		}
	}
	return orders
}
