package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
)

func newOrderPurgeCmd(a *app) *cobra.Command {
	var older time.Duration
	var dryRun, yes bool
	cmd := &cobra.Command{
		Use:   "purge-shadow",
		Short: "Delete the shadow orders of drills and loads",
		Long: `Delete shadow orders, with their refunds, revokes, moves and tasks, in every group.
Those of a load that may still be running are kept (--older-than), and so are those
that are in doubt.`,
		Example: `  paytool order purge-shadow --dry-run
  paytool order purge-shadow --older-than 24h --yes`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !dryRun && !yes {
				return usageError(errors.New("this deletes orders: say --yes, or --dry-run to count them"))
			}
			return runOrderPurge(cmd.Context(), a, older, dryRun)
		},
	}
	cmd.Flags().DurationVar(&older, "older-than", time.Hour, "created that long ago or longer")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "count them, delete nothing")
	cmd.Flags().BoolVar(&yes, "yes", false, "delete them")
	return cmd
}

func runOrderPurge(ctx context.Context, a *app, older time.Duration, dryRun bool) error {
	return a.withEngine(ctx, func(e *engine) error {
		e.Refresh(ctx)
		n, err := e.PurgeShadow(ctx, time.Now().Add(-older), dryRun, func(n int) { a.err.Set(fmt.Sprintf("%d shadow orders", n)) })
		a.err.Set("")
		shown := struct {
			Orders int  `json:"orders"`
			DryRun bool `json:"dry_run"`
		}{n, dryRun}
		showErr := a.show(shown, func(w io.Writer) error {
			verb := "deleted"
			if dryRun {
				verb = "would be deleted"
			}
			_, err := fmt.Fprintf(w, "%d shadow orders %s\n", n, verb)
			return err
		})
		return errors.Join(err, showErr)
	})
}
