package main

import (
	"context"
	"errors"
	"fmt"

	"paytool/internal/order"
	"paytool/internal/report"
)

// Exit statuses of every command but drill and recon, which have their own.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// statusError is an error with an exit status of its own. A nil err says nothing
// more: the command has printed its "no" already.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e *statusError) Unwrap() error { return e.err }

func usageError(err error) error { return &statusError{status: exitUsage, err: err} }

// errNo is the "no" of a check whose findings are printed already.
var errNo = &statusError{status: exitFailed}

// exit prints an error once and turns it into the exit status. It is the only
// place that does either.
func (a *app) exit(ctx context.Context, err error) int {
	if err == nil {
		return exitDone
	}
	status := exitFailed
	var withStatus *statusError
	if errors.As(err, &withStatus) {
		status = withStatus.status
	}
	if ctx.Err() != nil && status == exitFailed {
		status = exitInterrupted
	}
	if withStatus == nil || withStatus.err != nil {
		a.printError(err)
	}
	return status
}

func (a *app) printError(err error) {
	var refused *order.Error
	if a.output == outputJSON && errors.As(err, &refused) {
		_ = report.JSON(a.err, refused) // stderr is the last resort; there is nobody else to tell
		return
	}
	_, _ = fmt.Fprintln(a.err, "paytool:", err)
	if refused != nil || errors.As(err, &refused) {
		_, _ = fmt.Fprintln(a.err, "code:", refused.Code)
	}
}
