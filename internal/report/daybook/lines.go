package daybook

import (
	"context"
	"fmt"

	"paytool/internal/pay"
	"paytool/internal/recon"
)

// lines writes the refunds, the revokes and the rows that could not be read, in one
// pass over the files.
func (b *book) lines(ctx context.Context, day *Day, s *sheets) error {
	texts, faints := look{shape: text}, look{shape: text, tone: faint}
	columns := []column{
		{"col.order", 32, texts, nil}, {"col.refund", 32, texts, nil}, {"amount", 15, look{shape: money}, nil}, {"col.settle", 15, look{shape: money}, nil},
		{"col.fee", 14, look{shape: fees}, nil}, {"col.status", 14, look{}, nil}, {"col.time", 19, look{shape: timely}, nil}, {"col.fate", 10, look{}, nil},
		{"col.id", 23, texts, nil}, {"col.trade", 32, texts, nil}, {"col.channelRefund", 32, texts, nil}, {"file", 30, faints, nil},
		{"col.line", 10, look{shape: count, tone: faint}, nil},
	}
	s.revokes, s.refunds = b.table(ctx, "sheet.revokes", columns), b.table(ctx, "sheet.refunds", columns)
	s.revokes.paper, s.refunds.paper = "col.id", "col.id"
	s.bads = b.table(ctx, "sheet.bad", []column{{"file", 50, texts, nil}, {"col.line", 10, look{shape: count}, nil}, {"col.why", 110, look{}, nil}})
	// The result has the rejected rows of all books, but not all of a book that has many.
	told := map[recon.Rejection]bool{}
	for _, r := range day.Result.Rejected {
		told[recon.Rejection{File: r.File, Line: r.Line}] = true
		if err := s.bads.add(r.File, r.Line, r.Reason); err != nil {
			return err
		}
	}
	empty := b.lang.say("none")
	if day.Lines == nil {
		empty = b.lang.say("noLines", b.lang.say("sheet.summary"))
	} else if err := day.Lines(ctx, func(l *Line) error {
		if l.Fate == Rejected && told[recon.Rejection{File: l.File, Line: l.Line}] {
			return nil
		}
		return b.line(l, s)
	}); err != nil {
		return fmt.Errorf("read the refunds and the rejected rows once more: %w", err)
	}
	for _, t := range []*table{s.revokes, s.refunds} {
		if err := t.close(empty); err != nil {
			return err
		}
	}
	return s.bads.close(b.lang.say("none"))
}

func (b *book) line(l *Line, s *sheets) error {
	t := s.refunds
	switch {
	case l.Fate == Rejected:
		return s.bads.add(l.File, l.Line, l.Reason)
	case l.Kind == pay.EntryRevoke:
		t = s.revokes
	}
	t.total += l.Amount
	return t.add(l.OrderNo, l.RefundNo, l.Amount, l.Settle, l.Fee, l.State, l.Time, b.lang.known("fate.", string(l.Fate)), string(l.Difference),
		l.ChannelTradeNo, l.ChannelRefundNo, l.File, l.Line)
}
