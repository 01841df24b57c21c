package recon

import (
	"context"
	"math"
	"slices"

	"paytool/internal/bill"
	"paytool/internal/pay"
)

// Fate is what became of a row of a trade bill.
type Fate string

// The fates.
const (
	FateMatched   Fate = "matched"
	FateDiffering Fate = "differing"
	FateCarried   Fate = "carried"
	FateRejected  Fate = "rejected"
)

// RefundLine is a refund, a revoke or a rejected row of a trade bill. Of a rejected
// one only File, Line and Reason are known.
type RefundLine struct {
	Row
	Fate       Fate
	Difference ID     // the most pressing one, of a differing row
	Reason     string // of a rejected row
}

// Refunds reads the trade bills of a finished run again and yields every refund,
// revoke and rejected row, file by file and line by line, with what the run made of
// it. A line is valid during the call.
func Refunds(ctx context.Context, books []BillBook, res *Result, yield func(*RefundLine) error) error {
	fates := newFates(res)
	for _, book := range books {
		// A book passes over the rows that it rejects: they are put back in their places.
		rejected := slices.DeleteFunc(slices.Clone(res.Rejected), func(r Rejection) bool { return r.File != book.Name() })
		until := func(line int) error {
			for ; len(rejected) > 0 && rejected[0].Line < line; rejected = rejected[1:] {
				bad := RefundLine{Row: Row{Side: Trade, File: book.Name(), Line: rejected[0].Line}, Fate: FateRejected, Reason: rejected[0].Reason}
				if err := yield(&bad); err != nil {
					return err
				}
			}
			return nil
		}
		_, err := book.Read(ctx, func(r *bill.Row) error {
			if r.Kind == pay.EntryPay {
				return nil
			}
			if err := until(r.Line); err != nil {
				return err
			}
			line := RefundLine{Row: tradeRow(book.Name(), r)}
			line.Fate, line.Difference = fates.of(book.Name(), r.Line)
			return yield(&line)
		})
		if err == nil {
			err = until(math.MaxInt)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fates knows the rows of the trade bills that did not simply match.
type fates struct {
	differing map[spot]ID
	waiting   map[spot]bool
}

// spot is where a row stands.
type spot struct {
	file string
	line int
}

func newFates(res *Result) fates {
	f := fates{differing: map[spot]ID{}, waiting: map[spot]bool{}}
	for _, d := range res.Differences { // the most pressing first
		if at := (spot{d.File, d.Line}); d.Class.flow() == TradeFlow && f.differing[at] == "" {
			f.differing[at] = d.ID
		}
	}
	for _, c := range res.Closing {
		if c.Flow == TradeFlow && c.Row.Side == Trade && c.From == res.Date {
			f.waiting[spot{c.Row.File, c.Row.Line}] = true
		}
	}
	return f
}

func (f *fates) of(file string, line int) (Fate, ID) {
	at := spot{file, line}
	switch id := f.differing[at]; {
	case id != "":
		return FateDiffering, id
	case f.waiting[at]:
		return FateCarried, ""
	default:
		return FateMatched, ""
	}
}
