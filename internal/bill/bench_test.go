package bill

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"testing"
)

// benchFile is a bill for the benchmarks: PAYTOOL_BENCH_BILL names one.
func benchFile(b *testing.B) string {
	b.Helper()
	path := os.Getenv("PAYTOOL_BENCH_BILL")
	if path == "" {
		b.Skip("PAYTOOL_BENCH_BILL names no bill; make one with `paytool bill generate --rows 700000`")
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	b.ReportAllocs()
	return path
}

func BenchmarkInspect(b *testing.B) {
	path := benchFile(b)
	for b.Loop() {
		if _, err := Inspect(context.Background(), path, nil, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkConvert(b *testing.B) {
	path := benchFile(b)
	for b.Loop() {
		if _, err := Convert(context.Background(), io.Discard, path, nil, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEncodingCSV only splits: no amounts, no times, no checks, no digest.
func BenchmarkEncodingCSV(b *testing.B) {
	path := benchFile(b)
	for b.Loop() {
		f, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		r := csv.NewReader(f)
		r.ReuseRecord, r.LazyQuotes, r.FieldsPerRecord = true, true, -1
		for err == nil {
			_, err = r.Read()
		}
		if !errors.Is(err, io.EOF) {
			b.Fatal(err)
		}
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPlainRead(b *testing.B) {
	path := benchFile(b)
	buf := make([]byte, readSize)
	for b.Loop() {
		f, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		for err == nil {
			_, err = f.Read(buf)
		}
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
