package ledger

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"paytool/internal/pay"
	"paytool/internal/recon"
)

func TestSameRunTwice(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := result("r1", "2026-11-20", lacking(recon.MissingInOurs, "2026-11-20", "A", 100), lacking(recon.MissingInChannel, "2026-11-20", "B", 5))
	first := b.mustRun(r, "")
	if first.Known || first.Opened != 2 || first.Resolved != 0 || first.Head.Seq != 3 {
		t.Errorf("%+v", first)
	}
	b.clock.pass(time.Hour)
	again := b.mustRun(r, "")
	if !again.Known || again.Opened != 0 || again.Head != first.Head {
		t.Errorf("%+v, want nothing new", again)
	}
	b.whole(&first.Head)
}

// TestSameReport: what is kept of a run is all that its report is made of.
func TestSameReport(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := result("r1", "2026-11-20", lacking(recon.MissingInOurs, "2026-11-20", "A\x00'; DROP TABLE events; --", 100))
	r.Rejected = []recon.Rejection{{File: "bill.csv", Line: 3, Reason: "the amount is no amount"}}
	r.Warnings = []string{"a warning"}
	r.FundBalance = &recon.FundBalance{Opening: 1, Closing: 99}
	r.Closing = []recon.Carried{{Flow: recon.TradeFlow, From: "2026-11-20", Deadline: "2026-11-21", Row: recon.Row{OrderNo: "C", Amount: 7, Time: morning}}}
	b.mustRun(r, "")
	got := must(b.Run(b.ctx, wechat, "2026-11-20"))(t)
	if diff := cmp.Diff(r, got.Result, cmpopts.IgnoreUnexported(recon.Row{})); diff != "" {
		t.Errorf("(-recorded +read)\n%s", diff)
	}
	o := must(b.Opening(b.ctx, wechat, "2026-11-21"))(t)
	if diff := cmp.Diff(r.Closing, o.Carried, cmpopts.IgnoreUnexported(recon.Row{})); diff != "" || o.RunID != "r1" || o.Fund == nil || *o.Fund != 99 {
		t.Errorf("the next day starts from %+v", o)
	}
	if o := must(b.Opening(b.ctx, wechat, "2026-11-22"))(t); o.Fund != nil || len(o.Carried) != 1 {
		t.Errorf("a day later it starts from %+v: the fund's balance is the day before's alone", o)
	}
	if o := must(b.Opening(b.ctx, wechat, "2026-11-20"))(t); o.RunID != "" || o.Carried != nil {
		t.Errorf("the first day starts from %+v", o)
	}
	if r := must(b.Known(b.ctx, wechat, "2026-11-19"))(t); r != nil {
		t.Errorf("a day that was not run is %+v", r)
	}
	if _, err := b.Run(b.ctx, wechat, "2026-11-19"); !errors.Is(err, ErrUnknown) {
		t.Errorf("a day that was not run: %v", err)
	}
	b.whole(nil)
}

func TestSupersede(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const date = "2026-11-20"
	kept, gone := lacking(recon.MissingInOurs, date, "A", 100), lacking(recon.MissingInOurs, date, "B", 200)
	first := b.mustRun(result("r1", date, kept, gone), "")

	_, err := b.run(result("r2", date, kept), "")
	closed, ok := errors.AsType[*ClosedDayError](err)
	if !ok || closed.Recorded != "r1" || closed.RunID != "r2" || closed.Date != date || closed.Book != wechat {
		t.Fatalf("%v, want a ClosedDayError", err)
	}
	if head := must(b.Head(b.ctx))(t); head != first.Head {
		t.Error("a refused run has written")
	}

	b.clock.pass(time.Minute)
	kept.File, kept.Line = "corrected.csv", 8 // the same difference at another place
	done := b.mustRun(result("r2", date, kept), "the channel sent a new bill")
	if done.Opened != 0 || done.Resolved != 1 {
		t.Errorf("%+v, want one resolved", done)
	}
	b.want(kept.ID, StateOpen, "")
	b.want(gone.ID, StateResolved, reasonSuperseded)
	if e := b.entry(kept.ID); e.RunID != "r2" || e.Line != 8 || !e.First.Equal(morning) {
		t.Errorf("%+v, want it as run r2 has it, and first reported by r1", e)
	}
	rec := must(b.Known(b.ctx, wechat, date))(t)
	if rec.Supersedes != "r1" || rec.Reason != "the channel sent a new bill" {
		t.Errorf("%+v", rec)
	}

	b.mustRun(result("r1", date, kept, gone), "the old bill was right")
	b.want(gone.ID, StateOpen, reasonFoundAgain)
	equal(t, "history", b.types(gone.ID), []string{eventOpened, eventResolved, eventReopened})
	b.whole(&first.Head)
}

// TestEndedStaysEnded: a person's decision outlives another run of the day.
func TestEndedStaysEnded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := lacking(recon.MissingInOurs, "2026-11-20", "A", 100)
	b.mustRun(result("r1", "2026-11-20", d), "")
	p := must(b.Propose(b.ctx, NewProposal{Actor: "li", Action: WriteOff, Reason: "rounding", Differences: []recon.ID{d.ID}}))(t)
	must(b.Approve(b.ctx, "wang", p.ID, ""))(t)
	for i, r := range []*recon.Result{result("r2", "2026-11-20"), result("r3", "2026-11-20", d)} {
		if done := b.mustRun(r, "again"); done.Opened+done.Resolved != 0 {
			t.Errorf("run %d: %+v", i+2, done)
		}
		b.want(d.ID, StateWrittenOff, "rounding")
	}
	b.whole(nil)
}

// TestStale: a day whose beginning was changed is run again without a reason; one
// whose beginning came out the same is not.
func TestStale(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	carrying := func(id, date string, orders ...string) *recon.Result {
		r := result(id, date)
		for _, o := range orders {
			r.Closing = append(r.Closing, recon.Carried{Flow: recon.TradeFlow, From: date, Row: recon.Row{OrderNo: o, Amount: 1, Time: morning}})
		}
		return r
	}
	b.mustRun(carrying("r20", "2026-11-20", "A"), "")
	b.mustRun(carrying("r21", "2026-11-21"), "")
	b.mustRun(carrying("r22", "2026-11-22"), "")
	if done := b.mustRun(carrying("r20b", "2026-11-20", "A"), "a new bill, the same rows"); done.Stale != nil {
		t.Errorf("stale: %v", done.Stale)
	}
	done := b.mustRun(carrying("r20c", "2026-11-20", "A", "B"), "a new bill")
	equal(t, "stale", done.Stale, []string{"2026-11-21"})
	runs := must(b.Runs(b.ctx, "", ""))(t)
	equal(t, "stale runs", []bool{runs[0].Stale, runs[1].Stale, runs[2].Stale}, []bool{false, true, false})

	changed := carrying("r21x", "2026-11-21")
	changed.Files = []recon.File{{Role: recon.RoleTrade, Name: "bill.csv", SHA256: strings.Repeat("cd", 32), Rows: 9}}
	if _, err := b.run(changed, ""); err == nil {
		t.Error("a changed bill came in unseen with a stale day")
	}
	again := b.mustRun(carrying("r21b", "2026-11-21"), "")
	if again.Known || again.Stale != nil {
		t.Errorf("%+v, want the stale day replaced", again)
	}
	if r := must(b.Known(b.ctx, wechat, "2026-11-21"))(t); r.Supersedes != "r21" || r.Reason != reasonStale || r.Stale {
		t.Errorf("%+v", r)
	}
	b.whole(nil)
}

// TestStaleSameRun: the same run confirms a stale day, once.
func TestStaleSameRun(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	fund := func(id, date string, closing pay.Fen) *recon.Result {
		r := result(id, date)
		r.FundBalance = &recon.FundBalance{Closing: closing}
		return r
	}
	b.mustRun(fund("r20", "2026-11-20", 5), "")
	b.mustRun(fund("r21", "2026-11-21", 9), "")
	if done := b.mustRun(fund("r20b", "2026-11-20", 6), "a new bill"); len(done.Stale) != 1 {
		t.Errorf("%+v", done)
	}
	if done := b.mustRun(fund("r21", "2026-11-21", 9), ""); done.Known {
		t.Error("a stale day was left as it was")
	}
	if done := b.mustRun(fund("r21", "2026-11-21", 9), ""); !done.Known {
		t.Error("a confirmed day was confirmed again")
	}
	b.whole(nil)
}

func TestOpeningChanged(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	o := must(b.Opening(b.ctx, wechat, "2026-11-21"))(t)
	r := result("r20", "2026-11-20")
	r.Closing = []recon.Carried{{Flow: recon.TradeFlow, Row: recon.Row{OrderNo: "A"}}}
	b.mustRun(r, "") // another run comes between
	_, err := b.Record(b.ctx, Run{Account: "shop", Result: result("r21", "2026-11-21"), Opening: o, Actor: "li"})
	if _, ok := errors.AsType[*OpeningChangedError](err); !ok {
		t.Errorf("%v, want an OpeningChangedError", err)
	}
}

func TestLateCounterpart(t *testing.T) {
	t.Parallel()
	ours := lacking(recon.MissingInChannel, "2026-11-20", "A", 100)
	for name, tt := range map[string]struct {
		change func(d *recon.Difference)
		pairs  bool
	}{
		"the same movement":  {func(*recon.Difference) {}, true},
		"another order":      {func(d *recon.Difference) { d.OrderNo = "B" }, false},
		"another amount":     {func(d *recon.Difference) { d.DifferenceFen = 99 }, false},
		"the same direction": {func(d *recon.Difference) { d.DifferenceFen = -100 }, false},
		"another kind":       {func(d *recon.Difference) { d.Kind = pay.EntryRefund }, false},
		"another refund":     {func(d *recon.Difference) { d.RefundNo = "R" }, false},
		"another class":      {func(d *recon.Difference) { d.Class = recon.AmountMismatch }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.mustRun(result("r20", "2026-11-20", ours), "")
			theirs := lacking(recon.MissingInOurs, "2026-11-21", "A", 100)
			tt.change(&theirs)
			done := b.mustRun(result("r21", "2026-11-21", theirs), "")
			if tt.pairs != (done.Resolved == 2) || done.Opened != 1 {
				t.Fatalf("%+v", done)
			}
			if tt.pairs {
				b.want(ours.ID, StateResolved, reasonLateCounterpart)
				b.want(theirs.ID, StateResolved, reasonLateCounterpart)
				if b.entry(ours.ID).Other != theirs.ID || b.entry(theirs.ID).Other != ours.ID {
					t.Error("they do not name each other")
				}
			}
			b.whole(nil)
		})
	}
}

func TestLateCounterpartOfRevoke(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ours, theirs := lacking(recon.MissingInChannel, "2026-11-20", "A", 100), lacking(recon.MissingInOurs, "2026-11-21", "A", 100)
	for _, d := range []*recon.Difference{&ours, &theirs} {
		d.Kind, d.DifferenceFen = pay.EntryRevoke, -d.DifferenceFen
	}
	theirs.RefundNo = "0" // not part of a revoke's identity
	b.mustRun(result("r20", "2026-11-20", ours), "")
	if done := b.mustRun(result("r21", "2026-11-21", theirs), ""); done.Resolved != 2 {
		t.Errorf("%+v", done)
	}
}

// TestCounterpartGone: a superseding run takes one of a pair away, and the other is
// open again; when it comes back they are a pair again.
func TestCounterpartGone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ours, theirs := lacking(recon.MissingInChannel, "2026-11-20", "A", 100), lacking(recon.MissingInOurs, "2026-11-21", "A", 100)
	b.mustRun(result("r20", "2026-11-20", ours), "")
	b.mustRun(result("r21", "2026-11-21", theirs), "")
	b.mustRun(result("r20b", "2026-11-20"), "a new bill")
	b.want(ours.ID, StateResolved, reasonSuperseded)
	b.want(theirs.ID, StateOpen, reasonCounterpartGone)
	b.mustRun(result("r20", "2026-11-20", ours), "the old one was right")
	b.want(ours.ID, StateResolved, reasonLateCounterpart)
	b.want(theirs.ID, StateResolved, reasonLateCounterpart)
	b.whole(nil)
}

func TestRecordRefuses(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := lacking(recon.MissingInOurs, "2026-11-20", "A", 100)
	nameless := d
	nameless.ID = ""
	for name, run := range map[string]Run{
		"no result":         {Actor: "li"},
		"no actor":          {Account: "shop", Result: result("r", "2026-11-20")},
		"invisible actor":   {Account: "shop", Result: result("r", "2026-11-20"), Actor: "li\u200b"},
		"no date":           {Account: "shop", Result: result("r", "yesterday"), Actor: "li"},
		"no run id":         {Account: "shop", Result: result("", "2026-11-20"), Actor: "li"},
		"another account":   {Account: "other", Result: result("r", "2026-11-20"), Actor: "li"},
		"no id":             {Account: "shop", Result: result("r", "2026-11-20", nameless), Actor: "li"},
		"the same id twice": {Account: "shop", Result: result("r", "2026-11-20", d, d), Actor: "li"},
		"a reason of lines": {Account: "shop", Result: result("r", "2026-11-20"), Actor: "li", Supersede: "a\nb"},
	} {
		if _, err := b.Record(b.ctx, run); err == nil {
			t.Errorf("%s was recorded", name)
		}
	}
	if head := must(b.Head(b.ctx))(t); head.Seq != 0 {
		t.Errorf("%d events", head.Seq)
	}
}

func TestBooksAreApart(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.mustRun(result("r1", "2026-11-20", lacking(recon.MissingInChannel, "2026-11-20", "A", 100)), "")
	other := result("r2", "2026-11-21", lacking(recon.MissingInOurs, "2026-11-21", "A", 100))
	other.Account = "stall"
	done := must(b.Record(b.ctx, Run{Account: "stall", Result: other, Opening: must(b.Opening(b.ctx, Book{"wechat", "stall"}, "2026-11-21"))(t), Actor: "li"}))(t)
	if done.Resolved != 0 {
		t.Error("a pair was made of two accounts' differences")
	}
	equal(t, "books", must(b.Books(b.ctx))(t), []Book{wechat, {"wechat", "stall"}})
	equal(t, "the stall's", ids(must(b.Differences(b.ctx, Query{Book: &Book{"wechat", "stall"}}))(t)), []recon.ID{other.Differences[0].ID})
	if runs := must(b.Runs(b.ctx, "2026-11-21", "2026-11-21"))(t); len(runs) != 1 || !slices.Equal(runs[0].Result.Files, other.Files) {
		t.Errorf("%+v", runs)
	}
}
