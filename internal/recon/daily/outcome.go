package daily

import (
	"errors"
	"time"

	"paytool/internal/bill"
	"paytool/internal/recon"
	"paytool/internal/recon/ledger"
)

// Status is what became of a day.
type Status string

// The statuses.
const (
	Balanced    Status = "balanced"
	Differences Status = "differences"
	Overdue     Status = "overdue"   // and of earlier days differences are open for too long
	NotReady    Status = "not_ready" // ask again later
	Waiting     Status = "waiting"   // for an earlier day
	Gate        Status = "gate"      // an input cannot be trusted
	Failed      Status = "failed"
)

// Exit statuses. 1 is the program's failure, as everywhere.
const (
	ExitDifferences = 2
	ExitNotReady    = 3
	ExitGate        = 4
	ExitOverdue     = 5
)

// Exit is the exit status that a day calls for. Waiting has none of its own: the day
// that is waited for has.
func (s Status) Exit() int {
	switch s {
	case Failed:
		return 1
	case Differences:
		return ExitDifferences
	case NotReady:
		return ExitNotReady
	case Gate:
		return ExitGate
	case Overdue:
		return ExitOverdue
	default:
		return 0
	}
}

// Worst is the exit status of several: 1 before 4, 3, 5 and 2.
func Worst(exits ...int) int {
	for _, e := range []int{1, ExitGate, ExitNotReady, ExitOverdue, ExitDifferences} {
		for _, got := range exits {
			if got == e {
				return e
			}
		}
	}
	return 0
}

// Outcome is what became of a day.
type Outcome struct {
	ledger.Book
	Date     string           `json:"date"`
	Status   Status           `json:"status"`
	Error    string           `json:"error"`
	RetryAt  *time.Time       `json:"retry_at"` // of NotReady, Beijing time
	Warnings []string         `json:"warnings"` // beside those of the result
	Overdue  int              `json:"overdue"`  // open differences of the account, all days
	Recorded *ledger.Recorded `json:"recorded"` // null without a ledger
	Result   *recon.Result    `json:"result"`   // null where the day was not reconciled

	Inputs Inputs `json:"-"`
	Err    error  `json:"-"` // what Error tells
}

var errNotReady = errors.New("the bill is not ready yet")

// StatusOf is the status that an error of a day stands for.
func StatusOf(err error) Status {
	var gate *recon.GateError
	var refused *bill.RefusedError
	switch {
	case errors.Is(err, errNotReady), errors.As(err, &refused) && refused.Code == bill.RefusedNotReady:
		return NotReady
	case errors.As(err, &gate), errors.Is(err, recon.ErrNothingInCommon), refused != nil:
		return Gate
	default:
		return Failed
	}
}

func (o *Outcome) fail(err error) { o.Status, o.Err, o.Error = StatusOf(err), err, err.Error() }

func (o *Outcome) succeed(result *recon.Result) {
	o.Result = result
	switch {
	case o.Overdue > 0:
		o.Status = Overdue
	case !result.Balanced:
		o.Status = Differences
	default:
		o.Status = Balanced
	}
}
