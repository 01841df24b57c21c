package main

import (
	"errors"

	"github.com/spf13/cobra"

	"paytool/internal/bill"
	"paytool/internal/recon"
)

// Exit statuses of the recon commands. Wrong usage is 1 here: 2 says that there are
// differences.
const (
	reconDifferences = 2
	reconNotReady    = 3
	reconGate        = 4
)

func newReconCmd(a *app) *cobra.Command {
	cmd := group("recon", "Hold our books against a channel's bills: every fen explained, every day", newReconRunCmd(a))
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return reconStatus(usageError(err)) })
	cmd.PersistentPreRunE = func(cmd *cobra.Command, args []string) error {
		return reconStatus(cmd.Root().PersistentPreRunE(cmd, args))
	}
	return cmd
}

// reconStatus gives an error the status that the recon commands have for it.
func reconStatus(err error) error {
	var gate *recon.GateError
	var refused *bill.RefusedError
	var status *statusError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &gate), errors.Is(err, recon.ErrNothingInCommon):
		return &statusError{status: reconGate, err: err}
	case errors.As(err, &refused) && refused.Code == bill.RefusedNotReady:
		return &statusError{status: reconNotReady, err: err}
	case errors.As(err, &refused):
		return &statusError{status: reconGate, err: err}
	case errors.As(err, &status) && status.status == exitUsage && status.err != nil:
		return &statusError{status: exitFailed, err: status.err}
	}
	return err
}
