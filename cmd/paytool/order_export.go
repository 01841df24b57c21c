package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"paytool/internal/entries"
	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/whole"
)

type exportOptions struct {
	date, channel, account, file string
}

func newOrderExportCmd(a *app) *cobra.Command {
	var o exportOptions
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write our entries of a day as CSV: payments, refunds, revokes",
		Long: `Write our entries of a Beijing day as CSV, for reconciliation: payments by their
time of success (orders that were not paid by their creation), refunds and revokes by
the time at which the channel took them. Shadow orders are left out.

All groups are read at once, each on a replica that has applied what its primary has
committed, else on its primary. Every group has to answer: an export with a hole would
look like missing money. It is written whole or not at all, to stdout too.`,
		Example: `  paytool order export --date 2026-11-22 > ours.csv
  paytool order export --date 2026-11-22 --channel wechat --file ours.csv`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runOrderExport(cmd.Context(), a, o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.date, "date", "", "the day in Beijing, like 2026-11-22 (required)")
	flags.StringVar(&o.channel, "channel", "", "only this channel's, and orders that were never sent to one")
	flags.StringVar(&o.account, "account", "", "only this account's (mch_id or pid), and orders that were never sent to one")
	flags.StringVar(&o.file, "file", "", "write here instead of to stdout")
	return cmd
}

func runOrderExport(ctx context.Context, a *app, o exportOptions) error {
	from, err := time.ParseInLocation(time.DateOnly, o.date, pay.Beijing)
	if err != nil {
		return usageError(fmt.Errorf("--date %q: want a day like 2026-11-22", o.date))
	}
	return a.withEngine(ctx, func(e *engine) error {
		e.Refresh(ctx)
		if o.file == "" {
			return spooled(a.out, func(w io.Writer) error {
				_, err := e.export(ctx, w, o.query(from))
				return err
			})
		}
		sums, err := e.exportFile(ctx, o.file, o.query(from))
		if err != nil {
			return err
		}
		return a.show(sums, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "%s: %d entries, payments %s yuan, refunds %s yuan, revokes %s yuan\n",
				o.file, sums.Rows, sums.PayFen.Yuan(), sums.RefundFen.Yuan(), sums.RevokeFen.Yuan())
			return err
		})
	})
}

func (o exportOptions) query(from time.Time) order.EntryQuery {
	return order.EntryQuery{From: from, To: from.AddDate(0, 0, 1), Channel: o.channel, Account: o.account}
}

// exportSums are the totals of an export; payments count what is paid now.
type exportSums struct {
	Rows      int     `json:"rows"`
	PayFen    pay.Fen `json:"pay_fen"`
	RefundFen pay.Fen `json:"refund_fen"`
	RevokeFen pay.Fen `json:"revoke_fen"`
	// Sources say which node served each group.
	Sources []order.Source `json:"sources"`
}

// steadyTries are more than there are switches in the time of one reading.
const steadyTries = 5

// steady reads again, from the beginning, where tags moved meanwhile.
func steady(read func() error) (err error) {
	for range steadyTries {
		if err = read(); !errors.Is(err, order.ErrTagsMoving) {
			return err
		}
	}
	return err
}

// exportFile writes a file as a whole, or none.
func (e *engine) exportFile(ctx context.Context, path string, q order.EntryQuery) (sums exportSums, err error) {
	err = steady(func() error {
		return whole.Write(path, func(w io.Writer) (err error) {
			sums, err = e.export(ctx, w, q)
			return err
		})
	})
	return sums, err
}

// spooled hands out what write wrote once that is whole, and else nothing: a group that
// fails at the end, or a tag that moves, may undo it. Until then it lies in a file without
// a name.
func spooled(out io.Writer, write func(io.Writer) error) (err error) {
	spool, err := os.CreateTemp("", "paytool-export-")
	if err != nil {
		return fmt.Errorf("keep the export until it is whole: %w", err)
	}
	defer func() { err = errors.Join(err, spool.Close()) }()
	if err := os.Remove(spool.Name()); err != nil {
		return fmt.Errorf("keep the export until it is whole: %w", err)
	}
	err = steady(func() error {
		if err := rewind(spool); err != nil {
			return err
		}
		return write(spool)
	})
	if err != nil {
		return err
	}
	if _, err := spool.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read the export again: %w", err)
	}
	_, err = io.Copy(out, spool)
	return err
}

// rewind empties a file.
func rewind(f *os.File) error {
	_, err := f.Seek(0, io.SeekStart)
	return errors.Join(err, f.Truncate(0))
}

func (e *engine) export(ctx context.Context, out io.Writer, q order.EntryQuery) (sums exportSums, err error) {
	w, err := entries.NewWriter(out)
	if err != nil {
		return sums, fmt.Errorf("write entries: %w", err)
	}
	sums.Sources, err = e.Entries(ctx, q, func(entry pay.Entry) error {
		sums.Rows++
		switch {
		case entry.Kind == pay.EntryRefund:
			sums.RefundFen += entry.Amount
		case entry.Kind == pay.EntryRevoke:
			sums.RevokeFen += entry.Amount
		case entry.State == string(pay.Paid):
			sums.PayFen += entry.Amount
		}
		return w.Write(entry)
	})
	return sums, errors.Join(err, w.Flush())
}
