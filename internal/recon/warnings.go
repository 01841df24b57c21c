package recon

import (
	"fmt"
	"slices"

	"paytool/internal/bill"
)

func (r *run) warnings() []string {
	w := []string{}
	if r.pairedByOurs > 0 {
		w = append(w, fmt.Sprintf("%d revokes of ours stand in the bill as refunds under other numbers; they were paired by our books (paired_by=ours): "+
			"check how this account marks revokes", r.pairedByOurs))
	}
	if r.ours.others > 0 {
		w = append(w, fmt.Sprintf("%d of our entries are of another channel and were left out", r.ours.others))
	}
	if r.ours.otherAccounts > 0 {
		w = append(w, fmt.Sprintf("%d of our entries are of another account than %s and were left out", r.ours.otherAccounts, r.opts.OurAccount))
	}
	if r.ours.unrated > 0 && r.trades.fees.unrated() {
		w = append(w, fmt.Sprintf("%d of our entries are of products without a rate, the first of %.64q: their fees were not held to anything; "+
			"add a rate for it, or one for all other products", r.ours.unrated, r.ours.product))
	}
	if kinds := r.partOnly(); kinds != "" {
		w = append(w, "the bill has "+kinds+" alone: give its other part by a second --bill, or the rest of ours is missing in the channel")
	}
	switch bad := r.opening(); {
	case bad != nil:
		w = append(w, fmt.Sprintf("%s: %s", r.books.Fund[0].Name(), bad))
	case len(r.books.Fund) > 1 && r.opts.FundOpening != nil:
		w = append(w, "there are several fund bills: their opening was not held against what the day before closed with")
	}
	for i, report := range r.reports {
		for _, f := range report.Findings {
			w = append(w, fmt.Sprintf("%s: %s", slices.Concat(r.books.Trade, r.books.Fund)[i].Name(), f))
		}
	}
	return w
}

// partOnly is what a bill of WeChat's that was fetched in parts is limited to.
func (r *run) partOnly() string {
	var all, paid, refunded bool
	for _, report := range r.reports {
		all = all || report.Type == bill.TradeAll
		paid = paid || report.Type == bill.TradeSuccess
		refunded = refunded || report.Type == bill.TradeRefund
	}
	switch {
	case all || paid == refunded:
		return ""
	case paid:
		return "payments"
	default:
		return "refunds"
	}
}
