package recon

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"paytool/internal/bill"
)

// BenchmarkRun reconciles bill.csv and ours.csv of the folder PAYTOOL_BENCH_RECON;
// `paytool bill generate` makes them.
func BenchmarkRun(b *testing.B) {
	dir := os.Getenv("PAYTOOL_BENCH_RECON")
	if dir == "" {
		b.Skip("PAYTOOL_BENCH_RECON names no folder with bill.csv and ours.csv")
	}
	books := Books{Trade: []BillBook{&BillFile{Path: filepath.Join(dir, "bill.csv")}}, Ours: &OurFile{Path: filepath.Join(dir, "ours.csv")}}
	rows := int64(0)
	for b.Loop() {
		res, err := Run(context.Background(), Options{Channel: bill.WeChat, Date: "2026-11-20"}, books)
		if err != nil {
			b.Fatal(err)
		}
		rows = res.Ours.Rows + res.Theirs.Rows
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rows), "ns/row")
}
