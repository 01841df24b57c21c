// Package entries writes and reads "our entries": the file by which our books are
// held against a channel's bill. It is UTF-8 CSV with a header; columns go by name,
// in any order, and unknown ones are ignored.
package entries

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"time"

	"paytool/internal/pay"
)

// columns are what Writer writes, in this order.
var columns = []string{
	"kind", "order_no", "refund_no", "merchant_id", "merchant_order_no", "terminal_id", "channel", "channel_trade_no",
	"channel_refund_no", "amount_fen", "fee_fen", "state", "time", "account",
}

// Writer writes entries as CSV. Flush it at the end.
type Writer struct{ csv *csv.Writer }

// NewWriter writes the header.
func NewWriter(w io.Writer) (*Writer, error) {
	out := &Writer{csv: csv.NewWriter(w)}
	return out, out.csv.Write(columns)
}

// Write writes one entry. One that reconciliation could not place is refused.
func (w *Writer) Write(e pay.Entry) error {
	if err := e.Check(); err != nil {
		return fmt.Errorf("write the %s entry of order %s: %w", e.Kind, e.OrderNo, err)
	}
	return w.csv.Write([]string{
		string(e.Kind), e.OrderNo, e.RefundNo, e.MerchantID, e.MerchantOrderNo, e.TerminalID, e.Channel, e.ChannelTradeNo,
		e.ChannelRefundNo, fen(e.Amount), fen(e.Fee), e.State, e.Time.In(pay.Beijing).Format(time.RFC3339), e.Account,
	})
}

func fen(f pay.Fen) string { return strconv.FormatInt(int64(f), 10) }

// Flush writes what is buffered and returns the first error of all writes.
func (w *Writer) Flush() error {
	w.csv.Flush()
	return w.csv.Error()
}
