package order_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// Rule 7: the guard before pay.

func TestRule7AnotherAttemptIsTheAnswer(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		s.till.says(func(w *words) { w.query = s.till.success })
		for _, c := range []struct {
			name  string
			other pay.State
			code  string    // of the refusal, "" for none
			state pay.State // of the other one in the end
		}{
			{"it is paid", pay.Paid, "", pay.Paid},
			{"it is open and settled first", pay.Paying, "", pay.Paid},
			{"it is being revoked", pay.Revoking, order.CodeOrderOpen, pay.Revoking},
		} {
			t.Run(c.name, func(t *testing.T) {
				s := s.in(t)
				o, other := s.twins(pay.Created, c.other)
				got, err := s.engine.Pay(s.ctx(), o.No, order.PayRequest{AuthCode: "code"})
				if c.code != "" {
					wantCode(t, err, c.code)
				} else if err != nil {
					t.Fatal(err)
				}
				if got.No != other.No || got.State != c.state {
					t.Errorf("answered by %s (%s), want %s (%s)", got.No, got.State, other.No, c.state)
				}
				s.want(o.No, pay.Created)
				if s.till.count(o.No).pays+s.till.count(other.No).pays != 0 {
					t.Error("a second payment of the key was sent")
				}
			})
		}
	})
}

func TestRule7OfTwoUnsentTheLowerStays(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		for _, payFirst := range []bool{true, false} {
			low, high := s.twins(pay.Created, pay.Created)
			asked := low
			if !payFirst {
				asked = high
			}
			if got := s.pays(asked.No); got.No != low.No || got.State != pay.Paid {
				t.Errorf("paid %s, want the lower one, %s", got.No, low.No)
			}
			if void := s.want(high.No, pay.Void); void.TwinOf != low.No {
				t.Errorf("the twin names %s", void.TwinOf)
			}
			if s.till.count(low.No).pays != 1 || s.till.count(high.No).pays != 0 {
				t.Error("not exactly one payment was sent")
			}
			if got := s.pays(high.No); got.No != low.No {
				t.Errorf("the void number is answered by %s", got.No)
			}
		}
	})
}

func TestRule7ASilentGroup(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		usual := order.CodeRiskDouble // groups with replicas ask the cashier
		if b.async {
			usual = ""
		}
		for _, c := range []struct {
			name    string
			policy  order.GuardPolicy
			confirm bool
			code    string
		}{
			{"default", "", false, usual},
			{"ask", order.GuardAsk, false, order.CodeRiskDouble},
			{"ask, confirmed", order.GuardAsk, true, ""},
			{"pay", order.GuardPay, false, ""},
			{"refuse", order.GuardRefuse, false, order.CodeGuardSilent},
			{"refuse, confirmed", order.GuardRefuse, true, order.CodeGuardSilent},
		} {
			t.Run(c.name, func(t *testing.T) {
				s := b.shop(t, func(o *order.Options) { o.Guard = c.policy })
				s.groups[2].silences()
				o := s.put(s.draft(1, newKey(), pay.Created))
				got, err := s.engine.Pay(s.ctx(), o.No, order.PayRequest{AuthCode: "code", ConfirmRisk: c.confirm})
				if c.code != "" {
					wantCode(t, err, c.code)
					if row := s.want(o.No, pay.Created); row.Version != 1 || s.till.count(o.No) != (count{}) {
						t.Errorf("something happened: %+v", row)
					}
					return
				}
				if err != nil || got.State != pay.Paid || !got.RiskDouble || !s.row(o.No).RiskDouble {
					t.Fatalf("%+v, %v, want it paid and marked", got, err)
				}
				if got.Due.IsZero() {
					t.Error("nobody will look for the other payment")
				}
				s.groups[2].heals()
				s.lapse("every group was asked again", func() bool { return s.row(o.No).Due.IsZero() })
				if _, found := s.task(order.TaskMoneyBack, o.No); found {
					t.Error("the only payment of the key is to be given back")
				}
			})
		}
	})
}

// TestRule7AHangCostsNoTime has a group hang for five seconds: it is given up while
// it still hangs.
func TestRule7AHangCostsNoTime(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t, func(o *order.Options) { o.Guard, o.GuardTimeout = order.GuardPay, 0 }) // the default
		o := s.create()
		gaveUp := make(chan time.Duration, 1)
		s.groups[o.Group%3].fails(func(g *tamper) {
			g.fresh = func(ctx context.Context) error {
				start := time.Now()
				select {
				case <-ctx.Done():
					select {
					case gaveUp <- time.Since(start):
					default: // the look for a second payment hangs as well
					}
				case <-time.After(5 * time.Second):
				}
				return asTold(order.NotCommitted)
			}
		})
		if got := s.pays(o.No); !got.RiskDouble {
			t.Errorf("%+v is not marked", got)
		}
		select {
		case after := <-gaveUp:
			t.Logf("given up after %s", after)
		default:
			t.Error("the guard waited for a group that hangs")
		}
	})
}

func TestRule7TheLowerAttemptStays(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		key := newKey()
		second := s.draft(1, key, pay.Created)
		second.Attempt = 2
		s.put(second)
		first := s.put(s.draft(2, key, pay.Created)) // with the higher number
		if got := s.pays(second.No); got.No != first.No || got.State != pay.Paid {
			t.Errorf("paid attempt %d as %s (%s)", got.Attempt, got.No, got.State)
		}
		s.want(second.No, pay.Void)
		if n := s.till.count(second.No); n.pays != 0 {
			t.Error("the second attempt was sent")
		}
	})
}

// TestRule7TwoEnginesPayTwins lets two engines pay the two orders of a key at once.
func TestRule7TwoEnginesPayTwins(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		second := s.open()
		paid := 0
		for range 50 {
			low, high := s.twins(pay.Created, pay.Created)
			var wg sync.WaitGroup
			for i, e := range []*order.Engine{s.engine, second} {
				no := []pay.OrderNo{high.No, low.No}[i]
				wg.Go(func() {
					_, err := e.Pay(s.ctx(), no, order.PayRequest{AuthCode: "code"})
					var refusal *order.Error
					if err != nil && !errors.As(err, &refusal) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			sent := s.till.count(low.No).pays + s.till.count(high.No).pays
			if sent > 1 {
				t.Errorf("%d payments of one key were sent", sent)
			}
			paid += sent
		}
		if paid == 0 {
			t.Error("no payment was ever sent")
		}
	})
}
