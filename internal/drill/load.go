package drill

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// Creator is the engine as the load sees it. Create is called concurrently. Its
// context is never cancelled by the load, so it must end by a time limit of its
// own.
type Creator interface {
	Create(ctx context.Context, r order.Request) (order.Order, error)
}

// Clock is the time that a load runs on. Sleep returns the context's error when
// that ends first.
type Clock interface {
	Now() time.Time
	Sleep(ctx context.Context, d time.Duration) error
}

const (
	maxRate            = 100_000 // arrivals a second; beyond it one goroutine cannot keep time
	defaultMaxInFlight = 2000
	maxLoadAmount      = 99_999 // fen
	reportInterval     = time.Second
)

// LoadOptions set up a load.
type LoadOptions struct {
	Rate     float64       // arrivals a second
	For      time.Duration // how long orders arrive
	Merchant string        // pay.ShadowMerchant if Shadow is set
	// RunID makes the keys of this run its own: random, handed in.
	RunID  string
	Shadow bool
	// Pays goes into the ledger: the Creator carries its orders on to payments.
	Pays bool
	// Seed draws the amounts, 1 to 99,999 fen.
	Seed uint64
	// MaxInFlight bounds the orders under way (2000 if zero). An arrival that
	// finds no place is dropped, never delayed.
	MaxInFlight int
	// Ledger, if not nil, holds every order before it is sent. It was created with
	// LedgerHeader; closing it stays with the caller.
	Ledger *Ledger
	// Told, if not nil, hears what became of each order, in no order and concurrently.
	// It must be fast: the load waits for it.
	Told func(Sample)
	// Progress, if not nil, is called about every second with the figures so far,
	// from one goroutine that ends before Load returns.
	Progress func(LoadResult)
}

// Sample is what became of one order of a load.
type Sample struct {
	Key    string
	Due    time.Time // when it was to be sent; latency counts from then
	Done   time.Time // when it was answered, or dropped
	Answer Answer    // "" if it was dropped
	Order  order.Order
}

// Dropped reports whether the order was never sent.
func (s Sample) Dropped() bool { return s.Answer == "" }

// LedgerHeader is the header of the ledger that goes with these options.
func (o LoadOptions) LedgerHeader(started time.Time) Header {
	return Header{
		Run: o.RunID, Merchant: o.merchant(), Prefix: "load-" + o.RunID + "-",
		Shadow: o.Shadow, Pays: o.Pays, Started: started,
	}
}

func (o LoadOptions) merchant() string {
	if o.Shadow && o.Merchant == "" {
		return pay.ShadowMerchant
	}
	return o.Merchant
}

// arrivals is the number of orders that fall due.
func (o LoadOptions) arrivals() int {
	return max(1, int(math.Round(o.Rate*o.For.Seconds())))
}

// offset is when arrival i falls due, from the start, and so how long i arrivals
// take. It is worked out anew for each, so that rounding does not add up.
func (o LoadOptions) offset(i int) time.Duration {
	return time.Duration(float64(i) / o.Rate * float64(time.Second))
}

func (o LoadOptions) check(h Header) error {
	switch {
	case !(o.Rate > 0 && o.Rate <= maxRate): // NaN fails both
		return fmt.Errorf("load: a rate of %v orders a second is not above 0 and at most %d", o.Rate, maxRate)
	case o.For <= 0:
		return fmt.Errorf("load: a duration of %v is not above 0", o.For)
	case o.MaxInFlight < 0:
		return fmt.Errorf("load: %d orders under way at most is not a bound", o.MaxInFlight)
	case o.RunID == "":
		return fmt.Errorf("load: the run has no id, its keys could meet those of another run")
	case o.Ledger != nil && !o.Ledger.header.sameRun(h):
		return fmt.Errorf("load: the ledger belongs to run %s, not to run %s; create it with LedgerHeader", o.Ledger.header.Run, h.Run)
	}
	if err := (pay.Key{MerchantID: h.Merchant, MerchantOrderNo: h.key(o.arrivals())}).Check(); err != nil {
		return fmt.Errorf("load: %w", err)
	}
	return nil
}

// Load sends orders at fixed intervals, whatever becomes of the earlier ones, and
// returns once every order under way has been answered.
//
// The loop is open: latency counts from the moment at which an order was due, so
// that a frozen group shows as the wait that it is and not as fewer orders.
//
// When ctx ends, no further orders arrive, those under way are awaited, and the
// error is that of ctx. When the ledger cannot be written, sending stops at once:
// nothing may be sent that is not on disk. The result is valid with both errors.
func Load(ctx context.Context, c Creator, clock Clock, opts LoadOptions) (LoadResult, error) {
	header := opts.LedgerHeader(clock.Now())
	if err := opts.check(header); err != nil {
		return LoadResult{}, err
	}
	if opts.MaxInFlight == 0 {
		opts.MaxInFlight = defaultMaxInFlight
	}
	if opts.Told == nil {
		opts.Told = func(Sample) {}
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	start := clock.Now()
	l := &load{creator: c, clock: clock, opts: opts, header: header, stop: stop, start: start, tally: newTally(start)}

	reporting, done := context.WithCancel(ctx)
	defer done()
	var reporter sync.WaitGroup
	if opts.Progress != nil {
		reporter.Go(func() { l.report(reporting) })
	}
	l.arrive(ctx)
	l.underWay.Wait()
	done()
	reporter.Wait()

	result := l.tally.result(l.opts.offset)
	if err := context.Cause(ctx); err != nil {
		return result, fmt.Errorf("load stopped after %d of %d orders: %w", result.Attempted, opts.arrivals(), err)
	}
	return result, nil
}

// load is one Load on its way.
type load struct {
	creator Creator
	clock   Clock
	opts    LoadOptions
	header  Header
	stop    context.CancelCauseFunc // no further arrivals
	start   time.Time

	underWay sync.WaitGroup
	tally    *tally
}

// arrive starts each order when it is due, until all have arrived or ctx ends.
func (l *load) arrive(ctx context.Context) {
	amounts := rand.New(rand.NewPCG(l.opts.Seed, 0))
	places := make(chan struct{}, l.opts.MaxInFlight)
	for i := range l.opts.arrivals() {
		due := l.start.Add(l.opts.offset(i))
		amount := pay.Fen(1 + amounts.IntN(maxLoadAmount)) // drawn for dropped ones too: a seed gives the same orders
		if wait := due.Sub(l.clock.Now()); wait > 0 {
			_ = l.clock.Sleep(ctx, wait) // its error is that of ctx
		}
		if ctx.Err() != nil {
			return
		}
		l.tally.arrived()
		select {
		case places <- struct{}{}:
		default:
			l.dropped(due, l.header.key(i))
			continue
		}
		l.underWay.Go(func() {
			defer func() { <-places }()
			l.send(ctx, due, l.header.key(i), amount)
		})
	}
}

// send puts the intent on disk, sends the order and writes down the answer. It is
// not cut short when ctx ends: that would only turn an answer into an unknown one.
func (l *load) send(ctx context.Context, due time.Time, key string, amount pay.Fen) {
	if l.opts.Ledger != nil {
		if err := l.opts.Ledger.Intent(key, amount, 1, l.clock.Now()); err != nil {
			l.dropped(due, key)
			l.stop(err)
			return
		}
	}
	sent := l.clock.Now()
	o, err := l.creator.Create(context.WithoutCancel(ctx), order.Request{
		Key:    pay.Key{MerchantID: l.header.Merchant, MerchantOrderNo: key},
		Amount: amount, Shadow: l.opts.Shadow,
	})
	now := l.clock.Now()
	answer, code := AnswerOf(err)
	l.tally.answered(answer, due, sent, now)
	l.opts.Told(Sample{Key: key, Due: due, Done: now, Answer: answer, Order: o})
	if l.opts.Ledger != nil {
		if err := l.opts.Ledger.Result(Result{Key: key, Answer: answer, Order: o, Code: code, At: now}); err != nil {
			l.stop(err)
		}
	}
}

func (l *load) dropped(due time.Time, key string) {
	l.tally.dropped()
	l.opts.Told(Sample{Key: key, Due: due, Done: l.clock.Now()})
}

// report calls Progress until ctx ends.
func (l *load) report(ctx context.Context) {
	for l.clock.Sleep(ctx, reportInterval) == nil {
		l.opts.Progress(l.tally.result(l.opts.offset))
	}
}
