package daybook

import (
	"fmt"
	"time"

	"github.com/xuri/excelize/v2"

	"paytool/internal/bill"
	"paytool/internal/pay"
)

// label is a text of our own: it needs no cleaning, and may begin as it likes.
type label string

// formula is computed by the spreadsheet. Value is what it comes to, for those who
// look at the file without computing.
type formula struct {
	text  string
	value any
}

// styled is a value with a look of its own.
type styled struct {
	value any
	look  look
}

// cell turns a value into what the library writes.
func (b *book) cell(v any, lk look) (excelize.Cell, error) {
	if s, ok := v.(styled); ok {
		v, lk = s.value, s.look
	}
	var c excelize.Cell
	if f, ok := v.(formula); ok {
		c.Formula, v = f.text, f.value
	}
	c.Value, lk.shape = value(v, lk.shape)
	var err error
	c.StyleID, err = b.style(lk)
	return c, err
}

// value is what stands in a cell, and its shape where the type decides that.
func value(v any, s shape) (any, shape) {
	switch v := v.(type) {
	case label:
		return string(v), s
	case string:
		return neutral(v), s
	case pay.Fen:
		return number(v.Yuan()), money
	case bill.FeeE5:
		return number(fee(v)), fees
	case int:
		return v, count
	case int64:
		return v, count
	case float64:
		return v, share
	case time.Time:
		if v.IsZero() {
			return "", s
		}
		return moment(v), timely
	}
	panic(fmt.Sprintf("daybook: a cell of type %T", v)) // a kind of value that no leaf has
}
