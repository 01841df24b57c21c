package daybook

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"time"

	"paytool/internal/pay"
	"paytool/internal/recon"
	"paytool/internal/recon/ledger"
)

// WriteCSV writes differences under a header of the names that the JSON has. Money is
// in fen, times are RFC 3339 in Beijing. Texts are cleaned, and one that a
// spreadsheet would take for a formula gets an apostrophe before it.
func WriteCSV(w io.Writer, ds []recon.Difference) error {
	header := []string{
		"id", "class", "kind", "order_no", "refund_no", "channel_trade_no", "ours_fen", "theirs_fen", "difference_fen", "time", "file", "line", "detail",
		"advice", "paired_by",
	}
	return writeCSV(w, header, len(ds), func(i int) []string {
		d := &ds[i]
		return []string{
			neutral(string(d.ID)), string(d.Class), string(d.Kind), neutral(d.OrderNo), neutral(d.RefundNo), neutral(d.ChannelTradeNo),
			fen(d.OursFen), fen(d.TheirsFen), fen(d.DifferenceFen), stamp(d.Time), neutral(d.File), strconv.Itoa(d.Line), neutral(d.Detail), neutral(d.Advice),
			neutral(d.PairedBy),
		}
	})
}

// WriteEntriesCSV writes the ledger's differences, as WriteCSV writes a run's. Pending
// is the number of the proposal that waits.
func WriteEntriesCSV(w io.Writer, entries []ledger.Entry) error {
	header := []string{
		"id", "date", "channel", "account", "class", "kind", "order_no", "refund_no", "channel_trade_no", "ours_fen", "theirs_fen", "difference_fen", "state",
		"until", "reason", "pending", "first", "time", "detail", "advice",
	}
	return writeCSV(w, header, len(entries), func(i int) []string {
		e, pending := &entries[i], ""
		if e.Pending != nil {
			pending = string(e.Pending.ID)
		}
		return []string{
			neutral(string(e.ID)), e.Date, e.Channel, neutral(e.Account), string(e.Class), string(e.Kind), neutral(e.OrderNo), neutral(e.RefundNo),
			neutral(e.ChannelTradeNo), fen(e.OursFen), fen(e.TheirsFen), fen(e.DifferenceFen), string(e.State), e.Until, e.Reason, pending, stamp(e.First),
			stamp(e.Time), neutral(e.Detail), neutral(e.Advice),
		}
	})
}

func writeCSV(w io.Writer, header []string, rows int, row func(int) []string) error {
	out := csv.NewWriter(w)
	err := out.Write(header)
	for i := 0; i < rows && err == nil; i++ {
		err = out.Write(row(i))
	}
	out.Flush()
	if err = cmp.Or(err, out.Error()); err != nil {
		return fmt.Errorf("write differences as CSV: %w", err)
	}
	return nil
}

func fen(f pay.Fen) string { return strconv.FormatInt(int64(f), 10) }

// stamp is a time as files have it, "" where there is none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(pay.Beijing).Format(time.RFC3339)
}
