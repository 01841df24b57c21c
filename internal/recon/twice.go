package recon

import (
	"cmp"
	"slices"

	"paytool/internal/pay"
)

// findTwice names the paid orders of ours that share a merchant's order with an
// earlier one. What was given back in full is settled and does not count.
func findTwice(ours []*item) map[string]string {
	back := map[string]pay.Fen{}
	byKey := map[[2]string][]*item{}
	for _, i := range ours {
		switch {
		case i.Kind != pay.EntryPay && i.expect() == expected:
			back[i.OrderNo] += i.Amount
		case i.Kind == pay.EntryPay && i.State == string(pay.Paid) && i.MerchantOrderNo != "":
			key := [2]string{i.MerchantID, i.MerchantOrderNo}
			byKey[key] = append(byKey[key], i)
		}
	}
	twice := map[string]string{}
	for _, orders := range byKey {
		orders = slices.DeleteFunc(orders, func(i *item) bool { return back[i.OrderNo] >= i.Amount })
		slices.SortFunc(orders, func(a, b *item) int { return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.OrderNo, b.OrderNo)) })
		for _, i := range orders {
			if i.OrderNo != orders[0].OrderNo {
				twice[i.OrderNo] = orders[0].OrderNo
			}
		}
	}
	return twice
}

// paidTwice reports the payment of an order that is not the first of its merchant
// order. Both books agree on it, so that its difference is 0.
func (j *judge) paidTwice() {
	for _, o := range j.ours {
		first := j.twice[o.OrderNo]
		if first == "" || o.carry != nil || o.Kind != pay.EntryPay || o.State != string(pay.Paid) {
			continue
		}
		before := o.verdict
		j.differ(o, nil, DuplicatePayment, 0, "order "+first+" was paid for the same merchant order "+o.MerchantOrderNo)
		j.differences[len(j.differences)-1].TheirsFen = o.Amount
		if before == carried {
			o.verdict = carried // it is waited for all the same
		}
		return
	}
}
