package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/go-sql-driver/mysql"

	"paytool/internal/order"
	"paytool/internal/shard"
)

func answer(number uint16, message string) error {
	return &mysql.MySQLError{Number: number, Message: message}
}

func TestClassifyBusinessErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		err  error
		want error
	}{
		{"number taken, MariaDB", answer(1062, "Duplicate entry '2016091212154323221992' for key 'PRIMARY'"), order.ErrDuplicateNo},
		{"number taken, MySQL 8", answer(1062, "Duplicate entry '2016091212154323221992' for key 'orders.PRIMARY'"), order.ErrDuplicateNo},
		{"number taken, SQLite", answer(1062, "UNIQUE constraint failed: orders.order_no"), order.ErrDuplicateNo},
		{"key taken, MariaDB", answer(1062, "Duplicate entry 'm1-k1-1-1' for key 'orders_key'"), order.ErrDuplicateKey},
		{"key taken, MySQL 8", answer(1062, "Duplicate entry 'm1-k1-1-1' for key 'orders.orders_key'"), order.ErrDuplicateKey},
		{"key taken, SQLite", answer(1062, "UNIQUE constraint failed: orders.merchant_id, orders.merchant_order_no, orders.attempt, orders.live"), order.ErrDuplicateKey},
		{"merchant writes a key's name", answer(1062, "Duplicate entry 'a for key 'orders_key'' for key 'PRIMARY'"), order.ErrDuplicateNo},
		{"null", answer(1048, "Column 'merchant_id' cannot be null"), order.ErrRefusedValue},
		{"too long", answer(1406, "Data too long for column 'subject' at row 1"), order.ErrRefusedValue},
		{"out of range", answer(1264, "Out of range value for column 'attempt' at row 1"), order.ErrRefusedValue},
		{"not utf8", answer(1366, "Incorrect string value: '\\xF0\\x9F' for column 'order_no' at row 1"), order.ErrRefusedValue},
		{"no default", answer(1364, "Field 'x' doesn't have a default value"), order.ErrRefusedValue},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for _, at := range []phase{beforeCommit, atCommit} {
				if got := classify(fmt.Errorf("insert: %w", tc.err), at); !errors.Is(got, tc.want) || !errors.Is(got, tc.err) {
					t.Errorf("phase %d: got %v, want %v around the server's words", at, got, tc.want)
				}
			}
		})
	}
}

func TestClassifyFaults(t *testing.T) {
	t.Parallel()
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	read := func(err error) error { return &net.OpError{Op: "read", Net: "tcp", Err: err} }
	sys := func(errno syscall.Errno) error { return os.NewSyscallError("connect", errno) }
	for _, tc := range []struct {
		name     string
		err      error
		cause    shard.Cause
		definite bool // a refusal even as the answer to a COMMIT
	}{
		{"read_only", answer(1290, "The MariaDB server is running with the --read-only option so it cannot execute this statement"), shard.ReadOnly, true},
		{"super_read_only", answer(1290, "The MySQL server is running with the --super-read-only option so it cannot execute this statement"), shard.ReadOnly, true},
		{"innodb_read_only", answer(1290, "The MySQL server is running with the --innodb-read-only option so it cannot execute this statement"), shard.ReadOnly, true},
		{"another option", answer(1290, "The MySQL server is running with the --secure-file-priv option so it cannot execute this statement"), shard.Unknown, true},
		{"read only mode", answer(1836, "Running in read-only mode"), shard.ReadOnly, true},
		{"read only transaction", answer(1792, "Cannot execute statement in a READ ONLY transaction"), shard.ReadOnly, true},
		{"read only table", answer(1036, "Table 'orders' is read only"), shard.ReadOnly, true},
		{"too many connections", answer(1040, "Too many connections"), shard.Unknown, true},
		{"too many of the user", answer(1203, "User paytool_app already has more than 'max_user_connections' active connections"), shard.Unknown, true},
		{"lock wait", answer(1205, "Lock wait timeout exceeded; try restarting transaction"), "", true},
		{"deadlock", answer(1213, "Deadlock found when trying to get lock; try restarting transaction"), "", true},
		{"table full", answer(1114, "The table 'orders' is full"), shard.DiskFull, false},
		{"disk full", answer(1021, "Disk full (/tmp); waiting for someone to free some space"), shard.DiskFull, false},
		{"engine says disk full", answer(1030, `Got error 28 "No space left on device" from storage engine InnoDB`), shard.DiskFull, false},
		{"engine says something else", answer(1030, `Got error 168 "Unknown" from storage engine InnoDB`), shard.Unknown, false},
		{"binlog disk full", answer(1026, `Error writing file 'binlog' (Errcode: 28 "No space left on device")`), shard.DiskFull, false},
		{"shutdown", answer(1053, "Server shutdown in progress"), shard.Crash, false},
		{"connection killed", answer(1927, "Connection was killed"), shard.Crash, false},
		{"query killed", answer(1317, "Query execution was interrupted"), "", false},
		{"statement time, MariaDB", answer(1969, "Query execution was interrupted (max_statement_time exceeded)"), shard.Hang, false},
		{"statement time, MySQL", answer(3024, "Query execution was interrupted, maximum statement execution time exceeded"), shard.Hang, false},
		{"missing column", answer(1054, "Unknown column 'risk_double' in 'field list'"), shard.Unknown, false},
		{"missing table", answer(1146, "Table 'pay.orders' doesn't exist"), shard.Unknown, false},
		{"access denied", answer(1045, "Access denied for user 'paytool_app'@'127.0.0.1' (using password: YES)"), shard.Unknown, false},
		{"refused", dial(sys(syscall.ECONNREFUSED)), shard.Crash, true},
		{"no such host", dial(&net.DNSError{Err: "no such host"}), shard.Crash, true},
		{"dial timeout", dial(os.ErrDeadlineExceeded), shard.Hang, true},
		{"reset", read(sys(syscall.ECONNRESET)), shard.Crash, false},
		{"read timeout", read(os.ErrDeadlineExceeded), shard.Hang, false},
		{"invalid connection", mysql.ErrInvalidConn, shard.Crash, false},
		{"bad connection", driver.ErrBadConn, shard.Crash, false},
		{"end of file", io.EOF, shard.Crash, false},
		{"cut off", io.ErrUnexpectedEOF, shard.Crash, false},
		{"deadline", context.DeadlineExceeded, shard.Hang, false},
		{"cancelled", context.Canceled, "", false},
		{"another primary", anotherServer("g1/primary", "a", "b"), shard.StalePrimary, true},
		{"another group", anotherGroup("g1/primary", 1, 2), shard.StalePrimary, true},
		{"packets out of step", mysql.ErrPktSync, shard.Unknown, false},
		{"anything else", errors.New("no idea"), shard.Unknown, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for at, outcome := range map[phase]order.Outcome{beforeCommit: order.NotCommitted, atCommit: order.Unknown} {
				if tc.definite {
					outcome = order.NotCommitted
				}
				var f *order.Fault
				if err := classify(fmt.Errorf("insert: %w", tc.err), at); !errors.As(err, &f) {
					t.Fatalf("phase %d: %v is no fault", at, err)
				}
				if f.Outcome != outcome || f.Cause != tc.cause || !errors.Is(f, tc.err) {
					t.Errorf("phase %d: got %s %q, want %s %q", at, f.Outcome, f.Cause, outcome, tc.cause)
				}
			}
		})
	}
	if classify(nil, atCommit) != nil {
		t.Error("no error became one")
	}
}
