package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

var compareNumbers = cmp.Comparer(func(a, b pay.OrderNo) bool { return a == b })

func (b *bed) find(no pay.OrderNo) order.Order {
	b.t.Helper()
	o, err := b.group.Find(b.ctx(), no, false)
	if err != nil {
		b.t.Fatal(err)
	}
	return o
}

// count counts rows as the administrator sees them.
func (b *bed) count(from string, args ...any) (n int) {
	b.t.Helper()
	if err := b.root(0).QueryRowContext(b.ctx(), "SELECT COUNT(*) FROM "+b.schema+from, args...).Scan(&n); err != nil {
		b.t.Fatal(err)
	}
	return n
}

// Four bytes each in UTF-8, the widest that there are.
func wide(n int) string { return strings.Repeat("𠮷", n) }

func TestColumnsHoldTheirMaximum(t *testing.T) { onEachKind(t, checkColumnsHoldTheirMaximum) }

func checkColumnsHoldTheirMaximum(t *testing.T, b *bed) {
	no, err := pay.NewOrderNo(t0, pay.MaxInstance, pay.MaxSequence, 99_999_999_999, pay.MaxTagWidth)
	if err != nil {
		t.Fatal(err)
	}
	longest := time.Date(9999, 12, 31, 23, 59, 59, 0, pay.Beijing)
	o := order.Order{
		No: no, Key: pay.Key{MerchantID: wide(pay.MaxMerchantID), MerchantOrderNo: wide(pay.MaxMerchantOrderNo)},
		Attempt: 1<<31 - 1, State: pay.Revoking, Amount: 1<<63 - 1, Refunded: 1<<63 - 1, Channel: wide(pay.MaxChannel),
		Account: wide(pay.MaxAccount), ChannelTradeNo: wide(pay.MaxTradeNo), TerminalID: wide(pay.MaxTerminalID), Subject: wide(pay.MaxSubject),
		Created: longest, PaidAt: longest, Updated: longest, TwinOf: no, Shadow: true, Version: 1<<63 - 2, OpID: strings.Repeat("f", 64), Group: 1,
		RiskDouble: true, SendBy: longest, Due: longest, Tries: 1<<31 - 1,
	}
	b.insert(o)
	if d := cmp.Diff(o, b.find(no), compareNumbers); d != "" {
		t.Errorf("what came back differs (-written +read):\n%s", d)
	}
	found, err := b.group.FindKey(b.ctx(), o.Key)
	if err != nil || len(found) != 1 {
		t.Errorf("look up the widest key: %v, %v", found, err)
	}
	hop := order.Hop{OrderNo: no, Above: 99, Key: o.Key, Attempt: o.Attempt, Reason: string(shard.SemisyncDegraded), Created: longest, Due: longest}
	doubt := order.Doubt{OrderNo: no, OldGroup: 99, Key: o.Key, Attempt: o.Attempt, Amount: o.Amount, Shadow: true, Winner: no, Created: longest}
	err = write(b.ctx(), b.group, func(tx order.Tx) error {
		return errors.Join(tx.InsertHops(b.ctx(), []order.Hop{hop}), tx.InsertDoubts(b.ctx(), []order.Doubt{doubt}))
	})
	if err != nil {
		t.Error(err)
	}
	b.holdsMaximum(o)
}

// holdsMaximum does the same for what belongs to a payment.
func (b *bed) holdsMaximum(o order.Order) {
	b.t.Helper()
	ctx, words := b.ctx(), wide(200)
	move := order.Move{OrderNo: o.No, Version: o.Version + 1, From: o.State, To: o.State, By: pay.ByRevokeRefused, OpID: o.OpID, At: o.Created, Detail: words}
	refund := order.Refund{OrderNo: o.No, No: wide(pay.MaxTradeNo), Amount: o.Amount, State: pay.RefundWaitingFunds, ChannelNo: wide(pay.MaxTradeNo), Detail: words,
		Created: o.Created, Accepted: o.Created, Done: o.Created, Due: o.Created, Tries: o.Tries, Shadow: true, Version: 1, OpID: o.OpID, Updated: o.Created}
	revoke := order.Revoke{OrderNo: o.No, No: refund.No, Amount: o.Amount, State: order.RevokeRequested, Money: pay.MoneyRefunded, By: pay.ByRevokeRefused,
		Detail: words, Created: o.Created, Done: o.Created, Shadow: true, Version: 1, OpID: o.OpID, Updated: o.Created}
	task := order.Task{ID: strings.Repeat("f", 96), Kind: order.TaskRevokeRefused, OrderNo: o.No, Merchant: o.Key.MerchantID, Amount: o.Amount, State: order.TaskOpen,
		Detail: wide(500), Created: o.Created, Deadline: o.Created, Due: o.Created, Tries: o.Tries, Closed: o.Created, ClosedBy: wide(64), Note: wide(500), Shadow: true, Version: 1}
	err := write(ctx, b.group, func(tx order.Tx) error {
		moved, err := tx.Move(ctx, o, o, move)
		refunded, err2 := tx.PutRefund(ctx, refund)
		revoked, err3 := tx.PutRevoke(ctx, revoke)
		opened, err4 := tx.PutTask(ctx, task)
		if !moved || !refunded || !revoked || !opened {
			b.t.Errorf("written: move %v, refund %v, revoke %v, task %v", moved, refunded, revoked, opened)
		}
		return errors.Join(err, err2, err3, err4)
	})
	entry := order.JournalEntry{OrderNo: o.No, Holder: wide(64), Until: o.Created, Created: o.Created,
		Answer: &order.Answer{Verdict: order.RevokedByChannel, TradeNo: o.ChannelTradeNo, Account: o.Account, Amount: o.Amount, At: o.Created, Code: words}}
	if err = errors.Join(err, b.group.PutJournal(ctx, entry)); err != nil {
		b.t.Fatal(err)
	}
	moves, err := b.group.Moves(ctx, o.No)
	refunds, err2 := b.group.ReadRefunds(ctx, o.No)
	revokes, err3 := b.group.ReadRevokes(ctx, o.No)
	tasks, err4 := b.group.Tasks(ctx, order.TaskOpen, true, 2)
	journal, err5 := b.group.Journal(ctx, o.No, 2)
	if err := errors.Join(err, err2, err3, err4, err5); err != nil || len(moves) != 2 {
		b.t.Fatalf("%d moves, %v", len(moves), err)
	}
	for name, d := range map[string]string{
		"move":    cmp.Diff(move, moves[1], compareNumbers),
		"refund":  cmp.Diff([]order.Refund{refund}, refunds, compareNumbers),
		"revoke":  cmp.Diff([]order.Revoke{revoke}, revokes, compareNumbers),
		"task":    cmp.Diff([]order.Task{task}, tasks, compareNumbers),
		"journal": cmp.Diff([]order.JournalEntry{entry}, journal, compareNumbers),
	} {
		if d != "" {
			b.t.Errorf("the %s differs (-written +read):\n%s", name, d)
		}
	}
}

func TestValuesThatDoNotFitAreRefused(t *testing.T) { onEachKind(t, checkValuesThatDoNotFitAreRefused) }

func checkValuesThatDoNotFitAreRefused(t *testing.T, b *bed) {
	for name, change := range map[string]func(o *order.Order){
		"subject too long":      func(o *order.Order) { o.Subject = wide(pay.MaxSubject + 1) },
		"merchant too long":     func(o *order.Order) { o.Key.MerchantID = wide(pay.MaxMerchantID + 1) },
		"own number too long":   func(o *order.Order) { o.Key.MerchantOrderNo = wide(pay.MaxMerchantOrderNo + 1) },
		"operation not ascii":   func(o *order.Order) { o.OpID = "操作" },
		"attempt out of range":  func(o *order.Order) { o.Attempt = 1 << 31 },
		"text that is not utf8": func(o *order.Order) { o.Subject = "\xff\xfe" },
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrder(t, 1)
			change(&o)
			if err := insert(b.ctx(), b.group, o); !errors.Is(err, order.ErrRefusedValue) {
				t.Errorf("got %v, want a refused value", err)
			}
		})
	}
	if n := b.count("orders"); n != 0 {
		t.Errorf("%d orders were written", n)
	}
}

func TestDuplicates(t *testing.T) { onEachKind(t, checkDuplicates) }

func checkDuplicates(t *testing.T, b *bed) {
	first := newOrder(t, 1)
	first.Key.MerchantOrderNo = "a for key 'orders_key'" // must not be read as the key's name
	b.insert(first)

	sameNumber := newOrder(t, 1)
	if err := insert(b.ctx(), b.group, sameNumber); !errors.Is(err, order.ErrDuplicateNo) {
		t.Errorf("same number: %v", err)
	}
	sameKey := newOrder(t, 2)
	sameKey.Key = first.Key
	if err := insert(b.ctx(), b.group, sameKey); !errors.Is(err, order.ErrDuplicateKey) {
		t.Errorf("same key and attempt: %v", err)
	}
	tombstone := newOrder(t, 3)
	tombstone.Key, tombstone.State, tombstone.TwinOf = first.Key, pay.Void, first.No
	b.insert(tombstone)
	tombstone.No = number(t, 4)
	b.insert(tombstone) // any number of them lies beside the live row
	tombstone.No = first.No
	if err := insert(b.ctx(), b.group, tombstone); !errors.Is(err, order.ErrDuplicateNo) {
		t.Errorf("tombstone on a row that exists: %v", err)
	}
	next := newOrder(t, 5)
	next.Key, next.Attempt = first.Key, 2
	b.insert(next)

	rows, err := b.group.FindKey(b.ctx(), first.Key)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2 || rows[0].No != first.No || rows[1].No != next.No {
		t.Errorf("live rows of the key: %+v, want attempts 1 and 2", rows)
	}
	if orders, outbox := b.count("orders"), b.count("outbox"); orders != 4 || outbox != 4 {
		t.Errorf("%d orders and %d outbox rows, want 4 of each: a refused insert leaves nothing", orders, outbox)
	}
}

func TestTransactionsAreNotSharedOut(t *testing.T) { onEachKind(t, checkTransactionsAreNotSharedOut) }

// checkTransactionsAreNotSharedOut: no BEGIN is sent, so what a transaction leaves
// behind on its connection must not reach into the next one.
func checkTransactionsAreNotSharedOut(t *testing.T, b *bed) {
	b.group.primary().tx.SetMaxOpenConns(1)
	for i, end := range []func(tx order.Tx){
		func(tx order.Tx) { tx.Rollback() },
		func(tx order.Tx) {
			if err := tx.Commit(b.ctx()); err != nil {
				t.Error(err)
			}
		},
		func(tx order.Tx) { tx.Rollback() },
	} {
		tx, err := b.group.Begin(b.ctx())
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := tx.LockTag(b.ctx(), 1, pay.Key{}); err != nil {
			t.Fatal(err)
		}
		if err := tx.InsertOrder(b.ctx(), newOrder(t, i)); err != nil {
			t.Fatal(err)
		}
		if n := b.count("orders"); n != max(0, i-1) {
			t.Errorf("others see %d orders while transaction %d is open, want %d", n, i, max(0, i-1))
		}
		end(tx)
	}
	if n := b.count("orders"); n != 1 {
		t.Errorf("%d orders, want the committed one alone", n)
	}
}

func TestASessionThatCommitsByItselfIsRefused(t *testing.T) {
	onEachKind(t, checkASessionThatCommitsByItselfIsRefused)
}

// checkASessionThatCommitsByItselfIsRefused: what LockTag locks would be free at
// once, and an order without its outbox row be committed.
func checkASessionThatCommitsByItselfIsRefused(t *testing.T, b *bed) {
	begun, err := b.group.begin(b.ctx())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := begun.conn.ExecContext(b.ctx(), "SET autocommit=1"); err != nil {
		t.Fatal(err)
	}
	_, _, err = begun.LockTag(b.ctx(), 1, pay.Key{})
	var fault *order.Fault
	if !errors.As(err, &fault) || fault.Outcome != order.NotCommitted || !errors.Is(err, errSelfCommits) {
		t.Errorf("got %v, want a refusal before anything is written", err)
	}
	if done, err := begun.InsertOwned(b.ctx(), newOrder(t, 1)); done || err != nil || b.count("orders") != 0 {
		t.Errorf("in one statement: %v, %v, %d orders; want none", done, err, b.count("orders"))
	}
	begun.Rollback()
	b.insert(newOrder(t, 1)) // on another connection
}

func TestFindKeysUsesTheIndex(t *testing.T) {
	b := newBed(t)
	var keys []pay.Key
	err := write(b.ctx(), b.group, func(tx order.Tx) error {
		for i := range 2 * keysAtOnce {
			o := newOrder(t, i)
			if i%2 == 0 { // the others are not found
				if err := tx.InsertOrder(b.ctx(), o); err != nil {
					return err
				}
			}
			keys = append(keys, o.Key)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	found, err := b.group.FindKeys(b.ctx(), keys)
	if err != nil || len(found) != keysAtOnce {
		t.Errorf("found %d orders, %v, want %d", len(found), err, keysAtOnce)
	}
	if found, err := b.group.FindKeys(b.ctx(), nil); len(found) != 0 || err != nil {
		t.Errorf("no keys: %v, %v", found, err)
	}
	plan, err := b.root(0).QueryContext(b.ctx(), `EXPLAIN SELECT order_no FROM pay.orders WHERE
(merchant_id='m1' AND merchant_order_no='k00001' AND live=1) OR (merchant_id='m1' AND merchant_order_no='k00002' AND live=1)`)
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	row, err := scanNamed(plan)
	if err != nil || row["key"] != uniqueKey {
		t.Errorf("plan %v, %v, want key %s", row, err, uniqueKey)
	}
}

func TestOutcomes(t *testing.T) { onEachKind(t, checkOutcomes) }

func checkOutcomes(t *testing.T, b *bed) {
	ctx := b.ctx()

	// Not committed: the context ended before COMMIT was sent.
	ended, cancel := context.WithCancel(ctx)
	tx, err := b.group.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.InsertOrder(ctx, newOrder(t, 1)); err != nil {
		t.Fatal(err)
	}
	cancel()
	err = tx.Commit(ended)
	var f *order.Fault
	if !errors.As(err, &f) || f.Outcome != order.NotCommitted || f.Cause != "" {
		t.Errorf("commit after the context ended: %v", err)
	}
	tx.Rollback() // does nothing
	if n := b.count("orders"); n != 0 {
		t.Errorf("%d orders are there", n)
	}

	// Not committed: rolled back.
	if tx, err = b.group.Begin(ctx); err != nil {
		t.Fatal(err)
	}
	if err := tx.InsertOrder(ctx, newOrder(t, 1)); err != nil {
		t.Fatal(err)
	}
	tx.Rollback()
	tx.Rollback()
	if n := b.count("orders"); n != 0 {
		t.Errorf("%d orders are there after a rollback", n)
	}

	// Committed, on a connection that a rollback gave back clean.
	b.insert(newOrder(t, 1))
	b.find(number(t, 1))

	// Unknown is in TestSemisyncStall and TestCommitOnALostConnection.
}

func TestCommitOnALostConnectionIsUnknown(t *testing.T) {
	b := newBed(t)
	ctx := b.ctx()
	opened, err := b.group.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Rollback()
	if err := opened.InsertOrder(ctx, newOrder(t, 1)); err != nil {
		t.Fatal(err)
	}
	var id int64
	if err := opened.(*tx).conn.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		t.Fatal(err)
	}
	b.exec(0, fmt.Sprintf("KILL %d", id))
	eventually(t, "the connection is gone", func() bool {
		return b.count("orders o JOIN information_schema.processlist p WHERE p.id=?", id) == 0
	})
	err = opened.Commit(ctx)
	var f *order.Fault
	if !errors.As(err, &f) || f.Outcome != order.Unknown || f.Cause != shard.Crash {
		t.Errorf("commit: %v, want unknown because of a crash", err)
	}
}

func TestLockTagReadsClaimAndAttempt(t *testing.T) { onEachKind(t, checkLockTagReadsClaimAndAttempt) }

func checkLockTagReadsClaimAndAttempt(t *testing.T, b *bed) {
	ctx := b.ctx()
	o := newOrder(t, 1)
	o.Attempt = 3
	b.insert(o)
	tx, err := b.group.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	claim, last, err := tx.LockTag(ctx, 1, o.Key)
	if want := (shard.Claim{Tag: 1, Group: 1, State: shard.TagOwned, Epoch: 1}); err != nil || claim != want || last != 3 {
		t.Errorf("got %+v, attempt %d, %v; want %+v, attempt 3", claim, last, err, want)
	}
	if _, last, err := tx.LockTag(ctx, 1, pay.Key{MerchantID: "m1", MerchantOrderNo: "new"}); err != nil || last != 0 {
		t.Errorf("new key: attempt %d, %v", last, err)
	}
	if claim, _, err := tx.LockTag(ctx, 9, o.Key); err != nil || claim != (shard.Claim{}) {
		t.Errorf("tag without a row: %+v, %v", claim, err)
	}
}

func TestInsertOwned(t *testing.T) { onEachKind(t, checkInsertOwned) }

// checkInsertOwned: what is written is what LockTag and InsertOrder write, and nothing
// is where LockTag would have said no.
func checkInsertOwned(t *testing.T, b *bed) {
	ctx := b.ctx()
	put := func(o order.Order) (done bool, err error) {
		err = b.group.inTx(ctx, func(tx *tx) (err error) {
			done, err = tx.InsertOwned(ctx, o)
			return err
		})
		return done, err
	}
	slow, quick := newOrder(t, 1), newOrder(t, 2)
	b.insert(slow)
	if done, err := put(quick); !done || err != nil {
		t.Fatalf("a new order: %v, %v", done, err)
	}
	got, want := b.find(quick.No), b.find(slow.No)
	want.No, want.Key, want.OpID = got.No, got.Key, got.OpID
	if diff := cmp.Diff(want, got, compareNumbers); diff != "" {
		t.Errorf("the two ways differ (-in two, +in one):\n%s", diff)
	}
	moves, err := b.group.Moves(ctx, quick.No)
	if err != nil || len(moves) != 1 || moves[0].To != pay.Created || moves[0].By != pay.ByCreate {
		t.Errorf("moves %+v, %v; want the creation alone", moves, err)
	}

	again := newOrder(t, 3)
	again.Key = quick.Key
	if done, err := put(again); done || err != nil {
		t.Errorf("a key that is there: %v, %v; want LockTag to be asked", done, err)
	}
	later := again
	later.Attempt = 2
	if done, err := put(later); done || err != nil {
		t.Errorf("a further attempt: %v, %v; want LockTag to be asked", done, err)
	}
	same := newOrder(t, 4)
	same.No = quick.No
	if _, err := put(same); !errors.Is(err, order.ErrDuplicateNo) {
		t.Errorf("a number that is there: %v", err)
	}
	elsewhere := newOrder(t, 5)
	elsewhere.No, err = pay.NewOrderNo(t0, 7, 5, 9, 1)
	if err != nil {
		t.Fatal(err)
	}
	if done, err := put(elsewhere); done || err != nil {
		t.Errorf("a tag without a row: %v, %v", done, err)
	}
	err = b.group.inTx(ctx, func(tx *tx) error {
		_, err := tx.exec(ctx, "record tag 1", "UPDATE group_state SET recording=1")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if done, err := put(newOrder(t, 6)); done || err != nil {
		t.Errorf("a recorded tag: %v, %v; want LockTag, which records", done, err)
	}
	if n := b.count("orders"); n != 2 {
		t.Errorf("%d orders, want 2", n)
	}
}

// TestOwnedIsWhatTheStatementSays holds the text of insertOwnedSQL against the state's
// name.
func TestOwnedIsWhatTheStatementSays(t *testing.T) {
	if want := fmt.Sprintf("s.state='%s'", shard.TagOwned); !strings.Contains(insertOwnedSQL, want) {
		t.Errorf("the statement does not say %q:\n%s", want, insertOwnedSQL)
	}
}

// TestHotStatementsAreParsedOnce also sees that each of them is one that is used.
func TestHotStatementsAreParsedOnce(t *testing.T) {
	b := newBed(t)
	ctx := b.ctx()
	b.group.primary().tx.SetMaxOpenConns(1)
	before := b.status("Com_stmt_prepare")
	for i := range 3 {
		err := b.group.inTx(ctx, func(tx *tx) error {
			o := newOrder(t, i)
			done, err := tx.InsertOwned(ctx, o)
			if !done || err != nil {
				return fmt.Errorf("insert: %v, %w", done, err)
			}
			if _, _, err = tx.LockTag(ctx, 1, o.Key); err != nil {
				return err
			}
			if o, err = tx.LockOrder(ctx, o.No); err != nil {
				return err
			}
			done, err = tx.Move(ctx, o, o, order.Move{OrderNo: o.No, Version: 2, From: pay.Created, To: pay.Created, By: pay.ByPay, OpID: "op", At: t0})
			if !done {
				return fmt.Errorf("moved: %v, %w", done, err)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := b.status("Com_stmt_prepare") - before; n != len(hot) {
		t.Errorf("%d statements were parsed on one connection, want each of the %d hot ones once", n, len(hot))
	}
}

func TestLockOrderWaitsForAnotherWriter(t *testing.T) {
	onEachKind(t, checkLockOrderWaitsForAnotherWriter)
}

func checkLockOrderWaitsForAnotherWriter(t *testing.T, b *bed) {
	ctx := b.ctx()
	o := newOrder(t, 1)
	first, err := b.group.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Rollback()
	if err := first.InsertOrder(ctx, o); err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	go func() {
		read <- write(ctx, b.group, func(tx order.Tx) error {
			_, err := tx.LockOrder(ctx, o.No)
			return err
		})
	}()
	eventually(t, "the reader waits", b.lockIsAwaited)
	if err := first.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil {
		t.Errorf("the reader missed a row that was being written: %v", err)
	}
	err = write(ctx, b.group, func(tx order.Tx) error {
		_, err := tx.LockOrder(ctx, number(t, 2))
		return err
	})
	if !errors.Is(err, order.ErrNotFound) {
		t.Errorf("no such order: %v", err)
	}
}

// lockIsAwaited reports whether a transaction waits for a row lock.
func (b *bed) lockIsAwaited() bool {
	b.t.Helper()
	return b.status("Innodb_row_lock_current_waits") > 0
}

// status is one of the primary's counts.
func (b *bed) status(name string) (n int) {
	b.t.Helper()
	if err := b.root(0).QueryRowContext(b.ctx(), "SHOW GLOBAL STATUS LIKE '"+name+"'").Scan(&name, &n); err != nil {
		b.t.Fatal(err)
	}
	return n
}

// BenchmarkCreateTx is one create as the engine writes it: lock, order, outbox,
// commit, acknowledged by a replica.
func BenchmarkCreateTx(b *testing.B) {
	bed := newBed(b)
	ctx := context.Background()
	var next atomic.Int64
	b.ResetTimer()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := int(next.Add(1))
			o := newOrder(b, i%pay.MaxSequence)
			no, err := pay.NewOrderNo(t0.Add(time.Duration(i/pay.MaxSequence)*time.Second), 7, i%pay.MaxSequence, 1, 1)
			if err != nil {
				b.Error(err)
				return
			}
			o.No, o.Key.MerchantOrderNo = no, no.String()
			if err := insert(ctx, bed.group, o); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
