package recon

import (
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
	} {
		row := &bill.Row{Kind: c.kind, Settle: c.base, Rate: []byte(c.rate), Fee: c.fee}
		if got := feeRight(row); got != c.right {
			t.Errorf("%s of %s at %s with a fee of %s: %v", c.kind, c.base.Yuan(), c.rate, feeYuan(c.fee), got)
		}
	}
}
