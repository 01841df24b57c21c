package daybook

import (
	"fmt"

	"paytool/internal/pay"
	"paytool/internal/recon"
)

// step is a line of a bridge.
type step struct {
	key string
	fen pay.Fen // as the run has it
	// classes are those whose differences make the line, where it comes from them.
	classes []recon.Class
}

// bridges writes how our total becomes the channel's, and the trade bill's the fund
// bill's. A line that is made of differences is summed from their sheet, so that
// what is unexplained is found by the spreadsheet too.
func (b *book) bridges(day *Day, trade, fund *table) error {
	l, err := b.leaf("sheet.bridge", 1, layout{widths: []float64{44, 22, 50}, onePage: true})
	if err != nil {
		return err
	}
	if err := l.band(title, 28, label(b.lang.say("sheet.bridge")+" · "+day.Result.Date)); err != nil {
		return err
	}
	if err := l.band(faint, 30, label(b.lang.say("definition"))); err != nil {
		return err
	}
	l.gap(1)
	r := &day.Result.Bridge
	if err := l.bridge(day, trade, "tradeFlow", []step{
		{"bridge.ours", r.Ours, nil},
		{"bridge.lacks", r.MissingInChannel, []recon.Class{recon.MissingInChannel}},
		{"bridge.has", r.MissingInOurs, []recon.Class{recon.MissingInOurs}},
		{"bridge.amount", r.Amount, []recon.Class{recon.AmountMismatch, recon.KindMismatch}},
		{"bridge.state", r.State, []recon.Class{recon.StateMismatch}},
		{"bridge.twice", r.Duplicate, []recon.Class{recon.DuplicateInChannel, recon.DuplicateInOurs}},
		{"bridge.carried", r.Carried, nil},
	}, step{"bridge.theirs", r.Theirs, nil}, "bridge.expect"); err != nil {
		return err
	}
	l.gap(1)
	f := day.Result.Fund
	if f == nil {
		if err := l.band(part, 20, label(b.lang.say("fundFlow"))); err != nil {
			return err
		}
		return l.putLook(look{tone: faint}, label(b.lang.say("noFund")))
	}
	if err := l.bridge(day, fund, "fundFlow", []step{
		{"fund.trade", f.Trade, nil},
		{"fund.fees", f.Fees, nil},
		{"fund.missing", f.Missing, []recon.Class{recon.FundMissing}},
		{"fund.extra", f.Extra, []recon.Class{recon.FundExtra}},
		{"fund.amount", f.Amount, []recon.Class{recon.FundAmount}},
		{"fund.returned", f.Returned, []recon.Class{recon.RefundReturned}},
		{"fund.carried", f.Carried, nil},
		{"fund.other", f.Other, nil},
	}, step{"fund.fund", f.Fund, nil}, "fund.expect"); err != nil {
		return err
	}
	balance := day.Result.FundBalance
	if balance == nil {
		return nil
	}
	l.gap(1)
	return l.bridge(day, fund, "balance", []step{{"balance.opening", balance.Opening, nil}, {"fund.fund", f.Fund, nil}},
		step{"balance.closing", balance.Closing, nil}, "balance.expect")
}

// bridge writes steps, what they come to, what the other side has, and the rest.
func (l *leaf) bridge(day *Day, t *table, heading string, steps []step, to step, expect string) error {
	say := l.book.lang.say
	if err := l.band(part, 20, label(say(heading))); err != nil {
		return err
	}
	if err := l.heading(label(say("item")), styled{label(say("amount")), look{shape: money, tone: head}}, label(say("basis"))); err != nil {
		return err
	}
	first, sum := l.row+1, pay.Fen(0)
	for _, s := range steps {
		var v any = s.fen
		basis, is := say("basis.run"), s.fen
		if len(s.classes) > 0 {
			basis = say("basis.sheet", say(t.key))
			v, is = classSum(day, t, s.classes)
		}
		sum += is
		if err := l.put(label(say(s.key)), v, styled{label(basis), look{tone: faint}}); err != nil {
			return err
		}
	}
	last := l.row
	whole := look{tone: total}
	if err := l.putLook(whole, label(say(expect)), formula{fmt.Sprintf("ROUND(SUM(B%d:B%d),2)", first, last), sum},
		styled{label(say("basis.sum")), look{tone: faint}}); err != nil {
		return err
	}
	if err := l.put(label(say(to.key)), to.fen, styled{label(say("basis.run")), look{tone: faint}}); err != nil {
		return err
	}
	rest := look{tone: good}
	if to.fen != sum {
		rest.tone = bad
	}
	return l.putLook(rest, label(say("bridge.rest")), formula{fmt.Sprintf("ROUND(B%d-B%d,2)", last+2, last+1), to.fen - sum},
		styled{label(say("basis.rest")), look{tone: faint}})
}

// classSum is the formula over the differences of some classes.
func classSum(day *Day, t *table, classes []recon.Class) (formula, pay.Fen) {
	f, sum := "", pay.Fen(0)
	for i, c := range classes {
		if i > 0 {
			f += "+"
		}
		f += t.sumIf("col.code", string(c), "col.diff")
		_, fen := net(day, func(i int) bool { return day.Result.Differences[i].Class == c })
		sum += fen
	}
	return formula{"ROUND(" + f + ",2)", sum}, sum
}
