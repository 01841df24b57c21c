package daybook

import (
	"context"
	"fmt"

	"paytool/internal/bill"
	"paytool/internal/pay"
	"paytool/internal/recon"
	"paytool/internal/recon/ledger"
)

// carried writes how the carried rows rolled forward, and those that wait now.
func (b *book) carried(ctx context.Context, day *Day) error {
	texts, faints := look{shape: text}, look{shape: text, tone: faint}
	t := b.table(ctx, "sheet.carry", []column{
		{"col.flow", 18, look{}, nil}, {"col.side", 12, look{}, nil}, {"kind", 10, look{}, nil}, {"col.order", 32, texts, nil}, {"col.refund", 24, texts, nil},
		{"amount", 15, look{shape: money}, nil}, {"col.time", 19, look{shape: timely}, nil}, {"date", 12, texts, nil}, {"col.deadline", 12, texts, nil},
		{"col.trade", 32, texts, nil}, {"file", 30, faints, nil}, {"col.line", 10, look{shape: count, tone: faint}, nil},
	})
	c := day.Result.Carried
	t.aboveRows = 8
	t.above = func(l *leaf) error {
		say := b.lang.say
		if err := l.band(part, 20, label(say("roll"))); err != nil {
			return err
		}
		first := l.row + 1
		for _, line := range []struct {
			key  string
			rows int64
		}{{"roll.opening", c.Opening}, {"roll.new", c.New}, {"roll.cleared", -c.Cleared}, {"roll.expired", -c.Expired}} {
			if err := l.put(label(say(line.key)), line.rows); err != nil {
				return err
			}
		}
		return l.putLook(look{tone: total}, label(say("roll.closing")), formula{fmt.Sprintf("SUM(B%d:B%d)", first, l.row), c.Closing})
	}
	for i := range day.Result.Closing {
		w := &day.Result.Closing[i]
		r := &w.Row
		if err := t.add(b.lang.known("flow.", string(w.Flow)), b.lang.known("side.", string(r.Side)), b.lang.known("kind.", string(r.Kind)), r.OrderNo, r.RefundNo,
			r.Amount, r.Time, w.From, w.Deadline, r.ChannelTradeNo, r.File, r.Line); err != nil {
			return err
		}
	}
	return t.close(b.lang.say("none"))
}

// fees writes what each kind cost, by rate.
func (b *book) fees(ctx context.Context, day *Day) error {
	t := b.table(ctx, "sheet.fees", []column{
		{"kind", 16, look{}, nil}, {"col.rate", 14, look{shape: text}, nil}, {"rows", 12, look{shape: count}, nil}, {"col.base", 18, look{shape: money}, nil},
		{"col.fee", 18, look{shape: fees}, nil}, {"col.effective", 16, look{shape: share}, nil},
	})
	if len(day.Result.Fees) == 0 {
		return t.close(b.lang.say("noRates"))
	}
	var rows int64
	var base pay.Fen
	var cost bill.FeeE5
	for i, f := range day.Result.Fees {
		rows, base, cost = rows+f.Rows, base+f.Base, cost+f.Fee
		at := i + 2
		if err := t.add(b.lang.known("kind.", string(f.Kind)), f.Rate, f.Rows, f.Base, f.Fee,
			formula{fmt.Sprintf("IF(D%d=0,0,ABS(E%d)/D%d)", at, at, at), effective(f)}); err != nil {
			return err
		}
	}
	// Below the list and outside of its filter.
	l, last := t.leaf, t.leaf.row
	l.gap(1)
	column := func(col string) string { return fmt.Sprintf("SUM(%s2:%s%d)", col, col, last) }
	return l.putLook(look{tone: total}, label(b.lang.say("total")), label(""), formula{column("C"), rows}, formula{column("D"), base}, formula{column("E"), cost})
}

func effective(f recon.FeeTotal) float64 {
	if f.Base == 0 {
		return 0
	}
	return max(float64(f.Fee), -float64(f.Fee)) / 1000 / float64(f.Base) // a share to look at, not money
}

// notes writes what the words mean and what can be done.
func (b *book) notes(_ context.Context, _ *Day) error {
	l, err := b.leaf("sheet.notes", 1, layout{widths: []float64{24, 24, 18, 60, 80}, onePage: true})
	if err != nil {
		return err
	}
	say := b.lang.say
	lines := []func() error{
		func() error { return l.band(title, 28, label(say("sheet.notes"))) },
		func() error { return l.band(calm, 32, label(say("definition"))) },
		func() error { l.gap(1); return l.band(part, 20, label(say("notes.return"))) },
	}
	for _, key := range []string{"return.1", "return.2", "return.3", "return.4"} {
		lines = append(lines, func() error { return l.band(calm, 16, label(say(key, l.book.returnArgs(key)...))) })
	}
	lines = append(lines,
		func() error { l.gap(1); return l.band(part, 20, label(say("notes.classes"))) },
		func() error {
			return l.heading(label(say("class")), label(say("col.code")), label(say("kind")), label(say("meaning")), label(say("col.advice")))
		},
		l.classes,
		func() error { l.gap(1); return l.band(part, 20, label(say("notes.exits"))) },
		l.exits,
		func() error { l.gap(1); return l.band(part, 20, label(say("notes.reason"))) },
		l.codes,
	)
	for _, do := range lines {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

func (b *book) returnArgs(key string) []any {
	if key == "return.1" {
		return []any{b.lang.say("sheet.ledger")}
	}
	return nil
}

// classes lists every class with its advice, by kind where that makes a difference.
func (l *leaf) classes() error {
	lang, wrapped := l.book.lang, look{wrap: true}
	for _, c := range recon.Classes() {
		before := ""
		for _, k := range []pay.EntryKind{pay.EntryPay, pay.EntryRefund, pay.EntryRevoke, bill.In, bill.Out} {
			advice := lang.adviceFor(c, k)
			if advice == before || ofFund(c) != (k == bill.In || k == bill.Out) && c != recon.RefundReturned {
				continue
			}
			name, meaning, kind := label(lang.say("class."+string(c))), label(lang.say("meaning."+string(c))), label(lang.say("kind."+string(k)))
			if before != "" {
				name, meaning = "", ""
			}
			if lang.adviceFor(c, "") == advice {
				kind = ""
			}
			if err := l.tall(30, wrapped, name, styled{label(c), look{tone: faint}}, kind, meaning, label(advice)); err != nil {
				return err
			}
			before = advice
		}
	}
	return nil
}

func (l *leaf) exits() error {
	for i := range 6 {
		if err := l.put(label(fmt.Sprint(i)), label(l.book.lang.say(fmt.Sprintf("exit.%d", i)))); err != nil {
			return err
		}
	}
	return nil
}

func (l *leaf) codes() error {
	for _, a := range ledger.Actions() {
		if err := l.put(label(l.book.lang.known("action.", string(a))), styled{label(a), look{tone: faint}}); err != nil {
			return err
		}
	}
	for _, r := range ledger.Reasons() {
		if err := l.put(label(l.book.lang.known("reason.", r.Code)), styled{label(r.Code), look{tone: faint}}); err != nil {
			return err
		}
	}
	return nil
}
