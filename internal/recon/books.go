package recon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"paytool/internal/bill"
	"paytool/internal/entries"
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

const ctxEvery = 1024

// BillFile is a bill in a file. Not safe for concurrent use.
type BillFile struct {
	Path string
	Opts bill.Options
	// Progress is told now and then how many rows were read, and to which byte; -1 in a
	// packed file. Nil: nobody looks.
	Progress func(rows, bytes int64)
	marks    marks
}

// Name is the path.
func (b *BillFile) Name() string { return b.Path }

// Read implements BillBook.
func (b *BillFile) Read(ctx context.Context, yield func(*bill.Row) error) (report *bill.Report, err error) {
	opts := b.Opts
	opts.SHA256, opts.NoSubject = true, true
	r, err := bill.Open(b.Path, opts)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	b.marks = b.marks[:0]
	var row bill.Row
	for n := 0; ; n++ {
		if n%ctxEvery == 0 {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			b.marks.add(row.Line+1, r.Offset())
			if b.Progress != nil {
				b.Progress(int64(n), r.Offset())
			}
		}
		if err := r.Next(&row); err != nil {
			var rejected *bill.RowError
			switch {
			case errors.Is(err, io.EOF):
				return r.Report(), nil
			case !errors.As(err, &rejected):
				return nil, err
			}
			continue
		}
		if err := yield(&row); err != nil {
			return nil, err
		}
	}
}

// Recall implements BillBook.
func (b *BillFile) Recall(ctx context.Context, lines []int, yield func(*bill.Row) error) (err error) {
	opts := b.Opts
	opts.SHA256, opts.NoSubject, opts.SHA1 = true, true, "" // it was checked when the bill was read whole
	r, err := bill.Open(b.Path, opts)
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
		o.marks = o.marks[:0]
		var row entries.Row
		for ; ; report.Rows++ {
			if report.Rows%ctxEvery == 0 {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				o.marks.add(r.Line()+1, r.Offset())
			}
			err := r.Next(&row)
			switch {
			case err == nil:
				err = yield(&row)
			case errors.Is(err, io.EOF):
				report.SHA256 = r.SHA256()
				return nil
			default:
				err = o.reject(&report, err)
			}
			if err != nil {
				return err
			}
		}
	})
	return report, err
}

// reject keeps a row that could not be read; any other error comes back.
func (o *OurFile) reject(report *OurReport, err error) error {
	var rejected *entries.RowError
	switch {
	case !errors.As(err, &rejected):
		return err
	case len(report.Rejected) == maxOdd:
		return fmt.Errorf("read entries %s: more than %d rows cannot be read; the first is line %d: %s",
			o.Path, maxOdd, report.Rejected[0].Line, report.Rejected[0].Reason)
	}
	report.Rejected = append(report.Rejected, Rejection{File: o.Path, Line: rejected.Line, Reason: rejected.Reason})
	return nil
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
