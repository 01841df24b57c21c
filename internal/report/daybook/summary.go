package daybook

import (
	"fmt"

	"github.com/xuri/excelize/v2"

	"paytool/internal/recon"
)

// summary is the first leaf: the verdict, what agrees, where to look, and who signs.
type summary struct {
	*leaf
	day *Day
}

// The names by which a workbook says what it is of; ReadDecisions looks for them.
const (
	nameRun     = "paytool_run"
	nameHead    = "paytool_head"
	nameChannel = "paytool_channel"
	nameAccount = "paytool_account"
	nameDate    = "paytool_date"
)

func (b *book) newSummary() (*summary, error) {
	l, err := b.leaf("sheet.summary", 1, layout{widths: []float64{25, 11, 17, 11, 17, 11, 17, 11, 17, 11, 17, 11, 11}})
	return &summary{leaf: l}, err
}

func (s *summary) say(key string, args ...any) string { return s.book.lang.say(key, args...) }

func (s *summary) fill(day *Day, all *sheets) error {
	s.day = day
	for _, do := range []func(*sheets) error{s.verdict, s.facts, s.matrix, s.byClass, s.warnings, s.signOff, s.inputs, s.selfCheck, s.history} {
		if err := do(all); err != nil {
			return err
		}
	}
	return nil
}

// headline is the verdict in words. The flows are not added up: one missing payment
// may show in both.
func (l Lang) headline(day *Day) string {
	r := day.Result
	bad := r.Counts[recon.RejectedRow]
	switch {
	case r.Balanced:
		return l.say("balanced")
	case len(r.Differences) == 0:
		return l.say("onlyBad", bad)
	}
	text := l.say("unbalanced", len(r.Differences))
	if len(r.Differences) == 1 {
		text = l.say("unbalanced.one")
	}
	if rows, sum := net(day, func(i int) bool { return !ofFund(r.Differences[i].Class) }); rows > 0 {
		text += l.say("netTrade", yuan(sum))
	}
	if rows, sum := net(day, func(i int) bool { return ofFund(r.Differences[i].Class) }); rows > 0 {
		text += l.say("netFund", yuan(sum))
	}
	if bad > 0 {
		text += l.say("netBad", bad)
	}
	return text
}

func (s *summary) verdict(*sheets) error {
	r := s.day.Result
	if err := s.band(title, 30, s.book.lang.heading(s.day)); err != nil {
		return err
	}
	t := good
	if !r.Balanced {
		t = bad
	}
	if err := s.band(t, 26, label(s.book.lang.headline(s.day))); err != nil {
		return err
	}
	if r.Carried.Closing > 0 {
		if err := s.band(calm, 16, label(s.say("carriedNote", r.Carried.Closing))); err != nil {
			return err
		}
	}
	return s.band(faint, 16, label(s.say("definition")))
}

// heading names the report.
func (l Lang) heading(day *Day) string {
	r := day.Result
	h := l.say("title") + " · " + clean(l.known("channel.", r.Channel))
	if r.Account != "" {
		h += " · " + clean(r.Account)
	}
	return h + " · " + clean(r.Date)
}

// facts say what the report is of. Their cells have names, so that they are found
// again in a workbook that came back.
func (s *summary) facts(*sheets) error {
	r := s.day.Result
	head := styled{label(s.say("noLedger")), look{shape: text, tone: faint}}
	if s.day.Ledger != nil {
		head.value, head.look.tone = s.day.Ledger.Head.Hash, calm
	}
	s.gap(1)
	for _, f := range []struct {
		key, name string
		value     any
	}{
		{"run", nameRun, r.RunID}, {"channel", nameChannel, r.Channel}, {"account", nameAccount, r.Account}, {"date", nameDate, r.Date},
		{"head", nameHead, head}, {"made", "", s.day.Made}, {"tool", "", s.day.Tool},
	} {
		if f.value == "" {
			continue // the account of a channel that has but one
		}
		if _, ok := f.value.(styled); !ok {
			f.value = styled{f.value, look{shape: text}}
		}
		if err := s.put(styled{label(s.say(f.key)), look{tone: faint}}, f.value); err != nil {
			return err
		}
		if err := s.merge(2, 7); err != nil {
			return err
		}
		if f.name == "" || f.name == nameHead && s.day.Ledger == nil {
			continue
		}
		if err := s.book.file.SetDefinedName(&excelize.DefinedName{Name: f.name, RefersTo: s.at("B", s.row)}); err != nil {
			return fmt.Errorf("name a cell of sheet %s: %w", s.name, err)
		}
	}
	return nil
}

// byClass says what differs, in the order of urgency, and how many there are.
func (s *summary) byClass(all *sheets) error {
	s.gap(1)
	if err := s.band(part, 20, label(s.say("byClass"))); err != nil {
		return err
	}
	if err := s.heading(label(s.say("class")), styled{label(s.say("rows")), look{shape: count, tone: head}},
		styled{label(s.say("col.diff")), look{shape: money, tone: head}}, label(s.say("meaning"))); err != nil {
		return err
	}
	found := false
	for _, c := range recon.Classes() {
		told := s.day.Result.Counts[c]
		if told == 0 {
			continue
		}
		found = true
		t := all.trade
		if ofFund(c) {
			t = all.fund
		}
		rows, sum := net(s.day, func(i int) bool { return s.day.Result.Differences[i].Class == c })
		row := []any{
			label(s.say("class." + string(c))), formula{t.countIf("col.code", string(c)), rows},
			formula{"ROUND(" + t.sumIf("col.code", string(c), "col.diff") + ",2)", sum}, label(s.say("meaning." + string(c))),
		}
		if c == recon.RejectedRow {
			row[1], row[2] = formula{all.bads.count("col.line"), all.bads.rows}, label("")
		}
		if err := s.put(row...); err != nil {
			return err
		}
	}
	if !found {
		return s.putLook(look{tone: faint}, label(s.say("none")))
	}
	return nil
}

func (s *summary) inputs(*sheets) error {
	s.gap(1)
	if err := s.band(part, 20, label(s.say("files"))); err != nil {
		return err
	}
	if err := s.heading(label(s.say("role")), styled{label(s.say("rows")), look{shape: count, tone: head}}, label(s.say("file")), label(""), label(""),
		label(""), label("SHA-256")); err != nil {
		return err
	}
	for _, f := range s.day.Result.Files {
		if err := s.put(label(s.book.lang.known("role.", string(f.Role))), f.Rows, f.Name, nil, nil, nil, styled{f.SHA256, look{shape: text, tone: faint}}); err != nil {
			return err
		}
		if err := s.merge(3, 6); err != nil {
			return err
		}
	}
	return nil
}

func (s *summary) warnings(*sheets) error {
	if len(s.day.Result.Warnings) == 0 {
		return nil
	}
	s.gap(1)
	if err := s.band(part, 20, label(s.say("warnings"))); err != nil {
		return err
	}
	for _, w := range s.day.Result.Warnings {
		if err := s.band(calm, 28, w); err != nil {
			return err
		}
	}
	return nil
}

func (s *summary) signOff(*sheets) error {
	s.gap(1)
	if err := s.band(part, 20, label(s.say("signOff"))); err != nil {
		return err
	}
	in := styled{label(""), look{tone: input}}
	if err := s.heading(label(""), label(s.say("name")), label(""), label(s.say("signature")), label(""), label(s.say("signDate"))); err != nil {
		return err
	}
	for _, key := range []string{"prepared", "checked", "approved"} {
		if err := s.put(label(s.say(key)), in, in, in, in, in, in); err != nil {
			return err
		}
		for col := 2; col <= 6; col += 2 {
			if err := s.merge(col, col+1); err != nil {
				return err
			}
		}
	}
	return nil
}
