package generate

import (
	"context"
	"io"
	"testing"

	"paytool/internal/bill"
)

func BenchmarkDay(b *testing.B) {
	for _, channel := range []string{bill.WeChat, bill.Alipay} {
		b.Run(channel, func(b *testing.B) {
			const rows = 100_000
			out := Outputs{Bill: io.Discard, Fund: io.Discard, Ours: io.Discard, Truth: io.Discard}
			for b.Loop() {
				if _, err := Day(context.Background(), Options{Channel: channel, Rows: rows, Refunds: 0.05, Revokes: 0.01}, out); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
		})
	}
}
