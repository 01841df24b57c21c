package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/go-sql-driver/mysql"

	"paytool/internal/order"
	"paytool/internal/shard"
)

// phase is where in a transaction an error came up.
type phase int

const (
	// beforeCommit: no COMMIT was sent. A transaction whose connection is gone is
	// rolled back, so every error says that nothing was committed.
	beforeCommit phase = iota
	// atCommit: COMMIT was sent, or a statement that commits by itself. Only a
	// definite answer of the server says that nothing was committed.
	atCommit
)

// classify turns an error of the driver into what the engine knows: a business
// error, or a fault with its outcome and cause. What is not known at commit is
// Unknown, never failed.
func classify(err error, at phase) error {
	if err == nil {
		return nil
	}
	if business := businessError(err); business != nil {
		return business
	}
	cause, definite := diagnose(err)
	f := &order.Fault{Outcome: order.NotCommitted, Cause: cause, Err: err}
	if at == atCommit && !definite {
		f.Outcome = order.Unknown
	}
	return f
}

// Numbers of server errors that decide something here.
const (
	errBadNull     = 1048
	errDuplicate   = 1062
	errDataTooLong = 1406
	errOutOfRange  = 1264
	errWrongValue  = 1366
	errTruncated   = 1265
	errNoDefault   = 1364

	errTableReadOnly   = 1036
	errPrevented       = 1290
	errReadOnlyTx      = 1792
	errReadOnlyMode    = 1836
	errTooManyConns    = 1040
	errTooManyOfUser   = 1203
	errUserLimit       = 1226
	errLockWait        = 1205
	errDeadlock        = 1213
	errWritingFile     = 1026
	errDiskFull        = 1021
	errEngine          = 1030
	errTableFull       = 1114
	errShutdown        = 1053
	errKilled          = 1927
	errInterrupted     = 1317
	errStatementTime   = 1969 // MariaDB
	errSelectTime      = 3024 // MySQL
	errNoSuchThread    = 1094
	errNoPreparing     = 1295 // the server prepares no statements
	errTooManyPrepared = 1461 // max_prepared_stmt_count
	errTableExists     = 1050
	errDuplicateColumn = 1060
	errDuplicateIndex  = 1061
	errNoSuchTable     = 1146
)

// businessError is the sentinel for an error in which the group is well and says
// no, or nil.
func businessError(err error) error {
	var m *mysql.MySQLError
	if !errors.As(err, &m) {
		return nil
	}
	switch m.Number {
	case errDuplicate:
		if duplicatesKey(m.Message) {
			return fmt.Errorf("%w: %w", order.ErrDuplicateKey, err)
		}
		return fmt.Errorf("%w: %w", order.ErrDuplicateNo, err)
	case errBadNull, errDataTooLong, errOutOfRange, errWrongValue, errTruncated, errNoDefault:
		return fmt.Errorf("%w: %w", order.ErrRefusedValue, err)
	}
	return nil
}

// uniqueKey is the name of the unique key of merchant, number and attempt.
const uniqueKey = "orders_key"

// duplicatesKey tells a taken key from a taken order number. Only what follows
// the last marker counts: the duplicate value stands before it, and merchants
// choose that.
func duplicatesKey(message string) bool {
	for _, marker := range []string{" for key ", "UNIQUE constraint failed: "} {
		if i := strings.LastIndex(message, marker); i >= 0 {
			name := message[i+len(marker):]
			return strings.Contains(name, uniqueKey) || strings.Contains(name, "merchant_order_no")
		}
	}
	return false
}

// diagnose says what an error tells about the group, and whether it is a definite
// refusal even as the answer to a COMMIT.
func diagnose(err error) (cause shard.Cause, definite bool) {
	var stale *staleError
	var answer *mysql.MySQLError
	var dial *net.OpError
	switch {
	case errors.As(err, &stale):
		return shard.StalePrimary, true
	case errors.Is(err, order.ErrNotOwned):
		return "", true
	case errors.As(err, &answer):
		return diagnoseAnswer(answer)
	}
	// A connection that was never made carried no statement.
	definite = errors.As(err, &dial) && dial.Op == "dial"
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return "", definite
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return shard.Hang, definite
	case definite, isLost(err):
		return shard.Crash, definite
	}
	return shard.Unknown, false
}

// isLost reports whether the connection went away. The driver says
// ErrInvalidConn when the socket is reset and when it stays silent for
// IOTimeout; with contexts that end sooner it is a reset.
func isLost(err error) bool {
	for _, lost := range []error{
		mysql.ErrInvalidConn, driver.ErrBadConn, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed,
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE,
	} {
		if errors.Is(err, lost) {
			return true
		}
	}
	return false
}

func diagnoseAnswer(m *mysql.MySQLError) (cause shard.Cause, definite bool) {
	switch m.Number {
	case errPrevented:
		// The number is shared by all options that forbid something.
		if strings.Contains(m.Message, "read-only") || strings.Contains(m.Message, "read_only") {
			return shard.ReadOnly, true
		}
		return shard.Unknown, true
	case errReadOnlyTx, errReadOnlyMode, errTableReadOnly:
		return shard.ReadOnly, true
	case errLockWait, errDeadlock:
		return "", true
	case errTooManyConns, errTooManyOfUser, errUserLimit:
		return shard.Unknown, true
	case errTableFull, errDiskFull:
		return shard.DiskFull, false
	case errEngine, errWritingFile:
		if strings.Contains(m.Message, "error 28") || strings.Contains(m.Message, "code: 28") || strings.Contains(m.Message, "No space left") {
			return shard.DiskFull, false
		}
		return shard.Unknown, false
	case errShutdown, errKilled:
		return shard.Crash, false
	case errInterrupted:
		return "", false
	case errStatementTime, errSelectTime:
		return shard.Hang, false
	}
	return shard.Unknown, false
}

// isAnswer reports whether the server answered with one of the numbers.
func isAnswer(err error, numbers ...uint16) bool {
	var m *mysql.MySQLError
	if !errors.As(err, &m) {
		return false
	}
	for _, n := range numbers {
		if m.Number == n {
			return true
		}
	}
	return false
}
