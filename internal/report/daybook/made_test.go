package daybook

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paytool/internal/bill"
	"paytool/internal/bill/generate"
	"paytool/internal/pay"
	"paytool/internal/recon"
	"paytool/internal/recon/ledger"
)

var made = time.Date(2026, 11, 21, 9, 30, 0, 0, pay.Beijing)

// reconciled is a generated day with every difference that can be planted, through
// the real run.
func reconciled(t *testing.T, opts generate.Options) Day {
	t.Helper()
	dir := t.TempDir()
	paths := generate.Paths{Bill: filepath.Join(dir, "bill.csv"), Fund: filepath.Join(dir, "fund.csv"), Ours: filepath.Join(dir, "ours.csv")}
	if _, err := generate.Files(context.Background(), opts, paths, false); err != nil {
		t.Fatal(err)
	}
	trade := &recon.BillFile{Path: paths.Bill}
	ours, err := os.ReadFile(paths.Ours)
	if err != nil {
		t.Fatal(err)
	}
	ours = append(ours, "pay,x,,,,,,,,12.5,0,paid,2026-11-20T00:00:00+08:00\n"...) // to be rejected
	if err := os.WriteFile(paths.Ours, ours, 0o600); err != nil {
		t.Fatal(err)
	}
	res, err := recon.Run(context.Background(), recon.Options{Channel: bill.WeChat, Date: "2026-11-20", TempDir: dir}, recon.Books{
		Trade: []recon.BillBook{trade}, Fund: []recon.BillBook{&recon.BillFile{Path: paths.Fund}}, Ours: &recon.OurFile{Path: paths.Ours},
	})
	if err != nil {
		t.Fatal(err)
	}
	complete(res)
	return Day{Result: res, Made: made, Tool: "paytool test", Ledger: booked(res), Lines: func(ctx context.Context, yield func(*Line) error) error {
		file := &recon.BillFile{Path: paths.Bill} // of this caller's own: tests read at once
		if _, err := file.Read(ctx, func(r *bill.Row) error {
			if r.Kind == pay.EntryPay {
				return nil
			}
			return yield(&Line{
				Kind: r.Kind, OrderNo: string(r.OrderNo), RefundNo: string(r.RefundNo), ChannelTradeNo: string(r.ChannelTradeNo), ChannelRefundNo: string(r.ChannelRefundNo),
				Amount: r.Amount, Settle: r.Settle, Fee: r.Fee, State: string(r.State), Time: r.Time, File: "bill.csv", Line: r.Line, Fate: Matched,
			})
		}); err != nil {
			return err
		}
		for _, r := range res.Rejected { // told twice, to be listed once
			if err := yield(&Line{File: r.File, Line: r.Line, Reason: r.Reason, Fate: Rejected}); err != nil {
				return err
			}
		}
		return nil
	}}
}

// complete fills what a result lacks, so that these tests stand alone.
func complete(res *recon.Result) {
	for i := range res.Differences {
		d := &res.Differences[i]
		if d.ID == "" {
			d.ID = recon.ID(fmt.Sprintf("D-%016d", i))
		}
		if d.Time.IsZero() {
			d.Time = time.Date(2026, 11, 20, 12, 0, i, 0, pay.Beijing)
		}
	}
}

// booked is a ledger that has the day's differences and some older ones.
func booked(res *recon.Result) *Ledger {
	l := &Ledger{Head: ledger.Head{Seq: 7, Hash: strings.Repeat("ab", 32)}}
	for i, d := range res.Differences {
		e := ledger.Entry{Difference: d, Date: res.Date, RunID: res.RunID, State: "open", First: made, Changed: made}
		if i%5 == 1 {
			e.Pending = &ledger.Proposal{ID: "P-3", Stage: "proposed", Action: "write_off", By: "li"}
		}
		l.Entries = append(l.Entries, e)
	}
	for i := range 4 {
		e := ledger.Entry{Difference: recon.Difference{
			ID: recon.ID(fmt.Sprintf("D-OLD%013d", i)), Class: recon.MissingInChannel, Kind: pay.EntryPay, OrderNo: fmt.Sprintf("4200001%021d", i),
			OursFen: 1200, DifferenceFen: -1200, Time: made.AddDate(0, 0, -3*i-2), Advice: "look",
		}, Date: "2026-11-10", State: "open", First: made.AddDate(0, 0, -3*i-1)}
		if i == 2 {
			e.State, e.Until = "carried", "2026-11-30"
		}
		if i == 3 {
			e.State, e.Reason = "written_off", "rounding"
		}
		l.Entries = append(l.Entries, e)
	}
	at := func(rows int) ledger.AgeTotal { return ledger.AgeTotal{Rows: rows, Amount: pay.Fen(rows * 1234)} }
	closing := 9
	for i := range 14 {
		day := made.AddDate(0, 0, i-13).Format(time.DateOnly)
		l.Ages = append(l.Ages, ledger.DayAges{Date: day, Buckets: ledger.Buckets{UpTo1: at(2 + i%3), UpTo3: at(i % 4), UpTo7: at(i % 2), Beyond: at(i / 6)}})
		m := ledger.Movement{Date: day, Opening: closing, Opened: 3 + i%4, Reopened: i % 2, Closed: 3 + i%3}
		m.Closing = m.Opening + m.Opened + m.Reopened - m.Closed
		closing = m.Closing
		l.Movements = append(l.Movements, m)
	}
	return l
}

// full is a day with a lot of everything.
func full(t *testing.T) Day {
	t.Helper()
	return reconciled(t, generate.Options{Rows: 600, Plant: 40, Refunds: 0.2, Revokes: 0.1, Seed: 4})
}

// balanced is a quiet day without a ledger.
func balanced() Day {
	return Day{Made: made, Tool: "paytool test", Result: &recon.Result{
		RunID: "00112233445566778899aabbccddeeff", Channel: bill.Alipay, Account: "shop", Date: "2026-11-20", Balanced: true,
		Counts: map[recon.Class]int64{}, Kinds: []recon.KindTotals{{Kind: pay.EntryPay}, {Kind: pay.EntryRefund}, {Kind: pay.EntryRevoke}},
	}}
}

// workbook writes a day to a file.
func workbook(t *testing.T, day Day, lang Lang, rows int) string {
	t.Helper()
	var out bytes.Buffer
	if err := writeWorkbook(context.Background(), &out, day, lang, rows); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "day.xlsx")
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestShow keeps what the tests make, for eyes: DAYBOOK_SHOW=DIR.
func TestShow(t *testing.T) {
	dir := os.Getenv("DAYBOOK_SHOW")
	if dir == "" {
		t.Skip("DAYBOOK_SHOW names no directory")
	}
	day := full(t)
	for name, d := range map[string]Day{"full": day, "quiet": balanced()} {
		for _, lang := range []Lang{Chinese, English} {
			var page bytes.Buffer
			if err := WritePage(&page, d, lang); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%s.html", name, lang)), page.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			path := workbook(t, d, lang, maxRows)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%s.xlsx", name, lang)), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}

}
