package order_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// amount is that of all orders in these tests.
const amount pay.Fen = 1250

// shop is one engine at work on the bed's groups, with a till of its own: no other
// engine looks after orders of that channel.
type shop struct {
	t      testing.TB
	bed    *bed
	groups []*tamper // group n is number n-1
	till   *till
	engine *order.Engine
}

// shop opens one for a test. Times that only a busy machine would exceed are long;
// a test of a bound sets it itself.
func (b *bed) shop(t testing.TB, adjust ...func(o *order.Options)) *shop {
	t.Helper()
	s := &shop{t: t, bed: b, till: &till{name: fmt.Sprintf("till%x", rand.Uint32()), account: "acc1", now: b.clock.Now}}
	for _, g := range b.groups {
		s.groups = append(s.groups, &tamper{Group: g})
	}
	s.engine = s.open(adjust...)
	return s
}

// open starts an engine of the shop; it is awaited when the test ends.
func (s *shop) open(adjust ...func(o *order.Options)) *order.Engine {
	s.t.Helper()
	opts := order.Options{
		Name: "test", Holder: fmt.Sprintf("%016x", rand.Uint64()), Channels: []order.Channel{s.till},
		CreateTimeout: 3 * time.Second, LookupTimeout: 3 * time.Second, ProbeTimeout: 3 * time.Second, GuardTimeout: 3 * time.Second,
		Timetable: order.Timetable{PayFor: 20 * time.Second, NotFoundAfter: 5 * time.Second},
	}
	if s.bed.async {
		opts.AsyncGroups = map[shard.GroupID]bool{1: true, 2: true, 3: true}
	}
	for _, f := range adjust {
		f(&opts)
	}
	groups := make([]order.Group, 0, len(s.groups))
	for _, g := range s.groups {
		groups = append(groups, g)
	}
	e := order.New(opts, groups, &s.bed.clock, rand.Uint64, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		e.Run(ctx)
	}()
	s.t.Cleanup(func() {
		cancel()
		<-ended
	})
	s.admitted(e)
	return e
}

// admitted waits until every group takes orders.
func (s *shop) admitted(e *order.Engine) {
	s.t.Helper()
	eventually(s.t, "every group takes orders", func() bool {
		for _, g := range s.groups {
			if !e.Fleet().Admitted(g.ID()) {
				return false
			}
		}
		return true
	})
}

// in is the shop for a subtest.
func (s *shop) in(t testing.TB) *shop {
	other := *s
	other.t = t
	return &other
}

func (s *shop) ctx() context.Context { return s.t.Context() }

func newKey() pay.Key {
	return pay.Key{MerchantID: "m1", MerchantOrderNo: fmt.Sprintf("K-%016x", rand.Uint64())}
}

func (s *shop) create() order.Order {
	s.t.Helper()
	o, err := s.engine.Create(s.ctx(), order.Request{Key: newKey(), Amount: amount, Subject: "tea"})
	if err != nil {
		s.t.Fatal(err)
	}
	return o
}

// sequences of rows that tests write themselves, above those of engines.
var sequences atomic.Int32

// draft is an order in a group and a state, as if it had come there by itself. A
// later one has the higher number.
func (s *shop) draft(g shard.GroupID, key pay.Key, state pay.State) order.Order {
	s.t.Helper()
	now := s.bed.clock.Now()
	no, err := pay.NewOrderNo(now, 99, 50_000+int(sequences.Add(1)), pay.Tag(g), 1)
	if err != nil {
		s.t.Fatal(err)
	}
	o := order.Order{No: no, Key: key, Attempt: 1, State: state, Amount: amount, Channel: s.till.name, Created: now, Updated: now,
		Version: 1, OpID: fmt.Sprintf("put%x", rand.Uint64()), Group: g}
	if state != pay.Created {
		o.Account, o.SendBy = "acc1", now.Add(-2*time.Second) // a revoke overtakes nothing
	}
	if state == pay.Paid {
		o.ChannelTradeNo, o.PaidAt = "T"+no.String(), now
	}
	return o
}

// put writes a draft.
func (s *shop) put(o order.Order) order.Order {
	s.t.Helper()
	s.within(o.Group, o.No, func(ctx context.Context, tx order.Tx) error { return tx.InsertOrder(ctx, o) })
	return o
}

func (s *shop) within(g shard.GroupID, no pay.OrderNo, f func(ctx context.Context, tx order.Tx) error) {
	s.t.Helper()
	ctx := s.ctx()
	tx, err := s.bed.groups[g-1].Begin(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	defer tx.Rollback()
	if _, _, err := tx.LockTag(ctx, no.Tag(), pay.Key{}); err != nil {
		s.t.Fatal(err)
	}
	if err := errors.Join(f(ctx, tx), tx.Commit(ctx)); err != nil {
		s.t.Fatal(err)
	}
}

// twins puts two orders of one key into groups 1 and 2; the first has the lower
// number.
func (s *shop) twins(low, high pay.State) (order.Order, order.Order) {
	s.t.Helper()
	key := newKey()
	a := s.draft(1, key, low)
	b := s.draft(2, key, high)
	if a.No.Compare(b.No) >= 0 {
		s.t.Fatalf("%s is not below %s", a.No, b.No)
	}
	return s.put(a), s.put(b)
}

// row reads an order past the engine, on the primary of its group.
func (s *shop) row(no pay.OrderNo) order.Order {
	s.t.Helper()
	o, err := s.bed.groups[no.Tag()-1].Read(s.ctx(), no)
	if err != nil {
		s.t.Fatal(err)
	}
	return o
}

func (s *shop) want(no pay.OrderNo, state pay.State) order.Order {
	s.t.Helper()
	o := s.row(no)
	if o.State != state {
		s.t.Fatalf("order %s is %s, want %s", no, o.State, state)
	}
	return o
}

func (s *shop) moves(no pay.OrderNo) []order.Move {
	s.t.Helper()
	moves, err := s.bed.groups[no.Tag()-1].Moves(s.ctx(), no)
	if err != nil {
		s.t.Fatal(err)
	}
	return moves
}

func (s *shop) refunds(no pay.OrderNo) []order.Refund {
	s.t.Helper()
	all, err := s.bed.groups[no.Tag()-1].ReadRefunds(s.ctx(), no)
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

func (s *shop) revokes(no pay.OrderNo) []order.Revoke {
	s.t.Helper()
	all, err := s.bed.groups[no.Tag()-1].ReadRevokes(s.ctx(), no)
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// task reads a task of an order; found is false where there is none.
func (s *shop) task(kind order.TaskKind, no pay.OrderNo) (t order.Task, found bool) {
	s.t.Helper()
	t, err := s.bed.groups[no.Tag()-1].FindTask(s.ctx(), string(kind)+"-"+no.String(), no.Tag())
	if err != nil && !errors.Is(err, order.ErrNotFound) {
		s.t.Fatal(err)
	}
	return t, err == nil
}

func (s *shop) wantTask(kind order.TaskKind, no pay.OrderNo, state order.TaskState) {
	s.t.Helper()
	if task, found := s.task(kind, no); !found || task.State != state {
		s.t.Fatalf("task %s of order %s: found %t, %q, want %s", kind, no, found, task.State, state)
	}
	eventually(s.t, "an alarm about task "+string(kind), func() bool { // it follows the commit
		return s.engine.Counts()["alarm_"+string(kind)] > 0
	})
}

// pays pays and wants no error.
func (s *shop) pays(no pay.OrderNo) order.Order {
	s.t.Helper()
	o, err := s.engine.Pay(s.ctx(), no, order.PayRequest{AuthCode: "code"})
	if err != nil {
		s.t.Fatal(err)
	}
	return o
}

// lapse puts the clock forward until a condition holds.
func (s *shop) lapse(what string, ok func() bool) {
	s.t.Helper()
	turns := 0
	eventually(s.t, what, func() bool {
		if turns++; turns%4 == 0 {
			s.bed.clock.forward(time.Second)
		}
		return ok()
	})
}

// wantCode wants an *order.Error after which nothing was written.
func wantCode(t testing.TB, err error, code string) {
	t.Helper()
	var e *order.Error
	if !errors.As(err, &e) || e.Code != code || e.Outcome != order.NotCommitted {
		t.Fatalf("error %v, want code %s and nothing written", err, code)
	}
}

// hopped records that an order went past a group.
func (s *shop) hopped(o order.Order, past shard.GroupID) {
	s.t.Helper()
	s.within(o.Group, o.No, func(ctx context.Context, tx order.Tx) error {
		return tx.InsertHops(ctx, []order.Hop{{OrderNo: o.No, Above: past, Key: o.Key, Attempt: o.Attempt, Reason: "hang", Created: o.Created, Due: o.Created}})
	})
}
