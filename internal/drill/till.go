package drill

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// Payer is the engine as a till sees it. Calls are concurrent.
type Payer interface {
	Creator
	Get(ctx context.Context, no pay.OrderNo) (order.Order, error)
	Pay(ctx context.Context, no pay.OrderNo, r order.PayRequest) (order.Order, error)
	Revoke(ctx context.Context, no pay.OrderNo) (order.Order, error)
	Refund(ctx context.Context, no pay.OrderNo, r order.RefundRequest) (order.Order, order.Refund, error)
}

// TillResult counts what became of the orders that a till carried on.
type TillResult struct {
	Paid      int     `json:"paid"`
	PaidFen   pay.Fen `json:"paid_fen"`
	Refused   int     `json:"refused"`  // by the channel, for good
	Revoked   int     `json:"revoked"`  // by the cashier, or because nobody knew
	Open      int     `json:"open"`     // PAYING or REVOKING when the till turned away
	Refunds   int     `json:"refunds"`  // that the channel took
	GaveUp    int     `json:"gave_up"`  // the group was out for too long
	Deferred  int     `json:"deferred"` // paid, and being recorded
	RefundFen pay.Fen `json:"refund_fen"`
}

// Till is a shop: each order that it creates is paid, and some are revoked or
// refunded, as the seed says. It is a Creator, so that an open-loop load runs on it:
// what follows a create happens behind the load's back, a bounded number at a time.
// Safe for concurrent use.
type Till struct {
	engine Payer
	clock  Clock
	seed   uint64
	mix    Mix

	places chan struct{}
	lives  sync.WaitGroup
	mu     sync.Mutex
	result TillResult
}

// Mix is how a till's buyers behave, in percent of the orders; the rest pay at once.
type Mix struct {
	Late, Lost, Refuse, Error, Drop int // payment codes of the built-in channel
	Never                           int // the buyer walks away, the cashier cancels
	Unpaid                          int // created, and nothing follows
	Refund                          int // of those that were paid
	Again                           int // the client asks for the same key once more
	// Patience is how long a till tries to get an answer out of a group that is out.
	Patience time.Duration
}

// EverydayMix is a shop on a bad day.
func EverydayMix() Mix {
	return Mix{Late: 8, Lost: 4, Refuse: 4, Error: 2, Never: 3, Unpaid: 2, Refund: 12, Again: 3, Patience: 20 * time.Second}
}

// maxLives bounds the orders that a till carries on at a time.
const maxLives = 2000

// NewTill sets up a till on an engine.
func NewTill(engine Payer, clock Clock, mix Mix, seed uint64) *Till {
	return &Till{engine: engine, clock: clock, seed: seed, mix: mix, places: make(chan struct{}, maxLives)}
}

// Create creates an order and starts its life. With no place left the order stays
// as it is, and expires.
func (t *Till) Create(ctx context.Context, r order.Request) (order.Order, error) {
	o, err := t.engine.Create(ctx, r)
	if err != nil {
		return o, err
	}
	select {
	case t.places <- struct{}{}:
		t.lives.Go(func() {
			defer func() { <-t.places }()
			t.live(ctx, r, o)
		})
	default:
	}
	return o, nil
}

// Wait returns the counts once every life has come to its end.
func (t *Till) Wait() TillResult {
	t.lives.Wait()
	return t.Result()
}

// Result is the counts so far.
func (t *Till) Result() TillResult {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.result
}

func (t *Till) count(f func(r *TillResult)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.result)
}

// live carries one order on. Its chance comes from the seed and its key alone, so
// that a run is the same whatever the timing.
func (t *Till) live(ctx context.Context, r order.Request, o order.Order) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(r.Key.MerchantOrderNo)) // never fails
	chance := rand.New(rand.NewPCG(t.seed, h.Sum64()))
	word := t.word(chance)
	if word == "" {
		return
	}
	if chance.IntN(100) < t.mix.Again { // the answer to the create was lost, says the client
		if again, err := t.engine.Create(ctx, r); err == nil {
			o = again
		}
	}
	o, err := t.pay(ctx, o, order.AuthCode(word), chance)
	if err != nil {
		t.count(func(r *TillResult) { r.GaveUp++ })
		return
	}
	if word == "never" {
		_ = t.clock.Sleep(ctx, time.Duration(200+chance.IntN(800))*time.Millisecond)
		if revoked, err := t.engine.Revoke(ctx, o.No); err == nil {
			o = revoked
		}
	}
	t.settled(ctx, t.waitForEnd(ctx, o), chance)
}

// waitForEnd looks at an open order until it has an end, or patience has.
func (t *Till) waitForEnd(ctx context.Context, o order.Order) order.Order {
	giveUp := t.clock.Now().Add(t.mix.Patience)
	for (o.State == pay.Paying || o.State == pay.Revoking) && t.clock.Now().Before(giveUp) {
		if t.clock.Sleep(ctx, 500*time.Millisecond) != nil {
			return o
		}
		if now, err := t.engine.Get(ctx, o.No); err == nil {
			o = now
		}
	}
	return o
}

// word draws a payment code, "" for a buyer who never comes to the till.
func (t *Till) word(chance *rand.Rand) string {
	n := chance.IntN(100)
	for _, w := range []struct {
		word    string
		percent int
	}{
		{"late=" + (time.Duration(300+chance.IntN(2500)) * time.Millisecond).String(), t.mix.Late},
		{"lost", t.mix.Lost}, {"refuse", t.mix.Refuse}, {"error", t.mix.Error}, {"drop", t.mix.Drop},
		{"never", t.mix.Never}, {"", t.mix.Unpaid},
	} {
		if n -= w.percent; n < 0 {
			return w.word
		}
	}
	return "success"
}

// pay asks until the engine has an answer other than "not now".
func (t *Till) pay(ctx context.Context, o order.Order, code order.AuthCode, chance *rand.Rand) (order.Order, error) {
	r := order.PayRequest{AuthCode: code}
	for giveUp := t.clock.Now().Add(t.mix.Patience); ; {
		paid, err := t.engine.Pay(ctx, o.No, r)
		var refused *order.Error
		switch {
		case err == nil:
			return paid, nil
		case !errors.As(err, &refused) || refused.RetryAfter == 0 || t.clock.Now().After(giveUp):
			return o, err
		case refused.Code == order.CodeRiskDouble:
			r.ConfirmRisk = chance.IntN(2) == 0 // the cashier asks the buyer
		}
		if t.clock.Sleep(ctx, max(refused.RetryAfter/2, 50*time.Millisecond)) != nil {
			return o, err
		}
	}
}

func (t *Till) settled(ctx context.Context, o order.Order, chance *rand.Rand) {
	switch o.State {
	case pay.Paid:
		t.count(func(r *TillResult) {
			r.Paid++
			r.PaidFen += o.Amount
			if o.Recording {
				r.Deferred++
			}
		})
		if chance.IntN(100) < t.mix.Refund {
			t.refund(ctx, o, chance)
		}
	case pay.Closed:
		t.count(func(r *TillResult) { r.Refused++ })
	case pay.Revoked:
		t.count(func(r *TillResult) { r.Revoked++ })
	default:
		t.count(func(r *TillResult) { r.Open++ })
	}
}

// refund gives all or a part back, in one or two refunds.
func (t *Till) refund(ctx context.Context, o order.Order, chance *rand.Rand) {
	left := o.Amount
	for i := range 1 + chance.IntN(2) {
		amount := left
		if chance.IntN(2) == 0 {
			amount = 1 + pay.Fen(chance.Int64N(int64(left)))
		}
		word := []string{"ok", "ok", "ok", "late", "lost", "drop"}[chance.IntN(6)]
		request := order.RefundRequest{No: fmt.Sprintf("%s-%s-%d", word, o.No, i+1), Amount: amount}
		if !t.refundOnce(ctx, o, request) {
			return
		}
		t.count(func(r *TillResult) {
			r.Refunds++
			r.RefundFen += amount
		})
		if left -= amount; left == 0 {
			return
		}
	}
}

func (t *Till) refundOnce(ctx context.Context, o order.Order, request order.RefundRequest) bool {
	for giveUp := t.clock.Now().Add(t.mix.Patience); ; {
		_, _, err := t.engine.Refund(ctx, o.No, request)
		var refused *order.Error
		switch {
		case err == nil:
			return true
		case !errors.As(err, &refused) || refused.RetryAfter == 0 || t.clock.Now().Add(refused.RetryAfter).After(giveUp):
			return false
		}
		if t.clock.Sleep(ctx, max(refused.RetryAfter/2, 50*time.Millisecond)) != nil {
			return false
		}
	}
}
