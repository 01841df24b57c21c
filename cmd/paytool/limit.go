package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"paytool/internal/api/limit"
	"paytool/internal/pay"
	"paytool/internal/report"
)

func newLimitCmd(a *app) *cobra.Command {
	return group("limit", "Change how many orders a merchant, terminal or channel may create",
		newLimitSetCmd(a), newLimitClearCmd(a), newLimitListCmd(a))
}

type limitOptions struct {
	merchant, terminal, channel string
	rule                        limit.Rule
	dryRun                      bool
}

func (o *limitOptions) addSubjectFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.merchant, "merchant", "", "the merchant, or * for each that has no limit of its own")
	flags.StringVar(&o.terminal, "terminal", "", "the terminal, or *")
	flags.StringVar(&o.channel, "channel", "", "the channel that creates name, or *")
}

func (o *limitOptions) addFlags(cmd *cobra.Command) {
	o.addSubjectFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.rule.Reason, "reason", "", "why, for those who look later (required)")
	flags.StringVar(&o.rule.By, "by", "", "who changes it (default: this user)")
	flags.BoolVar(&o.dryRun, "dry-run", false, "show the limit, change nothing")
}

// subject works out whose limit it is; the zero Subject where nobody was named.
func (o *limitOptions) subject() (s limit.Subject, err error) {
	for kind, id := range map[limit.Kind]string{limit.Merchant: o.merchant, limit.Terminal: o.terminal, limit.Channel: o.channel} {
		switch {
		case id == "":
		case s.ID != "":
			return s, usageError(errors.New("a limit is of one subject: give --merchant, --terminal or --channel"))
		default:
			s = limit.Subject{Kind: kind, ID: id}
		}
	}
	return s, nil
}

// resolve works out whose limit it is and who changes it.
func (o *limitOptions) resolve(now time.Time) (r limit.Rule, err error) {
	r = o.rule
	if r.Subject, err = o.subject(); err != nil {
		return r, err
	}
	if r.ID == "" {
		return r, usageError(errors.New("whose limit? give --merchant, --terminal or --channel"))
	}
	if r.Reason == "" {
		return r, usageError(errors.New("--reason is missing: it is what others see in `paytool limit list`"))
	}
	if r.By == "" {
		if u, err := user.Current(); err == nil {
			r.By = u.Username
		}
	}
	r.At = now
	if err := r.Check(); err != nil {
		return r, usageError(err)
	}
	return r, nil
}

func newLimitSetCmd(a *app) *cobra.Command {
	var o limitOptions
	cmd := &cobra.Command{
		Use:   "set",
		Short: "Limit the orders that a merchant, terminal or channel may create",
		Long: `Limit the orders that a merchant, terminal or channel may create. What is above the
limit is answered with 429 and Retry-After by every "paytool serve" within a second.
Payments, revokes and refunds are never limited.

The limit holds in each instance by itself: with two of them, twice the rate may come
through. It is written into every group that answers, and each change is kept with
who made it and why.`,
		Example: `  paytool limit set --merchant m1 --rate 20 --burst 40 --reason "promotion, ticket 812"
  paytool limit set --merchant '*' --rate 200 --burst 400 --reason "fair shares"
  paytool limit set --terminal T-17 --rate 0 --reason "stolen"`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("rate") {
				return usageError(errors.New("--rate is missing: orders a second, 0 for none"))
			}
			if !cmd.Flags().Changed("burst") {
				o.rule.Burst = int(min(limit.MaxBurst, max(1, 2*o.rule.PerSecond)))
			}
			return runLimitChange(cmd.Context(), a, o)
		},
	}
	o.addFlags(cmd)
	cmd.Flags().Float64Var(&o.rule.PerSecond, "rate", 0, "orders a second; 0 takes none (required)")
	cmd.Flags().IntVar(&o.rule.Burst, "burst", 0, "orders that may come at once after a pause (default: two seconds' worth)")
	return cmd
}

func newLimitClearCmd(a *app) *cobra.Command {
	var o limitOptions
	cmd := &cobra.Command{
		Use:     "clear",
		Short:   "Take a limit away; the one for all others (*) holds again",
		Example: `  paytool limit clear --merchant m1 --reason "promotion is over"`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.rule.Cleared = true
			return runLimitChange(cmd.Context(), a, o)
		},
	}
	o.addFlags(cmd)
	return cmd
}

func runLimitChange(ctx context.Context, a *app, o limitOptions) error {
	r, err := o.resolve(time.Now())
	if err != nil {
		return err
	}
	if o.dryRun {
		return a.showLimits(showLimit(r), []limit.Rule{r})
	}
	return a.withEngine(ctx, func(e *engine) error {
		set, missing, err := e.limitBook().Set(ctx, r)
		if err != nil {
			return fmt.Errorf("%w; where a group is new, start an engine once", err)
		}
		for _, m := range missing {
			_, _ = fmt.Fprintln(a.err, "warning: will be told when it is back:", m)
		}
		logLimit(e.log, set)
		return a.showLimits(showLimit(set), []limit.Rule{set})
	})
}

func newLimitListCmd(a *app) *cobra.Command {
	var o limitOptions
	var history bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the limits, who set them and why",
		Example: `  paytool limit list
  paytool limit list --merchant m1 --history -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := o.subject()
			if err != nil {
				return err
			}
			if history && s.ID == "" {
				return usageError(errors.New("--history of whom? give --merchant, --terminal or --channel"))
			}
			ctx := cmd.Context()
			return a.withEngine(ctx, func(e *engine) error { return runLimitList(ctx, a, e.limitBook(), s, history) })
		},
	}
	o.addSubjectFlags(cmd)
	cmd.Flags().BoolVar(&history, "history", false, "every change of one limit, the newest first")
	return cmd
}

// runLimitList shows the limits in force, or those of one subject with all that went
// before.
func runLimitList(ctx context.Context, a *app, b *limit.Book, s limit.Subject, history bool) (err error) {
	var rules []limit.Rule
	var missing []error
	if history {
		rules, missing, err = b.History(ctx, s)
	} else {
		var all limit.Rules
		all, missing, err = b.Read(ctx)
		for _, r := range all.List() {
			if !r.Cleared && (s.ID == "" || s == r.Subject) {
				rules = append(rules, r)
			}
		}
	}
	if err != nil {
		return err
	}
	for _, m := range missing {
		_, _ = fmt.Fprintln(a.err, "warning: did not answer, the others were asked:", m)
	}
	shown := struct {
		Limits []limitShown `json:"limits"`
	}{[]limitShown{}}
	for _, r := range rules {
		shown.Limits = append(shown.Limits, showLimit(r))
	}
	return a.showLimits(shown, rules)
}

// limitShown is the contract of a limit's JSON.
type limitShown struct {
	Kind      limit.Kind `json:"kind"`
	ID        string     `json:"id"`
	PerSecond float64    `json:"per_second"`
	Burst     int        `json:"burst"`
	Cleared   bool       `json:"cleared"`
	Version   int64      `json:"version"`
	By        string     `json:"by"`
	Reason    string     `json:"reason"`
	At        time.Time  `json:"at"`
}

func showLimit(r limit.Rule) limitShown {
	return limitShown{r.Kind, r.ID, r.PerSecond, r.Burst, r.Cleared, r.Version, r.By, r.Reason, r.At.In(pay.Beijing).Truncate(time.Millisecond)}
}

func (a *app) showLimits(v any, rules []limit.Rule) error {
	return a.show(v, func(w io.Writer) error {
		t := report.Table{Header: []string{"KIND", "ID", "A SECOND", "BURST", "SINCE", "BY", "REASON"}, Right: map[string]bool{"A SECOND": true, "BURST": true}}
		for _, r := range rules {
			rate, burst := fmt.Sprint(r.PerSecond), fmt.Sprint(r.Burst)
			if r.Cleared {
				rate, burst = "no limit", "-"
			}
			t.Add(r.Kind, r.ID, rate, burst, r.At.In(pay.Beijing).Format(time.DateTime), r.By, r.Reason)
		}
		return t.Write(w)
	})
}
