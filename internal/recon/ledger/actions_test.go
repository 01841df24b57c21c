package ledger

import (
	"slices"
	"strings"
	"testing"
	"time"

	"paytool/internal/pay"
	"paytool/internal/recon"
)

func TestFits(t *testing.T) {
	t.Parallel()
	differ := func(class recon.Class, kind pay.EntryKind, fen pay.Fen) Entry {
		return Entry{Difference: recon.Difference{ID: "D", Class: class, Kind: kind, DifferenceFen: fen}, State: StateOpen}
	}
	lost, console := differ(recon.StateMismatch, pay.EntryPay, 5), differ(recon.MissingInOurs, pay.EntryRefund, -5)
	in := func(e Entry, s State) Entry { e.State = s; return e }
	executed := func(e Entry, a Action) Entry { e.Executed = a; return e }
	for name, tt := range map[string]struct {
		entry Entry
		fit   []Action
	}{
		"a lost order":           {lost, []Action{Carry, Resolve, WriteOff, Reissue}},
		"a console refund":       {console, []Action{Carry, Resolve, WriteOff, ConsoleRefund}},
		"a revoke not known":     {differ(recon.StateMismatch, pay.EntryRevoke, -5), []Action{Carry, Resolve, WriteOff}},
		"a refund not known":     {differ(recon.StateMismatch, pay.EntryRefund, -5), []Action{Carry, Resolve, WriteOff}},
		"a payment not known":    {differ(recon.MissingInOurs, pay.EntryPay, 5), []Action{Carry, Resolve, WriteOff}},
		"a refund they lack":     {differ(recon.MissingInChannel, pay.EntryRefund, 5), []Action{Carry, Resolve, WriteOff}},
		"a fee, without amount":  {differ(recon.FeeMismatch, pay.EntryPay, 0), []Action{Carry, Resolve}},
		"carried":                {in(lost, StateCarried), []Action{Carry, Resolve, WriteOff, Reissue}},
		"resolved":               {in(lost, StateResolved), []Action{Reopen}},
		"reissued":               {executed(in(lost, StateReissued), Reissue), []Action{Reopen}},
		"written off":            {in(lost, StateWrittenOff), []Action{Reopen}},
		"reopened after reissue": {executed(lost, Reissue), []Action{Carry, Resolve}},
		"reopened after refund":  {executed(console, ConsoleRefund), []Action{Carry, Resolve}},
	} {
		var fit []Action
		for _, a := range append(Actions(), "burn") {
			err := Fits(a, &tt.entry)
			if err == nil {
				fit = append(fit, a)
			} else if !strings.HasPrefix(err.Error(), string(a)+" D: ") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if !slices.Equal(fit, tt.fit) {
			t.Errorf("%s: %v fit, want %v", name, fit, tt.fit)
		}
	}
}

func TestNewProposalCheck(t *testing.T) {
	t.Parallel()
	good := NewProposal{Actor: "li", Action: Carry, Reason: "our_error", Until: "2026-11-23", Differences: []recon.ID{"D"}}
	long := strings.Repeat("字", maxText)
	for name, tt := range map[string]struct {
		change func(p *NewProposal)
		want   string // in the error; "" for none
	}{
		"carried to tomorrow":      {func(*NewProposal) {}, ""},
		"carried to the last day":  {func(p *NewProposal) { p.Until = "2026-12-23" }, ""},
		"carried to today":         {func(p *NewProposal) { p.Until = "2026-11-22" }, "after today"},
		"carried too far":          {func(p *NewProposal) { p.Until = "2026-12-24" }, "within 31 days"},
		"carried to no day":        {func(p *NewProposal) { p.Until = "" }, "a day like"},
		"carried for nothing":      {func(p *NewProposal) { p.Differences = nil }, "which differences"},
		"a day for a write-off":    {func(p *NewProposal) { p.Action = WriteOff }, "belongs to carry"},
		"two reissues at once":     {func(p *NewProposal) { p.Action, p.Until, p.Differences = Reissue, "", []recon.ID{"D", "E"} }, "one difference at a time"},
		"no reason":                {func(p *NewProposal) { p.Reason = "" }, "is none of"},
		"a reason of runs":         {func(p *NewProposal) { p.Reason = reasonSuperseded }, "is none of"},
		"other without a text":     {func(p *NewProposal) { p.Reason = reasonOther }, "needs a text"},
		"other with a text":        {func(p *NewProposal) { p.Reason, p.Text = reasonOther, "as Wang said" }, ""},
		"a long text":              {func(p *NewProposal) { p.Text = long }, ""},
		"a text that is too long":  {func(p *NewProposal) { p.Text = long + "!" }, "at most 1000"},
		"a text of two lines":      {func(p *NewProposal) { p.Text = "a\nb" }, "control character"},
		"nobody":                   {func(p *NewProposal) { p.Actor = "" }, "is missing"},
		"somebody not to be seen":  {func(p *NewProposal) { p.Actor = "\u2060li" }, "cannot be seen"},
		"a name that is too long":  {func(p *NewProposal) { p.Actor = strings.Repeat("x", maxActor+1) }, "at most 64"},
		"a name with a space last": {func(p *NewProposal) { p.Actor = "li " }, "white space"},
	} {
		p := good
		tt.change(&p)
		err := p.check(morning)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	if err := checkUntil("2026-11-23", morning.Add(15*time.Hour)); err == nil {
		t.Error("after midnight the day is today")
	}
}

func TestSamePerson(t *testing.T) {
	t.Parallel()
	for other, same := range map[string]bool{
		"Li Wei": true, "li wei": true, "LIWEI": true, " l i w e i": true, "Li\u3000Wei": true, "ſi": false, "Li Wei 2": false, "": false,
	} {
		if samePerson("Li Wei", other) != same {
			t.Errorf("%q: %v", other, !same)
		}
	}
}

func TestReasons(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range Reasons() {
		if seen[r.Code] || r.Words == "" {
			t.Errorf("%+v", r)
		}
		seen[r.Code] = true
	}
}
