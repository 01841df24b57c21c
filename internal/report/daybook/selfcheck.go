package daybook

import (
	"fmt"

	"paytool/internal/pay"
	"paytool/internal/recon"
)

// selfCheck holds sums over the sheets against what the run counted: a row that was
// lost on the way into the workbook shows here.
func (s *summary) selfCheck(all *sheets) error {
	s.gap(1)
	if err := s.sw.InsertPageBreak(fmt.Sprintf("A%d", s.row+1)); err != nil {
		return wrapLeaf(s.name, func() error { return err })
	}
	if err := s.band(part, 20, label(s.say("check"))); err != nil {
		return err
	}
	right := look{shape: money, tone: head}
	if err := s.heading(label(s.say("item")), label(""), styled{label(s.say("formula")), right}, label(""), styled{label(s.say("program")), right},
		label(""), styled{label(s.say("apart")), right}); err != nil {
		return err
	}
	r := s.day.Result
	tradeRows, tradeNet := net(s.day, func(i int) bool { return !ofFund(r.Differences[i].Class) })
	fundRows, fundNet := net(s.day, func(i int) bool { return ofFund(r.Differences[i].Class) })
	lines := []struct {
		key      string
		formula  string
		is, told any
	}{
		{"check.tradeRows", all.trade.count("col.diff"), all.trade.rows, tradeRows},
		{"check.tradeNet", all.trade.sum("col.diff"), tradeNet, tradeNet},
		{"check.fundRows", all.fund.count("col.diff"), all.fund.rows, fundRows},
		{"check.fundNet", all.fund.sum("col.diff"), fundNet, fundNet},
		{"check.badRows", all.bads.count("col.line"), all.bads.rows, r.Counts[recon.RejectedRow]},
	}
	for _, l := range lines {
		if err := s.compare(l.key, l.formula, l.is, l.told); err != nil {
			return err
		}
	}
	if s.day.Lines == nil {
		return nil
	}
	for _, k := range r.Kinds {
		t, keys := all.refunds, [2]string{"check.refundRows", "check.refundSum"}
		switch k.Kind {
		case pay.EntryRefund:
		case pay.EntryRevoke:
			t, keys = all.revokes, [2]string{"check.revokeRows", "check.revokeSum"}
		default:
			continue
		}
		if err := s.compare(keys[0], t.count("amount"), t.rows, k.Theirs.Rows); err != nil {
			return err
		}
		if err := s.compare(keys[1], t.sum("amount"), t.total, k.Theirs.Amount); err != nil {
			return err
		}
	}
	return nil
}

// compare writes a formula, what the program says, and how far they are apart.
func (s *summary) compare(key, sum string, is, told any) error {
	at := s.row + 1
	var apart any
	same := good
	switch is := is.(type) {
	case int64:
		apart = is - told.(int64)
	case pay.Fen:
		apart = is - told.(pay.Fen)
		sum = "ROUND(" + sum + ",2)"
	}
	if is != told {
		same = bad
	}
	return s.put(label(s.say(key)), nil, formula{sum, is}, nil, told, nil, styled{formula{fmt.Sprintf("ROUND(C%d-E%d,2)", at, at), apart}, look{tone: same}})
}
