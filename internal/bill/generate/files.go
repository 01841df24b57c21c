package generate

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Paths name the files of a day; an empty one is not made. A name of WeChat's that
// ends in .gz is packed.
type Paths struct {
	Bill, Fund, Ours, Truth string
}

// Files makes the files of a day on disk. They appear under their names once all
// of them are complete; one that exists is only replaced if overwrite is set.
func Files(ctx context.Context, opts Options, paths Paths, overwrite bool) (made Made, err error) {
	var files []*file
	defer func() {
		for _, f := range files {
			err = errors.Join(err, f.discard())
		}
	}()
	open := func(path string) (io.Writer, error) {
		f, err := create(path, overwrite)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
		return f.writer, nil
	}
	var out Outputs
	for _, target := range []struct {
		path string
		to   *io.Writer
	}{{paths.Bill, &out.Bill}, {paths.Fund, &out.Fund}, {paths.Ours, &out.Ours}, {paths.Truth, &out.Truth}} {
		if target.path == "" {
			continue
		}
		if *target.to, err = open(target.path); err != nil {
			return Made{}, err
		}
	}
	if made, err = Day(ctx, opts, out); err != nil {
		return Made{}, err
	}
	for _, f := range files {
		if err := f.complete(); err != nil {
			return Made{}, err
		}
	}
	for _, f := range files {
		if err := f.publish(); err != nil {
			return Made{}, err
		}
	}
	return made, nil
}

// file is written beside its path and renamed once it is whole.
type file struct {
	path   string
	temp   *os.File // nil once published or discarded
	gzip   *gzip.Writer
	writer io.Writer
}

func create(path string, overwrite bool) (*file, error) {
	if _, err := os.Lstat(path); err == nil && !overwrite {
		return nil, fmt.Errorf("generate a bill: %s exists; name another file or ask to overwrite it", path)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return nil, fmt.Errorf("generate a bill: write beside %s: %w", path, err)
	}
	f := &file{path: path, temp: temp, writer: temp}
	if strings.HasSuffix(path, ".gz") {
		f.gzip = gzip.NewWriter(temp)
		f.writer = f.gzip
	}
	return f, nil
}

// complete makes the bytes durable.
func (f *file) complete() error {
	if f.gzip != nil {
		if err := f.gzip.Close(); err != nil {
			return f.fail(err)
		}
	}
	if err := f.temp.Sync(); err != nil {
		return f.fail(err)
	}
	if err := f.temp.Chmod(0o644); err != nil { // a temporary file is for its owner alone
		return f.fail(err)
	}
	return nil
}

func (f *file) publish() error {
	temp := f.temp
	if err := os.Rename(temp.Name(), f.path); err != nil {
		return f.fail(err)
	}
	f.temp = nil
	if err := temp.Close(); err != nil {
		return f.fail(err)
	}
	return nil
}

// discard removes what was not published.
func (f *file) discard() error {
	if f.temp == nil {
		return nil
	}
	err := errors.Join(f.temp.Close(), os.Remove(f.temp.Name()))
	f.temp = nil
	if err != nil {
		return f.fail(err)
	}
	return nil
}

func (f *file) fail(err error) error { return fmt.Errorf("write %s: %w", f.path, err) }
