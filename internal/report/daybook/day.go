package daybook

import (
	"context"
	"time"

	"paytool/internal/bill"
	"paytool/internal/pay"
	"paytool/internal/recon"
	"paytool/internal/recon/ledger"
)

// Lang is the language of a report.
type Lang string

// The languages.
const (
	Chinese Lang = "zh"
	English Lang = "en"
)

// Day is what a report tells: one reconciled day of one account.
type Day struct {
	Result *recon.Result
	Made   time.Time // shown in Beijing time
	// Tool names the program and its version.
	Tool string
	// Ledger is nil where no ledger is kept.
	Ledger *Ledger
	// Lines yields every refund and revoke of the bill and every rejected row, in the
	// order of the files; a line is valid during the call. Nil: the files are not at
	// hand, and the sheets say so.
	Lines func(ctx context.Context, yield func(*Line) error) error
}

// Ledger is what the ledger of differences adds.
type Ledger struct {
	Head ledger.Head
	// Entries are the open and carried differences of the book, and those of the run's day
	// that have ended.
	Entries   []ledger.Entry
	Ages      []ledger.DayAges  // the last 14 days
	Movements []ledger.Movement // the last 14 days
}

// Fate is what became of a row of a bill.
type Fate string

// The fates.
const (
	Matched   Fate = "matched"
	Differing Fate = "differing"
	Carried   Fate = "carried"
	Rejected  Fate = "rejected"
)

// Line is a row of a bill with what became of it.
type Line struct {
	Kind            pay.EntryKind
	OrderNo         string
	RefundNo        string
	ChannelTradeNo  string
	ChannelRefundNo string
	Amount          pay.Fen // positive
	Settle          pay.Fen
	Fee             bill.FeeE5
	State           string
	Time            time.Time
	File            string
	Line            int
	Fate            Fate
	Difference      recon.ID // where it differs
	Reason          string   // where it was rejected
}
