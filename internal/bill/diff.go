package bill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/zeebo/xxh3"
)

// maxChanges bounds what a diff keeps of differing rows.
const maxChanges = 100_000

// ErrNotComparable: more rows differ than two bills of one day could.
var ErrNotComparable = errors.New("the bills have too little in common to be compared")

// DiffRow is a row that one of two bills has.
type DiffRow struct {
	Line            int    `json:"line"`
	Kind            string `json:"kind"`
	OrderNo         string `json:"order_no"`
	RefundNo        string `json:"refund_no"`
	ChannelTradeNo  string `json:"channel_trade_no"`
	ChannelRefundNo string `json:"channel_refund_no"`
	FlowNo          string `json:"flow_no"` // fund bills
	AmountFen       int64  `json:"amount_fen"`
	SettleFen       int64  `json:"settle_fen"`
	FeeE5           int64  `json:"fee_e5"`
	BalanceFen      int64  `json:"balance_fen"` // fund bills
	State           string `json:"state"`
	Time            string `json:"time"`
	Subject         string `json:"subject"`
}

// DiffField is a field of a changed row, with both values.
type DiffField struct {
	Field string `json:"field"`
	A     string `json:"a"`
	B     string `json:"b"`
}

// DiffChange is a row that both bills have with different fields.
type DiffChange struct {
	A      DiffRow     `json:"a"`
	B      DiffRow     `json:"b"`
	Fields []DiffField `json:"fields"`
}

// Changes is what makes bill B differ from bill A. Rows are compared as they were
// understood, so that another layout, encoding or order of the same rows is no
// difference; their order here is that of the files.
type Changes struct {
	Same    int64        `json:"same"`
	Added   []DiffRow    `json:"added"`
	Removed []DiffRow    `json:"removed"`
	Changed []DiffChange `json:"changed"`
	// A and B are the reports of both files: rejected rows were not compared.
	A *Report `json:"-"`
	B *Report `json:"-"`
}

// Equal reports whether the bills have the same rows.
func (c *Changes) Equal() bool { return len(c.Added)+len(c.Removed)+len(c.Changed) == 0 }

// Diff compares the rows of two bills of a day, as multisets: a row that one bill
// has twice must be in the other twice. It reads a twice, so that both are files;
// memory grows with the number of rows of a, about 40 bytes each.
func Diff(ctx context.Context, a, b string, opts Options) (*Changes, error) {
	if a == Stdin || b == Stdin {
		return nil, errors.New("compare bills: a bill is read twice, so that standard input cannot be one; save it to a file")
	}
	left := map[xxh3.Uint128]int32{} // rows of a that b has not shown yet
	var buf []byte
	reportA, err := each(ctx, a, nil, opts, func(row *Row) error {
		buf = appendContent(buf[:0], row)
		left[xxh3.Hash128(buf)]++
		return nil
	})
	if err != nil {
		return nil, err
	}
	c := &Changes{Added: []DiffRow{}, Removed: []DiffRow{}, Changed: []DiffChange{}, A: reportA}
	if c.B, err = each(ctx, b, nil, opts, func(row *Row) error {
		buf = appendContent(buf[:0], row)
		key := xxh3.Hash128(buf)
		if left[key] > 0 {
			left[key]--
			c.Same++
			return nil
		}
		return keepRow(&c.Added, row)
	}); err != nil {
		return nil, compareError(a, b, err)
	}
	if _, err = each(ctx, a, nil, opts, func(row *Row) error {
		buf = appendContent(buf[:0], row)
		key := xxh3.Hash128(buf)
		if left[key] == 0 {
			return nil
		}
		left[key]--
		return keepRow(&c.Removed, row)
	}); err != nil {
		return nil, compareError(a, b, err)
	}
	c.pair()
	return c, nil
}

func compareError(a, b string, err error) error {
	if errors.Is(err, ErrNotComparable) {
		return fmt.Errorf("compare bills %s and %s: %w (more than %d rows differ)", a, b, err, maxChanges)
	}
	return err
}

func keepRow(rows *[]DiffRow, row *Row) error {
	if len(*rows) == maxChanges {
		return ErrNotComparable
	}
	*rows = append(*rows, DiffRow{
		Line: row.Line, Kind: string(row.Kind), OrderNo: string(row.OrderNo), RefundNo: string(row.RefundNo),
		ChannelTradeNo: string(row.ChannelTradeNo), ChannelRefundNo: string(row.ChannelRefundNo), FlowNo: string(row.FlowNo),
		AmountFen: int64(row.Amount), SettleFen: int64(row.Settle), FeeE5: int64(row.Fee), BalanceFen: int64(row.Balance),
		State: string(row.State), Time: row.Time.Format(time.RFC3339), Subject: string(row.Subject),
	})
	return nil
}

// appendContent writes all that a row says but its line.
func appendContent(b []byte, row *Row) []byte {
	for _, text := range [][]byte{[]byte(row.Kind), row.OrderNo, row.RefundNo, row.ChannelTradeNo, row.ChannelRefundNo, row.FlowNo, row.State, row.Subject} {
		b = strconv.AppendInt(b, int64(len(text)), 10) // lengths keep "a","bc" and "ab","c" apart
		b = append(append(b, ':'), text...)
	}
	for _, n := range []int64{int64(row.Amount), int64(row.Settle), int64(row.Fee), int64(row.Balance), row.Time.Unix()} {
		b = append(strconv.AppendInt(b, n, 10), ',')
	}
	return b
}

// identity is what stays the same where a row changes. A revoke's refund numbers
// are not part of it: bills fetched at different times may show them differently.
func (d DiffRow) identity() [5]string {
	if d.Kind == "revoke" {
		return [5]string{d.Kind, d.OrderNo, d.ChannelTradeNo}
	}
	return [5]string{d.Kind, d.OrderNo, d.RefundNo, d.ChannelTradeNo, d.FlowNo}
}

// pair makes a change of a row that was removed and one of the same identity that
// was added.
func (c *Changes) pair() {
	added := map[[5]string][]int{}
	for i, row := range c.Added {
		added[row.identity()] = append(added[row.identity()], i)
	}
	paired := map[int]bool{}
	removed := c.Removed[:0]
	for _, row := range c.Removed {
		at := added[row.identity()]
		if len(at) == 0 {
			removed = append(removed, row)
			continue
		}
		other := c.Added[at[0]]
		added[row.identity()] = at[1:]
		paired[at[0]] = true
		c.Changed = append(c.Changed, DiffChange{A: row, B: other, Fields: changedFields(row, other)})
	}
	c.Removed = removed
	rest := make([]DiffRow, 0, len(c.Added)-len(paired))
	for i, row := range c.Added {
		if !paired[i] {
			rest = append(rest, row)
		}
	}
	c.Added = rest
}

func changedFields(a, b DiffRow) []DiffField {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	all := []DiffField{
		{"refund_no", a.RefundNo, b.RefundNo},
		{"channel_refund_no", a.ChannelRefundNo, b.ChannelRefundNo},
		{"amount_fen", number(a.AmountFen), number(b.AmountFen)},
		{"settle_fen", number(a.SettleFen), number(b.SettleFen)},
		{"fee_e5", number(a.FeeE5), number(b.FeeE5)},
		{"balance_fen", number(a.BalanceFen), number(b.BalanceFen)},
		{"state", a.State, b.State},
		{"time", a.Time, b.Time},
		{"subject", a.Subject, b.Subject},
	}
	return slices.DeleteFunc(all, func(f DiffField) bool { return f.A == f.B })
}
