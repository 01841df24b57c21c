package entries

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"time"

	"paytool/internal/pay"
)

// column is a column that is read.
type column int

const (
	colKind column = iota
	colOrderNo
	colAmount
	colState
	colTime
	colRefundNo // up to here: no row without them
	colMerchantID
	colMerchantOrderNo
	colChannel
	colAccount
	colChannelTradeNo
	colChannelRefundNo
	colSettle
	colProduct
	columnCount
)

var columnNames = [columnCount]string{
	"kind", "order_no", "amount_fen", "state", "time", "refund_no", "merchant_id", "merchant_order_no", "channel", "account",
	"channel_trade_no", "channel_refund_no", "settle_fen", "product",
}

// place finds the columns in a header. Unknown names are ignored; refund_no may be
// missing where there is no refund.
func place(header [][]byte) (pos [columnCount]int, err error) {
	for c := range pos {
		pos[c] = -1
		for i, name := range header {
			if string(bytes.TrimSpace(name)) != columnNames[c] {
				continue
			}
			if pos[c] >= 0 {
				return pos, fmt.Errorf("the header has the column %s twice", columnNames[c])
			}
			pos[c] = i
		}
	}
	var missing []string
	for c := range colRefundNo {
		if pos[c] < 0 {
			missing = append(missing, columnNames[c])
		}
	}
	if len(missing) > 0 {
		return pos, fmt.Errorf("the header lacks %s; `paytool order export` writes such a file", strings.Join(missing, ", "))
	}
	return pos, nil
}

var (
	errQuote = errors.New("a quote is not closed or stands in the middle of a field")
	errTime  = errors.New("is not a time like 2026-11-20T08:15:30+08:00")
)

// read fills the row, or says why it cannot be taken.
func (r *Reader) read(row *Row, record [][]byte) error {
	*row = Row{Line: r.first}
	if r.cells.torn {
		return errQuote
	}
	at := func(c column) []byte {
		if i := r.pos[c]; i >= 0 && i < len(record) {
			return record[i]
		}
		return nil
	}
	if last := r.pos[colKind : colTime+1]; len(record) <= maxOf(last) {
		return fmt.Errorf("has %d fields, too few for the header", len(record))
	}
	row.OrderNo, row.RefundNo = at(colOrderNo), at(colRefundNo)
	row.MerchantID, row.MerchantOrderNo = at(colMerchantID), at(colMerchantOrderNo)
	row.Channel, row.Account = at(colChannel), at(colAccount)
	row.ChannelTradeNo, row.ChannelRefundNo = at(colChannelTradeNo), at(colChannelRefundNo)
	row.Product = at(colProduct)
	var ok bool
	if row.Kind, row.State, ok = kindAndState(at(colKind), at(colState)); !ok {
		return fmt.Errorf("kind %q with state %q is not known", at(colKind), at(colState))
	}
	if len(row.OrderNo) == 0 {
		return errors.New("order_no is empty")
	}
	if row.Kind == pay.EntryRefund && len(row.RefundNo) == 0 {
		return errors.New("refund_no is empty: a refund needs its number")
	}
	if row.Amount, ok = amount(at(colAmount)); !ok {
		return fmt.Errorf("amount_fen %q is not a whole number of fen above 0", at(colAmount))
	}
	if settle := at(colSettle); len(settle) > 0 {
		if row.Settle, row.HasSettle = wholeFen(settle); !row.HasSettle {
			return fmt.Errorf("settle_fen %q is not a whole number of fen; leave it empty where it is not known", settle)
		}
	}
	if row.Second, ok = r.clock.parse(at(colTime)); !ok {
		return fmt.Errorf("time %q %w", at(colTime), errTime)
	}
	return nil
}

func maxOf(places []int) int {
	most := places[0]
	for _, p := range places {
		most = max(most, p)
	}
	return most
}

// kindAndState are the constants for the words of a row, so that no row allocates.
func kindAndState(kind, state []byte) (pay.EntryKind, string, bool) {
	switch string(kind) {
	case string(pay.EntryPay):
		for _, s := range payStates {
			if string(state) == s {
				return pay.EntryPay, s, true
			}
		}
	case string(pay.EntryRefund):
		for _, s := range refundStates {
			if string(state) == s {
				return pay.EntryRefund, s, true
			}
		}
	case string(pay.EntryRevoke):
		switch string(state) {
		case pay.RevokeDone:
			return pay.EntryRevoke, pay.RevokeDone, true
		case pay.RevokeUnknown:
			return pay.EntryRevoke, pay.RevokeUnknown, true
		}
	}
	return "", "", false
}

// The states by how often they are met.
var (
	payStates = []string{
		string(pay.Paid), string(pay.Revoked), string(pay.Closed), string(pay.Created), string(pay.Paying), string(pay.Revoking), string(pay.Void),
	}
	refundStates = []string{
		string(pay.RefundDone), string(pay.RefundAccepted), string(pay.RefundProcessing), string(pay.RefundRequested), string(pay.RefundUnknown),
		string(pay.RefundWaitingFunds), string(pay.RefundAbnormal), string(pay.RefundClosed), string(pay.RefundFailed),
	}
)

func amount(b []byte) (pay.Fen, bool) {
	n, ok := wholeFen(b)
	return n, ok && n > 0
}

// wholeFen reads up to 18 digits: no sum of a day overflows 64 bits unseen before
// that.
func wholeFen(b []byte) (pay.Fen, bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	var n pay.Fen
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + pay.Fen(c-'0')
	}
	return n, true
}

// clock reads RFC 3339 times. Rows share their date and zone, so that only the
// first of a day is worked out with a calendar.
type clock struct {
	date     [10]byte
	zone     [6]byte
	midnight int64 // Unix seconds
}

func (c *clock) parse(b []byte) (int64, bool) {
	if len(b) != 25 || b[10] != 'T' || [10]byte(b[:10]) != c.date || [6]byte(b[19:]) != c.zone {
		return c.first(b)
	}
	h, m, s := twoDigits(b[11:]), twoDigits(b[14:]), twoDigits(b[17:])
	if b[13] != ':' || b[16] != ':' || h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s > 59 {
		return 0, false
	}
	return c.midnight + int64(3600*h+60*m+s), true
}

// first takes any form of RFC 3339 and remembers the day of the common one.
func (c *clock) first(b []byte) (int64, bool) {
	t, err := time.Parse(time.RFC3339, string(b))
	if err != nil || t.Year() < 1970 { // a zero time, written by a program
		return 0, false
	}
	if len(b) == 25 {
		c.date, c.zone = [10]byte(b[:10]), [6]byte(b[19:])
		c.midnight = t.Unix() - int64(3600*t.Hour()+60*t.Minute()+t.Second())
	}
	return t.Unix(), true
}

// twoDigits is -1 for anything else.
func twoDigits(b []byte) int {
	tens, ones := int(b[0])-'0', int(b[1])-'0'
	if tens < 0 || tens > 9 || ones < 0 || ones > 9 {
		return -1
	}
	return 10*tens + ones
}

// cells cuts lines into fields, without an allocation for most.
type cells struct {
	fields [][]byte
	torn   bool // a quote is where none may be
}

// plain cuts a line without quotes.
//
// Eight bytes are looked at in one step: fields are short, and a call for each of
// them would cost more than the search.
func (c *cells) plain(line []byte) [][]byte {
	const ones, low, high = 0x0101010101010101, 0x7f7f7f7f7f7f7f7f, 0x8080808080808080
	fields, start, i := c.fields[:0], 0, 0
	for ; i+8 <= len(line); i += 8 {
		x := binary.LittleEndian.Uint64(line[i:]) ^ ','*ones
		// A byte of hits has its high bit set exactly where one of x is zero.
		for hits := ^((x&low + low) | x | low) & high; hits != 0; hits &= hits - 1 {
			at := i + bits.TrailingZeros64(hits)/8
			fields, start = append(fields, line[start:at]), at+1
		}
	}
	for ; i < len(line); i++ {
		if line[i] == ',' {
			fields, start = append(fields, line[start:i]), i+1
		}
	}
	c.torn, c.fields = false, append(fields, line[start:])
	return c.fields
}

// quoted cuts text with quotes as RFC 4180 has them. It works in the text's own
// bytes.
func (c *cells) quoted(text []byte) [][]byte {
	c.torn, c.fields = false, c.fields[:0]
	for {
		if len(text) == 0 || text[0] != '"' {
			i := bytes.IndexByte(text, ',')
			if i < 0 {
				i = len(text)
			}
			c.torn = c.torn || bytes.IndexByte(text[:i], '"') >= 0
			c.fields = append(c.fields, text[:i])
			if i == len(text) {
				return c.fields
			}
			text = text[i+1:]
			continue
		}
		field, rest, ok := unquote(text[1:])
		c.fields = append(c.fields, field)
		if !ok || len(rest) > 0 && rest[0] != ',' {
			c.torn = true
			return c.fields
		}
		if len(rest) == 0 {
			return c.fields
		}
		text = rest[1:]
	}
}

// unquote reads up to the closing quote and returns what follows it.
func unquote(text []byte) (field, rest []byte, ok bool) {
	field = text[:0]
	for i := 0; i < len(text); i++ {
		if text[i] != '"' {
			field = append(field, text[i])
			continue
		}
		if i+1 < len(text) && text[i+1] == '"' {
			field = append(field, '"')
			i++
			continue
		}
		return field, text[i+1:], true
	}
	return field, nil, false
}
