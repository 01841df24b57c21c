package order_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// audit lists the findings about some orders; others have their own tests.
func (s *shop) audit(about ...pay.OrderNo) (found []order.Finding, report order.AuditReport) {
	s.t.Helper()
	now := s.bed.clock.Now()
	report, err := s.engine.Audit(s.t.Context(), order.DossierQuery{From: now.Add(-2 * time.Hour), To: now.Add(time.Hour)}, func(f order.Finding) error {
		if slices.Contains(about, f.OrderNo) {
			found = append(found, f)
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return found, report
}

// plant writes past the engine.
func (s *shop) plant(g shard.GroupID, query string, args ...any) {
	s.t.Helper()
	db, err := sql.Open("mysql", s.bed.dsns[g-1])
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(s.t.Context(), query, args...); err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
}

// leavesNothingDue opens a shop whose refunds and tasks wait for nobody when the test
// has ended and its engine with it: engines of later tests would look at them.
func (b *bed) leavesNothingDue(t *testing.T, adjust ...func(o *order.Options)) *shop {
	t.Helper()
	var s *shop
	t.Cleanup(func() { // registered before the engine's end, so it runs after it
		for i, dsn := range b.dsns {
			db, err := sql.Open("mysql", dsn)
			if err != nil {
				t.Fatal(err)
			}
			for _, table := range []string{"refunds", "tasks"} {
				query := "UPDATE " + table + " SET due_ms=0 WHERE order_no IN (SELECT order_no FROM orders WHERE channel=?)"
				if _, err := db.ExecContext(context.Background(), query, s.till.name); err != nil {
					t.Errorf("group %d: %v", i+1, err)
				}
			}
			_ = db.Close()
		}
	})
	s = b.shop(t, adjust...)
	return s
}

// TestAuditOfALoadFindsNothing: whatever the engine does, its books fit together, at
// its end and in the middle of it.
func TestAuditOfALoadFindsNothing(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.leavesNothingDue(t, func(o *order.Options) { o.RevokePaid = true })
		seed := rand.Uint64()
		chance := rand.New(rand.NewPCG(seed, 0))
		verdicts := []order.Verdict{order.Success, order.Success, order.Success, order.Failed, order.ClosedByChannel, order.RevokedByChannel, order.Pending, order.PayError, order.Unclear}
		var all []pay.OrderNo
		for i := range 60 {
			verdict := verdicts[chance.IntN(len(verdicts))]
			s.till.says(func(w *words) {
				w.pay = func(c order.PayCall) order.Answer { return s.answers(verdict, c.OrderNo) }
				w.query = func(no pay.OrderNo) order.Answer { return s.answers(verdict, no) }
				w.revoke = revokesWith([]order.RevokeVerdict{order.RevokeTaken, order.RevokeUnclear, order.RevokeTooLate}[chance.IntN(3)])
				w.refund = refundsWith([]pay.RefundState{pay.RefundDone, pay.RefundProcessing, pay.RefundFailed, pay.RefundClosed}[chance.IntN(4)])
			})
			o := s.create()
			all = append(all, o.No)
			if chance.IntN(5) > 0 {
				s.pays(o.No)
			}
			// Refusals are part of the load: only what they leave behind counts.
			switch chance.IntN(5) {
			case 0:
				_, _ = s.engine.Revoke(s.ctx(), o.No)
			case 1, 2:
				_, _, _ = s.engine.Refund(s.ctx(), o.No, order.RefundRequest{No: "k" + o.No.String(), Amount: 1 + pay.Fen(chance.IntN(int(amount)))})
			case 3:
				_, _ = s.engine.Supplement(s.ctx(), o.No, approved(fmt.Sprint("D-", i)))
			}
			if i == 40 {
				if found, _ := s.audit(all...); len(found) > 0 {
					t.Fatalf("seed %d, in the middle: %+v", seed, found)
				}
			}
		}
		found, report := s.audit(all...)
		if len(found) > 0 || report.Orders < 60 || report.Records < 60 || len(report.Sources) != 3 {
			t.Errorf("seed %d: found %+v, report %+v", seed, found, report)
		}
	})
}

// answers is a verdict with what belongs to it.
func (s *shop) answers(v order.Verdict, no pay.OrderNo) order.Answer {
	if v == order.Success {
		return s.till.success(no)
	}
	return said(v)
}

func TestAuditFindsWhatIsPlanted(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		const refund = `INSERT INTO refunds (order_no, refund_no, tag, amount_fen, state, channel_refund_no, created_ms, done_ms, updated_ms, version, op_id)
VALUES (?, ?, ?, ?, ?, '', ?, 0, 0, 1, 'put')`
		const revoke = `INSERT INTO revokes (order_no, revoke_no, tag, amount_fen, state, money, created_ms, done_ms, updated_ms, version, op_id)
VALUES (?, ?, ?, ?, 'done', ?, 1, 1, 1, 1, 'put')`
		paid := func() order.Order { return s.pays(s.create().No) }
		cancelled := func() order.Order {
			o := s.create()
			s.cancels(o)
			return o
		}
		do := func(query string) func(o order.Order) {
			return func(o order.Order) { s.plant(o.Group, query+" WHERE order_no=?", o.No.String()) }
		}
		for name, c := range map[string]struct {
			make  func() order.Order
			plant func(o order.Order)
			want  order.Check
		}{
			"no order": {paid, do("DELETE FROM orders"), order.CheckOrderMissing},
			"no moves": {paid, do("DELETE FROM outbox"), order.CheckMoves},
			"a move is gone": {paid, func(o order.Order) {
				s.plant(o.Group, "DELETE FROM outbox WHERE version=2 AND order_no=?", o.No.String())
			}, order.CheckMoves},
			"moves do not follow": {paid, func(o order.Order) {
				s.plant(o.Group, "UPDATE outbox SET from_state='closed' WHERE version=3 AND order_no=?", o.No.String())
			}, order.CheckMoves},
			"a move of nobody's": {paid, func(o order.Order) {
				s.plant(o.Group, "UPDATE outbox SET mover='nobody' WHERE version=3 AND order_no=?", o.No.String())
			}, order.CheckMoves},
			"closed by hand":         {paid, do("UPDATE orders SET state='closed'"), order.CheckState},
			"a version by hand":      {paid, do("UPDATE orders SET version=version+1"), order.CheckState},
			"paid by hand":           {s.create, do("UPDATE orders SET state='paid', paid_ms=1"), order.CheckPaidUnproven},
			"paid at no time":        {paid, do("UPDATE orders SET paid_ms=0"), order.CheckPaidUnproven},
			"nobody looks":           {s.create, do("UPDATE orders SET due_ms=0"), order.CheckOverdue},
			"a sum by hand":          {paid, do("UPDATE orders SET refunded_fen=1"), order.CheckRefundSum},
			"more than paid":         {paid, func(o order.Order) { s.plant(o.Group, refund, o.No.String(), "r1", o.No.Tag(), amount+1, "failed", 1) }, order.CheckOverRefunded},
			"refunded and unpaid":    {cancelled, func(o order.Order) { s.plant(o.Group, refund, o.No.String(), "r1", o.No.Tag(), 1, "failed", 1) }, order.CheckRefundUnpaid},
			"revoked and paid":       {paid, func(o order.Order) { s.plant(o.Group, revoke, o.No.String(), "R1", o.No.Tag(), amount, "unknown") }, order.CheckRevoke},
			"revoked, and no record": {func() order.Order { return s.payTold(order.RevokedByChannel) }, do("DELETE FROM revokes"), order.CheckRevoke},
			"a late task": {paid, func(o order.Order) {
				s.within(o.Group, o.No, func(ctx context.Context, tx order.Tx) error {
					_, err := tx.PutTask(ctx, order.Task{ID: "contradiction-" + o.No.String(), Kind: order.TaskContradiction, OrderNo: o.No, State: order.TaskOpen,
						Created: o.Created.Add(-time.Hour), Deadline: o.Created.Add(-time.Minute), Version: 1})
					return err
				})
			}, order.CheckTask},
			"an answer waits": {paid, func(o order.Order) {
				holder, answer := b.groups[int(o.Group)%3], said(order.Failed)
				s.till.says(func(w *words) { w.query = always(order.Pending) })
				if err := holder.PutJournal(s.ctx(), order.JournalEntry{OrderNo: o.No, Answer: &answer, Created: o.Created.Add(-time.Hour)}); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = holder.DropJournal(context.Background(), o.No) })
			}, order.CheckAnswerWaiting},
		} {
			t.Run(name, func(t *testing.T) {
				s.till.says(func(w *words) { *w = words{} })
				o := c.make()
				if found, _ := s.audit(o.No); len(found) > 0 {
					t.Fatalf("found before it was planted: %+v", found)
				}
				c.plant(o)
				found, report := s.audit(o.No)
				if len(found) != 1 || found[0].Check != c.want || found[0].Group == 0 || found[0].What == "" || found[0].Advice == "" {
					t.Errorf("found %+v, want %s alone", found, c.want)
				}
				if report.Findings[c.want] == 0 {
					t.Errorf("the report counts %v", report.Findings)
				}
			})
		}
	})
}

// TestAuditOfAKeyOverGroups: two orders of a key are found in whichever groups they
// lie, and not while the engine is at it.
func TestAuditOfAKeyOverGroups(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		long := b.clock.Now().Add(-time.Hour).UnixMilli()
		pair := func(second func() order.Order) (order.Order, order.Order) {
			first := s.pays(s.create().No)
			other := second()
			s.plant(other.Group, "UPDATE orders SET merchant_order_no=?, attempt=2 WHERE order_no=?", first.Key.MerchantOrderNo, other.No.String())
			return first, other
		}
		old := func(orders ...order.Order) {
			for _, o := range orders {
				s.plant(o.Group, "UPDATE orders SET updated_ms=? WHERE order_no=?", long, o.No.String())
			}
		}
		want := func(check order.Check, orders ...order.Order) {
			t.Helper()
			found, _ := s.audit(orders[0].No, orders[1].No)
			if check == "" && len(found) > 0 || check != "" && (len(found) != 1 || found[0].Check != check || found[0].OrderNo != orders[1].No) {
				t.Errorf("found %+v, want %q about order %s", found, check, orders[1].No)
			}
		}
		a, c := pair(s.create)
		want("", a, c)
		old(a, c)
		want(order.CheckLiveTwice, a, c)

		a, c = pair(func() order.Order { return s.pays(s.create().No) })
		old(a, c)
		want(order.CheckPaidTwice, a, c)
		s.within(c.Group, c.No, func(ctx context.Context, tx order.Tx) error {
			_, err := tx.PutTask(ctx, order.Task{ID: "money_back-" + c.No.String(), Kind: order.TaskMoneyBack, OrderNo: c.No, State: order.TaskOpen,
				Deadline: b.clock.Now().Add(time.Hour), Version: 1})
			return err
		})
		want("", a, c)
	})
}
