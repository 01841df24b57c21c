package store

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// BenchmarkEntries reads a day of paid orders on each kind of group. The rows of
// other days around it are there, as in a real group, and are not sent.
func BenchmarkEntries(b *testing.B) {
	const rows = 200_000
	for name, open := range map[string]func(testing.TB) *bed{"embedded": newEmbeddedBed, "mariadb": newBed} {
		b.Run(name, func(b *testing.B) {
			bed := open(b)
			bed.fillDay(b, rows)
			for b.Loop() {
				n := 0
				_, err := bed.group.Entries(context.Background(), aDay, func(pay.Entry) error { n++; return nil })
				if err != nil || n != rows {
					b.Fatalf("%d entries, %v", n, err)
				}
			}
			b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkDossiers reads the same day with three moves of each order.
func BenchmarkDossiers(b *testing.B) {
	const rows = 100_000
	for name, open := range map[string]func(testing.TB) *bed{"embedded": newEmbeddedBed, "mariadb": newBed} {
		b.Run(name, func(b *testing.B) {
			bed := open(b)
			bed.fillDay(b, rows)
			for v := range 3 {
				if _, err := bed.group.primary().scan.ExecContext(context.Background(), "INSERT INTO outbox ("+moveColumns+`)
SELECT tag, order_no, ?, merchant_id, created_ms, 0, 'created', 'paying', 'pay', 'op', 'wechat account mch1' FROM orders`, v+1); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				n := 0
				_, err := bed.group.Dossiers(context.Background(), order.DossierQuery{From: aDay.From, To: aDay.To}, func(d order.Dossier) error {
					n += len(d.Moves)
					return nil
				})
				if err != nil || n != 3*rows {
					b.Fatalf("%d moves, %v", n, err)
				}
			}
			b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "orders/s")
		})
	}
}

// fillDay inserts paid orders of a day, past the engine's way of doing so.
func (b *bed) fillDay(t testing.TB, rows int) {
	t.Helper()
	const atOnce = 500
	for first := 0; first < rows; first += atOnce {
		args := make([]any, 0, 26*atOnce)
		for i := first; i < first+atOnce; i++ {
			at := midnight.Add(time.Duration(i) * (24 * time.Hour / time.Duration(rows)))
			no, err := pay.NewOrderNo(at, 7, i%100_000, 1, 1)
			if err != nil {
				t.Fatal(err)
			}
			o := order.Order{No: no, Key: pay.Key{MerchantID: "m1", MerchantOrderNo: fmt.Sprintf("k%08d", i)}, Attempt: 1, State: pay.Paid, Amount: 1250,
				Channel: "wechat", Account: "1230000109", ChannelTradeNo: "42000000" + no.String(), TerminalID: "t1", Subject: "咖啡", Created: at, PaidAt: at, Updated: at, Version: 3, OpID: "op"}
			args = append(args, o.No.String(), o.Key.MerchantID, o.Key.MerchantOrderNo, o.Attempt, o.State, o.Amount, o.Refunded,
				o.Channel, o.Account, o.ChannelTradeNo, o.TerminalID, o.Subject,
				toMS(o.Created), toMS(o.PaidAt), toMS(o.Updated), "", o.Shadow, o.Version, o.OpID, o.RiskDouble, int64(0), int64(0), o.Tries, o.No.Tag(), 1)
		}
		query := strings.Split(insertOrderSQL, "VALUES")[0] + "VALUES " + tuples(atOnce, len(args)/atOnce)
		if _, err := b.group.primary().db.ExecContext(context.Background(), query, args...); err != nil {
			t.Fatal(err)
		}
	}
}
