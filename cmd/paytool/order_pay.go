package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"paytool/internal/channel/builtin"
	"paytool/internal/order"
	"paytool/internal/pay"
)

type payOptions struct {
	codeFile string
	request  order.PayRequest
	wait     time.Duration
}

func newOrderPayCmd(a *app) *cobra.Command {
	var o payOptions
	cmd := &cobra.Command{
		Use:   "pay NO",
		Short: "Send a buyer's payment code, and wait for what becomes of it",
		Long: `Send a buyer's payment code to the order's channel, once, and wait until the
payment has an end. The code is read from a file or from stdin, never from the
command line, where others could see it.

Before anything is sent every group is asked whether it holds another payment of the
same key. Where a group does not answer, the cashier has to confirm (--confirm-risk).

The built-in channel moves no real money and does what the code says:
` + builtinWords() + `
Exit status: 0 paid; 1 not paid, or not known yet.`,
		Example: `  echo success-1 | paytool order pay 2016091212154323221992 --auth-code-file -
  paytool order pay 2016091212154323221992 --auth-code-file code.txt -o json`,
		Args: oneArg("an order number"),
		RunE: func(cmd *cobra.Command, args []string) error { return runOrderPay(cmd.Context(), a, args[0], o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.codeFile, "auth-code-file", "", "file with the payment code, - for stdin (required)")
	flags.StringVar(&o.request.Channel, "channel", "", "channel (default: the order's, else the built-in one)")
	flags.BoolVar(&o.request.ConfirmRisk, "confirm-risk", false, "go on though a group does not say whether it holds another payment of the key")
	flags.DurationVar(&o.wait, "wait", time.Minute, "how long to wait for an end; 0 does not wait")
	return cmd
}

func builtinWords() string {
	var b strings.Builder
	for _, w := range builtin.Words {
		_, _ = fmt.Fprintf(&b, "  %-8s %s\n", w.Word, w.Meaning)
	}
	return b.String()
}

func runOrderPay(ctx context.Context, a *app, arg string, o payOptions) error {
	no, err := parseOrderNo(arg)
	if err != nil {
		return err
	}
	if o.request.AuthCode, err = a.readAuthCode(o.codeFile); err != nil {
		return err
	}
	return a.withEngine(ctx, func(e *engine) error {
		if err := e.start(ctx); err != nil {
			return err
		}
		paid, err := e.Pay(ctx, no, o.request)
		if err != nil {
			return err
		}
		if paid, err = e.waitForEnd(ctx, paid, o.wait); err != nil {
			return err
		}
		if paid.Recording {
			_, _ = fmt.Fprintf(a.err, "%s, being recorded: group %d is out and learns of it when it is back\n", paid.State, paid.Group)
		}
		return a.showEnd(paid, pay.Paid)
	})
}

// maxAuthCode bounds what is read as a payment code, in bytes.
const maxAuthCode = 256

func (a *app) readAuthCode(path string) (order.AuthCode, error) {
	in := a.in
	switch path {
	case "":
		return "", usageError(errors.New("--auth-code-file is missing; see `paytool order pay --help`"))
	case "-":
	default:
		f, err := os.Open(path)
		if err != nil {
			return "", fmt.Errorf("open the payment code: %w", err)
		}
		defer f.Close() //nolint:errcheck // only read: nothing can be lost
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxAuthCode+1))
	if err != nil {
		return "", fmt.Errorf("read the payment code: %w", err)
	}
	code := strings.TrimSpace(string(text))
	if code == "" || len(text) > maxAuthCode {
		return "", fmt.Errorf("the payment code has %d bytes, want 1 to %d", len(text), maxAuthCode)
	}
	return order.AuthCode(code), nil
}

// waitForEnd waits while a payment or revoke is open; the engine goes on with it.
func (e *engine) waitForEnd(ctx context.Context, o order.Order, wait time.Duration) (order.Order, error) {
	giveUp := time.Now().Add(wait)
	for (o.State == pay.Paying || o.State == pay.Revoking) && time.Now().Before(giveUp) {
		if err := (order.System{}).Sleep(ctx, 100*time.Millisecond); err != nil {
			return o, nil // interrupted: what is known is shown, any engine goes on with the order
		}
		if now, err := e.Get(ctx, o.No); err == nil {
			o = now
		}
	}
	return o, nil
}

// showEnd prints an order; states that are none of the wanted ones are a "no".
func (a *app) showEnd(o order.Order, wanted ...pay.State) error {
	if err := a.showOrder(o); err != nil {
		return err
	}
	for _, s := range wanted {
		if o.State == s {
			return nil
		}
	}
	if o.State == pay.Paying || o.State == pay.Revoking {
		_, _ = fmt.Fprintf(a.err, "the order is %s: nobody knows yet; any running engine goes on with it\n", o.State)
	}
	return errNo
}

func newOrderRevokeCmd(a *app) *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "revoke NO",
		Short: "Cancel an order: unsent, or while nobody knows whether it is paid",
		Long: `Cancel an order. One that was never sent is closed; one whose payment is open is
revoked at its channel, which gives the money back if it was taken. A paid order is
refunded instead, unless engine.revoke_paid is set.

Exit status: 0 closed or revoked; 1 refused, or not known yet.`,
		Example: `  paytool order revoke 2016091212154323221992`,
		Args:    oneArg("an order number"),
		RunE: func(cmd *cobra.Command, args []string) error {
			no, err := parseOrderNo(args[0])
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			return a.withEngine(ctx, func(e *engine) error {
				if err := e.start(ctx); err != nil {
					return err
				}
				revoked, err := e.Revoke(ctx, no)
				if err != nil {
					return err
				}
				if revoked, err = e.waitForEnd(ctx, revoked, wait); err != nil {
					return err
				}
				return a.showEnd(revoked, pay.Revoked, pay.Closed)
			})
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", time.Minute, "how long to wait for an end; 0 does not wait")
	return cmd
}

func newOrderRefundCmd(a *app) *cobra.Command {
	var number, amount string
	cmd := &cobra.Command{
		Use:   "refund NO",
		Short: "Give money of a paid order back, all of it or a part",
		Long: `Refund a paid order, all of it or a part. Number and amount are reserved before the
channel is asked; all refunds together never exceed the order. Asked again with the
same number and amount, the answer is the same refund.

On the built-in channel the number says what happens: ` + refundWords() + `

Exit status: 0 the channel took it (done or processing); 1 it did not, or nobody knows
yet: ask again with the same number.`,
		Example: `  paytool order refund 2016091212154323221992 --refund-no R-1 --amount 100`,
		Args:    oneArg("an order number"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runOrderRefund(cmd.Context(), a, args[0], number, amount)
		},
	}
	cmd.Flags().StringVar(&number, "refund-no", "", "your own number for the refund (required)")
	cmd.Flags().StringVar(&amount, "amount", "", "amount in fen, a whole number (required)")
	return cmd
}

func refundWords() string {
	words := make([]string, len(builtin.RefundWords))
	for i, w := range builtin.RefundWords {
		words[i] = w.Word
	}
	return strings.Join(words, "-..., ") + "-..."
}

func runOrderRefund(ctx context.Context, a *app, arg, number, amount string) error {
	no, err := parseOrderNo(arg)
	if err != nil {
		return err
	}
	if number == "" || amount == "" {
		return usageError(errors.New("--refund-no and --amount are both needed; see `paytool order refund --help`"))
	}
	fen, err := pay.ParseFen(amount)
	if err != nil {
		return &order.Error{Code: pay.CodeInvalidAmount, Outcome: order.NotCommitted, Message: err.Error(), Err: err}
	}
	return a.withEngine(ctx, func(e *engine) error {
		if err := e.start(ctx); err != nil {
			return err
		}
		o, r, err := e.Refund(ctx, no, order.RefundRequest{No: number, Amount: fen})
		if err != nil {
			return err
		}
		shown := struct {
			Order  order.Order  `json:"order"`
			Refund order.Refund `json:"refund"`
		}{o, r}
		if err := a.show(shown, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "refund          %s\norder           %s\namount          %s yuan\nstate           %s\nrefunded so far %s of %s yuan\n",
				r.No, o.No, r.Amount.Yuan(), r.State, o.Refunded.Yuan(), o.Amount.Yuan())
			return err
		}); err != nil {
			return err
		}
		if r.State == pay.RefundDone || r.State == pay.RefundProcessing || r.State == pay.RefundAccepted {
			return nil
		}
		return errNo
	})
}
