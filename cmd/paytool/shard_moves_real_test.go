package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/sandbox"
	"paytool/internal/sandbox/sandboxtest"
	"paytool/internal/shard"
	"paytool/internal/shard/move"
	"paytool/internal/shard/mover"
)

// shop is a bench with paid orders, whose client knows what each of them has to be.
type shop struct {
	*bench
	engine *engine // the client's
	orders []*sold
}

// sold is an order, and what its client was told of it.
type sold struct {
	no      pay.OrderNo
	made    time.Time
	key     pay.Key
	refunds []string
}

const (
	shopMerchant = "shop"
	shopPrice    = pay.Fen(1000) // of each order; a refund takes one fen of it
)

// newShop brings up groups with one replica each, or with more.
func newShop(t *testing.T, groups, replicas int) *shop {
	t.Helper()
	s := &shop{bench: &bench{T: t, dir: sandboxtest.Dir(t)}}
	s.config = filepath.Join(s.dir, "paytool.yaml")
	s.grow(groups, replicas)
	return s
}

func (s *shop) grow(groups, replicas int) {
	s.Helper()
	if _, err := sandbox.Up(s.Context(), sandbox.Options{Dir: s.dir, Groups: groups, Replicas: replicas}); err != nil {
		s.Fatal(err)
	}
	s.rewrite(func(text string) string { // the channel's rule of a minute between refunds is not in question
		return strings.Replace(text, "engine:\n", "engine:\n  refund_gap: 1ms\n", 1)
	})
}

// open starts the client's engine, with the config as it is.
func (s *shop) open() {
	s.Helper()
	s.engine = s.newEngine()
	if err := s.engine.start(s.Context()); err != nil {
		s.Fatal(err)
	}
}

// newEngine opens an engine that ends with the test.
func (s *shop) newEngine() *engine {
	s.Helper()
	e, err := (&app{configPath: s.config, err: newStatusLine(io.Discard)}).openEngine(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		if err := e.close(); err != nil {
			s.Error(err)
		}
	})
	return e
}

// sell makes orders and has them paid until each of these groups has one of its own.
func (s *shop) sell(groups ...shard.GroupID) {
	s.Helper()
	missing := slices.Clone(groups)
	for i := 0; len(missing) > 0 || i < 12; i++ {
		if i == 200 {
			s.Fatalf("of 200 orders none lies in groups %v", missing)
		}
		key := pay.Key{MerchantID: shopMerchant, MerchantOrderNo: fmt.Sprintf("S-%d", len(s.orders))}
		o, err := s.engine.Create(s.Context(), order.Request{Key: key, Amount: shopPrice})
		if err != nil {
			s.Fatal(err)
		}
		s.orders = append(s.orders, &sold{no: o.No, made: o.Created, key: key})
		missing = slices.DeleteFunc(missing, func(g shard.GroupID) bool { return g == o.Group })
		code := order.AuthCode("success-" + key.MerchantOrderNo)
		if o, err = s.engine.Pay(s.Context(), o.No, order.PayRequest{AuthCode: code, ConfirmRisk: true}); err != nil {
			s.Fatal(err)
		}
		eventually(s.T, "order "+o.No.String()+" is paid", func() bool {
			o, err := s.engine.Get(s.Context(), o.No)
			return err == nil && o.State == pay.Paid
		})
	}
}

// refund gives one fen of each order back, under the number that it has always had.
func (s *shop) refund() {
	s.Helper()
	for _, o := range s.orders {
		no := fmt.Sprintf("R-%s-%d", o.key.MerchantOrderNo, len(o.refunds))
		if _, _, err := s.engine.Refund(s.Context(), o.no, order.RefundRequest{No: no, Amount: 1}); err != nil {
			s.Errorf("refund %s of order %s: %v", no, o.no, err)
			continue
		}
		o.refunds = append(o.refunds, no)
	}
}

// check demands each order as its client knows it: under its number, with every refund,
// and once in the list.
func (s *shop) check() {
	s.Helper()
	for _, o := range s.orders {
		got, err := s.engine.Get(s.Context(), o.no)
		if err != nil || got.No != o.no || got.Key != o.key || got.State != pay.Paid || got.Amount != shopPrice || got.Refunded != pay.Fen(len(o.refunds)) {
			s.Errorf("order %s of %s with %d refunds is %+v, %v", o.no, o.key, len(o.refunds), got, err)
		}
		trace, err := s.engine.Trace(s.Context(), o.no)
		if err != nil || len(trace.Refunds) != len(o.refunds) {
			s.Errorf("order %s has %d refunds, want %d: %v", o.no, len(trace.Refunds), len(o.refunds), err)
		}
	}
	var page struct {
		Orders []struct {
			No string `json:"order_no"`
		} `json:"orders"`
		Missing []shard.GroupID `json:"missing_groups"`
	}
	if status := s.json(&page, "order", "list", "--merchant", shopMerchant, "--limit", "500"); status != exitDone || len(page.Missing) > 0 {
		s.Errorf("list: exit %d, groups %v are missing\n%s", status, page.Missing, s.stderr)
	}
	seen := map[string]int{}
	for _, o := range page.Orders {
		seen[o.No]++
	}
	for _, o := range s.orders {
		if n := seen[o.no.String()]; n != 1 {
			s.Errorf("the list has order %s %d times", o.no, n)
		}
	}
	if len(page.Orders) != len(s.orders) {
		s.Errorf("the list has %d orders, want %d", len(page.Orders), len(s.orders))
	}
}

// of lists the orders with a tag.
func (s *shop) of(tag pay.Tag) (list []*sold) {
	for _, o := range s.orders {
		if o.no.Tag() == tag {
			list = append(list, o)
		}
	}
	if len(list) == 0 {
		s.Fatalf("no order has tag %d", tag)
	}
	return list
}

// must runs a command that has to end well.
func (s *shop) must(args ...string) {
	s.Helper()
	if status, out, errOut := s.paytool(args...); status != exitDone {
		s.Fatalf("paytool %v: exit %d\n%s%s", args, status, out, errOut)
	}
}

// move carries out a command that moves groups, and holds who takes what over.
func (s *shop) move(want []move.Leg, args ...string) (hash string) {
	s.Helper()
	var done struct {
		*move.Plan
		Runs []runResult `json:"runs"`
	}
	if status := s.json(&done, append([]string{"shard"}, append(args, "--yes")...)...); status != exitDone {
		s.Fatalf("%v: exit %d, %+v\n%s", args, status, done.Refusals, s.stderr)
	}
	var legs []move.Leg
	for _, m := range done.Moves {
		legs = append(legs, m.Leg)
	}
	if !slices.Equal(legs, want) {
		s.Fatalf("%v moved %+v, want %+v", args, legs, want)
	}
	for _, r := range done.Runs {
		if !r.Switched || r.Ended {
			s.Errorf("%v: move %s is not switched: %+v", args, r.Run, r)
		}
	}
	return done.Hash
}

// runs is what the history says.
func (s *shop) runs() []runResult {
	s.Helper()
	var history struct {
		Runs []runResult `json:"runs"`
	}
	if status := s.json(&history, "shard", "history"); status != exitDone {
		s.Fatalf("history: exit %d\n%s", status, s.stderr)
	}
	return history.Runs
}

// steps counts how often a step of the newest run ended like that, with the last note.
func (s *shop) steps(step move.Step, mark move.Mark) (n int, note string) {
	s.Helper()
	runs := s.runs()
	for _, t := range runs[len(runs)-1].Steps {
		if t.Step == step && t.Mark == mark {
			n, note = n+1, t.Note
		}
	}
	return n, note
}

// plan is what a shrink would do.
func (s *shop) plan(args ...string) (p move.Plan) {
	s.Helper()
	if status := s.json(&p, append([]string{"shard", "shrink", "--dry-run"}, args...)...); status != exitDone {
		s.Fatalf("plan %v: exit %d, %+v", args, status, p.Refusals)
	}
	return p
}

// mover carries moves out in this process. point is called before and after all that
// it does, and its error is the process's death.
func (s *shop) mover(point func(string) error) *moves {
	s.Helper()
	holder, err := randomHex(16)
	if err != nil {
		s.Fatal(err)
	}
	e := s.newEngine()
	m := e.openMoves(mover.Options{Holder: holder, Who: "test", Log: e.log, Crash: point})
	m.view = newMoveView(newStatusLine(io.Discard), time.Now)
	return m
}

// only is the one run of a plan.
func (s *shop) only(m *moves, p move.Plan) mover.Run {
	s.Helper()
	runs, err := m.runner.Begin(s.Context(), p)
	if err != nil || len(runs) != 1 {
		s.Fatalf("begin: %+v, %v", runs, err)
	}
	return runs[0]
}

// on runs a statement on a group's primary.
func (s *shop) on(group shard.GroupID, statement string, args ...any) {
	s.Helper()
	s.sql(s.nodes(int(group), sandbox.RolePrimary), fmt.Sprintf(statement, args...))
}

// rewrite changes the config's text.
func (s *shop) rewrite(change func(text string) string) {
	s.Helper()
	text, err := os.ReadFile(s.config)
	if err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(s.config, []byte(change(string(text))), 0o600); err != nil {
		s.Fatal(err)
	}
}

// TestChainOfShrinks lets groups go one after the other, so that tags that were taken
// over move on with those that took them, and lets a new group come. Orders keep their
// numbers, and no number of a group is given out again.
func TestChainOfShrinks(t *testing.T) {
	s := newShop(t, 4, 1)
	s.open()
	s.sell(1, 2, 3, 4)
	s.refund()
	for _, step := range []struct {
		args []string
		want []move.Leg
	}{
		// Of 1, 3 and 4 the second takes over.
		{[]string{"shrink", "--remove", "2"}, []move.Leg{{Tag: 2, From: 2, To: 3}}},
		// 4 modulo two groups is 0: the last of them.
		{[]string{"shrink", "--to", "2"}, []move.Leg{{Tag: 4, From: 4, To: 3}}},
		{[]string{"shrink", "--remove", "3"}, []move.Leg{{Tag: 2, From: 3, To: 1}, {Tag: 3, From: 3, To: 1}, {Tag: 4, From: 3, To: 1}}},
	} {
		hash := s.move(step.want, step.args...)
		s.check()
		s.refund()
		s.check()
		s.must("shard", "verify")
		s.must("shard", "retire", "--plan", hash, "--yes")
		s.check()
	}
	s.engine.Refresh(t.Context())
	topology := s.engine.Fleet().Topology()
	for tag, want := range map[pay.Tag][]shard.GroupID{1: {1}, 2: {2, 3, 1}, 3: {3, 1}, 4: {4, 3, 1}} {
		claim, known := topology.Owner(tag)
		if !known || claim.Group != 1 || claim.State != shard.TagOwned {
			t.Errorf("tag %d is %+v", tag, claim)
		}
		var went []shard.GroupID
		for _, c := range topology.History(tag) {
			if !slices.Contains(went, c.Group) {
				went = append(went, c.Group)
			}
		}
		slices.Sort(went)
		slices.Sort(want)
		if !slices.Equal(went, want) {
			t.Errorf("the history of tag %d has groups %v, want %v", tag, went, want)
		}
	}
	s.joinAfterRetired()
}

// joinAfterRetired tries a retired group's number for a new one, and then the next.
func (s *shop) joinAfterRetired() {
	s.Helper()
	s.engine.stop() // it would prepare what the config names
	s.grow(5, 1)
	s.rewrite(func(text string) string { // the new servers under number 4
		before, after, _ := strings.Cut(text, "- group: 4\n")
		_, last, _ := strings.Cut(after, "- group: 5\n")
		return before + "- group: 4\n" + last
	})
	var p move.Plan
	if status := s.json(&p, "shard", "expand", "--yes"); status != exitFailed || len(p.Refusals) == 0 || p.Refusals[0].Code != "number_taken" {
		s.Errorf("number 4 again: exit %d, %+v", status, p.Refusals)
	}
	s.rewrite(func(text string) string { return strings.Replace(text, "- group: 4\n", "- group: 5\n", 1) })
	s.open()
	s.must("shard", "expand", "--steps", "1", "--watch", "1s", "--yes")
	s.engine.Refresh(s.Context())
	old := len(s.orders)
	s.sell(1, 5)
	for _, o := range s.orders[old:] {
		if tag := o.no.Tag(); tag != 1 && tag != 5 {
			s.Errorf("order %s has tag %d, and its group is retired", o.no, tag)
		}
	}
	s.refund()
	s.check()
	s.must("shard", "verify")
}

// TestTwoDigitsOfTag has groups above nine: their orders are made, found, moved and
// taken back like all others.
func TestTwoDigitsOfTag(t *testing.T) {
	s := newShop(t, 2, 1)
	s.rewrite(func(text string) string {
		text = strings.Replace(text, "engine:\n", "engine:\n  tag_width: 2\n", 1)
		return strings.NewReplacer("- group: 1\n", "- group: 9\n", "- group: 2\n", "- group: 12\n").Replace(text)
	})
	s.open()
	s.sell(9, 12)
	for _, o := range s.orders {
		if text := o.no.String(); len(text) != 23 || !strings.HasSuffix(text, "09") && !strings.HasSuffix(text, "12") {
			t.Errorf("order number %s, want 21 digits and 09 or 12", text)
		}
	}
	s.refund()
	hash := s.move([]move.Leg{{Tag: 12, From: 12, To: 9}}, "shrink", "--to", "1")
	s.refund()
	s.check()
	s.must("shard", "reverse", "--plan", hash, "--yes")
	s.refund()
	s.check()
	s.must("shard", "verify")
	again := s.move([]move.Leg{{Tag: 12, From: 12, To: 9}}, "shrink", "--remove", "12")
	s.must("shard", "retire", "--plan", again, "--yes")
	s.refund()
	s.check()
}

// awaitMove goes on with a move until it is switched.
func (s *shop) awaitMove(ctx context.Context, m *moves, id string) {
	s.Helper()
	eventually(s.T, "the move is switched", func() bool {
		st, err := m.runner.Drive(ctx, id, mover.UntilSwitched)
		if err != nil {
			s.Logf("goes on: %v", err)
		}
		return err == nil && st.State.Switched
	})
}
