package recon

import (
	"errors"
	"fmt"
	"slices"

	"paytool/internal/bill"
	"paytool/internal/pay"
)

const (
	// e5PerFen is how many 10^-5 yuan a fen is.
	e5PerFen = 1000
	// maxFeeBase and maxRate keep base times rate within 64 bits.
	maxFeeBase = 1 << 40
	maxRate    = 100_000 // 100%
)

// feeOf is base times rate, rounded half up to the fen, in 10^-5 yuan.
func feeOf(base pay.Fen, rateE5 int64) bill.FeeE5 {
	return bill.FeeE5((int64(base)*rateE5 + 50_000) / 100_000 * e5PerFen)
}

// charge is what the fee of a bill's row is judged by.
type charge struct {
	kind pay.EntryKind
	base pay.Fen // the settled amount
	fee  bill.FeeE5
	// signed: what is given back is below 0. Of a bill without rates the sign is not
	// proven, so that there the amount alone counts.
	signed bool
}

// fits reports whether the fee follows from a rate. What a refund or revoke gives
// back may be one fen off: it is rounded against what was charged before.
func (c charge) fits(rateE5 int64) bool {
	if c.base > maxFeeBase || rateE5 > maxRate {
		return false
	}
	want, got := feeOf(c.base, rateE5), c.fee
	switch {
	case !c.signed:
		got = max(got, -got)
	case c.kind != pay.EntryPay:
		got = -got
	}
	if c.kind == pay.EntryPay {
		return got == want
	}
	return got >= 0 && got-want <= e5PerFen && want-got <= e5PerFen
}

// maxAccountRates is how many different rates fit sift.Record.Meta; one place more
// is for products without any.
const maxAccountRates = 15

// rateTable is the rates of an account, each once, and the place of each product's.
type rateTable struct {
	e5 []int64
	of map[string]uint32
}

func newRateTable(rates Rates) (rateTable, error) {
	t := rateTable{of: map[string]uint32{}}
	for _, e5 := range rates {
		t.e5 = append(t.e5, e5)
	}
	slices.Sort(t.e5)
	t.e5 = slices.Compact(t.e5)
	switch {
	case len(t.e5) > maxAccountRates:
		return t, fmt.Errorf("reconcile: %d different rates, an account has at most %d", len(t.e5), maxAccountRates)
	case len(t.e5) > 0 && (t.e5[0] < 0 || t.e5[len(t.e5)-1] > maxRate):
		return t, errors.New("reconcile: a rate of the account is not in 0..100%")
	}
	for product, e5 := range rates {
		i, _ := slices.BinarySearch(t.e5, e5)
		t.of[product] = uint32(i) //nolint:gosec // at most maxAccountRates
	}
	return t, nil
}

// place is where the rate of a product stands; len(e5) if it has none.
func (t *rateTable) place(product []byte) uint32 {
	if len(t.e5) == 0 {
		return 0
	}
	if i, ok := t.of[string(product)]; ok {
		return i
	}
	if i, ok := t.of[""]; ok {
		return i
	}
	return uint32(len(t.e5)) //nolint:gosec // at most maxAccountRates
}

// allRates: the fee has nothing to be held to, or was found right.
const allRates uint32 = 1<<(maxAccountRates+1) - 1

// fitting says which of the account's rates the fee of a row follows from, a bit for
// each place. A row with a rate of its own is held to that alone.
func (t *rateTable) fitting(c charge, own *feeSum) uint32 {
	switch {
	case len(own.Rate) == 0 && len(t.e5) == 0:
		return allRates
	case len(own.Rate) > 0 && own.unreadable == nil && c.fits(own.e5):
		return allRates
	case len(own.Rate) > 0:
		return 0
	}
	bits := uint32(1) << len(t.e5)
	for i, e5 := range t.e5 {
		if c.fits(e5) {
			bits |= 1 << i
		}
	}
	return bits
}

// complain says what is wrong with the fee of a row of the bill, "" if nothing is.
// product is what our books say was sold.
func (t *rateTable) complain(r *Row, product string) string {
	c := charge{kind: r.Kind, base: r.Settle, fee: r.Fee, signed: r.Rate != ""}
	rate, named := int64(0), r.Rate
	if r.Rate == "" {
		i := t.place([]byte(product))
		if int(i) >= len(t.e5) {
			return ""
		}
		rate = t.e5[i]
		named = fmt.Sprintf("%d.%03d%% (the account's rate)", rate/1000, rate%1000)
	} else {
		var err error
		if rate, err = bill.ParseRate([]byte(r.Rate)); err != nil {
			return fmt.Sprintf("the rate %q cannot be read", r.Rate)
		}
	}
	if c.fits(rate) {
		return ""
	}
	want := feeOf(min(r.Settle, maxFeeBase), min(rate, maxRate))
	if c.signed && r.Kind != pay.EntryPay {
		want = -want
	}
	return fmt.Sprintf("%s yuan at %s make a fee of %s yuan; the bill has %s", r.Settle.Yuan(), named, feeYuan(want), feeYuan(r.Fee))
}

// feeYuan writes a fee with its five decimals.
func feeYuan(f bill.FeeE5) string {
	sign := ""
	if f < 0 {
		sign, f = "-", -f
	}
	return fmt.Sprintf("%s%d.%05d", sign, f/100_000, f%100_000)
}
