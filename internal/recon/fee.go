package recon

import (
	"fmt"

	"paytool/internal/bill"
	"paytool/internal/pay"
)

// e5PerFen is how many 10^-5 yuan a fen is.
const e5PerFen = 1000

// maxFeeBase keeps base times rate within 64 bits.
const maxFeeBase = 1 << 40

// feeOf is base times rate, rounded half up to the fen, in 10^-5 yuan.
func feeOf(base pay.Fen, rateE5 int64) bill.FeeE5 {
	return bill.FeeE5((int64(base)*rateE5 + 50_000) / 100_000 * e5PerFen)
}

// feeRight reports whether the fee of a bill's row follows from its rate. What a
// refund or revoke gives back is negative and may be one fen off: it is rounded
// against what was charged before. A row without a rate has nothing to be held to.
func feeRight(row *bill.Row) bool {
	if len(row.Rate) == 0 {
		return true
	}
	rate, err := bill.ParseRate(row.Rate)
	if err != nil || row.Settle > maxFeeBase {
		return false
	}
	want := feeOf(row.Settle, rate)
	if row.Kind == pay.EntryPay {
		return row.Fee == want
	}
	off := row.Fee + want
	return row.Fee <= 0 && off >= -e5PerFen && off <= e5PerFen
}

// feeDetail says what the fee should have been.
func feeDetail(r *Row) string {
	rate, err := bill.ParseRate([]byte(r.Rate))
	if err != nil {
		return fmt.Sprintf("the rate %q cannot be read", r.Rate)
	}
	want := feeOf(min(r.Settle, maxFeeBase), rate)
	if r.Kind != pay.EntryPay {
		want = -want
	}
	return fmt.Sprintf("%s yuan at %s make a fee of %s yuan; the bill has %s", r.Settle.Yuan(), r.Rate, feeYuan(want), feeYuan(r.Fee))
}

// feeYuan writes a fee with its five decimals.
func feeYuan(f bill.FeeE5) string {
	sign := ""
	if f < 0 {
		sign, f = "-", -f
	}
	return fmt.Sprintf("%s%d.%05d", sign, f/100_000, f%100_000)
}
