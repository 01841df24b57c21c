package bill

import (
	"context"
	"errors"
	"io"
)

// Stdin is the path that stands for standard input.
const Stdin = "-"

// ctxEvery is how many rows are read between two looks at the context.
const ctxEvery = 4096

// Inspect reads a bill whole and reports what it is and whether it can be
// trusted: Report.OK. path "-" reads stdin. The error is of a file that could not
// be read to its end; rejected rows and findings are in the report.
func Inspect(ctx context.Context, path string, stdin io.Reader, opts Options) (*Report, error) {
	return each(ctx, path, stdin, opts, func(*Row) error { return nil })
}

// each calls take for every row. Rejected rows are only counted.
func each(ctx context.Context, path string, stdin io.Reader, opts Options, take func(*Row) error) (report *Report, err error) {
	r, err := openInput(path, stdin, opts)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	var row Row
	var rejected *RowError
	for n := 1; ; n++ {
		if n%ctxEvery == 0 {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			if opts.Progress != nil {
				opts.Progress(r.report.Rows)
			}
		}
		switch err := r.Next(&row); {
		case errors.Is(err, io.EOF):
			return r.Report(), nil
		case errors.As(err, &rejected):
		case err != nil:
			return nil, err
		default:
			if err := take(&row); err != nil {
				return nil, err
			}
		}
	}
}

func openInput(path string, stdin io.Reader, opts Options) (*Reader, error) {
	if path == Stdin {
		return NewReader("(standard input)", stdin, opts)
	}
	return Open(path, opts)
}
