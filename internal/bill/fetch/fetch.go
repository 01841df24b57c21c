package fetch

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

	"paytool/internal/bill"
	"paytool/internal/pay"
)

// Options are what a Fetcher works with. All but Account have defaults.
type Options struct {
	Account Account
	Client  Client
	Now     func() time.Time
	// Chance is in [0, 1) and spreads the waits between tries.
	Chance func() float64
	// Nonce is a text that no request had before.
	Nonce func() string
	Log   *slog.Logger
	// Patience is how long a server may be silent (20 s).
	Patience time.Duration
	// Tries bounds the tries of one fetch (4), Wait is the wait before the second one,
	// doubled each time (1 s).
	Tries uint
	Wait  time.Duration
}

func (o Options) withDefaults() Options {
	if o.Client == nil {
		o.Client = http.DefaultClient
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Chance == nil {
		o.Chance = mathrand.Float64
	}
	if o.Nonce == nil {
		o.Nonce = rand.Text
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Patience <= 0 {
		o.Patience = 20 * time.Second
	}
	if o.Tries == 0 {
		o.Tries = 4
	}
	if o.Wait <= 0 {
		o.Wait = time.Second
	}
	return o
}

// Request names a bill.
type Request struct {
	Type bill.Type
	// Date is the day, "2006-01-02", in Beijing; Alipay also has months, "2006-01".
	Date string
	// Dir is the folder that the bill lands in.
	Dir string
}

// Fetcher fetches the bills of one account. Safe for concurrent use.
type Fetcher struct {
	opts     Options
	protocol protocol
	hosts    *hosts
	call     caller
}

// New checks the account.
func New(opts Options) (*Fetcher, error) {
	opts = opts.withDefaults()
	p, bases, err := newProtocol(opts)
	if err != nil {
		return nil, err
	}
	call := caller{client: opts.Client, patience: opts.Patience}
	return &Fetcher{opts: opts, protocol: p, hosts: newHosts(bases, call, opts.Now), call: call}, nil
}

// Fetch fetches a bill and lands it in its folder. That a bill is not ready, or
// that there is none, is a Result and no error. Fetching again changes nothing
// where the channel's bill is the same.
func (f *Fetcher) Fetch(ctx context.Context, req Request) (Result, error) {
	result, err := f.fetch(ctx, req)
	if err != nil {
		return Result{}, fmt.Errorf("fetch %s bill %s of account %s: %w", req.Type, req.Date, f.opts.Account.Name, err)
	}
	return result, nil
}

func (f *Fetcher) fetch(ctx context.Context, req Request) (Result, error) {
	if !slices.Contains(f.opts.Account.Types(), req.Type) {
		return Result{}, fmt.Errorf("%w: the account has bills of the types %v", ErrRequest, f.opts.Account.Types())
	}
	due, err := dueOf(req.Date, f.opts.Account.Channel)
	if err != nil {
		return Result{}, err
	}
	place := newPlace(f.opts.Account, req)
	if now := f.opts.Now(); now.Before(due.ends) {
		return place.notReady(due, now), nil
	}
	place.removeStale(f.opts.Now())
	whole, err := f.tries(ctx, req, place)
	now := f.opts.Now()
	switch {
	case errors.Is(err, errNotReady), errors.Is(err, errNoBill) && now.Before(due.ready):
		return place.notReady(due, now), nil
	case errors.Is(err, errNoBill):
		return place.noBill(now)
	case err != nil:
		return Result{}, err
	}
	result, err := place.land(whole, now)
	return result, errors.Join(err, whole.discard())
}

// tries tries until the bill is on disk, or something says that another try is of
// no use.
func (f *Fetcher) tries(ctx context.Context, req Request, place place) (*part, error) {
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.Multiplier, waits.RandomizationFactor = f.opts.Wait, 2, 0
	return backoff.Retry(ctx, func() (*part, error) {
		whole, err := f.try(ctx, req, place)
		var again *retryError
		if err != nil && !errors.As(err, &again) {
			return nil, backoff.Permanent(err)
		}
		return whole, err
	}, backoff.WithBackOff(spread{waits, f.opts.Chance}), backoff.WithMaxTries(f.opts.Tries), backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(err error, wait time.Duration) {
			f.opts.Log.Warn("bill: trying again", "account", f.opts.Account.Name, "type", req.Type, "date", req.Date, "wait", wait, "err", err)
		}))
}

// spread keeps many fetchers from trying at the same moment, by our own chance.
type spread struct {
	*backoff.ExponentialBackOff
	chance func() float64
}

func (s spread) NextBackOff() time.Duration {
	return time.Duration(float64(s.ExponentialBackOff.NextBackOff()) * (0.5 + s.chance()/2))
}

// try is one try at one host, from the question to the checked file.
func (f *Fetcher) try(ctx context.Context, req Request, place place) (*part, error) {
	base, err := f.hosts.pick(ctx)
	if err != nil {
		return nil, err
	}
	whole, err := f.tryAt(ctx, base, req, place)
	var again *retryError
	if errors.As(err, &again) {
		f.hosts.lost(ctx, base)
	}
	return whole, err
}

func (f *Fetcher) tryAt(ctx context.Context, base string, req Request, place place) (*part, error) {
	d, err := f.protocol.open(ctx, f.call, base, req)
	if err != nil {
		return nil, err
	}
	whole, err := place.receive(ctx, d)
	if closeErr := d.Close(); err == nil && closeErr != nil {
		return nil, errors.Join(closeErr, whole.discard())
	}
	return whole, err
}

// due is when a bill can be there.
type due struct {
	ends  time.Time // of the day or month: before it there can be no bill
	ready time.Time // until then "no bill" may mean "not yet"
}

// dueOf knows that the bill of a day is built on the next, by 10:00 Beijing time,
// and Alipay's of a month on the fourth.
func dueOf(date, channel string) (due, error) {
	if day, err := time.ParseInLocation(time.DateOnly, date, pay.Beijing); err == nil {
		next := day.AddDate(0, 0, 1)
		return due{ends: next, ready: next.Add(10 * time.Hour)}, nil
	}
	month, err := time.ParseInLocation("2006-01", date, pay.Beijing)
	if err != nil || channel != bill.Alipay {
		want := "want a day like 2026-11-20"
		if channel == bill.Alipay {
			want += ", or a month like 2026-10"
		}
		return due{}, fmt.Errorf("%w: the date %q: %s", ErrRequest, clean(date), want)
	}
	next := month.AddDate(0, 1, 0)
	return due{ends: next, ready: next.AddDate(0, 0, 3).Add(10 * time.Hour)}, nil
}
