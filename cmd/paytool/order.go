package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"paytool/internal/order"
	"paytool/internal/pay"
)

func newOrderCmd(a *app) *cobra.Command {
	return group("order", "Create, pay, revoke, refund, list and trace orders; verify a load",
		newOrderCreateCmd(a), newOrderPayCmd(a), newOrderGetCmd(a), newOrderListCmd(a), newOrderRevokeCmd(a), newOrderRefundCmd(a),
		newOrderTraceCmd(a), newOrderExportCmd(a), newOrderVerifyCmd(a), newOrderPurgeCmd(a))
}

type createOptions struct {
	request order.Request
	amount  string
	dryRun  bool
}

func newOrderCreateCmd(a *app) *cobra.Command {
	var o createOptions
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Create an order in whichever group takes it",
		Long: `Create an order. The merchant and the merchant's own number are the key: asked
again with the same key and amount, the answer is the same order; with another
amount it is refused.

An outcome may be unknown ("unknown_outcome"): then ask again with the same key.`,
		Example: `  paytool order create --merchant m1 --merchant-order A-1001 --amount 1250
  paytool order create --merchant m1 --merchant-order A-1001 --amount 1250 --new-attempt`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runOrderCreate(cmd.Context(), a, o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.request.Key.MerchantID, "merchant", "", "merchant (required)")
	flags.StringVar(&o.request.Key.MerchantOrderNo, "merchant-order", "", "the merchant's own number for this payment (required)")
	flags.StringVar(&o.amount, "amount", "", "amount in fen, a whole number (required)")
	flags.StringVar(&o.request.Channel, "channel", "", "channel, such as wechat or alipay")
	flags.StringVar(&o.request.TerminalID, "terminal", "", "terminal")
	flags.StringVar(&o.request.Subject, "subject", "", "what is paid for")
	flags.BoolVar(&o.request.NewAttempt, "new-attempt", false, "a further attempt of a key whose last one has ended")
	flags.BoolVar(&o.dryRun, "dry-run", false, "show which groups would be tried, write no order")
	return cmd
}

func runOrderCreate(ctx context.Context, a *app, o createOptions) (err error) {
	for flag, value := range map[string]string{"--merchant": o.request.Key.MerchantID, "--merchant-order": o.request.Key.MerchantOrderNo, "--amount": o.amount} {
		if value == "" {
			return usageError(fmt.Errorf("%s is missing; see `paytool order create --help`", flag))
		}
	}
	if o.request.Amount, err = pay.ParseFen(o.amount); err != nil {
		return &order.Error{Code: pay.CodeInvalidAmount, Outcome: order.NotCommitted, Message: err.Error(), Err: err}
	}
	o.request.Shadow = o.request.Key.MerchantID == pay.ShadowMerchant
	return a.withEngine(ctx, func(e *engine) error {
		if err := e.Check(o.request); err != nil {
			return err
		}
		if err := e.start(ctx); err != nil {
			return err
		}
		if o.dryRun {
			plan := e.Plan(o.request)
			return a.show(plan, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "would try groups %v, %d of them in good health; nothing was written\n", plan.Tries, plan.Good)
				return err
			})
		}
		created, err := e.Create(ctx, o.request)
		if err != nil {
			return err
		}
		return a.showOrder(created)
	})
}

func newOrderGetCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "get NO",
		Short: "Read an order; a void one is answered with its twin",
		Example: `  paytool order get 2016091212154323221992
  paytool order get 2016091212154323221992 -o json`,
		Args: oneArg("an order number"),
		RunE: func(cmd *cobra.Command, args []string) error { return runOrderGet(cmd.Context(), a, args[0]) },
	}
}

func runOrderGet(ctx context.Context, a *app, arg string) error {
	no, err := parseOrderNo(arg)
	if err != nil {
		return err
	}
	return a.withEngine(ctx, func(e *engine) error {
		e.Refresh(ctx)
		found, err := e.Get(ctx, no)
		if err != nil {
			return err
		}
		return a.showOrder(found)
	})
}

func parseOrderNo(arg string) (pay.OrderNo, error) {
	no, err := pay.ParseOrderNo(arg)
	if err != nil {
		return no, &order.Error{Code: pay.CodeInvalidOrderNo, Outcome: order.NotCommitted, Message: err.Error(), Err: err}
	}
	return no, nil
}

func (a *app) showOrder(o order.Order) error {
	return a.show(o, func(w io.Writer) error {
		lines := [][2]string{
			{"order", o.No.String()},
			{"merchant", o.Key.MerchantID},
			{"merchant order", o.Key.MerchantOrderNo},
			{"attempt", fmt.Sprint(o.Attempt)},
			{"group", fmt.Sprint(o.Group)},
			{"state", string(o.State)},
			{"amount", o.Amount.Yuan() + " yuan"},
			{"created", o.Created.In(pay.Beijing).Format("2006-01-02 15:04:05.000 -07:00")},
		}
		if o.Channel != "" {
			lines = append(lines, [2]string{"channel", strings.TrimSpace(o.Channel + " " + o.Account)})
		}
		if !o.PaidAt.IsZero() {
			lines = append(lines,
				[2]string{"paid", o.PaidAt.In(pay.Beijing).Format("2006-01-02 15:04:05.000 -07:00")},
				[2]string{"channel trade", o.ChannelTradeNo},
				[2]string{"refunded", o.Refunded.Yuan() + " yuan"})
		}
		return writeLines(w, lines)
	})
}
