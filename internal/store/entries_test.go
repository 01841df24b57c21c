package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// midnight starts the business day that is read.
var midnight = time.Date(2026, 3, 2, 0, 0, 0, 0, pay.Beijing)

// bookEntries fills a group with what lies in the day and around it, and returns
// what is read of the day.
func (b *bed) bookEntries() (want []pay.Entry) {
	b.t.Helper()
	ctx, sequence := b.ctx(), 0
	orderAt := func(created time.Time, tag pay.Tag) order.Order {
		sequence++
		o := newOrder(b.t, sequence)
		no, err := pay.NewOrderNo(created, 7, sequence, tag, 1)
		if err != nil {
			b.t.Fatal(err)
		}
		o.No, o.Created, o.Account, o.TerminalID = no, created, "mch1", "t1"
		return o
	}
	paid := func(created, at time.Time) order.Order {
		o := orderAt(created, 1)
		o.State, o.PaidAt, o.ChannelTradeNo = pay.Paid, at, "ch-"+o.No.String()
		return o
	}
	end := midnight.Add(24 * time.Hour)
	late := paid(midnight.Add(-47*time.Hour), midnight)                            // paid two days later
	fast := paid(end.Add(time.Minute), end.Add(-time.Second))                      // the channel's clock is behind
	open := orderAt(midnight, 1)                                                   // never paid: dated by its creation
	yesterday := paid(midnight.Add(-time.Second), midnight.Add(-time.Millisecond)) // too early
	tomorrow := paid(end.Add(-time.Second), end)                                   // an end is not included
	shadow, gone := orderAt(midnight, 1), orderAt(midnight, 2)                     // gone: of a tag that has moved
	shadow.Key.MerchantID, shadow.Shadow = pay.ShadowMerchant, true                // never
	all := []order.Order{late, fast, open, yesterday, tomorrow, shadow, gone}
	accepted := newRefund(yesterday.No, "r1", midnight.Add(-time.Hour)) // a refund of the day, of a payment of another
	accepted.State, accepted.Accepted, accepted.ChannelNo = pay.RefundDone, midnight, "chr1"
	asked := newRefund(yesterday.No, "r2", midnight.Add(time.Hour)) // not accepted yet
	before := newRefund(yesterday.No, "r3", midnight)               // accepted on another day
	before.Accepted = end
	test := newRefund(shadow.No, "r4", midnight)
	test.Shadow = true
	foreign := newRefund(gone.No, "r5", midnight)
	back := order.Revoke{OrderNo: late.No, No: "v1", Amount: 1250, State: order.RevokeDone, Money: pay.MoneyRefunded, Created: midnight.Add(-time.Hour), Done: midnight, Version: 1}
	unsure, refused, early := back, back, back
	unsure.OrderNo, unsure.Money = open.No, ""
	refused.No, refused.State = "v2", order.RevokeRefused
	early.No, early.Done = "v3", midnight.Add(-time.Millisecond)
	err := write(ctx, b.group, func(tx order.Tx) error {
		var errs []error
		for _, o := range all {
			errs = append(errs, tx.InsertOrder(ctx, o))
		}
		for _, r := range []order.Refund{accepted, asked, before, test, foreign} {
			_, err := tx.PutRefund(ctx, r)
			errs = append(errs, err)
		}
		for _, r := range []order.Revoke{back, unsure, refused, early} {
			_, err := tx.PutRevoke(ctx, r)
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
	if err != nil {
		b.t.Fatal(err)
	}
	entry := func(kind pay.EntryKind, o order.Order, state string, at time.Time) pay.Entry {
		return pay.Entry{Kind: kind, OrderNo: o.No.String(), MerchantID: "m1", MerchantOrderNo: o.Key.MerchantOrderNo, TerminalID: "t1",
			Channel: "wechat", Account: "mch1", ChannelTradeNo: o.ChannelTradeNo, Amount: 1250, State: state, Time: at}
	}
	refund, request := entry(pay.EntryRefund, yesterday, "done", midnight), entry(pay.EntryRefund, yesterday, "requested", midnight.Add(time.Hour))
	refund.RefundNo, refund.ChannelRefundNo, refund.Amount = "r1", "chr1", 100
	request.RefundNo, request.Amount = "r2", 100
	return []pay.Entry{
		entry(pay.EntryPay, late, "paid", midnight), entry(pay.EntryPay, open, "created", midnight), entry(pay.EntryPay, fast, "paid", end.Add(-time.Second)),
		refund, request,
		entry(pay.EntryRevoke, late, pay.RevokeDone, midnight), entry(pay.EntryRevoke, open, pay.RevokeUnknown, midnight),
	}
}

func (b *bed) entries(ctx context.Context) (all []pay.Entry, err error) {
	b.read, err = b.group.Entries(ctx, aDay, func(e pay.Entry) error {
		all = append(all, e)
		return e.Check()
	})
	return all, err
}

var aDay = order.EntryQuery{From: midnight, To: midnight.Add(24 * time.Hour)}

func TestEntriesOfADay(t *testing.T) {
	b := newBed(t)
	b.healAfter()
	want := b.bookEntries()
	b.catchUp()
	got, err := b.entries(b.ctx())
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("entries (-want +got): %v\n%s", err, d)
	}
	stop := errors.New("enough")
	if _, err := b.group.Entries(b.ctx(), aDay, func(pay.Entry) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("yield's error: %v", err)
	}
	b.signal(0, syscall.SIGSTOP)
	defer b.signal(0, syscall.SIGCONT)
	b.exec(1, "STOP SLAVE SQL_THREAD") // its day might not be complete
	b.within(2*time.Second, func(ctx context.Context) {
		got, err = b.entries(ctx)
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("entries of a replica (-want +got): %v\n%s", err, d)
		}
	})
}

func TestEntriesWhileATagMoves(t *testing.T) { onEachKind(t, checkEntriesWhileATagMoves) }

func checkEntriesWhileATagMoves(t *testing.T, b *bed) {
	want := b.bookEntries()
	b.exec(0, "INSERT INTO "+b.schema+"group_state (tag, state, epoch) VALUES (3, ?, 2)", shard.TagFenced)
	b.within(2*passingLook, func(ctx context.Context) {
		if _, err := b.entries(ctx); !errors.Is(err, errFenced) {
			t.Errorf("a tag is fenced: %v", err)
		}
	})
	waited := make(chan error, 1)
	go func() {
		got, err := b.entries(b.ctx())
		if err == nil && len(got) != len(want) {
			err = fmt.Errorf("%d entries, want %d", len(got), len(want))
		}
		waited <- err
	}()
	b.exec(0, "DELETE FROM "+b.schema+"group_state WHERE tag=3")
	if err := <-waited; err != nil {
		t.Errorf("a fence that goes: %v", err)
	}
	var got []pay.Entry
	source, err := b.group.Entries(b.ctx(), aDay, func(e pay.Entry) error {
		if len(got) == 0 {
			b.exec(0, "UPDATE "+b.schema+"group_state SET state=?, epoch=2", shard.TagMoved)
			b.exec(0, "DELETE FROM "+b.schema+"refunds")
		}
		got = append(got, e)
		return nil
	})
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("entries of one moment (-want +got): %v\n%s", err, d)
	}
	if c := source.Claims; len(c) != 1 || c[0] != (shard.Claim{Tag: 1, Group: 1, State: shard.TagOwned, Epoch: 1}) {
		t.Errorf("the tags at that moment: %+v", c)
	}
}

// TestEntriesOfAGroupThatIsJustAdded: an engine prepares it within a moment, for which
// readers wait. Until then it is never taken for a group without orders.
func TestEntriesOfAGroupThatIsJustAdded(t *testing.T) {
	t.Run("embedded", func(t *testing.T) { checkEntriesOfAGroupThatIsJustAdded(t, newBareEmbeddedBed(t)) })
	t.Run("mariadb", func(t *testing.T) { checkEntriesOfAGroupThatIsJustAdded(t, newBareBed(t)) })
}

func checkEntriesOfAGroupThatIsJustAdded(t *testing.T, b *bed) {
	b.group = b.open()
	refused := func(when string) {
		t.Helper()
		b.within(2*passingLook, func(ctx context.Context) {
			if got, err := b.entries(ctx); !errors.Is(err, errNotPrepared) {
				t.Errorf("%s: %d entries, %v", when, len(got), err)
			}
		})
	}
	refused("without tables")
	waited := make(chan error, 1)
	go func() {
		got, err := b.entries(b.ctx())
		if err == nil && len(got) != 0 {
			err = fmt.Errorf("%d entries", len(got))
		}
		waited <- err
	}()
	if err := b.group.Prepare(b.ctx(), 100); err != nil {
		t.Fatal(err)
	}
	if err := <-waited; err != nil {
		t.Errorf("while it is prepared: %v", err)
	}
	b.exec(0, "DELETE FROM "+b.schema+"group_state")
	b.catchUp()
	refused("without its tags")
}

func TestEntriesOfAChannelAndAnAccount(t *testing.T) {
	onEachKind(t, checkEntriesOfAChannelAndAnAccount)
}

func checkEntriesOfAChannelAndAnAccount(t *testing.T, b *bed) {
	all := b.bookEntries()
	b.exec(0, "UPDATE "+b.schema+"orders SET channel='alipay', account='pid1' WHERE order_no=?", all[0].OrderNo) // and its revoke
	b.exec(0, "UPDATE "+b.schema+"orders SET channel='', account='' WHERE order_no=?", all[1].OrderNo)           // never sent, nor its revoke
	for _, c := range []struct {
		channel, account string
		want             []int
	}{
		{"", "", []int{0, 1, 2, 3, 4, 5, 6}}, {"alipay", "", []int{0, 1, 5, 6}}, {"", "mch1", []int{1, 2, 3, 4, 6}},
		{"alipay", "mch1", []int{1, 6}}, {"wechat", "mch1", []int{1, 2, 3, 4, 6}},
	} {
		q := aDay
		q.Channel, q.Account = c.channel, c.account
		var want, got []string
		for _, i := range c.want {
			want = append(want, string(all[i].Kind)+all[i].OrderNo+all[i].RefundNo)
		}
		_, err := b.group.Entries(b.ctx(), q, func(e pay.Entry) error {
			got = append(got, string(e.Kind)+e.OrderNo+e.RefundNo)
			return nil
		})
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("channel %q, account %q (-want +got): %v\n%s", c.channel, c.account, err, d)
		}
	}
}

// TestEntriesPreferAReplica: one that has applied what its primary has committed, and
// the primary where there is none.
func TestEntriesPreferAReplica(t *testing.T) {
	b := newBed(t)
	b.healAfter()
	want := b.bookEntries()
	served := func(role string) {
		t.Helper()
		got, err := b.entries(b.ctx())
		if d := cmp.Diff(want, got); err != nil || d != "" || !strings.Contains(b.read.Node, role) {
			t.Errorf("%s served, want a %s; (-want +got): %v\n%s", b.read.Node, role, err, d)
		}
	}
	served("replica")
	for i := 1; i <= 2; i++ {
		b.exec(i, "STOP SLAVE SQL_THREAD")
	}
	b.insert(newOrder(t, 99)) // committed, received, and not applied
	served("primary")
}

func TestEntriesInPages(t *testing.T) { onEachKind(t, checkEntriesInPages) }

func checkEntriesInPages(t *testing.T, b *bed) {
	ctx := b.ctx()
	const rows = pageSize + 7
	err := write(ctx, b.group, func(tx order.Tx) error {
		for i := range rows {
			o := newOrder(t, i)
			if err := tx.InsertOrder(ctx, o); err != nil {
				return err
			}
			r := newRefund(o.No, "r1", t0)
			r.Accepted = t0.Add(time.Duration(i/100) * time.Millisecond) // pages end within a millisecond
			if _, err := tx.PutRefund(ctx, r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[pay.EntryKind]map[string]bool{pay.EntryPay: {}, pay.EntryRefund: {}}
	_, err = b.group.Entries(ctx, order.EntryQuery{From: t0, To: t0.Add(time.Hour)}, func(e pay.Entry) error {
		if seen[e.Kind][e.OrderNo] {
			t.Errorf("%s %s came twice", e.Kind, e.OrderNo)
		}
		seen[e.Kind][e.OrderNo] = true
		return nil
	})
	if err != nil || len(seen[pay.EntryPay]) != rows || len(seen[pay.EntryRefund]) != rows {
		t.Errorf("%d payments and %d refunds, %v, want %d", len(seen[pay.EntryPay]), len(seen[pay.EntryRefund]), err, rows)
	}
}
