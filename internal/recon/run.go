package recon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"paytool/internal/bill"
	"paytool/internal/pay"
	"paytool/internal/recon/sift"
)

const (
	defaultWindow = 30 * time.Minute
	defaultCarry  = 1
	joinWorkers   = 2
	// maxOdd bounds the rows that are looked at whole. Books of one day do not
	// disagree that often: they are of two days, or of two accounts.
	maxOdd = 1_000_000
)

// DefaultMemory is Options.Memory where it is 0, in bytes: two million rows a side fit,
// and ten million keep the process below 512 MB.
const DefaultMemory = 320 << 20

// ErrNothingInCommon: more rows disagree than two books of one day could.
var ErrNothingInCommon = errors.New("the books have too little in common to be compared: are they of the same day, channel and account?")

// Books are the inputs of a run.
type Books struct {
	Trade []BillBook // at least one, unless NoBill
	Fund  []BillBook // none: the fund flow is left out
	Ours  OurBook
	// NoBill: the channel's final word is that the day has no bill.
	NoBill bool
	// Carried are the rows that the runs before have left.
	Carried []Carried
}

// Run reconciles one day. The result is the same for any order of rows and any
// seed. A *GateError is an input that was not accepted, ErrNothingInCommon one that
// does not belong to the others.
func Run(ctx context.Context, opts Options, books Books) (_ *Result, err error) {
	opts = opts.withDefaults()
	day, err := opts.check(books)
	if err != nil {
		return nil, err
	}
	rates, err := newRateTable(opts.Rates)
	if err != nil {
		return nil, err
	}
	r := newRun(opts, rates, day, books)
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.read(ctx); err != nil {
		return nil, err
	}
	if err := r.gate(); err != nil {
		return nil, err
	}
	if err := r.sieve(ctx); err != nil {
		return nil, err
	}
	if err := r.judge(ctx); err != nil {
		return nil, err
	}
	return r.result()
}

func (o Options) withDefaults() Options {
	o.OurChannel, o.OurAccount = cmp.Or(o.OurChannel, o.Channel), cmp.Or(o.OurAccount, o.Account)
	if o.CutWindow == 0 {
		o.CutWindow = defaultWindow
	}
	if o.CarryDays == 0 {
		o.CarryDays = defaultCarry
	}
	if o.Memory == 0 {
		o.Memory = DefaultMemory
	}
	return o
}

func (o Options) check(books Books) (time.Time, error) {
	day, err := time.ParseInLocation(time.DateOnly, o.Date, pay.Beijing)
	switch {
	case err != nil:
		return day, fmt.Errorf("reconcile: the date %q is not like 2026-11-20", o.Date)
	case o.Channel != bill.WeChat && o.Channel != bill.Alipay && o.Channel != bill.UnionPay:
		return day, fmt.Errorf("reconcile: the channel %q is not %s, %s or %s", o.Channel, bill.WeChat, bill.Alipay, bill.UnionPay)
	case o.CutWindow < 0 || o.CutWindow > 24*time.Hour || o.CarryDays < 0 || o.Memory < 0:
		return day, errors.New("reconcile: the window of the day cut is up to a day, days and memory are not below 0")
	case len(books.Trade) == 0 && !books.NoBill || books.Ours == nil:
		return day, errors.New("reconcile: a bill and our entries are needed")
	case len(books.Trade) > maxFiles || len(books.Fund) > maxFiles:
		return day, fmt.Errorf("reconcile: more than %d files of one kind", maxFiles)
	}
	return day, nil
}

// run is one run, step by step.
type run struct {
	*tally
	books   Books
	ours    ours
	trades  trades
	funds   funds
	reports []*bill.Report // of the trade bills, then of the fund bills

	suspects   map[uint64]bool // keys of orders that share a merchant's order
	sieves     []*sieve
	fundSieves []*fundSieve
}

func newRun(opts Options, rates rateTable, day time.Time, books Books) *run {
	budget := sift.NewBudget(opts.Memory)
	store := func() *sift.Store { return sift.NewStore(budget, opts.TempDir) }
	r := &run{tally: newTally(opts, rates, day), books: books, reports: make([]*bill.Report, len(books.Trade)+len(books.Fund))}
	r.noBill = books.NoBill
	r.ours = ours{opts: opts, rates: &r.rates, rows: sift.NewLeanStore(budget, opts.TempDir), keys: sift.NewKeyStore(budget, opts.TempDir)}
	r.trades = trades{opts: opts, rates: &r.rates, rows: store()}
	r.funds = funds{opts: opts, moves: store()}
	if len(books.Fund) > 0 {
		r.trades.moves = store()
	}
	return r
}

func (r *run) close() error {
	errs := []error{r.ours.rows.Close(), r.ours.keys.Close(), r.trades.rows.Close(), r.funds.moves.Close()}
	if r.trades.moves != nil {
		errs = append(errs, r.trades.moves.Close())
	}
	return errors.Join(errs...)
}

// read streams all books, each kind on a goroutine of its own.
func (r *run) read(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		if r.ours.report, err = r.books.Ours.Read(ctx, r.ours.add); err != nil {
			return err
		}
		r.suspects, err = r.findSuspects(ctx) // while the bill, which is longer, is still being read
		return err
	})
	bills := func(books []BillBook, reports []*bill.Report, add func(int, *bill.Row) error) func() error {
		return func() error {
			for i, b := range books {
				report, err := b.Read(ctx, func(row *bill.Row) error { return add(i, row) })
				if err != nil {
					return err
				}
				reports[i] = report
			}
			return nil
		}
	}
	g.Go(bills(r.books.Trade, r.reports, r.trades.add))
	g.Go(bills(r.books.Fund, r.reports[len(r.books.Trade):], r.funds.add))
	if err := g.Wait(); err != nil {
		return err
	}
	return r.readCarried()
}

// readCarried lets the rows of earlier days take part: their orders are looked at
// whole.
func (r *run) readCarried() error {
	for i := range r.books.Carried {
		c := &r.books.Carried[i]
		r.roll.Opening++
		key, row := fingerprintText(r.opts.Seed, &c.Row)
		rec := sift.Record{Key: key, Row: withFen(row, int64(c.Row.Amount)), Fen: int64(c.Row.Amount), Line: uint32(i), Meta: carriedFile | metaOdd}
		store := r.ours.rows
		switch {
		case c.Flow == FundFlow && len(r.books.Fund) == 0:
			r.putOff(c)
			continue
		case c.Flow == FundFlow:
			rec.Key = r.fundKey(&c.Row)
			if store = r.trades.moves; c.Row.Side == Fund {
				store = r.funds.moves
			}
		case c.Row.Side == Trade:
			store = r.trades.rows
		}
		if err := store.Add(rec); err != nil {
			return err
		}
	}
	return nil
}

func tooOdd(rows int) error {
	if rows > maxOdd {
		return fmt.Errorf("reconcile: more than %d rows disagree: %w", maxOdd, ErrNothingInCommon)
	}
	return nil
}

// sieve finds the odd orders and movements.
func (r *run) sieve(ctx context.Context) error {
	err := sift.Join(ctx, r.ours.rows, r.trades.rows, joinWorkers, func() func(a, b []sift.Record) error {
		s := &sieve{suspects: r.suspects}
		r.sieves = append(r.sieves, s)
		return s.order
	})
	if err != nil || r.trades.moves == nil {
		return err
	}
	return sift.Join(ctx, r.trades.moves, r.funds.moves, joinWorkers, func() func(a, b []sift.Record) error {
		s := &fundSieve{}
		r.fundSieves = append(r.fundSieves, s)
		return s.order
	})
}

// findSuspects finds the orders that share a merchant's order with another paid one.
func (r *run) findSuspects(ctx context.Context) (map[uint64]bool, error) {
	found := map[uint64]bool{}
	none := sift.NewStore(sift.NewBudget(0), "")
	err := sift.Join(ctx, r.ours.keys, none, 1, func() func(a, b []sift.Record) error {
		return func(rows, _ []sift.Record) error {
			for _, row := range rows[1:] {
				if row.Row != rows[0].Row {
					found[row.Row], found[rows[0].Row] = true, true
				}
			}
			return tooOdd(len(found))
		}
	})
	return found, err
}
