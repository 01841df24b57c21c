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
)

// errChanged: a file is not what it was when it was read first.
var errChanged = errors.New("the file has changed while it was read; run again")

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
