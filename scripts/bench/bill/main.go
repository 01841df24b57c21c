// Command bill reads one large bill in three ways and prints a table: with
// package bill, which checks every row, with encoding/csv, which finds fields and
// checks nothing, and plainly, counting line ends, which is the floor. Each way runs in a process of its
// own, so that its memory is its own; the file is read once before, so that all find
// it in the page cache.
//
//	go run ./scripts/bench/bill                a bill of a million rows
//	go run ./scripts/bench/bill -rows 10000000
//	go run ./scripts/bench/bill -file FILE     a bill that is there
//
// encoding/csv cannot read WeChat's bills, which quote nothing: at the first cell of
// JSON it takes a quote for the beginning of a field, and the rest of the file for that
// field. Here it gets the same bytes with other quotes; its rows are printed, footer
// and headers included.
package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"paytool/internal/bill"
	"paytool/internal/bill/generate"
)

// ways are the contestants: each returns the rows that it saw.
var ways = []struct {
	name string
	read func(path string) (int64, error)
}{
	{"plain read", plain},
	{"encoding/csv", encodingCSV},
	{"bill.Inspect", inspect},
}

func main() {
	rows := flag.Int("rows", 1_000_000, "rows of the bill")
	file := flag.String("file", "", "read this bill instead of making one")
	way := flag.String("way", "", "read in this way alone, in this process")
	flag.Parse()
	if err := run(*rows, *file, *way); err != nil {
		fmt.Fprintln(os.Stderr, "scripts/bench/bill:", err)
		os.Exit(1)
	}
}

func run(rows int, file, way string) (err error) {
	for _, w := range ways {
		if w.name == way {
			n, err := w.read(file)
			fmt.Println(n)
			return err
		}
	}
	if file == "" {
		dir, err := os.MkdirTemp("", "paytool-bench-bill-")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		file = filepath.Join(dir, "bill.csv")
		start := time.Now()
		made, err := generate.Files(context.Background(), generate.Options{Rows: rows, Refunds: 0.05, Revokes: 0.01}, generate.Paths{Bill: file}, false)
		if err != nil {
			return err
		}
		fmt.Printf("a bill of %d rows, made in %.1f s\n\n", made.Rows, time.Since(start).Seconds())
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if _, err := plain(file); err != nil {
		return err
	}
	fmt.Printf("| way | rows | MB | wall s | CPU s | MB/s | peak memory MB |\n|---|---|---|---|---|---|---|\n")
	for _, w := range ways {
		if err := measure(w.name, file, float64(info.Size())/1e6); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return nil
}

// measure runs one way in a process of its own.
func measure(way, file string, megabytes float64) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "-way", way, "-file", file) //nolint:noctx // a benchmark runs until it is done
	cmd.Stderr = os.Stderr
	start := time.Now()
	out, err := cmd.Output()
	wall := time.Since(start)
	if err != nil {
		return err
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return errors.New("this system does not say what a process used")
	}
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	fmt.Printf("| %s | %s | %.0f | %.2f | %.2f | %.0f | %.0f |\n", way, strings.TrimSpace(string(out)), megabytes,
		wall.Seconds(), cpu.Seconds(), megabytes/wall.Seconds(), float64(usage.Maxrss)/1024)
	return nil
}

func plain(path string) (n int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	buf := make([]byte, 1<<20)
	for {
		k, err := f.Read(buf)
		n += int64(bytes.Count(buf[:k], []byte{'\n'}))
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

func encodingCSV(path string) (n int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r := csv.NewReader(withoutQuotes{f})
	r.LazyQuotes, r.ReuseRecord, r.FieldsPerRecord = true, true, -1
	for ; ; n++ {
		if _, err := r.Read(); errors.Is(err, io.EOF) {
			return n, nil
		} else if err != nil {
			return n, err
		}
	}
}

// withoutQuotes turns double quotes into single ones.
type withoutQuotes struct{ io.Reader }

func (r withoutQuotes) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	for rest := p[:n]; ; {
		i := bytes.IndexByte(rest, '"')
		if i < 0 {
			return n, err
		}
		rest[i] = '\''
		rest = rest[i+1:]
	}
}

func inspect(path string) (int64, error) {
	r, err := bill.Inspect(context.Background(), path, nil, bill.Options{})
	if err != nil {
		return 0, err
	}
	if !r.OK() {
		return 0, errors.New("the bill cannot be trusted")
	}
	return r.Rows, nil
}
