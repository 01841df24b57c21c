package drill

import (
	"fmt"

	"paytool/internal/pay"
)

// BookLine is what one side says of one order's money.
type BookLine struct {
	OrderNo pay.OrderNo
	State   string
	Kept    pay.Fen // paid and not given back
}

// BookDifference is an order about which a channel's books and ours disagree.
type BookDifference struct {
	OrderNo     pay.OrderNo `json:"order_no"`
	Ours        string      `json:"ours"` // our state, "" for no such order
	Theirs      string      `json:"theirs"`
	OursFen     pay.Fen     `json:"ours_fen"`
	TheirsFen   pay.Fen     `json:"theirs_fen"`
	Explanation string      `json:"explanation"`
}

// Books is the comparison of a channel's books with ours.
type Books struct {
	Orders      int              `json:"orders"` // that either side knows
	OursFen     pay.Fen          `json:"ours_fen"`
	TheirsFen   pay.Fen          `json:"theirs_fen"`
	Differences []BookDifference `json:"differences"`
}

// OK reports whether both sides agree to the fen, order by order.
func (b Books) OK() bool { return len(b.Differences) == 0 }

// CompareBooks holds a channel's books against ours, order by order. Both sides are
// at rest. Orders that were never sent appear on our side alone, with nothing kept.
func CompareBooks(ours, theirs []BookLine) Books {
	b := Books{Differences: []BookDifference{}}
	byNo := make(map[pay.OrderNo]BookLine, len(theirs))
	for _, t := range theirs {
		byNo[t.OrderNo] = t
		b.TheirsFen += t.Kept
	}
	for _, o := range ours {
		b.Orders++
		b.OursFen += o.Kept
		t, known := byNo[o.OrderNo]
		delete(byNo, o.OrderNo)
		if o.Kept != t.Kept {
			b.add(o, t, explain(known, o, t))
		}
	}
	for _, t := range theirs { // in their order, not the map's
		if _, left := byNo[t.OrderNo]; !left {
			continue
		}
		b.Orders++
		if t.Kept != 0 {
			b.add(BookLine{OrderNo: t.OrderNo}, t, "the channel has money for a number that we do not have")
		}
	}
	return b
}

func explain(known bool, o, t BookLine) string {
	switch {
	case !known:
		return "we count money that the channel never heard of"
	case o.Kept < t.Kept:
		return fmt.Sprintf("the channel keeps %d fen that our books do not have", t.Kept-o.Kept)
	}
	return fmt.Sprintf("our books have %d fen that the channel does not keep", o.Kept-t.Kept)
}

func (b *Books) add(o, t BookLine, explanation string) {
	b.Differences = append(b.Differences, BookDifference{
		OrderNo: t.OrderNo, Ours: o.State, Theirs: t.State, OursFen: o.Kept, TheirsFen: t.Kept, Explanation: explanation,
	})
	if d := &b.Differences[len(b.Differences)-1]; d.OrderNo.IsZero() {
		d.OrderNo = o.OrderNo
	}
}
