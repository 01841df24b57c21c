package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"paytool/internal/order"
	"paytool/internal/pay"
)

func TestJournal(t *testing.T) {
	b := newBed(t)
	ctx := b.ctx()
	no := taggedNumber(t, 1, 2) // its own group is out
	lease := func(holder string, now time.Time) bool {
		t.Helper()
		ok, err := b.group.LeaseJournal(ctx, order.JournalEntry{OrderNo: no, Holder: holder, Until: now.Add(time.Minute)}, now)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	if !lease("a", t0) || !lease("a", t0.Add(time.Second)) || lease("b", t0.Add(time.Minute)) {
		t.Error("a lease is the first one's until it ends, and may be renewed")
	}
	if !lease("b", t0.Add(61*time.Second)) || lease("a", t0.Add(62*time.Second)) {
		t.Error("a lease that has ended is free")
	}
	list := func(no pay.OrderNo) []order.JournalEntry {
		t.Helper()
		entries, err := b.group.Journal(ctx, no, 10)
		if err != nil {
			t.Fatal(err)
		}
		return entries
	}
	if entries := list(no); len(entries) != 0 {
		t.Errorf("entries without an answer: %+v", entries)
	}
	put := func(no pay.OrderNo, v order.Verdict, created time.Time) {
		t.Helper()
		e := order.JournalEntry{OrderNo: no, Created: created, Answer: &order.Answer{Verdict: v, TradeNo: "ch1", Amount: 1250, At: t0, Code: "TRADE \"成功\""}}
		if err := b.group.PutJournal(ctx, e); err != nil {
			t.Fatal(err)
		}
	}
	older := taggedNumber(t, 2, 2) // never leased
	put(no, order.Unclear, t0)
	put(no, order.Success, t0)
	put(no, order.Failed, t0) // the first definite one stays
	put(older, order.Success, t0.Add(-time.Hour))
	all := list(pay.OrderNo{})
	if len(all) != 2 || all[0].OrderNo != older || all[1].OrderNo != no || all[1].Holder != "b" {
		t.Fatalf("entries: %+v", all)
	}
	want := order.Answer{Verdict: order.Success, TradeNo: "ch1", Amount: 1250, At: t0, Code: "TRADE \"成功\""}
	if d := cmp.Diff(want, *all[1].Answer); d != "" {
		t.Errorf("the answer (-want +got):\n%s", d)
	}
	for range 2 { // the second time there is nothing
		if err := b.group.DropJournal(ctx, no); err != nil {
			t.Fatal(err)
		}
	}
	if len(list(no)) != 0 || len(list(older)) != 1 {
		t.Error("dropped the wrong entry")
	}
}
