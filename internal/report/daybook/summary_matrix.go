package daybook

import (
	"fmt"

	"paytool/internal/pay"
	"paytool/internal/recon"
)

// heads writes a heading over pairs of columns, and one of rows and amounts below.
func (s *summary) heads() error {
	top, below := []any{label(s.say("kind"))}, []any{label("")}
	for _, key := range []string{"ours", "theirs", "matched", "carried", "different"} {
		top = append(top, styled{label(s.say(key)), look{shape: middle, tone: head}}, label(""))
		below = append(below, styled{label(s.say("rows")), look{shape: count, tone: head}}, styled{label(s.say("amount")), look{shape: money, tone: head}})
	}
	top = append(top, styled{label(s.say("rates")), look{shape: middle, tone: head}}, label(""))
	below = append(below, styled{label(s.say("byRows")), look{shape: share, tone: head}}, styled{label(s.say("byAmount")), look{shape: share, tone: head}})
	if err := s.heading(top...); err != nil {
		return err
	}
	for col := 2; col <= 12; col += 2 {
		if err := s.merge(col, col+1); err != nil {
			return err
		}
	}
	return s.heading(below...)
}

// matrix shows each kind's rows and money on both sides. The line of totals adds
// rows; money is added by cash effect, as the bridge does.
func (s *summary) matrix(*sheets) error {
	s.gap(1)
	if err := s.band(part, 20, label(s.say("matrix"))); err != nil {
		return err
	}
	if err := s.heads(); err != nil {
		return err
	}
	first := s.row + 1
	var whole [5]recon.Total
	var gross [2]int64 // what moved, whatever its direction: a rate of nets would say nothing
	for _, k := range s.day.Result.Kinds {
		at, sign := s.row+1, pay.Fen(1)
		gross[0], gross[1] = gross[0]+int64(k.Matched.Amount), gross[1]+int64(k.Theirs.Amount)
		if k.Kind != pay.EntryPay {
			sign = -1
		}
		row := []any{label(s.book.lang.known("kind.", string(k.Kind)))}
		for i, t := range []recon.Total{k.Ours, k.Theirs, k.Matched, k.Carried, k.Difference} {
			row = append(row, t.Rows, t.Amount)
			whole[i].Rows += t.Rows
			if i == 4 { // signed already
				whole[i].Amount += t.Amount
			} else {
				whole[i].Amount += sign * t.Amount
			}
		}
		row = append(row, formula{fmt.Sprintf("IF(D%d=0,1,F%d/D%d)", at, at, at), rate(k.Matched.Rows, k.Theirs.Rows)},
			formula{fmt.Sprintf("IF(E%d=0,1,G%d/E%d)", at, at, at), rate(int64(k.Matched.Amount), int64(k.Theirs.Amount))})
		if err := s.put(row...); err != nil {
			return err
		}
	}
	last := s.row
	row := []any{label(s.say("net"))}
	for i, t := range whole {
		rows, amounts := string(rune('B'+2*i)), string(rune('C'+2*i))
		signed := fmt.Sprintf("2*SUMIF($A%d:$A%d,$A%d,%s%d:%s%d)-SUM(%s%d:%s%d)", first, last, first, amounts, first, amounts, last, amounts, first, amounts, last)
		if i == 4 {
			signed = fmt.Sprintf("SUM(%s%d:%s%d)", amounts, first, amounts, last)
		}
		row = append(row, formula{fmt.Sprintf("SUM(%s%d:%s%d)", rows, first, rows, last), t.Rows}, formula{"ROUND(" + signed + ",2)", t.Amount})
	}
	at := s.row + 1
	row = append(row, formula{fmt.Sprintf("IF(D%d=0,1,F%d/D%d)", at, at, at), rate(whole[2].Rows, whole[1].Rows)},
		formula{fmt.Sprintf("IF(SUM(E%d:E%d)=0,1,SUM(G%d:G%d)/SUM(E%d:E%d))", first, last, first, last, first, last), rate(gross[0], gross[1])})
	return s.putLook(look{tone: total}, row...)
}
