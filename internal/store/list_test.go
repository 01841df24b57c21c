package store

import (
	"fmt"
	"testing"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// pages reads a list to its end.
func (b *bed) pages(q order.ListQuery) (all []order.Order) {
	b.t.Helper()
	for {
		page, err := b.group.List(b.ctx(), q)
		if err != nil {
			b.t.Fatal(err)
		}
		all = append(all, page...)
		if len(page) < q.Limit {
			return all
		}
		q.After = order.Cursor{Created: page[len(page)-1].Created, No: page[len(page)-1].No}
	}
}

func TestListPages(t *testing.T) { onEachKind(t, checkListPages) }

func checkListPages(t *testing.T, b *bed) {
	ctx := b.ctx()
	err := write(ctx, b.group, func(tx order.Tx) error {
		for i := range 20 {
			o := newOrder(t, i)
			o.Created = t0.Add(time.Duration(i/7) * time.Millisecond) // seven of a millisecond
			switch i {
			case 3:
				o.State = pay.Void
			case 4:
				o.State = pay.Paid
			case 5:
				o.Shadow = true
			case 6:
				o.Key.MerchantID = "m2"
			}
			if err := tx.InsertOrder(ctx, o); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		q    order.ListQuery
		want []int
	}{
		"all":       {order.ListQuery{}, []int{19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 4, 2, 1, 0}},
		"of a time": {order.ListQuery{From: t0.Add(time.Millisecond), To: t0.Add(2 * time.Millisecond)}, []int{13, 12, 11, 10, 9, 8, 7}},
		"paid":      {order.ListQuery{State: pay.Paid}, []int{4}},
		"void":      {order.ListQuery{State: pay.Void}, []int{3}},
		"shadow":    {order.ListQuery{Shadow: true}, []int{5}},
		"nobody's":  {order.ListQuery{Merchant: "m3"}, nil},
	} {
		for _, limit := range []int{1, 3, 7, 100} {
			q := tc.q
			q.Limit = limit
			if q.Merchant == "" {
				q.Merchant = "m1"
			}
			var got []int
			for _, o := range b.pages(q) {
				got = append(got, o.No.Sequence())
			}
			if fmt.Sprint(got) != fmt.Sprint(tc.want) {
				t.Errorf("%s by %d: %v, want %v", name, limit, got, tc.want)
			}
		}
	}
}

func TestKeyHops(t *testing.T) { onEachKind(t, checkKeyHops) }

func checkKeyHops(t *testing.T, b *bed) {
	ctx := b.ctx()
	hop := order.Hop{OrderNo: number(t, 1), Above: 3, Key: pay.Key{MerchantID: "m1", MerchantOrderNo: "k1"}, Attempt: 1, Reason: "hang", Created: t0}
	second, other := hop, hop
	second.Above = 4
	other.OrderNo, other.Key.MerchantOrderNo = number(t, 2), "k2"
	if err := write(ctx, b.group, func(tx order.Tx) error { return tx.InsertHops(ctx, []order.Hop{second, other, hop}) }); err != nil {
		t.Fatal(err)
	}
	hops, err := b.group.KeyHops(ctx, hop.Key)
	if err != nil || len(hops) != 2 || hops[0].Above != 3 || hops[1].Above != 4 {
		t.Errorf("got %+v, %v", hops, err)
	}
}
