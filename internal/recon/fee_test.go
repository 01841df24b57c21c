package recon

import (
	"fmt"
	"testing"

	"paytool/internal/bill"
	"paytool/internal/pay"
)

func TestFee(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind  pay.EntryKind
		base  pay.Fen
		rate  string
		fee   bill.FeeE5
		right bool
	}{
		{pay.EntryPay, 6000, "0.54%", 32_000, true},
		{pay.EntryPay, 6000, "0.54%", 32_400, false}, // rounded to the fen, always
		{pay.EntryPay, 3, "39.00%", 1000, true},
		{pay.EntryPay, 250, "0.60%", 2000, true}, // half up
		{pay.EntryPay, 250, "0.60%", 1000, false},
		{pay.EntryPay, 100, "0.60%", -1000, false},
		{pay.EntryPay, 100, "", 5000, true}, // no rate, nothing to hold it to
		{pay.EntryPay, 100, "0,60%", 1000, false},
		{pay.EntryPay, 0, "0.60%", 0, true},
		{pay.EntryRefund, 6000, "0.54%", -32_000, true},
		{pay.EntryRefund, 6000, "0.54%", -33_000, true}, // one fen off
		{pay.EntryRefund, 6000, "0.54%", -31_000, true},
		{pay.EntryRefund, 6000, "0.54%", -34_000, false},
		{pay.EntryRevoke, 6000, "0.54%", 32_000, false}, // it is given back
		{pay.EntryPay, 1 << 60, "0.60%", 0, false},      // no overflow
		{pay.EntryPay, 1 << 39, "99999999.999%", 0, false},
	} {
		row := &Row{Kind: c.kind, Settle: c.base, Rate: c.rate, Fee: c.fee}
		var rates rateTable
		if got := rates.complain(row, "") == ""; got != c.right {
			t.Errorf("%s of %s at %s with a fee of %s: %v", c.kind, c.base.Yuan(), c.rate, feeYuan(c.fee), got)
		}
	}
}

// TestFeeSumsAreBounded: a file of as many rates as rows does not end in memory, and
// every row is counted and judged by its own rate.
func TestFeeSumsAreBounded(t *testing.T) {
	t.Parallel()
	var sums feeSums
	var rates rateTable
	const rows = 3 * maxFeeSums
	for i := range rows {
		r := &bill.Row{Kind: pay.EntryPay, Amount: 10_000, Settle: 10_000, Rate: fmt.Appendf(nil, "0.%03d%%", i)}
		r.Fee = feeOf(r.Settle, int64(i))
		own := sums.add(r)
		if fits := rates.fitting(charge{kind: r.Kind, base: r.Settle, fee: r.Fee, signed: true}, own); fits != allRates {
			t.Errorf("the fee at %s does not fit", r.Rate)
		}
		if fits := rates.fitting(charge{kind: r.Kind, base: r.Settle, fee: r.Fee + e5PerFen, signed: true}, own); fits != 0 {
			t.Errorf("a fee that is too high at %s fits", r.Rate)
		}
	}
	lines := sums.totals()
	var n int64
	for _, l := range lines {
		n += l.Rows
	}
	if len(lines) != maxFeeSums+1 || n != rows || lines[len(lines)-1].Rate != otherRates {
		t.Errorf("%d lines of %d rows, the last is %+v", len(lines), n, lines[len(lines)-1])
	}
}
