package order_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// Rules 10 to 12: replicas, groups that are out, numbers. Of rule 12, the sequence,
// the clock and the bounds of a lease are tested in number_test.go, taken numbers in
// create_test.go and the leases themselves in package store.

// impatient gives a group that is frozen little time.
func impatient(o *order.Options) {
	o.CreateTimeout, o.ProbeTimeout, o.LookupTimeout = time.Second, 500*time.Millisecond, 500*time.Millisecond
}

// freeze stops the primary of a group until the test ends, or thaw is called.
func (s *shop) freeze(g shard.GroupID) (thaw func()) {
	s.t.Helper()
	primary := s.bed.node(s.t, g, 0)
	if err := primary.Signal(syscall.SIGSTOP); err != nil {
		s.t.Fatal(err)
	}
	thaw = func() {
		if err := primary.Signal(syscall.SIGCONT); err != nil && !errors.Is(err, os.ErrProcessDone) {
			s.t.Error(err)
		}
	}
	s.t.Cleanup(thaw)
	return thaw
}

// replicated waits until every replica of a group has applied all.
func (s *shop) replicated(g shard.GroupID) {
	s.t.Helper()
	for _, n := range s.bed.groups[g-1].Nodes() {
		if err := n.CatchUp(s.ctx()); err != nil {
			s.t.Fatal(err)
		}
	}
}

// lag stops the replicas of a group from applying anything until the test ends.
func (s *shop) lag(g shard.GroupID) {
	s.t.Helper()
	s.replicated(g)
	for number := 1; number <= 2; number++ {
		s.bed.exec(s.t, g, number, "STOP SLAVE SQL_THREAD")
		s.t.Cleanup(func() { s.bed.exec(s.t, g, number, "START SLAVE SQL_THREAD") })
	}
}

func (s *shop) out(g shard.GroupID) {
	s.t.Helper()
	eventually(s.t, "the group is out", func() bool {
		_, down := s.engine.Fleet().Down(g)
		return down
	})
}

// TestRule10AStaleReplicaDecidesNothing pays an order that the replicas of its group
// go on showing as CREATED.
func TestRule10AStaleReplicaDecidesNothing(t *testing.T) {
	mariadb.need(t)
	s := mariadb.shop(t, impatient)
	o, twin := s.twins(pay.Created, pay.Created)
	other := s.put(s.draft(1, newKey(), pay.Created))
	unseen := s.put(s.draft(2, other.Key, pay.Created))
	s.lag(1)

	s.pays(o.No)
	if got := s.pays(o.No); got.State != pay.Paid {
		t.Errorf("paid again: %s", got.State)
	}
	if got := s.pays(twin.No); got.No != o.No || got.State != pay.Paid {
		t.Errorf("the twin was answered by %s (%s)", got.No, got.State)
	}
	if n := s.till.count(o.No); n.pays != 1 || s.till.count(twin.No).pays != 0 {
		t.Errorf("calls %+v", n)
	}
	_, err := s.engine.Revoke(s.ctx(), o.No) // a CREATED one would be closed
	wantCode(t, err, order.CodeRevokeRefused)
	if _, r, err := s.engine.Refund(s.ctx(), o.No, order.RefundRequest{No: "R" + o.No.String(), Amount: 1}); err != nil || r.State != pay.RefundDone {
		t.Errorf("refund %s, %v", r.State, err)
	}

	thaw := s.freeze(1)
	s.out(1)
	_, err = s.engine.Pay(s.ctx(), other.No, order.PayRequest{AuthCode: "code"})
	wantCode(t, err, order.CodeGroupDown)
	_, err = s.engine.Revoke(s.ctx(), other.No)
	wantCode(t, err, order.CodeGroupDown)
	_, err = s.engine.Pay(s.ctx(), unseen.No, order.PayRequest{AuthCode: "code"})
	wantCode(t, err, order.CodeRiskDouble) // its replicas have not applied all: the group is silent
	if s.till.count(other.No) != (count{}) || s.till.count(unseen.No) != (count{}) {
		t.Error("something was sent")
	}
	thaw()
	s.admitted(s.engine)
	s.want(other.No, pay.Created)
}

// TestRule10AFencedTagTakesNoMove: the group's word on the tag is read with every
// move, at its epoch.
func TestRule10AFencedTagTakesNoMove(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		o := s.put(s.draft(3, newKey(), pay.Created))
		g := b.groups[2]
		claim := func(state shard.TagState) {
			t.Helper()
			info, err := g.Info(s.ctx())
			if err == nil {
				err = g.SetClaim(s.ctx(), shard.Claim{Tag: 3, Group: 3, State: state, Epoch: info.Claims[0].Epoch + 1})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		claim(shard.TagFenced)
		_, err := s.engine.Pay(s.ctx(), o.No, order.PayRequest{AuthCode: "code"})
		claim(shard.TagOwned)
		var e *order.Error
		if !errors.As(err, &e) || e.Outcome != order.NotCommitted || s.till.count(o.No) != (count{}) {
			t.Errorf("error %v, calls %+v", err, s.till.count(o.No))
		}
		s.want(o.No, pay.Created)
		s.admitted(s.engine)
		if got := s.pays(o.No); got.State != pay.Paid {
			t.Errorf("the fence is down, and it is %s", got.State)
		}
	})
}

// TestRule11PaidAndBeingRecorded: the group goes away while the channel takes the
// payment.
func TestRule11PaidAndBeingRecorded(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		g := s.groups[0]
		for v, want := range map[order.Verdict]pay.State{order.Success: pay.Paid, order.Failed: pay.Closed, order.RevokedByChannel: pay.Revoked} {
			o := s.put(s.draft(1, newKey(), pay.Created))
			answer := s.till.success(o.No)
			answer.Verdict = v
			s.till.says(func(w *words) {
				w.pay = func(order.PayCall) order.Answer {
					g.fails(func(g *tamper) { g.begin = func() error { return asTold(order.NotCommitted) } })
					return answer
				}
			})
			if got := s.pays(o.No); got.State != want || !got.Recording {
				t.Errorf("answered %s, recording %t, want %s and true", got.State, got.Recording, want)
			}
			s.hears(o.No, want) // the engine does not take the group for down
			s.want(o.No, pay.Paying)
			if s.journaled(o.No) != 1 {
				t.Error("the answer is not in a journal, or in two")
			}
			g.heals()
			eventually(t, "the answer is applied", func() bool { return s.row(o.No).State == want && s.journaled(o.No) == 0 })
			if n := s.till.count(o.No); n.pays != 1 || n.asked != 0 {
				t.Errorf("calls %+v", n)
			}
			s.consistent(o.No)
		}
	})
}

// hears waits until whoever asks is told the state that is being recorded: a replica
// that answers may be a moment behind.
func (s *shop) hears(no pay.OrderNo, want pay.State) {
	s.t.Helper()
	eventually(s.t, "who asks hears the truth", func() bool {
		got, err := s.engine.Get(s.ctx(), no)
		return err == nil && got.State == want && got.Recording
	})
}

// journaled counts the entries about an order in all groups.
func (s *shop) journaled(no pay.OrderNo) (n int) {
	s.t.Helper()
	for _, g := range s.bed.groups {
		entries, err := g.Journal(s.ctx(), no, 10)
		if err != nil {
			s.t.Fatal(err)
		}
		n += len(entries)
	}
	return n
}

// TestRule11FrozenPrimary does the same with a real server that hangs.
func TestRule11FrozenPrimary(t *testing.T) {
	mariadb.need(t)
	s := mariadb.shop(t, impatient)
	o := s.put(s.draft(1, newKey(), pay.Created))
	s.replicated(1)
	thaw := func() {}
	s.till.says(func(w *words) {
		w.pay = func(c order.PayCall) order.Answer {
			thaw = s.freeze(1)
			return s.till.success(c.OrderNo)
		}
	})
	if got := s.pays(o.No); got.State != pay.Paid || !got.Recording || got.ChannelTradeNo == "" {
		t.Fatalf("%+v, want it paid and being recorded", got)
	}
	s.hears(o.No, pay.Paid)
	thaw()
	eventually(t, "it is recorded", func() bool { return s.row(o.No).State == pay.Paid && s.journaled(o.No) == 0 })
	s.admitted(s.engine)
	if got, err := s.engine.Get(s.ctx(), o.No); err != nil || got.Recording {
		t.Errorf("%+v, %v", got, err)
	}
	if n := s.till.count(o.No); n.pays != 1 {
		t.Errorf("calls %+v", n)
	}
	s.consistent(o.No)
}

// TestRule11AnOpenPaymentOfAFrozenGroup was left by an engine that has died: it is
// read from a replica when it comes due.
func TestRule11AnOpenPaymentOfAFrozenGroup(t *testing.T) {
	mariadb.need(t)
	s := mariadb.shop(t, impatient)
	s.till.says(func(w *words) { w.query = s.till.success })
	o := s.draft(1, newKey(), pay.Paying)
	o.Due = o.Created.Add(5 * time.Second)
	s.put(o)
	s.replicated(1)
	thaw := s.freeze(1)
	s.out(1)
	if n := s.till.count(o.No); n.asked != 0 {
		t.Fatalf("it was asked for before its time: %+v", n)
	}
	mariadb.clock.forward(6 * time.Second)
	s.hears(o.No, pay.Paid)
	thaw()
	eventually(t, "it is recorded", func() bool { return s.row(o.No).State == pay.Paid && s.journaled(o.No) == 0 })
	s.admitted(s.engine)
	s.consistent(o.No)
}

// TestRule12NoNumberTwice has two engines create orders at once.
func TestRule12NoNumberTwice(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		engines := []*order.Engine{s.engine, s.open()}
		var mu sync.Mutex
		seen := map[pay.OrderNo]int{}
		slots := map[string]int{} // tag and instance: the engine
		var wg sync.WaitGroup
		for range 4 {
			for i, e := range engines {
				wg.Go(func() {
					for range 10 {
						o, err := e.Create(context.Background(), order.Request{Key: newKey(), Amount: amount})
						if err != nil {
							t.Error(err)
							return
						}
						mu.Lock()
						no := o.No.String()
						slot := no[21:] + "/" + no[14:16]
						if other, used := slots[slot]; seen[o.No] > 0 || used && other != i {
							t.Errorf("%s: given out %d times, instance digits also used by engine %d", no, seen[o.No]+1, other)
						}
						seen[o.No]++
						slots[slot] = i
						mu.Unlock()
					}
				})
			}
		}
		wg.Wait()
		if len(seen) != 80 {
			t.Errorf("%d numbers, want 80", len(seen))
		}
	})
}
