package generate

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"time"

	"paytool/internal/pay"
)

// oursHeader is the contract of our entries.
const oursHeader = "kind,order_no,refund_no,merchant_id,merchant_order_no,terminal_id,channel,channel_trade_no,channel_refund_no,amount_fen,fee_fen,state,time\n"

// oursWriter writes our entries. No field needs quotes: all are made here.
type oursWriter struct {
	w       *bufio.Writer
	channel string
	buf     []byte
}

func newOurs(w io.Writer, channel string) *oursWriter {
	out := &oursWriter{w: bufio.NewWriterSize(w, 1<<16), channel: channel}
	out.buf = append(out.buf, oursHeader...)
	return out
}

func (w *oursWriter) pay(o *order) error {
	return w.row(pay.EntryPay, o, "", "", o.ourAmount, o.fee, string(o.ourState), o.time)
}

func (w *oursWriter) back(b back) error {
	if b.kind == pay.EntryRevoke {
		return w.row(pay.EntryRevoke, b.order, "", "", b.amount, b.fee, pay.RevokeDone, b.time)
	}
	return w.refund(b, pay.RefundDone)
}

func (w *oursWriter) refund(b back, state pay.RefundState) error {
	return w.row(pay.EntryRefund, b.order, b.no, b.id, b.amount, b.fee, string(state), b.time)
}

func (w *oursWriter) row(kind pay.EntryKind, o *order, refundNo, refundID string, amount, fee pay.Fen, state string, t time.Time) error {
	b := w.buf
	for _, cell := range [...]string{string(kind), o.no, refundNo, o.merchantID, o.merchantOrderNo, o.terminal, w.channel, o.tradeNo, refundID} {
		b = append(append(b, cell...), ',')
	}
	b = append(strconv.AppendInt(b, int64(amount), 10), ',')
	b = append(strconv.AppendInt(b, int64(fee), 10), ',')
	b = append(append(b, state...), ',')
	b = append(t.AppendFormat(b, time.RFC3339), '\n')
	_, err := w.w.Write(b)
	w.buf = b[:0]
	if err != nil {
		return fmt.Errorf("write our entries: %w", err)
	}
	return nil
}

func (w *oursWriter) close() error {
	_, err := w.w.Write(w.buf) // the header, of a day without an entry
	if err == nil {
		err = w.w.Flush()
	}
	if err != nil {
		return fmt.Errorf("write our entries: %w", err)
	}
	return nil
}
