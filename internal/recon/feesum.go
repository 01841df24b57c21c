package recon

import (
	"cmp"
	"slices"
	"strings"

	"paytool/internal/bill"
	"paytool/internal/pay"
)

// maxFeeSums bounds the lines of feeSums: a bill has a few rates, a file that was
// made to fill memory has as many as rows.
const maxFeeSums = 256

// otherRates is the line of what is beyond.
const otherRates = "other rates"

// feeSums adds up what each kind costs at each rate.
type feeSums struct{ lines []*feeSum }

// feeSum is one line, with its rate read once for all its rows.
type feeSum struct {
	FeeTotal
	e5         int64
	unreadable error
}

// add counts a row and returns its line, whose rate is that of the row.
func (f *feeSums) add(r *bill.Row) *feeSum {
	own := f.find(r.Kind, r.Rate)
	to := own
	if own == nil {
		own = &feeSum{FeeTotal: FeeTotal{Kind: r.Kind, Rate: string(r.Rate)}}
		if len(r.Rate) > 0 {
			own.e5, own.unreadable = bill.ParseRate(r.Rate)
		}
		to = own
		if len(f.lines) >= maxFeeSums {
			to = f.find(r.Kind, []byte(otherRates))
			if to == nil {
				to = &feeSum{FeeTotal: FeeTotal{Kind: r.Kind, Rate: otherRates}}
			}
		}
		if to.Rows == 0 {
			f.lines = append(f.lines, to)
		}
	}
	to.Rows++
	to.Base += r.Settle
	to.Fee += r.Fee
	return own
}

func (f *feeSums) find(kind pay.EntryKind, rate []byte) *feeSum {
	for _, l := range f.lines {
		if l.Rate == string(rate) && l.Kind == kind {
			return l
		}
	}
	return nil
}

// unrated reports whether the bill has rows without a rate.
func (f *feeSums) unrated() bool {
	return slices.ContainsFunc(f.lines, func(l *feeSum) bool { return l.Rate == "" })
}

// totals are the lines, by kind and rate.
func (f *feeSums) totals() []FeeTotal {
	all := make([]FeeTotal, 0, len(f.lines))
	for _, l := range f.lines {
		all = append(all, l.FeeTotal)
	}
	slices.SortFunc(all, func(a, b FeeTotal) int {
		return cmp.Or(cmp.Compare(kindIndex(a.Kind), kindIndex(b.Kind)), strings.Compare(a.Rate, b.Rate))
	})
	return all
}
