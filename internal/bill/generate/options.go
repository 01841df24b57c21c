package generate

import (
	"fmt"
	"io"
	"time"

	"paytool/internal/bill"
	"paytool/internal/pay"
)

// Options describe a day. Zero values mean the defaults in the comments.
type Options struct {
	Channel  string // bill.WeChat (default) or bill.Alipay
	Date     string // "2006-01-02" (2026-11-20)
	Merchant string // mch_id or pid (1900000109, 2088000000000001)
	// Rows is the number of detail rows of the trade bill (1000).
	Rows int
	// Seed makes the day another one.
	Seed uint64
	// Refunds and Revokes are shares of all rows, 0 to 0.4 each.
	Refunds, Revokes float64
	// RateE5 is the fee rate in 10^-5 (600: 0.60%).
	RateE5 int64
	// Fees makes Alipay's bill have service fees, which no real one was seen with:
	// above 0 where Alipay takes them.
	Fees bool
	// Old makes WeChat's bill of the layout with 24 columns, which some merchants
	// still have. It knows no coupon that lowers what is settled.
	Old bool
	// Withdraw makes WeChat's fund bill close with what it opened with, so that one day
	// follows another: what the account has gained is withdrawn at the end.
	Withdraw bool
	// Plant is the number of differences to plant, class after class; at most a
	// tenth of Rows.
	Plant int
	// Progress is called now and then with the rows made so far; nil: nobody looks.
	Progress func(rows int64)
}

// Outputs are where the files of a day go; nil: the file is not made. WeChat's
// bills are CSV, Alipay's zip files; Ours is the CSV of our entries and Truth the
// JSON of the planted differences.
type Outputs struct {
	Bill, Fund, Ours, Truth io.Writer
}

// Made is what a day turned out to be.
type Made struct {
	Rows        int64        `json:"rows"`
	Kinds       bill.PerKind `json:"kinds"`      // in and out: rows of the fund bill
	AmountFen   bill.PerKind `json:"amount_fen"` // of the trade bill
	Differences int          `json:"differences"`
}

const (
	maxRows  = 100_000_000
	maxShare = 0.4
)

func (o Options) withDefaults() Options {
	setDefault(&o.Channel, bill.WeChat)
	setDefault(&o.Date, "2026-11-20")
	setDefault(&o.Rows, 1000)
	setDefault(&o.RateE5, 600)
	if o.Channel == bill.Alipay {
		setDefault(&o.Merchant, "2088000000000001")
	}
	setDefault(&o.Merchant, "1900000109")
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// check refuses what no day could be, and returns its midnight.
func (o Options) check() (time.Time, error) {
	bad := func(format string, args ...any) (time.Time, error) {
		return time.Time{}, fmt.Errorf("generate a bill: "+format, args...)
	}
	day, err := time.ParseInLocation("2006-01-02", o.Date, pay.Beijing)
	switch {
	case err != nil:
		return bad("the date %q is not like 2026-11-20", o.Date)
	case o.Channel != bill.WeChat && o.Channel != bill.Alipay:
		return bad("the channel %q is not %s or %s", o.Channel, bill.WeChat, bill.Alipay)
	case o.Rows < 1 || o.Rows > maxRows:
		return bad("%d rows are not in 1..%d", o.Rows, maxRows)
	case !(o.Refunds >= 0 && o.Refunds <= maxShare) || !(o.Revokes >= 0 && o.Revokes <= maxShare): // NaN fails
		return bad("refunds %v and revokes %v are shares of the rows, from 0 to %v", o.Refunds, o.Revokes, maxShare)
	case o.RateE5 < 0 || o.RateE5 > 100_000:
		return bad("a fee rate of %d (10^-5) is not in 0..100000", o.RateE5)
	case o.Plant < 0 || o.Plant > o.Rows/10:
		return bad("%d planted differences are not in 0..%d, a tenth of the rows", o.Plant, o.Rows/10)
	}
	for _, c := range o.Merchant {
		if c < '0' || c > '9' {
			return bad("the merchant %q is not a number", o.Merchant)
		}
	}
	return day, nil
}
