package ledger

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"paytool/internal/pay"
	"paytool/internal/recon"
)

const friday = "2026-11-20"

// lostOrder is paid at the channel and closed in our books.
func lostOrder(order string) recon.Difference {
	d := lacking(recon.StateMismatch, friday, order, 100)
	d.OursFen = 100
	return d
}

// consoleRefund is a refund that only the channel has.
func consoleRefund(order string) recon.Difference {
	d := lacking(recon.MissingInOurs, friday, order, 30)
	d.Kind, d.DifferenceFen, d.RefundNo = pay.EntryRefund, -30, "R"+order
	return d
}

func (b *bench) propose(a Action, ids ...recon.ID) (Proposal, error) {
	return b.Propose(b.ctx, NewProposal{Actor: "li", Action: a, Reason: "our_error", Differences: ids})
}

func TestFourEyes(t *testing.T) {
	t.Parallel()
	for action, state := range map[Action]State{Resolve: StateResolved, WriteOff: StateWrittenOff} {
		b := newBench(t)
		d := lostOrder("A")
		b.mustRun(result("r1", friday, d), "")
		p := must(b.propose(action, d.ID))(t)
		if p.DecidedAt != nil || p.Stage != Proposed || p.By != "li" || p.Sum != 100 || p.Count != 1 {
			t.Errorf("%+v", p)
		}
		if e := b.entry(d.ID); e.State != StateOpen || e.Pending == nil || e.Pending.ID != p.ID {
			t.Errorf("%+v", e)
		}
		for _, same := range []string{"li", "Li", "L I"} {
			if _, err := b.Approve(b.ctx, same, p.ID, ""); !errors.Is(err, ErrFourEyes) {
				t.Errorf("%s approved his own proposal: %v", same, err)
			}
		}
		b.clock.pass(time.Minute)
		done := must(b.Approve(b.ctx, "wang", p.ID, "as the channel said"))(t)
		if done.Stage != Done || done.DecidedBy != "wang" || done.DecidedAt == nil || !done.DecidedAt.Equal(b.clock.Now()) {
			t.Errorf("%+v", done)
		}
		b.want(d.ID, state, "our_error")
		if _, err := b.Approve(b.ctx, "zhao", p.ID, ""); !errors.Is(err, ErrStage) {
			t.Errorf("approved twice: %v", err)
		}
		if _, err := b.Reject(b.ctx, "zhao", p.ID, ""); !errors.Is(err, ErrStage) {
			t.Errorf("rejected when done: %v", err)
		}
		equal(t, "history", b.types(d.ID), []string{eventOpened, eventProposed, eventApproved})
		b.whole(nil)
	}
}

func TestAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := lostOrder("A")
	b.mustRun(result("r1", friday, d), "")
	carry := NewProposal{Actor: "li", Action: Carry, Reason: "channel_error", Until: "2026-11-25", Differences: []recon.ID{d.ID}}
	if p := must(b.Propose(b.ctx, carry))(t); p.Stage != Done {
		t.Errorf("%+v", p)
	}
	if e := b.entry(d.ID); e.State != StateCarried || e.Until != "2026-11-25" || e.Pending != nil {
		t.Errorf("%+v", e)
	}
	p := must(b.propose(Resolve, d.ID))(t)
	if _, err := b.Propose(b.ctx, NewProposal{Actor: "zhao", Action: Carry, Reason: "our_error", Until: "2026-11-26", Differences: carry.Differences}); !errors.Is(err, ErrPending) {
		t.Errorf("carried while it waits: %v", err)
	}
	must(b.Approve(b.ctx, "wang", p.ID, ""))(t)
	must(b.propose(Reopen, d.ID))(t)
	if e := b.entry(d.ID); e.State != StateOpen || e.Until != "" {
		t.Errorf("%+v", e)
	}
	b.whole(nil)
}

// TestSayItAgain: the same words by the same person are the same proposal, as long as
// what it did is still there.
func TestSayItAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d, e := lostOrder("A"), lostOrder("B")
	b.mustRun(result("r1", friday, d, e), "")
	want := NewProposal{Actor: "li", Action: WriteOff, Reason: "rounding", Text: "x", Differences: []recon.ID{d.ID}}
	again := func(what string, same bool) Proposal {
		t.Helper()
		last := must(b.Proposals(b.ctx))(t)
		p := must(b.Propose(b.ctx, want))(t)
		if now := must(b.Proposals(b.ctx))(t); (len(now) == len(last)) != same {
			t.Errorf("%s: %d proposals, then %d", what, len(last), len(now))
		}
		return p
	}
	p := again("the first time", false)
	again("proposed", true)
	must(b.Approve(b.ctx, "wang", p.ID, ""))(t)
	again("done", true)
	must(b.propose(Reopen, d.ID))(t)
	p = again("reopened since", false)
	must(b.Reject(b.ctx, "li", p.ID, ""))(t)
	again("rejected", false)
	want.Text = "y"
	if _, err := b.Propose(b.ctx, want); !errors.Is(err, ErrPending) {
		t.Errorf("other words while the first wait: %v", err)
	}
	if err := b.CheckProposal(b.ctx, want); !errors.Is(err, ErrPending) {
		t.Errorf("checked: %v", err)
	}
	b.whole(nil)
}

func TestProposeRefuses(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d, e := lostOrder("A"), consoleRefund("B")
	b.mustRun(result("r1", friday, d, e), "")
	head := must(b.Head(b.ctx))(t)
	for name, ids := range map[string][]recon.ID{"one of them does not fit": {e.ID, d.ID}, "unknown": {"D-0"}, "twice": {d.ID, d.ID}} {
		action := Reissue
		if len(ids) > 1 {
			action = Resolve
		}
		if name == "one of them does not fit" {
			must(b.propose(Resolve, e.ID))(t) // it waits
			head = must(b.Head(b.ctx))(t)
		}
		if _, err := b.propose(action, ids...); err == nil {
			t.Errorf("%s: proposed", name)
		}
		if now := must(b.Head(b.ctx))(t); now != head {
			t.Errorf("%s: something was written", name)
		}
	}
	all := []NewProposal{
		{Actor: "li", Action: Resolve, Reason: "our_error", Differences: []recon.ID{d.ID}},
		{Actor: "li", Action: Reopen, Reason: "our_error", Differences: []recon.ID{d.ID}},
	}
	if _, err := b.ProposeAll(b.ctx, all); !errors.Is(err, ErrPending) {
		t.Errorf("%v", err)
	}
	if b.entry(d.ID).Pending != nil {
		t.Error("half of the proposals were taken")
	}
	for _, id := range []ProposalID{"P-99", "99", "P-01", "P-", "P--1", "Q-1"} {
		if _, err := b.Approve(b.ctx, "wang", id, ""); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func TestInstruction(t *testing.T) {
	t.Parallel()
	for action, d := range map[Action]recon.Difference{Reissue: lostOrder("A"), ConsoleRefund: consoleRefund("A")} {
		b := newBench(t)
		b.mustRun(result("r1", friday, d), "")
		p := must(b.propose(action, d.ID))(t)
		if _, err := b.Finish(b.ctx, "engine", p.ID, true, "done"); !errors.Is(err, ErrStage) {
			t.Errorf("carried out without an approval: %v", err)
		}
		must(b.Approve(b.ctx, "wang", p.ID, ""))(t)
		b.want(d.ID, StateOpen, "")
		todo := must(b.Instructions(b.ctx))(t)
		if len(todo) != 1 || todo[0].Proposal.ID != p.ID || todo[0].Entry.ID != d.ID {
			t.Fatalf("%+v", todo)
		}
		failed := must(b.Finish(b.ctx, "engine", p.ID, false, "the channel says NOTPAY"))(t)
		if failed.Stage != Failed || failed.Result != "the channel says NOTPAY" || b.entry(d.ID).Pending != nil {
			t.Errorf("%+v", failed)
		}
		p = must(b.propose(action, d.ID))(t)
		must(b.Approve(b.ctx, "wang", p.ID, ""))(t)
		must(b.Finish(b.ctx, "engine", p.ID, true, "done"))(t)
		head := must(b.Head(b.ctx))(t)
		must(b.Finish(b.ctx, "engine", p.ID, true, "done before"))(t)
		if now := must(b.Head(b.ctx))(t); now != head {
			t.Error("the same result twice was written twice")
		}
		if _, err := b.Finish(b.ctx, "engine", p.ID, false, "no"); !errors.Is(err, ErrStage) {
			t.Errorf("undone: %v", err)
		}
		b.want(d.ID, action.outcome(), "our_error")
		must(b.propose(Reopen, d.ID))(t)
		for _, a := range []Action{WriteOff, action} {
			if _, err := b.propose(a, d.ID); err == nil {
				t.Errorf("%s after %s: the money would count twice", a, action)
			}
		}
		b.whole(nil)
	}
}

// TestOvertaken: a run ends differences that wait for a second person.
func TestOvertaken(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d, e, f := lostOrder("A"), lostOrder("B"), lostOrder("C")
	b.mustRun(result("r1", friday, d, e, f), "")
	alone := must(b.propose(Resolve, d.ID))(t)
	both := must(b.propose(WriteOff, e.ID, f.ID))(t)
	b.mustRun(result("r2", friday, f), "a new bill")
	if p := must(b.Proposal(b.ctx, alone.ID))(t); p.Stage != Rejected || p.Result == "" {
		t.Errorf("%+v", p)
	}
	if p := must(b.Proposal(b.ctx, both.ID))(t); p.Stage != Proposed || p.Count != 1 || p.Sum != 100 || len(p.Differences) != 1 || p.Differences[0] != f.ID {
		t.Errorf("%+v", p)
	}
	must(b.Approve(b.ctx, "wang", both.ID, ""))(t)
	b.want(e.ID, StateResolved, reasonSuperseded)
	b.want(f.ID, StateWrittenOff, "our_error")
	b.whole(nil)
}

// TestOvertakenInstruction: what the order engine is at work on waits for its result.
func TestOvertakenInstruction(t *testing.T) {
	t.Parallel()
	for _, ok := range []bool{true, false} {
		b := newBench(t)
		d := lostOrder("A")
		b.mustRun(result("r1", friday, d), "")
		p := must(b.propose(Reissue, d.ID))(t)
		must(b.Approve(b.ctx, "wang", p.ID, ""))(t)
		b.mustRun(result("r2", friday), "a new bill")
		b.want(d.ID, StateOpen, "")
		must(b.Finish(b.ctx, "engine", p.ID, ok, "x"))(t)
		if ok {
			b.want(d.ID, StateReissued, "our_error")
		} else {
			b.want(d.ID, StateResolved, reasonSuperseded)
		}
		b.whole(nil)
	}
}

func TestSmall(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var ds []recon.Difference
	for i := range 6 {
		ds = append(ds, lacking(recon.MissingInOurs, friday, fmt.Sprint(i), pay.Fen(i))) // 0 to 5 fen
	}
	ds[5].DifferenceFen = -3
	b.mustRun(result("r1", friday, ds...), "")
	must(b.propose(Resolve, ds[1].ID))(t)
	small := SmallProposal{Actor: "li", Book: &wechat, Tolerance: 3, Reason: "rounding"}
	count, sum, err := b.CheckSmall(b.ctx, small)
	if count != 3 || sum != 2+3-3 || err != nil {
		t.Errorf("%d, %d, %v", count, sum, err)
	}
	before := must(b.Head(b.ctx))(t)
	p := must(b.ProposeSmall(b.ctx, small))(t)
	if p.Count != 3 || p.Sum != 2 || len(p.Differences) != 3 || p.Action != WriteOff {
		t.Errorf("%+v", p)
	}
	if _, err := b.ProposeSmall(b.ctx, small); !errors.Is(err, ErrNothing) {
		t.Errorf("the same again: %v", err)
	}
	must(b.Approve(b.ctx, "wang", p.ID, ""))(t)
	if after := must(b.Head(b.ctx))(t); after.Seq != before.Seq+2 {
		t.Errorf("%d events for one rolled-up entry", after.Seq-before.Seq)
	}
	for i, state := range []State{StateOpen, StateOpen, StateWrittenOff, StateWrittenOff, StateOpen, StateWrittenOff} {
		if e := b.entry(ds[i].ID); e.State != state {
			t.Errorf("%d fen: %s, want %s", ds[i].DifferenceFen, e.State, state)
		}
	}
	if _, err := b.ProposeSmall(b.ctx, SmallProposal{Actor: "li", Reason: "rounding"}); err == nil {
		t.Error("a tolerance of nothing was taken")
	}
	b.whole(nil)
}

func TestWords(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := lostOrder("A")
	b.mustRun(result("r1", friday, d), "")
	p := must(b.Propose(b.ctx, NewProposal{Actor: "li", Action: Reissue, Reason: reasonOther, Text: "a \"word\"", Differences: []recon.ID{d.ID}}))(t)
	must(b.Approve(b.ctx, "wang", p.ID, "fine"))(t)
	must(b.Finish(b.ctx, "engine", p.ID, true, "SUCCESS"))(t)
	var lines []string
	for _, e := range must(b.History(b.ctx, d.ID))(t) {
		lines = append(lines, e.Actor+" "+e.Type+" "+e.Words())
	}
	want := `li opened found by the run at event 1
li proposed P-1: reissue, something else, which the text says: "a \"word\""
wang approved P-1: "fine"
engine finished P-1: done: "SUCCESS"`
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if _, err := b.History(b.ctx, "D-0"); !errors.Is(err, ErrUnknown) {
		t.Errorf("%v", err)
	}
}
