package sim

import (
	"errors"
	"slices"
	"testing"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// created inserts an order that is due at a time.
func (b *bench) created(key string, due time.Time) order.Order {
	b.Helper()
	o := b.order(key)
	o.Due = due
	if err := b.insert(b.ctx, b.a, o); err != nil {
		b.Fatal(err)
	}
	return o
}

// change runs one transaction about an order.
func (b *bench) change(o order.Order, f func(t *tx) error) error {
	b.Helper()
	t, err := b.a.begin(b.ctx)
	if err != nil {
		b.Fatal(err)
	}
	defer t.Rollback()
	if _, _, err := t.LockTag(b.ctx, 1, o.Key); err != nil {
		b.Fatal(err)
	}
	if err := f(t); err != nil {
		return err
	}
	return t.Commit(b.ctx)
}

func TestExpireClosesWhatIsDue(t *testing.T) {
	t.Parallel()
	benched(t, func(b *bench) {
		old, young := b.created("old", start), b.created("young", start.Add(time.Hour))
		now := b.Now()
		due, err := b.a.DueOrders(b.ctx, order.DueQuery{Now: now, States: []pay.State{pay.Created}, Limit: 10})
		if err != nil || len(due) != 1 || due[0].No != old.No {
			b.Fatalf("due are %v, %v", due, err)
		}
		n, err := b.a.Expire(b.ctx, 1, []pay.OrderNo{old.No, young.No}, now, "op")
		if n != 1 || err != nil {
			b.Errorf("%d expired, %v", n, err)
		}
		for _, c := range []struct {
			no    pay.OrderNo
			state pay.State
			moves int
		}{{old.No, pay.Closed, 1}, {young.No, pay.Created, 0}} {
			o, err := b.a.Read(b.ctx, c.no)
			moves, movesErr := b.a.Moves(b.ctx, c.no)
			if o.State != c.state || len(moves) != c.moves || err != nil || movesErr != nil {
				b.Errorf("%s is %s after %v, want %s after %d moves (%v, %v)", c.no, o.State, moves, c.state, c.moves, err, movesErr)
			}
		}
	})
}

func TestRefundsAreComparedAndSet(t *testing.T) {
	t.Parallel()
	benched(t, func(b *bench) {
		o := b.created("k", time.Time{})
		first := order.Refund{OrderNo: o.No, No: "r", Amount: 3, State: pay.RefundRequested, Due: start, Version: 1}
		second := first
		second.State, second.Version, second.Due = pay.RefundDone, 2, time.Time{}
		put := func(r order.Refund) (done bool, err error) {
			err = b.change(o, func(t *tx) (err error) {
				done, err = t.PutRefund(b.ctx, r)
				return err
			})
			return done, err
		}
		if done, err := put(second); done || err != nil {
			b.Errorf("a second version without a first: %t, %v", done, err)
		}
		if done, err := put(first); !done || err != nil {
			b.Errorf("a new refund: %t, %v", done, err)
		}
		if _, err := put(first); !errors.Is(err, order.ErrDuplicateNo) {
			b.Errorf("its number again: %v", err)
		}
		if due, err := b.a.DueRefunds(b.ctx, b.Now(), 10); err != nil || len(due) != 1 {
			b.Errorf("due are %v, %v", due, err)
		}
		if done, err := put(second); !done || err != nil {
			b.Errorf("the next version: %t, %v", done, err)
		}
		if done, err := put(second); done || err != nil {
			b.Errorf("the next version again: %t, %v", done, err)
		}
		if all, err := b.a.ReadRefunds(b.ctx, o.No); err != nil || len(all) != 1 || all[0].State != pay.RefundDone {
			b.Errorf("there are %v, %v", all, err)
		}
	})
}

func TestTaskIsOpenedOnce(t *testing.T) {
	t.Parallel()
	benched(t, func(b *bench) {
		o := b.created("k", time.Time{})
		task := order.Task{ID: "t", Kind: order.TaskMoneyBack, OrderNo: o.No, State: order.TaskOpen, Detail: "first", Due: start, Version: 1}
		for i, detail := range []string{"first", "second"} {
			task.Detail = detail
			if err := b.change(o, func(t *tx) error {
				if opened, err := t.PutTask(b.ctx, task); err != nil || opened != (i == 0) {
					b.Errorf("the %s is opened: %t, %v", detail, opened, err)
				}
				return nil
			}); err != nil {
				b.Error(err)
			}
		}
		due, err := b.a.DueTasks(b.ctx, b.Now(), 10)
		if err != nil || len(due) != 1 || due[0].Detail != "first" {
			b.Errorf("due are %v, %v", due, err)
		}
	})
}

func TestReplicasAnswerTheGuard(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		harm func(s *server)
		rows int
	}{
		{"crash", func(s *server) { s.broke(faultCrash); s.dark = false }, 1},
		{"crash, replicas too", func(s *server) { s.broke(faultCrash); s.dark = true }, -1},
		{"semi-sync off, primary hangs", func(s *server) { s.broke(faultHang); s.dark, s.degraded = false, true }, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			benched(t, func(b *bench) {
				o := b.created("k", time.Time{})
				c.harm(b.s)
				for _, down := range []bool{false, true} {
					rows, err := b.a.FindKeyFresh(b.within(100*time.Millisecond), o.Key, down)
					if c.rows < 0 && err == nil {
						b.Errorf("down %t: answered with %v", down, rows)
					}
					if c.rows >= 0 && (err != nil || len(rows) != c.rows) {
						b.Errorf("down %t: %v, %v", down, rows, err)
					}
				}
			})
		})
	}
}

func TestJournalKeepsTheFirstAnswer(t *testing.T) {
	t.Parallel()
	benched(t, func(b *bench) {
		no, now := b.order("k").No, b.Now()
		for _, c := range []struct {
			holder string
			at     time.Duration
			leased bool
		}{{"a", 0, true}, {"b", time.Second, false}, {"a", time.Second, true}, {"b", 3 * time.Second, true}} {
			entry := order.JournalEntry{OrderNo: no, Holder: c.holder, Until: now.Add(c.at + 1500*time.Millisecond)}
			if leased, err := b.a.LeaseJournal(b.ctx, entry, now.Add(c.at+time.Millisecond)); leased != c.leased || err != nil {
				b.Errorf("%s leases at %v: %t, %v", c.holder, c.at, leased, err)
			}
		}
		if entries, err := b.a.Journal(b.ctx, no, 10); err != nil || len(entries) > 0 {
			b.Errorf("a lease is listed as an answer: %v, %v", entries, err)
		}
		for _, verdict := range []order.Verdict{order.Pending, order.Success, order.Failed} {
			if err := b.a.PutJournal(b.ctx, order.JournalEntry{OrderNo: no, Answer: &order.Answer{Verdict: verdict}}); err != nil {
				b.Error(err)
			}
		}
		entries, err := b.a.Journal(b.ctx, pay.OrderNo{}, 10)
		if err != nil || len(entries) != 1 || entries[0].Answer.Verdict != order.Success {
			b.Errorf("kept are %v, %v", entries, err)
		}
		if err := b.a.DropJournal(b.ctx, no); err != nil || len(b.s.journal) > 0 {
			b.Errorf("dropped, and there are %d: %v", len(b.s.journal), err)
		}
	})
}

// TestUnknownMoveIsFoundByItsOperation: what the engine decides by is there.
func TestUnknownMoveIsFoundByItsOperation(t *testing.T) {
	t.Parallel()
	benched(t, func(b *bench) {
		o := b.created("k", start)
		b.s.broke(faultStall)
		after := o
		after.State, after.OpID = pay.Closed, "op"
		err := b.change(o, func(t *tx) error {
			if _, err := t.LockOrder(b.ctx, o.No); err != nil {
				return err
			}
			_, err := t.Move(b.ctx, o, after, order.Move{OrderNo: o.No, Version: 2, From: pay.Created, To: pay.Closed, By: pay.ByCancel, OpID: "op"})
			b.clock.after(200*time.Millisecond, func() { b.a.setCut(true) })
			b.clock.after(time.Second, func() { b.s.heal(); b.a.setCut(false) })
			if err == nil {
				err = t.Commit(b.within(500 * time.Millisecond))
			}
			return err
		})
		var f *order.Fault
		if !errors.As(err, &f) || f.Outcome != order.Unknown {
			b.Fatalf("the COMMIT was answered: %v", err)
		}
		_ = b.Sleep(b.ctx, 2*time.Second)
		row, err := b.a.Read(b.ctx, o.No)
		moves, movesErr := b.a.Moves(b.ctx, o.No)
		ours := func(m order.Move) bool { return m.OpID == "op" }
		if row.OpID != "op" || row.Version != 2 || !slices.ContainsFunc(moves, ours) || err != nil || movesErr != nil {
			b.Errorf("%+v after %v (%v, %v)", row, moves, err, movesErr)
		}
	})
}
