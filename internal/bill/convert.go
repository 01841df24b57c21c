package bill

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"time"
)

// convertHeader is the contract of `bill convert -o csv`.
const convertHeader = "line,kind,order_no,refund_no,channel_trade_no,channel_refund_no,amount_fen,settle_fen,fee_e5,state,time,subject\n"

// Convert writes every row of a bill as CSV in UTF-8: amounts are positive, the
// kind tells the direction, fee_e5 has the bill's sign, times are RFC 3339 with
// +08:00. A subject that a spreadsheet would run as a formula gets an apostrophe
// in front; numbers are exactly as the bill has them. path "-" reads stdin.
// Rejected rows are not written: they are in the report.
func Convert(ctx context.Context, w io.Writer, path string, stdin io.Reader, opts Options) (*Report, error) {
	out := bufio.NewWriterSize(w, readSize)
	if _, err := out.WriteString(convertHeader); err != nil {
		return nil, writeError(err)
	}
	var buf []byte
	report, err := each(ctx, path, stdin, opts, func(row *Row) error {
		buf = appendRow(buf[:0], row)
		if _, err := out.Write(buf); err != nil {
			return writeError(err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := out.Flush(); err != nil {
		return nil, writeError(err)
	}
	return report, nil
}

func writeError(err error) error { return fmt.Errorf("write converted rows: %w", err) }

func appendRow(b []byte, row *Row) []byte {
	b = strconv.AppendInt(b, int64(row.Line), 10)
	b = append(b, ',')
	b = append(b, row.Kind...)
	for _, number := range [][]byte{row.OrderNo, row.RefundNo, row.ChannelTradeNo, row.ChannelRefundNo} {
		b = appendCell(append(b, ','), number)
	}
	for _, n := range []int64{int64(row.Amount), int64(row.Settle), int64(row.Fee)} {
		b = strconv.AppendInt(append(b, ','), n, 10)
	}
	b = appendCell(append(b, ','), row.State)
	b = row.Time.AppendFormat(append(b, ','), time.RFC3339)
	b = append(b, ',')
	if len(row.Subject) > 0 && bytes.IndexByte([]byte("=+-@\t\r"), row.Subject[0]) >= 0 {
		b = appendCell(b, append([]byte{'\''}, row.Subject...))
	} else {
		b = appendCell(b, row.Subject)
	}
	return append(b, '\n')
}

// appendCell writes a cell, in quotes where RFC 4180 wants them.
func appendCell(b, cell []byte) []byte {
	if !bytes.ContainsAny(cell, ",\"\r\n") {
		return append(b, cell...)
	}
	b = append(b, '"')
	for _, c := range cell {
		if c == '"' {
			b = append(b, '"')
		}
		b = append(b, c)
	}
	return append(b, '"')
}
