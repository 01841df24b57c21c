package ledger

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"paytool/internal/recon"
)

const aDay = 24 * time.Hour

func TestAgesAndMovements(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d, e := lacking(recon.MissingInOurs, friday, "A", 100), lacking(recon.MissingInChannel, friday, "B", 7)
	b.mustRun(result("r1", friday, d, e), "") // on Sunday the 22nd at 09:00; the trades are of Friday noon
	end := func(id recon.ID) {
		t.Helper()
		p := must(b.propose(Resolve, id))(t)
		must(b.Approve(b.ctx, "wang", p.ID, ""))(t)
	}
	b.clock.pass(aDay) // the 23rd
	end(d.ID)
	must(b.propose(Reopen, d.ID))(t)
	end(e.ID)
	b.clock.pass(aDay) // the 24th
	end(d.ID)
	b.clock.pass(aDay) // the 25th
	must(b.propose(Reopen, d.ID))(t)
	b.clock.pass(4 * aDay) // the 29th

	want := []Movement{
		{"2026-11-21", 0, 0, 0, 0, 0}, {"2026-11-22", 0, 2, 0, 0, 2}, {"2026-11-23", 2, 0, 1, 2, 1}, {"2026-11-24", 1, 0, 0, 1, 0},
		{"2026-11-25", 0, 0, 1, 0, 1}, {"2026-11-26", 1, 0, 0, 0, 1}, {"2026-11-27", 1, 0, 0, 0, 1}, {"2026-11-28", 1, 0, 0, 0, 1}, {"2026-11-29", 1, 0, 0, 0, 1},
	}
	if diff := cmp.Diff(want, must(b.Movements(b.ctx, &wechat, 9))(t)); diff != "" {
		t.Errorf("movements (-want +got)\n%s", diff)
	}
	one, both := AgeTotal{1, 100}, AgeTotal{2, 107}
	ages := []DayAges{
		{"2026-11-21", Buckets{}}, {"2026-11-22", Buckets{UpTo3: both}}, {"2026-11-23", Buckets{UpTo7: one}}, {"2026-11-24", Buckets{}},
		{"2026-11-25", Buckets{UpTo7: one}}, {"2026-11-26", Buckets{UpTo7: one}}, {"2026-11-27", Buckets{Beyond: one}},
		{"2026-11-28", Buckets{Beyond: one}}, {"2026-11-29", Buckets{Beyond: one}},
	}
	if diff := cmp.Diff(ages, must(b.Ages(b.ctx, nil, 9))(t)); diff != "" {
		t.Errorf("ages (-want +got)\n%s", diff)
	}
	if none := must(b.Ages(b.ctx, &Book{"alipay", ""}, 1))(t); none[0] != (DayAges{Date: "2026-11-29"}) {
		t.Errorf("another book: %+v", none)
	}
}

func TestBuckets(t *testing.T) {
	t.Parallel()
	for age, want := range map[time.Duration]Buckets{
		0: {UpTo1: AgeTotal{1, 5}}, aDay: {UpTo1: AgeTotal{1, 5}}, aDay + 1: {UpTo3: AgeTotal{1, 5}}, 3 * aDay: {UpTo3: AgeTotal{1, 5}},
		3*aDay + 1: {UpTo7: AgeTotal{1, 5}}, 7 * aDay: {UpTo7: AgeTotal{1, 5}}, 7*aDay + 1: {Beyond: AgeTotal{1, 5}},
	} {
		var b Buckets
		if b.add(age, 5); b != want {
			t.Errorf("%v: %+v", age, b)
		}
	}
}

// TestNoTradeTime: without a time of its own a difference ages from its day.
func TestNoTradeTime(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := lacking(recon.RejectedRow, "2026-11-21", "A", 1)
	d.Time = time.Time{}
	b.mustRun(result("r1", "2026-11-21", d), "") // 33 hours after the day began in Beijing
	if a := must(b.Ages(b.ctx, nil, 1))(t); a[0].UpTo3.Rows != 1 {
		t.Errorf("%+v", a)
	}
	b.clock.pass(-10 * time.Hour) // 23 hours
	if a := must(b.Ages(b.ctx, nil, 1))(t); a[0].UpTo1.Rows != 0 {
		t.Errorf("yesterday it was not known: %+v", a)
	}
}

func TestOverdue(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	open, put, closed := lostOrder("A"), lostOrder("B"), lostOrder("C")
	b.mustRun(result("r1", friday, open, put, closed), "")
	p := must(b.propose(Resolve, closed.ID))(t)
	must(b.Approve(b.ctx, "wang", p.ID, ""))(t)
	must(b.Propose(b.ctx, NewProposal{Actor: "li", Action: Carry, Reason: "channel_error", Until: "2026-12-05", Differences: []recon.ID{put.ID}}))(t)
	overdue := func(what string, want ...recon.ID) {
		t.Helper()
		got := ids(must(b.Overdue(b.ctx, &wechat))(t))
		slices.Sort(got)
		equal(t, what, got, want)
	}
	b.clock.pass(7 * aDay)
	overdue("after seven days")
	b.clock.pass(time.Millisecond)
	overdue("after more than seven days", open.ID)
	old := lacking(recon.MissingInOurs, "2026-01-05", "old", 5)
	b.mustRun(result("r-old", "2026-01-05", old), "")
	overdue("a new one of an old day", open.ID)
	b.clock.pass(6 * aDay) // the 5th of December
	overdue("on the day that it is put off to", open.ID)
	b.clock.pass(aDay)
	overdue("the day after", open.ID, put.ID)
	must(b.Propose(b.ctx, NewProposal{Actor: "li", Action: Carry, Reason: "channel_error", Until: "2026-12-07", Differences: []recon.ID{open.ID}}))(t)
	overdue("put off when it was overdue", put.ID)
}

func TestQuery(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	small, large, earlier := lostOrder("A"), lostOrder("B"), lostOrder("C")
	small.DifferenceFen, large.DifferenceFen = 1, -900
	earlier.DifferenceFen, earlier.Time = 1, earlier.Time.Add(-time.Hour)
	fee := lacking(recon.FeeMismatch, friday, "D", 5000)
	fee.ChannelTradeNo, fee.RefundNo = "T1", "%"
	b.mustRun(result("r1", friday, fee, small, large, earlier), "")
	next := lacking(recon.MissingInOurs, "2026-11-21", "E", 3)
	b.mustRun(result("r2", "2026-11-21", next), "")
	p := must(b.propose(WriteOff, small.ID))(t)
	must(b.Approve(b.ctx, "wang", p.ID, ""))(t)
	must(b.propose(WriteOff, large.ID))(t)

	for name, tt := range map[string]struct {
		query Query
		want  []recon.ID
	}{
		"all, the most pressing first": {Query{}, []recon.ID{large.ID, earlier.ID, small.ID, next.ID, fee.ID}},
		"some":                         {Query{Limit: 2}, []recon.ID{large.ID, earlier.ID}},
		"of a class":                   {Query{Class: recon.FeeMismatch}, []recon.ID{fee.ID}},
		"of two states":                {Query{States: []State{StateWrittenOff, StateReissued}}, []recon.ID{small.ID}},
		"from a day":                   {Query{From: "2026-11-21"}, []recon.ID{next.ID}},
		"to a day":                     {Query{To: friday, Class: recon.FeeMismatch}, []recon.ID{fee.ID}},
		"pending":                      {Query{Pending: true}, []recon.ID{large.ID}},
		"of another book":              {Query{Book: &Book{"wechat", ""}}, nil},
		"by order":                     {Query{Text: "B"}, []recon.ID{large.ID}},
		"by trade number":              {Query{Text: "T1"}, []recon.ID{fee.ID}},
		"by refund number":             {Query{Text: "%"}, []recon.ID{fee.ID}},
		"by id":                        {Query{Text: string(next.ID)}, []recon.ID{next.ID}},
		"by the beginning of an id":    {Query{Text: "D-2026-11-21"}, []recon.ID{next.ID}},
		"by nothing that is there":     {Query{Text: "D-_026"}, nil},
		"by hostile text":              {Query{Text: "' OR 1=1 --"}, nil},
	} {
		equal(t, name, ids(must(b.Differences(b.ctx, tt.query))(t)), tt.want)
	}
	if _, err := b.Differences(b.ctx, Query{Text: "D-2026"}); err == nil {
		t.Error("an ambiguous beginning was taken")
	}
}
