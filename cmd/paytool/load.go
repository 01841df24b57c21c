package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/spf13/cobra"

	"paytool/internal/drill"
	"paytool/internal/order"
	"paytool/internal/pay"
)

type loadOptions struct {
	rate     float64
	duration time.Duration
	ledger   string
	merchant string
	real     bool
	seed     uint64
	pay      bool
	urls     []string
	tokens   string // file
}

// settlePatience is how long a load waits for its doubts before it ends.
const settlePatience = 10 * time.Second

func newLoadCmd(a *app) *cobra.Command {
	var o loadOptions
	cmd := &cobra.Command{
		Use:   "load",
		Short: "Send orders at a steady rate, whatever becomes of them",
		Long: `Send orders at a steady rate to the configured groups, from an engine inside this
process, or with --url to engines that are being served. The loop is open: latency
counts from the moment an order was due, so a frozen group shows as the wait that it is.

With --pay the orders are paid on the built-in channel as buyers on a bad day would:
some late, some refused, some answers lost, some revoked, some refunded.

Orders are shadow orders unless --real-orders is given. With --ledger each order
is on disk before it is sent, and "paytool order verify" can prove afterwards that
none was lost or doubled, even if this process was killed.

With --url no config is needed. Several URLs take turns; where a connection is refused
the next one is asked, and where it breaks after sending the order is unknown until
asking again with the same key has told.`,
		Example: `  paytool load --rate 300 --for 20s --ledger run.jsonl
  paytool load --rate 100 --for 20s --pay -o json
  paytool load --rate 300 --for 20s --url http://127.0.0.1:8080 --url http://127.0.0.1:8081
  paytool order verify --ledger run.jsonl`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runLoad(cmd.Context(), a, o) },
	}
	flags := cmd.Flags()
	flags.Float64Var(&o.rate, "rate", 100, "orders a second")
	flags.DurationVar(&o.duration, "for", 10*time.Second, "how long orders arrive")
	flags.StringVar(&o.ledger, "ledger", "", "write every order here before it is sent (a new file)")
	flags.BoolVar(&o.real, "real-orders", false, "real orders instead of shadow orders; for a sandbox")
	flags.StringVar(&o.merchant, "merchant", "load", "merchant of --real-orders")
	flags.BoolVar(&o.pay, "pay", false, "pay, revoke and refund the orders on the built-in channel")
	flags.StringArrayVar(&o.urls, "url", nil, "an engine that is being served, instead of one in this process; may be repeated")
	flags.StringVar(&o.tokens, "token-file", "", "file whose first token goes with each request to --url")
	flags.Uint64Var(&o.seed, "seed", 0, "seed of the amounts and the buyers (default: drawn)")
	return cmd
}

func runLoad(ctx context.Context, a *app, o loadOptions) (err error) {
	if o.rate <= 0 || o.rate > 1e6 || o.duration <= 0 {
		return usageError(errors.New("--rate is between 0 and 1,000,000 a second and --for is longer than 0"))
	}
	collectLess()
	opts, err := o.drillOptions(a)
	if err != nil {
		return err
	}
	target, err := o.target(ctx, a)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.close()) }()
	if o.ledger != "" {
		opts.Ledger, err = drill.CreateLedger(o.ledger, opts.LedgerHeader(time.Now()))
		if err != nil {
			return err
		}
		defer func() {
			if closeErr := opts.Ledger.Close(); err == nil { // an error that stopped the load comes back here
				err = closeErr
			}
		}()
	}
	if err := target.start(ctx); err != nil {
		return err
	}
	var shown loadShown
	var creator drill.Creator = target
	till := drill.NewTill(target, order.System{}, drill.EverydayMix(), opts.Seed)
	if o.pay {
		creator = till
	}
	result, loadErr := drill.Load(ctx, creator, order.System{}, opts)
	shown.LoadResult = result
	if o.pay {
		a.err.Set("waiting for the buyers")
		counts := till.Wait()
		shown.Till = &counts
	}
	a.err.Set("")
	if open := target.settleAfterLoad(ctx); !open.None() {
		_, _ = fmt.Fprintf(a.err, "warning: not everything is settled yet (%d wait for a group that is out, %d failed); any running engine goes on with it, and so does `paytool order verify`\n", open.Waiting, open.Failed)
	}
	return errors.Join(loadErr, a.showLoad(shown))
}

// loadShown is a load's result, and what became of its payments.
type loadShown struct {
	drill.LoadResult
	Till *drill.TillResult `json:"till,omitempty"`
}

func (o loadOptions) drillOptions(a *app) (drill.LoadOptions, error) {
	run, err := randomHex(4)
	if err != nil {
		return drill.LoadOptions{}, err
	}
	opts := drill.LoadOptions{Rate: o.rate, For: o.duration, Merchant: pay.ShadowMerchant, RunID: run, Shadow: true, Pays: o.pay, Seed: o.seed}
	if opts.Seed == 0 {
		opts.Seed = rand.Uint64()
	}
	if o.real {
		opts.Merchant, opts.Shadow = o.merchant, false
	}
	total := int(o.rate * o.duration.Seconds())
	opts.Progress = func(r drill.LoadResult) {
		a.err.Set(fmt.Sprintf("%d of %d orders: %d acked, %d failed, %d unknown, %d dropped, p99 %.1f ms", r.Attempted, total, r.Acked, r.Failed, r.Unknown, r.Dropped, r.P99Ms))
	}
	return opts, nil
}

// settleAfterLoad settles what the load left in doubt. A load that was interrupted
// ends at once: any other engine settles its doubts.
func (e *engine) settleAfterLoad(ctx context.Context) order.Open {
	if ctx.Err() != nil {
		return order.Open{}
	}
	ctx, cancel := context.WithTimeout(ctx, settlePatience)
	defer cancel()
	return e.settleUp(ctx, false)
}

// settleUp settles until nothing is open, or the context ends, and returns what
// is open then. What waits for a group that is out is only waited for if asked.
func (e *engine) settleUp(ctx context.Context, waitForGroups bool) order.Open {
	for {
		open := e.Settle(ctx)
		done := open.Failed == 0 && (open.Waiting == 0 || !waitForGroups)
		if done || (order.System{}).Sleep(ctx, 100*time.Millisecond) != nil {
			return open
		}
	}
}

func (a *app) showLoad(r loadShown) error {
	return a.show(r, func(w io.Writer) error {
		if _, err := fmt.Fprintf(w, `orders   %d in %s
acked    %d (%.1f a second)
failed   %d
unknown  %d
rejected %d (p99 %.1f ms)
dropped  %d
latency  p50 %.1f ms, p99 %.1f ms, max %.1f ms, from the moment an order was due
`, r.Attempted, loadTime(r.LoadResult), r.Acked, r.Rate, r.Failed, r.Unknown, r.Rejected, r.RejectedP99Ms, r.Dropped, r.P50Ms, r.P99Ms, r.MaxMs); err != nil || r.Till == nil {
			return err
		}
		return writeTill(w, *r.Till)
	})
}

// loadTime is the time from the first order to the last answer.
func loadTime(r drill.LoadResult) time.Duration {
	if r.Rate == 0 {
		return 0
	}
	return time.Duration(float64(r.Acked) / r.Rate * float64(time.Second)).Round(100 * time.Millisecond)
}

func writeTill(w io.Writer, t drill.TillResult) error {
	_, err := fmt.Fprintf(w, `paid     %d, %s yuan (%d of them recorded later)
refunds  %d, %s yuan
refused  %d
revoked  %d
open     %d when the buyers left; %d gave up
`, t.Paid, t.PaidFen.Yuan(), t.Deferred, t.Refunds, t.RefundFen.Yuan(), t.Refused, t.Revoked, t.Open, t.GaveUp)
	return err
}
