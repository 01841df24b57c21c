package daybook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/xuri/excelize/v2"

	"paytool/internal/pay"
)

// WriteWorkbook writes the day as an Excel workbook. Totals are formulas over the
// sheets they sum, with what they come to beside them; amounts are numbers made from
// whole fen, times are Beijing's. Rows go through temporary files, so that memory
// does not grow with them. The same day makes the same bytes.
func WriteWorkbook(ctx context.Context, w io.Writer, day Day, lang Lang) error {
	return writeWorkbook(ctx, w, day, lang, maxRows)
}

func writeWorkbook(ctx context.Context, w io.Writer, day Day, lang Lang, full int) (err error) {
	if err := lang.check(); err != nil {
		return err
	}
	b, err := newBook(lang)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.file.Close()) }()
	b.full = full
	if err := b.write(ctx, &day); err != nil {
		return err
	}
	p, err := newPacker()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.remove()) }()
	b.file.SetZipWriter(func(io.Writer) excelize.ZipWriter { return p })
	if _, err := b.file.WriteToBuffer(); err != nil {
		return fmt.Errorf("pack the workbook: %w", err)
	}
	return p.copyTo(w)
}

// sheets are the leaves that formulas of others look into.
type sheets struct {
	trade, fund            *table
	refunds, revokes, bads *table
}

// write fills every leaf. The summary comes first in the workbook and is written
// last, when the size of all others is known.
func (b *book) write(ctx context.Context, day *Day) error {
	made := day.Made.UTC().Format(time.RFC3339)
	if err := b.file.SetDocProps(&excelize.DocProperties{
		Created: made, Modified: made, Creator: clean(day.Tool), LastModifiedBy: clean(day.Tool),
		Title: b.lang.say("title") + " " + clean(day.Result.Date), Language: map[Lang]string{Chinese: "zh-CN", English: "en"}[b.lang],
	}); err != nil {
		return fmt.Errorf("set the properties of the workbook: %w", err)
	}
	front, err := b.newSummary()
	if err != nil {
		return err
	}
	var s sheets
	if s.trade, s.fund, err = b.differences(ctx, day); err != nil {
		return err
	}
	if err := b.bridges(day, s.trade, s.fund); err != nil {
		return err
	}
	if err := b.lines(ctx, day, &s); err != nil {
		return err
	}
	for _, do := range []func(context.Context, *Day) error{b.carried, b.fees, b.ledger, b.notes} {
		if err := do(ctx, day); err != nil {
			return err
		}
	}
	if err := front.fill(day, &s); err != nil {
		return err
	}
	return b.finish()
}

// net sums differences by cash effect.
func net(day *Day, of func(i int) bool) (rows int64, sum pay.Fen) {
	for i := range day.Result.Differences {
		if of(i) {
			rows++
			sum += day.Result.Differences[i].DifferenceFen
		}
	}
	return rows, sum
}
