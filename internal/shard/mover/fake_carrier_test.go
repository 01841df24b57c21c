package mover

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

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
