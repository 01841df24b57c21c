package recon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"time"

	"paytool/internal/bill"
	"paytool/internal/entries"
	"paytool/internal/pay"
)

// Rejection is a line that could not be read.
type Rejection struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Reason string `json:"reason"`
}

// BillBook is a bill that can be read, and read again in parts.
type BillBook interface {
	Name() string
	// Read yields every row; the report has what was rejected. A row is valid during
	// the call.
	Read(ctx context.Context, yield func(*bill.Row) error) (*bill.Report, error)
	// Recall yields the rows of the given lines, in ascending order, once more.
	Recall(ctx context.Context, lines []int, yield func(*bill.Row) error) error
}

// OurBook is our entries, likewise.
type OurBook interface {
	Name() string
	Read(ctx context.Context, yield func(*entries.Row) error) (OurReport, error)
	Recall(ctx context.Context, lines []int, yield func(*entries.Row) error) error
}

// OurReport is what reading our entries showed.
type OurReport struct {
	Rows     int64 // rejected ones included
	Rejected []Rejection
	SHA256   string
}

// errChanged: a file is not what it was when it was read first.
var errChanged = errors.New("the file has changed while it was read; run again")

const ctxEvery = 1024

// BillFile is a bill in a file. Not safe for concurrent use.
type BillFile struct {
	Path  string
	Opts  bill.Options
	marks marks
}

// Name is the path.
func (b *BillFile) Name() string { return b.Path }

// Read implements BillBook.
func (b *BillFile) Read(ctx context.Context, yield func(*bill.Row) error) (report *bill.Report, err error) {
	r, err := bill.Open(b.Path, b.Opts)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	var row bill.Row
	for n := 0; ; n++ {
		if n%ctxEvery == 0 {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			b.marks.add(row.Line+1, r.Offset())
		}
		err := r.Next(&row)
		var rejected *bill.RowError
		switch {
		case errors.Is(err, io.EOF):
			return r.Report(), nil
		case errors.As(err, &rejected):
			continue
		case err != nil:
			return nil, err
		}
		if err := yield(&row); err != nil {
			return nil, err
		}
	}
}

// Recall implements BillBook.
func (b *BillFile) Recall(ctx context.Context, lines []int, yield func(*bill.Row) error) (err error) {
	r, err := bill.Open(b.Path, b.Opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	var row bill.Row
	return b.marks.recall(ctx, b.Path, lines, r, func(line int) error {
		if err := r.Next(&row); err != nil || row.Line != line {
			return changed(err)
		}
		return yield(&row)
	})
}

// OurFile is our entries in a file. Not safe for concurrent use.
type OurFile struct {
	Path  string
	marks marks
}

// Name is the path.
func (o *OurFile) Name() string { return o.Path }

func (o *OurFile) open(use func(r *entries.Reader) error) (err error) {
	f, err := os.Open(o.Path)
	if err != nil {
		return fmt.Errorf("open our entries: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r, err := entries.NewReader(o.Path, f)
	if err != nil {
		return err
	}
	return use(r)
}

// Read implements OurBook.
func (o *OurFile) Read(ctx context.Context, yield func(*entries.Row) error) (report OurReport, err error) {
	err = o.open(func(r *entries.Reader) error {
		var row entries.Row
		for ; ; report.Rows++ {
			if report.Rows%ctxEvery == 0 {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				o.marks.add(r.Line()+1, r.Offset())
			}
			err := r.Next(&row)
			var rejected *entries.RowError
			switch {
			case errors.Is(err, io.EOF):
				report.SHA256 = r.SHA256()
				return nil
			case errors.As(err, &rejected):
				if len(report.Rejected) == maxOdd {
					return fmt.Errorf("read entries %s: more than %d rows cannot be read; the first is line %d: %s",
						o.Path, maxOdd, report.Rejected[0].Line, report.Rejected[0].Reason)
				}
				report.Rejected = append(report.Rejected, Rejection{File: o.Path, Line: rejected.Line, Reason: rejected.Reason})
				continue
			case err != nil:
				return err
			}
			if err := yield(&row); err != nil {
				return err
			}
		}
	})
	return report, err
}

// Recall implements OurBook.
func (o *OurFile) Recall(ctx context.Context, lines []int, yield func(*entries.Row) error) error {
	return o.open(func(r *entries.Reader) error {
		var row entries.Row
		return o.marks.recall(ctx, o.Path, lines, r, func(line int) error {
			if err := r.Next(&row); err != nil || row.Line != line {
				return changed(err)
			}
			return yield(&row)
		})
	})
}

// mark is where a line begins in a file.
type mark struct {
	line   int
	offset int64
}

// marks are some lines of a file, ascending, so that it need not be read whole
// again. A packed file has none.
type marks []mark

func (m *marks) add(line int, offset int64) {
	if offset > 0 && line > 1 {
		*m = append(*m, mark{line, offset})
	}
}

// skipper is a reader that can go to a line.
type skipper interface {
	SkipTo(line int) error
	Resume(line int, rest io.Reader)
}

// recall goes from line to line: by a jump where a mark lies between, else by
// passing over the lines.
func (m marks) recall(ctx context.Context, path string, lines []int, r skipper, read func(line int) error) (err error) {
	if len(lines) == 0 {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read %s again: %w", path, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	now := 0
	for n, line := range lines {
		if n%ctxEvery == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		at, exact := slices.BinarySearchFunc(m, line, func(k mark, line int) int { return cmp.Compare(k.line, line) })
		if !exact {
			at--
		}
		if at >= 0 && m[at].line > now {
			r.Resume(m[at].line, io.NewSectionReader(f, m[at].offset, math.MaxInt64-m[at].offset))
		}
		now = line
		err := r.SkipTo(line)
		if err == nil {
			err = read(line)
		}
		if err != nil {
			return fmt.Errorf("read line %d of %s again: %w", line, path, err)
		}
	}
	return nil
}

func changed(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return errChanged
	}
	return err
}

// tradeRow copies a row of a trade bill.
func tradeRow(file string, r *bill.Row) Row {
	return Row{
		Side: Trade, Kind: r.Kind, OrderNo: string(r.OrderNo), RefundNo: string(r.RefundNo), ChannelTradeNo: string(r.ChannelTradeNo),
		ChannelRefundNo: string(r.ChannelRefundNo), Amount: r.Amount, Settle: r.Settle, Fee: r.Fee, Rate: string(r.Rate), State: string(r.State),
		Time: r.Time, File: file, Line: r.Line, feeWrong: !feeRight(r),
	}
}

// fundRow copies a row of a fund bill.
func fundRow(file string, r *bill.Row) Row {
	row := tradeRow(file, r)
	row.Side, row.Business, row.feeWrong = Fund, string(r.Business), false
	return row
}

// ourRow copies an entry of ours.
func ourRow(file string, r *entries.Row) Row {
	return Row{
		Side: Ours, Kind: r.Kind, OrderNo: string(r.OrderNo), RefundNo: string(r.RefundNo), ChannelTradeNo: string(r.ChannelTradeNo),
		ChannelRefundNo: string(r.ChannelRefundNo), MerchantID: string(r.MerchantID), MerchantOrderNo: string(r.MerchantOrderNo),
		Amount: r.Amount, State: r.State, Time: time.Unix(r.Second, 0).In(pay.Beijing), File: file, Line: r.Line,
	}
}
